package console

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestFormat: numbers as people read them.
func TestFormat(t *testing.T) {
	for want, got := range map[string]string{
		"0 bit/s": rate(0), "999 bit/s": rate(999), "1.00 kbit/s": rate(999.6), "12.3 Mbit/s": rate(uint64(12_345_678)), "123 Mbit/s": rate(123.4e6),
		"1.00 Gbit/s": rate(999.9e6), "5000 Tbit/s": rate(5e15), "unknown": rate(math.NaN()), "12.0 GB": size(int64(12e9)), "7 bytes": size(7), "-1.50 kB": size(-1500),
		"1,234,567": count(1234567), "999": count(999), "-1,000": count(-1000), "NaN": count("x"), "97.3 %": percent(.973),
		"0:00": span(-time.Second), "0:59": span(59 * time.Second), "59:59": span(time.Hour - 1), "1:00:00": span(time.Hour), "23:59:59": span(24*time.Hour - 1), "3 d 4:05": span(76*time.Hour + 5*time.Minute),
		"6 Gbit/s": tick("6.00 Gbit/s"), "0": tick("0 bit/s"), "1,000": tick("1,000"), "1.5 Mbit/s": tick("1.50 Mbit/s"), "100 kbit/s": tick("100 kbit/s"),
		"1 gap": several(1, "gap", "gaps"), "2,000 gaps": several(2000, "gap", "gaps"),
		"3000 · 700 kbit/s": rates([]uint64{3_000_000, 699_600}), "": rates(nil), "0 min": uptime(time.Second), "3 h 07 min": uptime(187 * time.Minute),
	} {
		assert.Equal(t, want, got)
	}
	now := time.Date(2026, 3, 14, 0, 30, 0, 0, time.UTC)
	east := time.FixedZone("east", 3600)
	assert.Equal(t, "00:10:00", clock(now.Add(-20*time.Minute), now, time.UTC))
	assert.Equal(t, "2026-03-13 23:50", clock(now.Add(-40*time.Minute), now, time.UTC))
	assert.Equal(t, "00:50:00", clock(now.Add(-40*time.Minute), now, east), "today is that of the zone")
	assert.Empty(t, clock(time.Time{}, now, time.UTC))
}

// TestNiceTop: an axis ends at a round number that the values fit below, and that is not much larger.
func TestNiceTop(t *testing.T) {
	for _, peak := range []float64{2.1, 3, 9.99, 10, 10.01, 123, 4.72e9, 8.1e5, 1e12} {
		top := niceTop(peak)
		assert.GreaterOrEqual(t, top, peak)
		assert.LessOrEqual(t, top, peak*2)
	}
	assert.Equal(t, 2.0, niceTop(0))
}

// TestMerge: no bits are lost and no time is, whatever is put together, also where fragments are missing.
func TestMerge(t *testing.T) {
	for _, n := range []int{0, 1, 599, 600, 601, 1200, 1201, 43_200} {
		points := make([]FragmentPoint, n)
		bits, length := 0.0, 0.0
		for i := range points {
			points[i] = FragmentPoint{Start: float64(i+i/50) * 2, Duration: 2, BitsPerSecond: float64(i%7) * 1e5}
			bits += points[i].BitsPerSecond * 2
			length += 2
		}
		list, each := merge(points)
		assert.LessOrEqual(t, len(list), levelPoints)
		gotBits, gotLength := 0.0, 0.0
		for _, b := range list {
			assert.LessOrEqual(t, b.average, b.peak)
			gotBits += b.average * b.length
			gotLength += b.length
		}
		assert.InEpsilon(t, 1+bits, 1+gotBits, 1e-9, n)
		assert.InEpsilon(t, 1+length, 1+gotLength, 1e-9, n)
		assert.Equal(t, max(1, (n+599)/600), each)
	}
}
