package hls

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// A weight is what a playlist costs on the line.
type weight struct {
	// peak is not exceeded by any segment and at most a tenth above the heaviest one, average is that over all of them.
	// Both are in bits per second.
	peak, average uint64
	// frameRate is in frames per 1,000 seconds; zero for sound.
	frameRate uint64
}

const (
	// maxMeasured bounds the segments of one playlist that are measured for its peak.
	maxMeasured = 128
	// probes is the number of segments, spread over the presentation, that are measured in any case.
	probes = 8
)

// A scale finds the weight of one rendition. Sizes of fragments come from the index of the presentation; what MPEG-2 TS
// or the boxes of MP4 add depends on the samples, so it is bounded for all segments and known for those measured.
type scale struct {
	ctx   context.Context
	p     smooth.Presentation
	w     *show
	r     *rendition
	plan  plan
	list  []segment
	sizer smooth.Sizer // or nil

	densest measured // the one with the most units per tick
	slowest measured // the one with the most clock references per tick
	exact   []uint64 // bytes per segment; zero if not measured
	bounds  []uint64
}

// weigh returns the weight of a rendition.
func (w *show) weigh(ctx context.Context, p smooth.Presentation, r *rendition, pl plan) (weight, error) {
	m := scale{ctx: ctx, p: p, w: w, r: r, plan: pl, list: pl.segments(nil)}
	m.list = slices.DeleteFunc(m.list, func(s segment) bool { return s.gap || s.end == s.start })
	if len(m.list) == 0 {
		return w.nominal(r), nil
	}
	m.sizer, _ = p.(smooth.Sizer)
	m.exact, m.bounds = make([]uint64, len(m.list)), make([]uint64, len(m.list))
	count := probes
	if !w.snap.Ended {
		count = 1 // the peak of what is to come is not known; only the frame rate is
	}
	count = min(count, len(m.list))
	for i := range count {
		at := i * (len(m.list) - 1) / max(count-1, 1)
		if count == 1 {
			at = len(m.list) - 1 // the newest one is the last to leave the window
		}
		if err := m.measure(at); err != nil && !unservable(err) {
			return weight{}, err
		}
	}
	v := w.nominal(r)
	if w.snap.Ended {
		if err := m.find(&v); err != nil {
			return v, err
		}
	}
	if d := m.densest; r.stream.Type == smooth.Video && d.ticks > 0 {
		v.frameRate = smooth.Rescale(d.units*1000, d.ticks, pl.timescale)
	}
	return v, nil
}

// unservable reports whether a segment cannot be measured because nobody will get it either, so that the rest of the
// presentation need not suffer.
func unservable(err error) bool {
	for _, why := range [...]error{smooth.ErrCorrupt, smooth.ErrNotFound, smooth.ErrGone, smooth.ErrUnsupported, smooth.ErrTooLarge} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}

// nominal returns the weight that the bit rate in the manifest promises.
func (w *show) nominal(r *rendition) weight {
	rate := r.level.Bitrate
	if sound := w.sound(r); sound != nil {
		rate += sound.level.Bitrate
	}
	return weight{peak: rate*115/100 + 40_000, average: rate*105/100 + 20_000}
}

// find measures the heaviest segments until no other one can be heavier by more than a tenth.
func (m *scale) find(v *weight) error {
	for i := range m.list {
		m.bounds[i] = m.bound(i)
	}
	order := make([]int, len(m.list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(m.rate(b, m.bounds[b]), m.rate(a, m.bounds[a])) })
	heaviest := uint64(0)
	for i, n := range m.exact {
		if n > 0 {
			heaviest = max(heaviest, m.rate(i, n))
		}
	}
	v.peak = heaviest
	for n, i := range order {
		next := m.rate(i, m.bounds[i])
		if next <= heaviest+heaviest/11 || n >= maxMeasured { // a little less than a tenth, as sizes are rounded up
			v.peak = max(heaviest, next)
			break
		}
		if m.exact[i] == 0 {
			if err := m.measure(i); err != nil && !unservable(err) {
				return err
			}
		}
		heaviest = max(heaviest, m.rate(i, m.exact[i]))
		v.peak = heaviest
	}
	if average := m.average(); average > 0 {
		v.average = average
	}
	return nil
}

// rate returns the bit rate of segment i if it has so many bytes, rounded up.
func (m *scale) rate(i int, bytes uint64) uint64 {
	d := m.list[i].end - m.list[i].start
	return smooth.Rescale(bytes*8, d, m.plan.timescale) + 1
}

// average returns the bit rate of all segments. What the bound of a segment is above its size is taken to be the same
// everywhere.
func (m *scale) average() uint64 {
	var exact, measured, bounds, ticks uint64
	for i := range m.list {
		bounds += m.bounds[i]
		ticks += m.list[i].end - m.list[i].start
		if m.exact[i] > 0 {
			exact += m.exact[i]
			measured += m.bounds[i]
		}
	}
	if measured == 0 || ticks == 0 {
		return 0
	}
	return smooth.Rescale(smooth.Rescale(bounds, measured, exact)*8, ticks, m.plan.timescale)
}

// measured is what a segment has.
type measured struct {
	size       uint64 // bytes
	units      uint64 // of the main track
	references uint64 // packets with nothing but a clock reference, at most
	ticks      uint64 // of the plan
}

