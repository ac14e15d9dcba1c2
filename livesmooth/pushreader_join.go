package livesmooth

import (
	"fmt"
	"math"
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// Low-latency CMAF cuts a segment into chunks, each a moof and an mdat. Smooth Streaming has no such thing, so chunks are
// joined again. Only bodies with styp boxes and without a live server manifest have them, and there
//
//   - a moof of video goes on with the fragment before if it follows it in time and does not begin with a sync sample;
//   - a moof of sound does so if it follows in time, no segment has begun between, and both are shorter than chunkLength.
//
// The next fragment, the end of the stream, or that of the body shows that a fragment is complete. One that is no shorter than
// chunkLength is not waited for if the one before was a single moof too.
const (
	// chunkLength is longer than any chunk, in ticks.
	chunkLength = scale
	// maxJoined bounds a fragment that is joined, in ticks.
	maxJoined = 60 * scale
)

// assembly is a fragment that is put together from one or several moof boxes.
type assembly struct {
	active   bool
	chunks   int
	sequence uint32
	// time is that of the first sample and end that of the end of the last one, both in our ticks; media is the end in those of
	// the encoder.
	time, end, media int64
	// stated is the duration that tfxd states, 0 if there is none.
	stated uint64
	// chunk is the duration of the last chunk.
	chunk   int64
	samples []fmp4.RunSample
	// encryption is the content of the sample encryption box, nil if there is none.
	encryption []byte
	wall       time.Time
	fill       filling
	// lastHead is the size of the head of the fragment before.
	lastHead int
}

// drop gives up.
func (a *assembly) drop() {
	a.fill.drop()
	a.active = false
}

// joins reports whether fragments may come in chunks.
func (p *pushReader) joins() bool { return p.styp && !p.header.described }

// continues reports whether a traf, which begins at media, goes on with the fragment that is being joined.
func (p *pushReader) continues(t *inTrack, tr *fmp4.Traf, media int64) bool {
	a := &t.joined
	rounding := int64(t.timescale / 1000)
	if !a.active || !p.joins() || media-a.media > rounding || a.media-media > rounding || a.end-a.time >= maxJoined {
		return false
	}
	switch t.stream.Type {
	case smooth.Video:
		return tr.FirstFlags(t.defaults)&fmp4.FlagNonSync != 0
	case smooth.Audio:
		d, _ := tr.Totals(t.defaults)
		return !t.opened && a.chunk < chunkLength && d < t.timescale*chunkLength/scale
	}
	return false
}

// holds reports whether a chunk may follow that belongs to the fragment.
func (p *pushReader) holds(t *inTrack) bool {
	a := &t.joined
	if !p.joins() {
		return false
	}
	switch t.stream.Type {
	case smooth.Video:
		return !t.whole || a.chunks > 1 || a.chunk < chunkLength
	case smooth.Audio:
		return a.chunk < chunkLength
	}
	return false
}

// begin begins a fragment with the traf at media.
func (p *pushReader) begin(t *inTrack, tr *fmp4.Traf, media int64) {
	a := &t.joined
	*a = assembly{active: true, sequence: p.moof.Sequence, time: t.place(media), media: media,
		samples: a.samples[:0], fill: a.fill, lastHead: a.lastHead}
	a.end = a.time
	if tr.HasTfxd {
		a.wall = t.wall(media)
		if tr.Duration > 0 {
			a.stated = uint64(max(t.place(media+int64(tr.Duration))-a.time, 0))
		}
	} else {
		a.wall = t.wall(media - t.shift)
	}
}

// add appends the samples of a traf, in our ticks.
func (a *assembly) add(t *inTrack, tr *fmp4.Traf) error {
	if len(a.samples)+tr.SampleCount() > fmp4.MaxRunSamples {
		return fmt.Errorf("more than %d samples in one fragment: %w", fmp4.MaxRunSamples, ErrLimit)
	}
	if err := a.addEncryption(tr.Encryption); err != nil {
		return err
	}
	var delay int64
	if !tr.HasTfxd {
		delay = t.delay
	}
	start := a.end
	r := tr.Samples(t.defaults)
	for s, ok := r.Next(); ok; s, ok = r.Next() {
		shown := t.place(a.media + int64(s.CTS) + delay)
		a.media += int64(s.Duration)
		next := t.place(a.media)
		s.CTS = int32(min(max(shown-a.end, math.MinInt32), math.MaxInt32))
		s.Duration = uint32(min(next-a.end, math.MaxUint32))
		a.end = next
		a.samples = append(a.samples, s)
	}
	a.chunk = a.end - start
	a.chunks++
	return nil
}

func (a *assembly) addEncryption(content []byte) error {
	switch {
	case a.chunks == 0 && content == nil || a.encryption == nil && content == nil:
		return nil
	case a.chunks > 0 && (a.encryption == nil || content == nil):
		return fmt.Errorf("chunks with and without sample encryption in one fragment: %w", ErrMalformed)
	}
	joined, ok := fmp4.JoinEncryption(a.encryption, content)
	if !ok {
		return fmt.Errorf("chunks with sample encryption of different forms in one fragment: %w", ErrMalformed)
	}
	a.encryption = joined
	return nil
}

// headSize returns the most that the head can take, in bytes.
func (a *assembly) headSize() int {
	const boxes, perSample = 256, 16
	return boxes + perSample*len(a.samples) + len(a.encryption)
}

// flush completes the fragment of a track that is being joined, if there is one.
func (p *pushReader) flush(k int) error {
	t := &p.tracks[k]
	a := &t.joined
	if !a.active {
		return nil
	}
	h := fmp4.FragmentHead{
		Sequence: a.sequence, TrackID: t.id, Tfxd: true, Time: uint64(a.time), Duration: uint64(a.end - a.time),
		BaseIsMoof: isHEVC(t.codec), Encryption: a.encryption, Samples: a.samples,
	}
	if a.chunks == 1 && a.stated > 0 {
		h.Duration = a.stated
	}
	var err error
	if p.head, err = h.AppendTo(p.head[:0]); err != nil {
		return pushError(err)
	}
	t.largest, a.lastHead = max(t.largest, a.fill.n), len(p.head)
	t.whole = a.chunks == 1
	p.queue = append(p.queue, &pushFragment{track: k, time: a.time, duration: h.Duration, wall: a.wall, buf: a.fill.done(p.head)})
	a.active = false
	return nil
}

// complete completes the fragments of all tracks.
func (p *pushReader) complete() error {
	for k := range p.tracks {
		if err := p.flush(k); err != nil {
			return err
		}
	}
	return nil
}

// isHEVC reports whether fragments of a codec need default-base-is-moof in Smooth.
func isHEVC(c *smooth.Codec) bool {
	return equalFold(c.FourCC, "hev1") || equalFold(c.FourCC, "hvc1") || equalFold(c.FourCC, "hevc")
}
