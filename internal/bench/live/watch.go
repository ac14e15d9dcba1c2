package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// report is what the viewers have seen.
type report struct {
	Viewers   int
	Fragments int
	Bytes     int64
	// NotYet counts 412. Missed are fragments that a viewer did not get, Late those that were complete so late that the
	// next one was there already.
	NotYet, Missed, Late int
	// Wrong counts sizes, times and announcements that are not as they should be, and Sums of WrongSums contents.
	Wrong, Sums, WrongSums int
	// FirstByte and Complete are from the request on, or with -edge from when the fragment could be announced, at the
	// median, the 99th percentile and at most.
	FirstByte, Complete [3]time.Duration
	// Err is one of the errors.
	Err string
}

// schedule says when what happens in an event with viewers.
type schedule struct {
	start time.Time
	edge  bool
	n     int // fragments
}

// When viewers join: once the window is full. They ask for fragments from firstWatched on.
const (
	window       = 10 * time.Second
	joinAt       = 24 * time.Second
	joinTime     = 6 * time.Second
	firstWatched = 13
	// spare is how long after the announcement the first viewers ask.
	spare = 300 * time.Millisecond
)

// due returns when fragment n can be announced: when the look-ahead is there.
func (s *schedule) due(n int) time.Time { return s.start.Add(time.Duration(n+1+lookahead) * length) }

// lastWatched is the number after that of the last fragment with a whole look-ahead.
func (s *schedule) lastWatched() int { return s.n - lookahead }

// audience is the load generator.
type audience struct {
	schedule
	addr     string
	lanes    []lane
	contents [][]content
	buffers  sync.Pool

	mu       sync.Mutex // guards the fields below
	report   report
	first    []time.Duration
	complete []time.Duration
}

// watchChild is the load generator as a process.
func watchChild(c *config) error {
	a := &audience{
		schedule: schedule{time.Unix(0, c.start), c.edge, int(c.length / length)},
		addr:     c.addr, lanes: viewerLanes(), buffers: sync.Pool{New: func() any { return new([256 << 10]byte) }},
	}
	for _, l := range a.lanes {
		a.contents = append(a.contents, l.contents(a.n))
	}
	var work sync.WaitGroup
	for i := range c.viewers {
		work.Go(func() { a.watch(i, c.viewers) })
	}
	work.Wait()
	a.report.Viewers = c.viewers
	a.report.FirstByte, a.report.Complete = percentiles(a.first), percentiles(a.complete)
	return json.NewEncoder(os.Stdout).Encode(&a.report)
}

// percentiles returns the median, the 99th percentile and the largest value.
func percentiles(v []time.Duration) [3]time.Duration {
	if len(v) == 0 {
		return [3]time.Duration{}
	}
	slices.Sort(v)
	return [3]time.Duration{v[len(v)/2], v[len(v)*99/100], v[len(v)-1]}
}

// fail counts a fragment that a viewer did not get.
func (a *audience) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Missed++
	a.report.Err = err.Error()
}

// watch is viewer i of n.
func (a *audience) watch(i, n int) {
	time.Sleep(time.Until(a.start.Add(joinAt + joinTime*time.Duration(i)/time.Duration(n))))
	v := &viewer{a: a, lane: i % len(a.lanes), phase: spare + length*time.Duration(i)/time.Duration(n)}
	if a.edge {
		v.phase = 0
	}
	defer v.close()
	for number := firstWatched; number < a.lastWatched(); number++ {
		if !a.edge || number == firstWatched {
			time.Sleep(time.Until(a.due(number).Add(v.phase)))
		}
		v.check = (number+i)%16 == 0
		for {
			err := v.fetch(number)
			if errors.Is(err, errNotYet) && time.Now().Before(a.due(number).Add(2*length)) {
				time.Sleep(100 * time.Millisecond)
				continue
			}
			if err != nil {
				a.fail(err)
				v.close()
			}
			break
		}
	}
}

// viewer is a viewer with a connection.
type viewer struct {
	a     *audience
	conn  net.Conn
	lane  int
	phase time.Duration
	check bool // compare the content

	small [4 << 10]byte
}

func (v *viewer) close() {
	if v.conn != nil {
		v.conn.Close()
		v.conn = nil
	}
}

var errNotYet = errors.New("412")