// measure finds the size of segment i from the sizes of its samples.
func (m *scale) measure(i int) error {
	s := &m.list[i]
	n, err := m.w.measure(m.ctx, m.p, m.r, &m.plan, s)
	if err != nil {
		return err
	}
	m.exact[i] = n.size
	// Compares fractions; all are far below 32 bits for real segments.
	if d := &m.densest; n.ticks > 0 && (d.ticks == 0 || n.units*d.ticks > d.units*n.ticks) {
		*d = n
	}
	if d := &m.slowest; n.ticks > 0 && (d.ticks == 0 || n.references*d.ticks > d.references*n.ticks) {
		*d = n
	}
	return nil
}

// measure returns what a segment has.
func (w *show) measure(ctx context.Context, p smooth.Presentation, r *rendition, pl *plan, s *segment) (n measured, err error) {
	for _, c := range pl.line[s.first : s.first+s.count] {
		n.ticks += c.Duration
	}
	if w.layout == fragmented {
		c, err := newCMAFSegment(ctx, p, r, s)
		if err != nil {
			return measured{}, err
		}
		defer c.close()
		for _, part := range c.parts {
			for _, err := range part.fragment.Samples() {
				if err != nil {
					return measured{}, err
				}
				n.units++
			}
		}
		n.size = uint64(c.size) + sealing
		return n, nil
	}
	t, err := w.collect(ctx, p, r, pl, s)
	if err != nil {
		return measured{}, err
	}
	defer t.close()
	if n.size, err = t.exact(ctx); err != nil {
		return measured{}, err
	}
	n.size += sealing
	if w.sampleAES {
		n.size += sampleAESGrowth(n.size)
	}
	n.units = uint64(len(t.tracks[0].list))
	for i := range t.tracks[0].list {
		n.references += uint64(t.tracks[0].list[i].duration) / mpegts.PCRInterval
	}
	return n, nil
}

// exact returns the size of a segment in bytes, up to the cycle of a continuity counter. Only where the lengths of NAL
// units have fewer bytes than the start codes that replace them, the segment has to be read for that. One that cannot be
// made has its bound.
func (t *tsSegment) exact(ctx context.Context) (uint64, error) {
	if n := t.tracks[0].codec.NALULengthSize; n == 0 || n >= 4 {
		return uint64(t.size()), nil
	}
	n, known, err := t.measure(ctx)
	if err == nil && !known {
		n, err = t.stream(ctx, io.Discard)
	}
	if errors.Is(err, mpegts.ErrMalformed) || errors.Is(err, mpegts.ErrTooLarge) {
		return uint64(t.size()), nil
	}
	return uint64(n), err
}

// sealing is what encryption adds at most.
const sealing = 16

const (
	// unitOverhead bounds what one unit adds to its samples in MPEG-2 TS: PES header, access unit delimiter, clock
	// reference, the ADTS headers of eight frames, and a last packet that is nearly empty.
	unitOverhead = 19 + 6 + 8 + 8*adtsSize + 183
	// sampleOverhead is what one sample adds to the boxes of fragmented MP4, boxOverhead what a fragment does.
	sampleOverhead = 16
	boxOverhead    = 256
	// closing is what completes the cycles of the continuity counters of two tracks, and the tables.
	closing = 2*15*188 + 2*188
)

// bound returns the most that segment i can have, in bytes, given that no other segment has more samples, or more clock
// references between them, in a time than those measured.
func (m *scale) bound(i int) uint64 {
	s := &m.list[i]
	payload, known := m.payload(m.r, m.plan.line[s.first:s.first+s.count])
	units := uint64(2)
	if d := m.densest; d.ticks > 0 {
		units += smooth.Rescale(s.end-s.start, d.ticks, d.units)
	}
	if !known {
		return m.guess(s)
	}
	if m.w.layout == fragmented {
		return payload + units*sampleOverhead + uint64(s.count)*boxOverhead + sealing
	}
	if sound := m.w.sound(m.r); sound != nil {
		at := m.w.reachOf(&m.plan, s)
		scale := m.w.snap.Manifest.TimescaleOf(sound.stream)
		end := smooth.Rescale(at.end, at.timescale, scale)
		lo, hi := sound.stream.Timeline.Overlap(smooth.Rescale(at.start, at.timescale, scale), end)
		chunks := sound.stream.Timeline[lo:hi]
		n, known := m.payload(sound, chunks)
		if !known {
			return m.guess(s)
		}
		payload += n
		for _, c := range chunks {
			units += 2 + smooth.Rescale(c.Duration, scale, 10) // a PES packet has 180 ms at most if frames are short
		}
	}
	bytes := payload + units*unitOverhead + uint64(s.count)*m.parameterSets()
	bytes = bytes*188/184 + closing + sealing
	if d := m.slowest; d.references > 0 {
		bytes += (smooth.Rescale(s.end-s.start, d.ticks, d.references) + 1) * mpegts.PacketSize
	}
	if m.w.sampleAES {
		bytes += sampleAESGrowth(bytes)
	}
	return bytes
}

// guess returns what the bit rate in the manifest promises for a segment, where nothing is known without reading.
func (m *scale) guess(s *segment) uint64 {
	return smooth.Rescale(s.end-s.start, m.plan.timescale, m.w.nominal(m.r).peak/8)
}

// parameterSets returns the bytes of the parameter sets, which every fragment repeats.
func (m *scale) parameterSets() uint64 { return uint64(len(m.r.codec.PrivateData)) + 16 }

// payload sums the sizes of fragments up. It reports false if one is not known.
func (m *scale) payload(r *rendition, chunks []smooth.Chunk) (total uint64, known bool) {
	if m.sizer == nil {
		return 0, false
	}
	for _, c := range chunks {
		n, err := m.sizer.FragmentSize(r.key(c.Time))
		if err != nil {
			return 0, false
		}
		total += uint64(n)
	}
	return total, true
}
