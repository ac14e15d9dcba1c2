package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// moment is what the server uses at a moment.
type moment struct {
	at         time.Duration
	rss, heap  int64 // bytes; heap is after a garbage collection, and 0 if nobody looked
	goroutines int
	files      int
	unnamed    int // files without a name, see program.Usage
	cpu        time.Duration
}

var heapLine = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)`)

// look returns what the server uses. With collect the garbage is collected first.
func (m *mix) look(collect bool) (moment, error) {
	now := moment{at: time.Since(m.score.start)}
	var errs [3]error
	if collect {
		b, err := m.server.Profile("heap?gc=1&debug=1")
		errs[0] = err
		if found := heapLine.FindSubmatch(b); found != nil {
			now.heap, errs[0] = strconv.ParseInt(string(found[1]), 10, 64)
		}
	}
	u, err := m.server.Used()
	now.rss, now.files, now.unnamed, now.cpu, errs[1] = u.RSS, u.Files, u.Unnamed, u.CPU, err
	now.goroutines, errs[2] = m.server.Goroutines()
	return now, errors.Join(errs[:]...)
}

// watch looks at the server until the load is over, and prints some of it.
func (m *mix) watch(ctx context.Context) (list []moment) {
	every := max(m.length/120, time.Second/2)
	for n := 0; pause(ctx, every); n++ {
		now, err := m.look(n%10 == 9)
		if err != nil {
			if ctx.Err() == nil {
				m.fault("watch", failed, "%v", err)
			}
			return list
		}
		if now.heap > 0 {
			fmt.Fprintf(m.config.out, "%6.1f s: RSS %.1f MB, heap %.1f MB, %d goroutines, %d files and %d without a name, CPU %.1f s\n", now.at.Seconds(),
				mega(now.rss), mega(now.heap), now.goroutines, now.files, now.unnamed, now.cpu.Seconds())
		}
		list = append(list, now)
	}
	return list
}

func mega(n int64) float64 { return float64(n) / 1e6 }

// flat fails if something has grown: what it was for a quarter of the time, after the first one, and what it was for the last.
func flat(list []moment) error {
	q := len(list) / 4
	if q == 0 {
		return errors.New("too short to tell whether memory is flat")
	}
	first, last := list[q:2*q], list[len(list)-q:]
	var errs []error
	for _, v := range []struct {
		what  string
		of    func(m moment) int64
		slack int64 // besides a tenth
	}{
		{"RSS", func(m moment) int64 { return m.rss }, 32 << 20},
		{"heap", func(m moment) int64 { return m.heap }, 16 << 20},
		{"goroutines", func(m moment) int64 { return int64(m.goroutines) }, 25},
		{"files", func(m moment) int64 { return int64(m.files) }, 25},
	} {
		was, is := median(first, v.of), median(last, v.of)
		if was > 0 && is > was+was/10+v.slack { // else there was no look at it in that quarter
			errs = append(errs, fmt.Errorf("%s has grown from %d to %d", v.what, was, is))
		}
	}
	return errors.Join(errs...)
}

// median returns the median of those values that are there.
func median(list []moment, of func(moment) int64) int64 {
	var v []int64
	for _, m := range list {
		if n := of(m); n > 0 {
			v = append(v, n)
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}
