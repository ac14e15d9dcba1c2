package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// tally is what became of the requests of one kind.
type tally struct {
	requests, bytes int64
	// notYet are 412 and gone 404 at the live edge, where they are answers like others.
	notYet, gone int64
	// stale came from a cache whose origin was away; excused failed then, as documented, with 502, 503, 504 or a cut body.
	stale, excused int64
	// wrong bodies, failed (5xx), refused (other statuses that should not be) and broken connections are faults.
	wrong, failed, refused, broken int64
	// took are the times of a sample of the requests.
	took []time.Duration
	seen int64
}

// maxTook bounds the sample of times of each kind.
const maxTook = 1 << 14

// maxFaults is how many faults are told one by one.
const maxFaults = 20

// score counts what became of requests. It is safe for concurrent use.
type score struct {
	start time.Time
	out   io.Writer

	mu     sync.Mutex // guards the rest
	kinds  map[string]*tally
	faults int
}

func newScore(out io.Writer) *score {
	return &score{start: time.Now(), out: out, kinds: make(map[string]*tally)}
}

// count changes the tally of a kind.
func (s *score) count(kind string, change func(*tally)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.kinds[kind]
	if t == nil {
		t = &tally{}
		s.kinds[kind] = t
	}
	change(t)
}

// timed takes down the time of a request, as one of a sample in which each has the same chance to be.
func (t *tally) timed(d time.Duration) {
	t.seen++
	if len(t.took) < maxTook {
		t.took = append(t.took, d)
		return
	}
	if n := rand.Int64N(t.seen); n < maxTook {
		t.took[n] = d
	}
}

// fault counts a fault and tells it, if it is one of the first.
func (s *score) fault(kind string, which func(*tally) *int64, format string, args ...any) {
	s.count(kind, func(t *tally) {
		*which(t)++
		if s.faults++; s.faults <= maxFaults {
			fmt.Fprintf(s.out, "FAULT at %.1f s: %s: %s\n", time.Since(s.start).Seconds(), kind, fmt.Sprintf(format, args...))
		}
	})
}

func wrong(t *tally) *int64   { return &t.wrong }
func failed(t *tally) *int64  { return &t.failed }
func refused(t *tally) *int64 { return &t.refused }
func broken(t *tally) *int64  { return &t.broken }

// print prints a table and returns how many faults there were.
func (s *score) print() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.out, "| kind | requests | MB | wrong | 5xx | other status | cut | 412, 404 at the edge | stale, failed in the outage | p50, p99 ms |")
	fmt.Fprintln(s.out, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	var names []string
	for name := range s.kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t := s.kinds[name]
		fmt.Fprintf(s.out, "| %s | %d | %.1f | %d | %d | %d | %d | %d, %d | %d, %d | %.1f, %.1f |\n", name, t.requests, float64(t.bytes)/1e6,
			t.wrong, t.failed, t.refused, t.broken, t.notYet, t.gone, t.stale, t.excused, millis(quantile(t.took, 0.5)), millis(quantile(t.took, 0.99)))
	}
	return s.faults
}

// quantile returns a quantile of times, which it sorts; zero of none.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

func millis(d time.Duration) float64 { return d.Seconds() * 1e3 }
