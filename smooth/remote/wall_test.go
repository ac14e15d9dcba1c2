package remote

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth"
)

// TestWall: wall-clock times are those that the manifest states, or ticks that count them; nothing is made up.
func TestWall(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	ticks := func(from time.Time, at time.Time) uint64 {
		return uint64(at.Unix()-from.Unix()) * smooth.DefaultTimescale
	}
	year1 := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	filetime := time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)
	edge := now.Add(-20 * time.Second)
	stated := []smooth.Attribute{{Name: "TimeScaleZeroPoint", Value: "2026-03-04T05:00:00.5+01:00"}}
	for name, c := range map[string]struct {
		m    smooth.Manifest
		end  uint64
		want time.Time
	}{
		"1970":          {smooth.Manifest{IsLive: true}, ticks(time.Unix(0, 0), edge), time.Unix(0, 0)},
		"1601":          {smooth.Manifest{IsLive: true}, ticks(filetime, edge), filetime},
		"1":             {smooth.Manifest{IsLive: true}, ticks(year1, edge), year1},
		"local time":    {smooth.Manifest{IsLive: true}, ticks(year1, edge.Add(time.Hour)), time.Time{}},
		"on demand":     {smooth.Manifest{}, ticks(year1, edge), time.Time{}},
		"from zero":     {smooth.Manifest{IsLive: true}, 3600 * smooth.DefaultTimescale, time.Time{}},
		"nothing yet":   {smooth.Manifest{IsLive: true}, 0, time.Time{}},
		"highest":       {smooth.Manifest{IsLive: true}, 1<<64 - 1, time.Time{}},
		"stated":        {smooth.Manifest{CustomAttributes: stated}, 5, time.Date(2026, 3, 4, 4, 0, 0, 500_000_000, time.UTC)},
		"attribute":     {smooth.Manifest{IsLive: true, Extra: stated}, 0, time.Date(2026, 3, 4, 4, 0, 0, 500_000_000, time.UTC)},
		"not a time":    {smooth.Manifest{CustomAttributes: []smooth.Attribute{{Name: zeroPoint, Value: "noon"}}}, 5, time.Time{}},
		"other unit":    {smooth.Manifest{IsLive: true, Timescale: 90_000}, uint64(edge.Unix()) * 90_000, time.Unix(0, 0)},
		"without zone?": {smooth.Manifest{CustomAttributes: []smooth.Attribute{{Name: zeroPoint, Value: "2026-03-04T05:00:00"}}}, 5, time.Time{}},
	} {
		zero, ok := wallOf(&c.m, c.end, now)
		assert.Equal(t, !c.want.IsZero() || name == "1", ok, name)
		if ok {
			assert.True(t, c.want.Equal(zero), "%s: %v", name, zero)
		}
	}
	assert.True(t, edge.Equal(wallAt(year1, ticks(year1, edge), smooth.DefaultTimescale)))
	assert.Equal(t, now.Add(1500*time.Millisecond), wallAt(now, 135_000, 90_000))
}

// testTime is when tests without a clock take place.
var testTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
