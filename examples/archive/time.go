package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// point reads a time on the command line. start is when the presentation begins, in ticks of 100 ns. An empty string is no bound.
func point(s string, start uint64) (smooth.Instant, error) {
	if s == "" {
		return smooth.Instant{}, nil
	}
	if ticks, ok := strings.CutPrefix(s, "@"); ok {
		n, err := strconv.ParseUint(ticks, 10, 64)
		if err != nil {
			return smooth.Instant{}, fmt.Errorf("%q is no number of ticks", s)
		}
		return smooth.AtTicks(n, smooth.DefaultTimescale), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil && t.Unix() >= 0 {
		return smooth.AtTicks(uint64(t.Unix())*smooth.DefaultTimescale+uint64(t.Nanosecond()/100), smooth.DefaultTimescale), nil
	}
	d, ok := offset(s)
	if !ok {
		return smooth.Instant{}, fmt.Errorf("%q is no time: 00:12:30, 750, 12m30s, 2026-07-02T12:10:00Z and @17830014000000000 are", s)
	}
	return smooth.AtTicks(start+uint64(d/100), smooth.DefaultTimescale), nil
}

// offset reads hours, minutes and seconds, seconds, or a duration of Go.
func offset(s string) (time.Duration, bool) {
	if d, err := time.ParseDuration(s); err == nil {
		return d, d >= 0
	}
	fields := strings.Split(s, ":")
	if len(fields) > 3 {
		return 0, false
	}
	var sum float64
	for i, f := range fields {
		v, err := strconv.ParseFloat(f, 64)
		last := i == len(fields)-1
		if err != nil || !(v >= 0) || !last && v != math.Trunc(v) || i > 0 && v >= 60 {
			return 0, false
		}
		sum = sum*60 + v
	}
	const most = float64(math.MaxInt64 / int64(time.Second) / 2)
	return time.Duration(math.Round(sum*1e7)) * 100, sum < most
}

// clock writes a span in ticks of 100 ns as hours, minutes and seconds.
func clock(ticks uint64) string {
	const second = smooth.DefaultTimescale
	s := ticks / second
	return fmt.Sprintf("%02d:%02d:%02d.%03d", s/3600, s/60%60, s%60, ticks%second/10_000)
}
