package hls

import (
	"context"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// keyFrame returns a segment with the first key frame of a fragment. That frame is shown until the fragment ends.
func (w *show) keyFrame(ctx context.Context, p smooth.Presentation, r *rendition, pl *plan, s *segment) (*[]byte, error) {
	if w.layout == fragmented {
		return keyFrameCMAF(ctx, p, r, s)
	}
	t, err := w.collectKeyFrame(ctx, p, r, pl, s)
	if err != nil {
		return nil, err
	}
	defer t.close()
	buf := getBuffer(int(t.size()))
	data, err := t.append(ctx, (*buf)[:0])
	if err != nil {
		putBuffer(buf)
		return nil, err
	}
	*buf = data
	return buf, nil
}

// collectKeyFrame returns a segment of MPEG-2 TS with one access unit.
func (w *show) collectKeyFrame(ctx context.Context, p smooth.Presentation, r *rendition, pl *plan, s *segment) (*tsSegment, error) {
	silent := *w
	silent.audio = nil
	one := *s
	one.count = 1
	t, err := silent.collect(ctx, p, r, pl, &one)
	if err != nil {
		return nil, err
	}
	u := t.tracks[0]
	for i := range u.list {
		if u.list[i].sync {
			u.list = append(u.list[:0], u.list[i])
			return t, nil
		}
	}
	t.close()
	return nil, noKeyFrame(r, s)
}

func noKeyFrame(r *rendition, s *segment) error {
	return fmt.Errorf("hls: fragment %s %d has no key frame: %w", r.stream.Name, s.start, smooth.ErrNotFound)
}

// keyFrameCMAF returns a fragment of one sample.
func keyFrameCMAF(ctx context.Context, p smooth.Presentation, r *rendition, s *segment) (*[]byte, error) {
	f, err := p.Fragment(ctx, r.key(s.start))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for sample, err := range f.Samples() {
		if err != nil {
			return nil, err
		}
		if !sample.IsSync() {
			continue
		}
		if sample.Size > maxSample {
			return nil, sampleTooLarge(f, sample.Size)
		}
		buf := getBuffer(int(sample.Size) + boxOverhead)
		data, err := appendKeyFrameHead(*buf, f, &sample)
		if err == nil {
			n := len(data)
			data = data[:n+int(sample.Size)]
			_, err = f.ReadPayloadAt(data[n:], sample.Offset)
		}
		if err != nil {
			putBuffer(buf)
			return nil, err
		}
		*buf = data
		return buf, nil
	}
	return nil, noKeyFrame(r, s)
}

// appendKeyFrameHead appends the boxes before the bytes of a key frame, which lasts until the end of its fragment.
func appendKeyFrameHead(dst []byte, f *smooth.Fragment, s *smooth.Sample) ([]byte, error) {
	head := fmp4.FragmentHead{
		Sequence: 1, TrackID: fmp4.CMAFTrackID, Tfdt: true, DecodeTime: s.DTS, BaseIsMoof: true,
		Samples: []fmp4.RunSample{{Duration: uint32(f.Key.Time + f.Duration - s.DTS), Size: s.Size, Flags: s.Flags, CTS: int32(s.CTS)}},
	}
	return head.AppendTo(dst)
}

// maxKeyFrames bounds the key frames whose size is looked at for the bit rate of a list of them.
const maxKeyFrames = 256

// iframeRate returns the bit rate that no entry in the list of key frames exceeds, in bits per second. Of a long
// presentation a part is looked at, spread over all of it, and a quarter added.
func (m *masterWriter) iframeRate(r *rendition, most uint64) uint64 {
	if m.iframes != nil {
		return m.iframes[r]
	}
	pl := newPlan(m.snap, r.stream, m.o.length())
	n := len(pl.line)
	step := (n + maxKeyFrames - 1) / maxKeyFrames
	peak := uint64(0)
	for i := 0; i < n; i += max(step, 1) {
		s := pl.at(i, 1)
		size, err := m.keyFrameSize(r, &pl, &s)
		if err != nil || s.end == s.start {
			continue // it says so when somebody asks for it
		}
		peak = max(peak, smooth.Rescale(size*8, s.end-s.start, pl.timescale)+1)
	}
	if step > 1 {
		peak += peak / 4
	}
	return max(min(peak, most), 1)
}

// keyFrameSize returns the bytes of the segment with the first key frame of a fragment.
func (m *masterWriter) keyFrameSize(r *rendition, pl *plan, s *segment) (uint64, error) {
	if m.layout != fragmented {
		t, err := m.collectKeyFrame(m.ctx, m.p, r, pl, s)
		if err != nil {
			return 0, err
		}
		defer t.close()
		return t.exact(m.ctx)
	}
	f, err := m.p.Fragment(m.ctx, r.key(s.start))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for sample, err := range f.Samples() {
		if err != nil {
			return 0, err
		}
		if sample.IsSync() {
			head, err := appendKeyFrameHead(nil, f, &sample)
			return uint64(len(head)) + uint64(sample.Size), err
		}
	}
	return 0, noKeyFrame(r, s)
}
