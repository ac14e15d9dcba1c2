package cut

import (
	"fmt"
	"math"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// Gather appends the samples of the fragment between two neighbouring cuts of t to samples, in ticks of timescale,
// and where their bytes are in the file to spans, neighbours joined. The durations add up to to.Time-from.Time, and
// composition offsets are exact presentation times, moved by shift, less decode times. See the package comment. The
// caller checks the spans against the size of the file.
func (t *Track) Gather(samples []fmp4.RunSample, spans []fmp4.Span, from, to Cut, timescale, shift uint64) ([]fmp4.RunSample, []fmp4.Span, error) {
	c := t.Table.At(from.Sample)
	start := len(samples)
	begin, end := int64(from.Time), int64(to.Time)
	var move, last int64 // what is added to decode times; decode time of the sample before
	for i := from.Sample; i < to.Sample; i++ {
		s, ok := c.Next()
		if !ok {
			return samples, spans, fmt.Errorf("cut: sample %d of %d: %w", i, t.Table.Len(), ErrEmpty)
		}
		dts := t.Ticks(int64(s.DTS), timescale)
		if i == from.Sample {
			move = begin - dts
		} else if !setDuration(&samples[len(samples)-1], min(dts+move, end)-last) {
			return samples, spans, longSample(i-1, timescale)
		}
		last = min(dts+move, end)
		cts := t.Ticks(int64(s.DTS)+int64(s.CTS), timescale) + int64(shift) - last
		if cts < math.MinInt32 || cts > math.MaxInt32 {
			return samples, spans, fmt.Errorf("cut: sample %d: composition offset of %d ticks: %w", i, cts, ErrTimes)
		}
		r := fmp4.RunSample{Size: s.Size, CTS: int32(cts), Flags: fmp4.FlagsDelta}
		if s.Sync {
			r.Flags = fmp4.FlagsSync
		}
		samples = append(samples, r)
		spans = addSpan(spans, s.Offset, int64(s.Size))
	}
	if len(samples) > start && !setDuration(&samples[len(samples)-1], end-last) {
		return samples, spans, longSample(to.Sample-1, timescale)
	}
	return samples, spans, nil
}

func setDuration(s *fmp4.RunSample, d int64) bool {
	s.Duration = uint32(d)
	return d >= 0 && d <= math.MaxUint32
}

func longSample(i uint32, timescale uint64) error {
	return fmt.Errorf("cut: sample %d lasts longer than %d s: %w", i, math.MaxUint32/timescale, ErrTimes)
}

func addSpan(spans []fmp4.Span, offset, size int64) []fmp4.Span {
	if n := len(spans); n > 0 && spans[n-1].Offset+spans[n-1].Size == offset {
		spans[n-1].Size += size
		return spans
	}
	if size == 0 {
		return spans
	}
	return append(spans, fmp4.Span{Offset: offset, Size: size})
}
