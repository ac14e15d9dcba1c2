package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// newEncoders returns an encoder for each track. Unless they are aligned they are spread over a fragment, in an order that
// mixes the streams.
func newEncoders(n int, aligned bool, lanes []lane) []*encoder {
	var list []*encoder
	for i, l := range lanes {
		e := newEncoder(strconv.Itoa(i), n, l)
		if !aligned {
			e.delay = length * time.Duration(i*7%len(lanes)) / time.Duration(len(lanes))
		}
		list = append(list, e)
	}
	return list
}

// lastSent returns when the last byte of the fragments with number n of a stream went out; zero if one has not.
func lastSent(list []*encoder, stream string, n int) time.Time {
	var last time.Time
	for _, e := range list {
		if e.lanes[0].name != stream {
			continue
		}
		at := e.sentAt(n)
		if at.IsZero() {
			return at
		}
		if at.After(last) {
			last = at
		}
	}
	return last
}

// delays are what has been measured.
type delays struct {
	mu   sync.Mutex // guards the fields below
	list []time.Duration
	errs []error
}

func (d *delays) add(v time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, v)
}

func (d *delays) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errs = append(d.errs, err)
}

func (d *delays) print(what string) error {
	if len(d.errs) > 0 {
		return fmt.Errorf("%s: %d errors, one is: %w", what, len(d.errs), d.errs[0])
	}
	p := percentiles(d.list)
	early := 0
	for _, v := range d.list {
		if v < 0 {
			early++
		}
	}
	fmt.Printf("%-12s %6d fragments: median %.2f ms, p90 %.2f ms, p99 %.2f ms, most %.2f ms, before time %d\n", what,
		len(d.list), millis(p[0]), millis(d.list[len(d.list)*9/10]), millis(p[1]), millis(p[2]), early)
	return nil
}

func millis(d time.Duration) float64 { return d.Seconds() * 1e3 }

// measureLatency measures how soon viewers that wait have the first byte. They are a process of their own, so that its
// scheduler does not keep them waiting while encoders send.
func measureLatency(c *config) error {
	p, err := startChild("ours", "")
	if err != nil {
		return err
	}
	defer p.stop()
	n, lanes := int(c.length/length), latencyLanes()
	list := newEncoders(n, c.aligned, lanes)
	start := time.Now()
	push := runEncoders(p.addr, start, list...)
	cmd, output, err := startChildOf(c, "waiters", p.addr, start)
	if err != nil {
		return err
	}
	err = errors.Join(cmd.Wait(), push.wait())
	if err != nil {
		return err
	}
	var d delays
	for {
		var lane, number int
		var at int64
		if n, _ := fmt.Fscan(output, &lane, &number, &at); n < 3 {
			break
		}
		l := lanes[lane]
		sent := lastSent(list, l.name, number+lookahead)
		if sent.IsZero() {
			return fmt.Errorf("fragment %d of %s at %d is there before its look-ahead", number, l.name, l.bitrate)
		}
		d.add(time.Unix(0, at).Sub(sent))
	}
	return d.print("first byte")
}

