package hls

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// mpegScale is the timescale of MPEG-2 TS, and startOffset what is added to all its times in every rendition, so that
// clock references and decode times before the start of the presentation stay positive.
const (
	mpegScale   = 90_000
	startOffset = 10 * mpegScale
)

// A unit is what becomes one PES packet: an access unit of a picture, or consecutive frames of sound.
type unit struct {
	dts, pts uint64 // 90 kHz, with startOffset
	duration uint32 // 90 kHz
	fragment int32  // in units.fragments
	offset   int64  // in the payload of the fragment
	size     int32  // bytes
	sync     bool
	// frames are entries of units.sizes from first on; zero for a picture.
	first, frames int32
}

// units are the samples that one track has in one segment, without their bytes.
type units struct {
	list      []unit
	sizes     []int32 // of frames of sound
	fragments []*smooth.Fragment
	codec     *smooth.Codec // of the first fragment
	identity  uint64        // a hash of the samples, for entity tags of live segments
}

var unitsPool = sync.Pool{New: func() any { return new(units) }}

func newUnits() *units { return unitsPool.Get().(*units) }

// close gives back the fragments and the memory.
func (u *units) close() {
	for i, f := range u.fragments {
		if f != nil {
			f.Close()
		}
		u.fragments[i] = nil
	}
	*u = units{list: u.list[:0], sizes: u.sizes[:0], fragments: u.fragments[:0]}
	unitsPool.Put(u)
}

// add takes a fragment over.
func (u *units) add(f *smooth.Fragment) int32 {
	if u.codec == nil {
		u.codec = f.Codec
	}
	u.fragments = append(u.fragments, f)
	return int32(len(u.fragments) - 1)
}

// toMPEG converts a decode time and a composition offset to 90 kHz.
func toMPEG(dts uint64, cts int64, timescale uint64) (d, p uint64) {
	d = smooth.Rescale(dts, timescale, mpegScale) + startOffset
	at := int64(dts) + cts
	if at < 0 { // a presentation time before zero of the timeline
		return d, startOffset - smooth.Rescale(uint64(-at), timescale, mpegScale)
	}
	return d, smooth.Rescale(uint64(at), timescale, mpegScale) + startOffset
}

// delayKey is where the decode delay of a track is kept with a snapshot.
type delayKey struct {
	stream, attrs string
	bitrate       uint64
}

// decodeDelay returns by how much pictures of a track are to be decoded earlier than their decode times say, in 90 kHz.
// Smooth Streaming has tracks with negative composition offsets, whose pictures are decoded later than they are shown;
// MPEG-2 TS has not. One fragment is looked at, since encoders reorder in the same way throughout.
func (w *show) decodeDelay(ctx context.Context, p smooth.Presentation, r *rendition) (uint64, error) {
	v, err := w.snap.Derive(delayKey{r.stream.Name, r.attrs, r.level.Bitrate}, func() (any, error) {
		f, err := p.Fragment(ctx, r.key(r.stream.Timeline.Start()))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		most := uint64(0)
		for s, err := range f.Samples() {
			if err != nil {
				return nil, err
			}
			if dts, pts := toMPEG(s.DTS, s.CTS, f.Timescale); pts < dts {
				most = max(most, dts-pts)
			}
		}
		return min(most, maxDecodeDelay), nil
	})
	if err != nil {
		return 0, err
	}
	return v.(uint64), nil
}

// maxDecodeDelay bounds the decode delay: startOffset, less what clock references are ahead.
const maxDecodeDelay = startOffset - mpegScale

// collectVideo adds the access units of count fragments of a video track from position first of its timeline on. They are
// decoded earlier by a delay.
func (u *units) collectVideo(ctx context.Context, p smooth.Presentation, r *rendition, first, count int, delay uint64) error {
	for _, c := range r.stream.Timeline[first : first+count] {
		f, err := p.Fragment(ctx, r.key(c.Time))
		if err != nil {
			return err
		}
		if err := u.addPictures(f, u.add(f), delay); err != nil {
			return err
		}
	}
	return nil
}

func (u *units) addPictures(f *smooth.Fragment, n int32, delay uint64) error {
	end := uint64(0)
	for s, err := range f.Samples() {
		if err != nil {
			return err
		}
		if s.Size > maxSample {
			return sampleTooLarge(f, s.Size)
		}
		x := unit{fragment: n, offset: s.Offset, size: int32(s.Size), sync: s.IsSync()}
		x.dts, x.pts = toMPEG(s.DTS, s.CTS, f.Timescale)
		end = smooth.Rescale(s.DTS+uint64(s.Duration), f.Timescale, mpegScale) + startOffset
		x.duration = uint32(min(end-x.dts, 1<<31))
		x.dts -= delay
		if len(u.list) == maxSegmentSamples {
			return tooManySamples(f)
		}
		u.list = append(u.list, x)
		u.identify(&x)
	}
	return nil
}

// maxSample bounds one sample in bytes, so that what is computed from it fits 32 bits.
const maxSample = 256 << 20

const (
	// maxSegmentSamples bounds the samples of a track in a segment: box headers of some bytes can state a million.
	maxSegmentSamples = 1 << 20
	// maxFragmentsBeside bounds the fragments of sound or text that go with a segment of the picture: those of nine hours,
	// should the picture end so much earlier.
	maxFragmentsBeside = 16 << 10
)

func tooManySamples(f *smooth.Fragment) error {
	return fmt.Errorf("hls: fragment %s %d: more than %d samples in a segment: %w", f.Key.Stream, f.Key.Time, maxSegmentSamples, smooth.ErrTooLarge)
}

