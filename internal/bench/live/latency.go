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
type delays []time.Duration

func (d *delays) add(v time.Duration) { *d = append(*d, v) }

func (d delays) print(what string) error {
	if len(d) == 0 {
		return fmt.Errorf("%s: nothing to measure", what)
	}
	p := percentiles(d)
	if d[0] < 0 {
		return fmt.Errorf("%s: %v before its time", what, -d[0])
	}
	fmt.Printf("%-12s %6d times: median %.2f ms, p90 %.2f ms, p99 %.2f ms, most %.2f ms\n", what, len(d), millis(p[0]),
		millis(d[len(d)*9/10]), millis(p[1]), millis(p[2]))
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

// measureHLS measures how soon a viewer has the first byte of a segment, one format after the other. Server and viewer are one
// process, so that the viewer can be told of new snapshots; the encoders are another.
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
	start := time.Now().Add(time.Second)
	cmd, output, err := startChildOf(c, "encoders", web.Listener.Addr().String(), start)
	if err != nil {
		return err
	}
	formats := []string{"m3u8-aapl", "m3u8-cmaf", "m3u8-aapl-v3"}
	end := start.Add(2 * segmentLength) // by then all tracks are known
	time.Sleep(time.Until(end))
	var watchers []*segmentWatcher
	for _, format := range formats {
		end = end.Add((c.length - 3*segmentLength) / time.Duration(len(formats)))
		w := &segmentWatcher{base: web.URL + "/" + pointName + "/", format: format, point: point}
		if err := w.follow(end); err != nil {
			return err
		}
		watchers = append(watchers, w)
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	list, err := readSent(output, int(c.length/length))
	if err != nil {
		return err
	}
	for _, w := range watchers {
		if err := w.delays(list); err != nil {
			return err
		}
	}
	return nil
}

// encodersChild is a process of encoders, which tells in the end when they have sent what.
func encodersChild(c *config) error {
	list := newEncoders(int(c.length/length), c.aligned, latencyLanes())
	if err := runEncoders(c.addr, time.Unix(0, c.start), list...).wait(); err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for i, e := range list {
		for n := range e.sent {
			fmt.Fprintln(out, i, n, e.sent[n].Load())
		}
	}
	return out.Flush()
}

// readSent returns encoders that have sent what a child tells.
func readSent(r io.Reader, n int) ([]*encoder, error) {
	list := newEncoders(n, false, latencyLanes())
	in := bufio.NewReader(r)
	for {
		var lane, number int
		var at int64
		if _, err := fmt.Fscan(in, &lane, &number, &at); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list[lane].sent[number].Store(at)
	}
}

// segmentWatcher follows a media playlist.
type segmentWatcher struct {
	base, format string
	point        smooth.Presentation
	seen         uint64 // start of the newest segment seen, and a tick
	found        []foundSegment
}

// foundSegment is a segment with the number of its last fragment, and when its first byte came.
type foundSegment struct {
	last int
	at   time.Time
}

// follow follows the list of a middle bit rate for a while.
func (w *segmentWatcher) follow(end time.Time) error {
	playlist := fmt.Sprintf("QualityLevels(1800000)/Manifest(video,format=%s).m3u8", w.format)
	for first := true; time.Now().Before(end); first = false {
		s, err := w.point.Snapshot(context.Background())
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
		w.found = append(w.found, foundSegment{int(start/ticks) + n - 1, at})
	}
	return nil
}

// delays prints how long after the last byte of its last fragment each segment came.
func (w *segmentWatcher) delays(list []*encoder) error {
	var d delays
	for _, f := range w.found {
		sent := lastSent(list, "video", f.last)
		if w.format == "m3u8-aapl-v3" { // with sound in it
			if audio := lastSent(list, "audio", f.last); audio.After(sent) {
				sent = audio
			}
		}
		d.add(f.at.Sub(sent))
	}
	return d.print(w.format)
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