// waitersChild is a process of viewers that wait at the edge, c.viewers for each track.
func waitersChild(c *config) error {
	n := int(c.length / length)
	var mu sync.Mutex // guards out and errs
	out := bufio.NewWriter(os.Stdout)
	var errs []error
	var work sync.WaitGroup
	for i, l := range latencyLanes() {
		for range c.viewers {
			work.Go(func() {
				err := follow(c.addr, l, time.Unix(0, c.start), n, func(number int, at time.Time) {
					mu.Lock()
					defer mu.Unlock()
					fmt.Fprintln(out, i, number, at.UnixNano())
				})
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
	}
	work.Wait()
	return errors.Join(append(errs, out.Flush())...)
}

// follow follows a track on a connection of its own, and tells when the first byte of each fragment has come.
func follow(addr string, l lane, start time.Time, n int, first func(number int, at time.Time)) error {
	const skipped = 2 // of the start
	time.Sleep(time.Until(start.Add((skipped + lookahead + 1) * length)))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	for number := skipped; number < n-lookahead; number++ {
		if _, err := io.WriteString(conn, "GET "+l.path(number)+" HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
			return err
		}
		if _, err := in.Peek(1); err != nil {
			return err
		}
		at := time.Now()
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("fragment %d of %s at %d: %s", number, l.name, l.bitrate, answer.Status)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		if number > skipped { // that one may have been there for a while
			first(number, at)
		}
	}
	return nil
}

// segmentLength is that of the segments of mode hls.
const segmentLength = 3 * length

// measureHLS measures how soon a viewer has the first byte of a segment. Server and viewer are one process, so that the viewer
// can be told of new snapshots.
func measureHLS(c *config) error {
	out := hls.NewOutput(&hls.Options{SegmentDuration: segmentLength, Logger: slog.New(slog.DiscardHandler)})
	defer out.Close()
	s, point, err := newPoint([]smooth.Output{out})
	if err != nil {
		return err
	}
	defer s.Close()
	web := httptest.NewServer(s)
	defer web.Close()
	n, lanes := int(c.length/length), latencyLanes()
	list := newEncoders(n, c.aligned, lanes)
	push := runEncoders(web.Listener.Addr().String(), time.Now(), list...)
	time.Sleep(segmentLength) // so that all tracks are known
	formats := []string{"m3u8-aapl", "m3u8-cmaf", "m3u8-aapl-v3"}
	found := make([]delays, len(formats))
	var work sync.WaitGroup
	for i, format := range formats {
		work.Go(func() {
			base := web.URL + "/" + pointName + "/"
			w := &segmentWatcher{base: base, format: format, point: point, list: list, d: &found[i]}
			if err := w.follow(n - 5); err != nil {
				w.d.fail(err)
			}
		})
	}
	work.Wait()
	var errs []error
	for i, format := range formats {
		errs = append(errs, found[i].print(format))
	}
	if err := point.Stop(context.Background()); err != nil {
		return err
	}
	_ = push.wait() // they have been told to go
	return errors.Join(errs...)
}

// segmentWatcher follows a media playlist.
type segmentWatcher struct {
	base, format string
	point        smooth.Presentation
	list         []*encoder
	d            *delays
	seen         uint64 // start of the newest segment seen, and a tick
}

// follow follows the middle bit rate for about that many fragments.
func (w *segmentWatcher) follow(fragments int) error {
	ctx := context.Background()
	end := time.Now().Add(time.Duration(fragments) * length)
	playlist := fmt.Sprintf("QualityLevels(1800000)/Manifest(video,format=%s).m3u8", w.format)
	for first := true; time.Now().Before(end); first = false {
		s, err := w.point.Snapshot(ctx)
		if err != nil {
			return err
		}
		if err := w.poll(playlist, first); err != nil {
			return err
		}
		select {
		case <-s.Superseded():
		case <-time.After(2 * length):
		}
	}
	return nil
}

// poll asks for the playlist, and for a segment that is new.
func (w *segmentWatcher) poll(playlist string, first bool) error {
	text, _, err := w.get(playlist)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(text, "\n") {
		start, n, ok := segmentOf(line)
		if !ok || start < w.seen {
			continue
		}
		w.seen = start + 1
		if first {
			continue
		}
		_, at, err := w.get(path.Join(path.Dir(playlist), line))
		if err != nil {
			return err
		}
		number := int(start/ticks) + n - 1
		sent := lastSent(w.list, "video", number)
		if w.format == "m3u8-aapl-v3" { // with sound in it
			if audio := lastSent(w.list, "audio", number); audio.After(sent) || audio.IsZero() {
				sent = audio
			}
		}
		if sent.IsZero() {
			return fmt.Errorf("segment %s is there before its fragments", line)
		}
		w.d.add(at.Sub(sent))
	}
	return nil
}

// segmentOf returns the start and the number of fragments that the URL of a segment names.
func segmentOf(line string) (start uint64, n int, ok bool) {
	_, rest, ok := strings.Cut(line, "Fragments(video=")
	if !ok {
		return 0, 0, false
	}
	number, rest, _ := strings.Cut(rest, ",")
	start, err := strconv.ParseUint(number, 10, 64)
	_, count, found := strings.Cut(rest, "n=")
	if !found || err != nil {
		return 0, 0, false
	}
	end := slices.IndexFunc([]byte(count), func(b byte) bool { return b < '0' || b > '9' })
	n, err = strconv.Atoi(count[:max(end, 0)])
	return start, n, err == nil
}

// get returns a body and when its first byte came.
func (w *segmentWatcher) get(name string) (string, time.Time, error) {
	answer, err := http.Get(w.base + name)
	if err != nil {
		return "", time.Time{}, err
	}
	defer answer.Body.Close()
	in := bufio.NewReaderSize(answer.Body, 64<<10)
	_, _ = in.Peek(1) // an empty body is found below
	at := time.Now()
	b, err := io.ReadAll(in)
	if err == nil && answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusPreconditionFailed {
		err = fmt.Errorf("%s: %s: %s", name, answer.Status, b)
	}
	return string(b), at, err
}

// measureIngest measures what it costs to take what encoders send.
func measureIngest(c *config) error {
	const (
		encoders = 10
		rate     = 10_000_000 // bits per second
	)
	p, err := startChild("ours", "")
	if err != nil {
		return err
	}
	defer p.stop()
	n := int(c.length / length)
	var list []*encoder
	for i := range encoders {
		e := newEncoder(strconv.Itoa(i), n, lane{smooth.Video, "video", rate + uint64(i)})
		if !c.aligned {
			e.delay = length * time.Duration(i) / encoders
		}
		list = append(list, e)
	}
	start := time.Now()
	push := runEncoders(p.addr, start, list...)
	const full = 16 * length // the window, as much again, and the look-ahead
	time.Sleep(full)
	before, err := p.moment(statePath)
	if err != nil {
		return err
	}
	if c.profile != "" {
		if _, err := ask(p.addr, profilePath+"?file="+c.profile); err != nil {
			return err
		}
	}
	time.Sleep(c.length - full - length)
	after, err := p.moment(statePath)
	if err != nil {
		return err
	}
	span := c.length - full - length
	if c.profile != "" {
		if _, err := ask(p.addr, profilePath); err != nil {
			return err
		}
	}
	if err := push.wait(); err != nil {
		return err
	}
	fragments := float64(encoders) * span.Seconds() / length.Seconds()
	const row = "ingest of %d x %d Mbit/s: %.2f%% of a core per 10 Mbit/s; %.0f allocations and %.0f bytes per fragment of %d bytes\n"
	fmt.Printf(row, encoders, rate/1_000_000, 100*(after.cpu-before.cpu).Seconds()/span.Seconds()/encoders,
		float64(after.Allocations-before.Allocations)/fragments,
		float64(after.AllocatedSum-before.AllocatedSum)/fragments, rate/8*int(length/time.Second))
	return nil
}