// fetch gets a fragment.
func (v *viewer) fetch(number int) error {
	if v.conn == nil {
		conn, err := net.Dial("tcp", v.a.addr)
		if err != nil {
			return err
		}
		v.conn = conn
	}
	begin := time.Now()
	request := "GET " + v.a.lanes[v.lane].path(number) + " HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench/1.0\r\n\r\n"
	if _, err := io.WriteString(v.conn, request); err != nil {
		return err
	}
	if v.a.edge {
		begin = v.a.due(number)
	}
	got, err := v.conn.Read(v.small[:])
	if err != nil {
		return err
	}
	first := time.Since(begin)
	status, size, body, err := v.head(&got)
	switch {
	case err != nil:
		return err
	case status == 412:
		v.a.mu.Lock()
		v.a.report.NotYet++
		v.a.mu.Unlock()
		return errNotYet
	case status != 200:
		return fmt.Errorf("fragment %d: status %d", number, status)
	}
	wrong, wrongSum, err := v.body(number, v.small[body:got], size)
	if err != nil {
		return err
	}
	v.count(number, size, first, time.Since(begin), wrong, wrongSum)
	return nil
}

// head reads the head of the answer and at least the moof box, of got bytes so far.
func (v *viewer) head(got *int) (status, size, body int, err error) {
	for {
		end := bytes.Index(v.small[:*got], []byte("\r\n\r\n"))
		if end > 0 {
			status, size = parseHead(v.small[:end])
			body = end + 4
			if status != 200 || *got-body >= min(size, 1024) {
				return status, size, body, nil
			}
		}
		if *got == len(v.small) {
			return 0, 0, 0, errors.New("a head that is too long")
		}
		n, err := v.conn.Read(v.small[*got:])
		if err != nil {
			return 0, 0, 0, err
		}
		*got += n
	}
}

// parseHead returns the status and the Content-Length.
func parseHead(b []byte) (status, size int) {
	if len(b) > 12 {
		status, _ = strconv.Atoi(string(b[9:12]))
	}
	const field = "\r\ncontent-length: "
	for i := 0; i+len(field) < len(b); i++ {
		if b[i] == '\r' && bytes.EqualFold(b[i:i+len(field)], []byte(field)) {
			end := bytes.IndexByte(b[i+2:], '\r')
			if end < 0 {
				end = len(b) - i - 2
			}
			size, _ = strconv.Atoi(string(b[i+len(field) : i+2+end]))
		}
	}
	return status, size
}

// body reads the rest of the body, and compares.
func (v *viewer) body(number int, start []byte, size int) (wrong, wrongSum bool, err error) {
	want := v.a.contents[v.lane][number]
	moof := fmp4.MoofSize(start)
	if moof < 0 || size != moof+8+want.size {
		wrong = true
	} else {
		next, err := fmp4.ParseTfrf(start[:moof])
		wrong = err != nil || len(next) != lookahead || next[0].Time != uint64(number+1)*ticks
	}
	sum := uint32(0)
	if v.check && !wrong {
		sum = crc32.Update(0, castagnoli, start[moof+8:])
	}
	buf := v.a.buffers.Get().(*[256 << 10]byte)
	defer v.a.buffers.Put(buf)
	for rest := size - len(start); rest > 0; {
		n, err := v.conn.Read(buf[:min(rest, len(buf))])
		if err != nil {
			return wrong, false, err
		}
		if v.check {
			sum = crc32.Update(sum, castagnoli, buf[:n])
		}
		rest -= n
	}
	return wrong, v.check && !wrong && sum != want.sum, nil
}

// count adds a fragment to the report.
func (v *viewer) count(number, size int, first, complete time.Duration, wrong, wrongSum bool) {
	late := time.Now().After(v.a.due(number).Add(v.phase + length))
	v.a.mu.Lock()
	defer v.a.mu.Unlock()
	r := &v.a.report
	r.Fragments++
	r.Bytes += int64(size)
	for _, c := range []struct {
		counts bool
		n      *int
	}{{late, &r.Late}, {wrong, &r.Wrong}, {v.check, &r.Sums}, {wrongSum, &r.WrongSums}} {
		if c.counts {
			*c.n++
		}
	}
	if number > firstWatched {
		v.a.first, v.a.complete = append(v.a.first, first), append(v.a.complete, complete)
	}
}