func tooManyFragments(st *smooth.Stream, n int) error {
	return fmt.Errorf("hls: %d fragments of %s in a segment, limit %d: %w", n, st.Name, maxFragmentsBeside, smooth.ErrTooLarge)
}

func sampleTooLarge(f *smooth.Fragment, size uint32) error {
	return fmt.Errorf("hls: fragment %s %d: sample of %d bytes: %w", f.Key.Stream, f.Key.Time, size, smooth.ErrTooLarge)
}

// identify mixes what a segment's bytes depend on into the identity.
func (u *units) identify(x *unit) {
	for _, v := range [...]uint64{x.pts, uint64(x.size)} {
		u.identity = (u.identity ^ v) * 0x9e3779b97f4a7c15
		u.identity ^= u.identity >> 29
	}
}

// A reach is a half-open span of time in ticks of some timescale.
type reach struct {
	start, end uint64
	timescale  uint64
}

// before reports whether tick t of a timescale lies before tick v of another one.
func before(t, timescale, v, other uint64) bool {
	h1, l1 := bits.Mul64(t, other)
	h2, l2 := bits.Mul64(v, timescale)
	return h1 < h2 || h1 == h2 && l1 < l2
}

// packing bounds how many frames of sound share a PES packet.
type packing struct {
	duration uint64 // 90 kHz
	bytes    int32
}

var (
	// Beside a picture, which has the clock references, a PES packet of sound may be long. Alone it is kept below the
	// distance that clock references may have. The payload of a PES packet of sound is at most 65,535 bytes.
	packMuxed = packing{duration: mpegScale * 180 / 1000, bytes: 60_000}
	packAlone = packing{duration: mpegScale * 90 / 1000, bytes: 60_000}
)

// collectAudio adds the frames of sound whose time lies in a reach.
func (u *units) collectAudio(ctx context.Context, p smooth.Presentation, r *rendition, at reach, timescale uint64, pack packing) error {
	from := smooth.Rescale(at.start, at.timescale, timescale)
	to := smooth.Rescale(at.end, at.timescale, timescale)
	if to < to+1 {
		to++
	}
	lo, hi := r.stream.Timeline.Overlap(from-min(from, 1), to)
	if hi-lo > maxFragmentsBeside {
		return tooManyFragments(r.stream, hi-lo)
	}
	for _, c := range r.stream.Timeline[lo:hi] {
		f, err := p.Fragment(ctx, r.key(c.Time))
		if err != nil {
			return err
		}
		if err := u.addFrames(f, u.add(f), &at, pack); err != nil {
			return err
		}
	}
	return nil
}

func (u *units) addFrames(f *smooth.Fragment, n int32, at *reach, pack packing) error {
	begun, open := false, false // open: the last unit may take further frames
	for s, err := range f.Samples() {
		if err != nil {
			return err
		}
		if before(s.DTS, f.Timescale, at.start, at.timescale) {
			continue
		}
		if !before(s.DTS, f.Timescale, at.end, at.timescale) {
			return nil
		}
		if s.Size > uint32(pack.bytes) {
			return sampleTooLarge(f, s.Size)
		}
		if !begun {
			u.beginSound(f)
			begun = true
		}
		x := unit{fragment: n, offset: s.Offset, size: int32(s.Size), sync: true, first: int32(len(u.sizes)), frames: 1}
		x.dts, _ = toMPEG(s.DTS, 0, f.Timescale)
		x.pts = x.dts
		end := smooth.Rescale(s.DTS+uint64(s.Duration), f.Timescale, mpegScale) + startOffset
		x.duration = uint32(min(end-x.dts, 1<<31))
		if len(u.sizes) == maxSegmentSamples {
			return tooManySamples(f)
		}
		u.sizes = append(u.sizes, x.size)
		u.identify(&x)
		if last := len(u.list) - 1; open && u.list[last].join(&x, end, pack) {
			continue
		}
		u.list, open = append(u.list, x), true
	}
	return nil
}

// lastUntil makes a unit longer if it ends before a time.
func (x *unit) lastUntil(time uint64) {
	if time > x.dts+uint64(x.duration) {
		x.duration = uint32(min(time-x.dts, 1<<31))
	}
}

// beginSound takes the configuration of a fragment with frames of sound. Where it has changed, the few frames before are
// what the last fragment of another period had beyond its end. They go: the headers of frames are those of one track.
func (u *units) beginSound(f *smooth.Fragment) {
	if len(u.sizes) > 0 && !sameSound(u.codec, f.Codec) {
		u.list, u.sizes = u.list[:0], u.sizes[:0]
	}
	if len(u.sizes) == 0 {
		u.codec = f.Codec
	}
}

func sameSound(a, b *smooth.Codec) bool {
	return a == b || a != nil && b != nil && a.FourCC == b.FourCC && a.SamplingRate == b.SamplingRate &&
		a.Channels == b.Channels && bytes.Equal(a.PrivateData, b.PrivateData)
}

// join adds a frame that ends at a time to a unit, unless that would exceed a bound.
func (x *unit) join(frame *unit, end uint64, pack packing) bool {
	if end-x.dts > pack.duration || x.size+frame.size > pack.bytes-adtsSize*(x.frames+1) {
		return false
	}
	x.size += frame.size
	x.frames++
	x.duration = uint32(end - x.dts)
	return true
}

// adtsSize is what a frame of AAC grows by in MPEG-2 TS.
const adtsSize = 7
