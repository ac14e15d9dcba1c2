package remote

import (
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// zeroPoint is the attribute, of the root or among its custom attributes, that tells the wall-clock time at the zero of
// the timeline.
const zeroPoint = "timeScaleZeroPoint"

// epochs are what the zero of a timeline means that counts the wall-clock time: 1970, 1601 (FILETIME) and the year 1
// (ticks of .NET).
var epochs = [...]time.Time{
	time.Unix(0, 0), time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
}

// How far the end of a live timeline may be from now for its ticks to be the wall-clock time.
const (
	wallLag   = 10 * time.Minute
	wallAhead = time.Minute
)

// wallOf returns what tells wall-clock times: that of the zero of the timeline. It reports false if nothing tells it.
// Either the manifest says it, or the newest fragment of a live presentation ends at about now in ticks that count from
// one of the usual epochs; nothing else that counts media time comes near them.
func wallOf(m *smooth.Manifest, end uint64, now time.Time) (zero time.Time, ok bool) {
	for _, list := range [...][]smooth.Attribute{m.CustomAttributes, m.Extra} {
		for _, a := range list {
			if !strings.EqualFold(a.Name, zeroPoint) {
				continue
			}
			if t, err := time.Parse(time.RFC3339Nano, a.Value); err == nil {
				return t.UTC(), true
			}
		}
	}
	if !m.IsLive || end == 0 {
		return time.Time{}, false
	}
	for _, epoch := range epochs {
		at := wallAt(epoch, end, timescaleOf(m))
		if lag := now.Sub(at); lag < wallLag && lag > -wallAhead {
			return epoch, true
		}
	}
	return time.Time{}, false
}

// wallAt returns the wall-clock time at t ticks of a timescale after zero.
func wallAt(zero time.Time, t, timescale uint64) time.Time {
	seconds, rest := t/timescale, t%timescale
	ns := smooth.Rescale(rest, timescale, uint64(time.Second))
	return time.Unix(zero.Unix()+int64(min(seconds, 1<<40)), int64(zero.Nanosecond())+int64(ns)).UTC()
}

// timescaleOf returns the timescale of a manifest's own times.
func timescaleOf(m *smooth.Manifest) uint64 {
	if m.Timescale == 0 {
		return smooth.DefaultTimescale
	}
	return m.Timescale
}
