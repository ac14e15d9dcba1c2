package edit

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// checkCodecs refuses a presentation of which is known before anything is written that a configuration changes.
func (w *writing) checkCodecs() error {
	for _, s := range w.streams {
		for _, t := range s.tracks {
			for _, c := range s.chunks {
				if !t.parts[c.part] {
					continue
				}
				k := t.key
				k.Time = c.Time
				if at := w.parts[c.part].snap.Track(k); at != nil && at.Codec != nil {
					if err := t.configure(at.Codec, c.Time, s.timescale); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// configure takes the codec configuration from the first fragment of a track, and compares it with those of later ones.
func (t *track) configure(c *smooth.Codec, time, timescale uint64) error {
	switch {
	case c == nil || c == t.codec:
		return nil
	case t.codec == nil:
		t.codec = c
		return nil
	case t.codec.Equal(c):
		return nil
	}
	return fmt.Errorf("the codec configuration of %s at %d bits/s changes at %d (timescale %d) from %s to %s, which a track cannot: %w",
		t.key.Stream, t.key.Bitrate, time, timescale, t.codec.FourCC, c.FourCC, smooth.ErrUnsupported)
}

// copyChunk writes the fragments of all levels of a stream at one time.
func (w *writing) copyChunk(ctx context.Context, s *stream, same []chunk) error {
	c := same[0].Chunk
	end := smooth.Rescale(c.End(), s.timescale, scale)
	if s.next < len(s.chunks) { // what overlaps the next one is rounding, or a resumed encoder
		c.Duration = min(c.Duration, s.chunks[s.next].Time-c.Time)
	}
	if c.Time < s.shift {
		if c.End() <= s.shift {
			w.result.Dropped += len(s.tracks)
			return nil
		}
		c = smooth.Chunk{Time: s.shift, Duration: c.End() - s.shift}
	}
	for _, t := range s.tracks {
		f, found, err := w.fragment(ctx, t, same)
		if err != nil {
			return err
		}
		if w.result.Repeated += max(found-1, 0); f == nil {
			w.result.Missing++
		} else {
			err = w.copyFragment(ctx, s, t, f, c.Time-s.shift)
			f.Close()
		}
		if err != nil {
			return fmt.Errorf("fragment %s %d at %d bits/s: %w", t.key.Stream, same[0].Time, t.key.Bitrate, err)
		}
		if f != nil {
			t.line = append(t.line, smooth.Chunk{Time: c.Time - s.shift, Duration: c.Duration})
		}
		if w.done += len(same); w.opts.Progress != nil {
			w.opts.Progress(w.done, w.total)
		}
	}
	if !s.isSparse() {
		if start := smooth.Rescale(same[0].Time, s.timescale, scale); w.result.End == 0 || start < w.result.Start {
			w.result.Start = start
		}
		w.result.End = max(w.result.End, end)
	}
	return nil
}

// fragment returns a fragment from the first part that has it, nil if none does, and how many list it.
func (w *writing) fragment(ctx context.Context, t *track, same []chunk) (f *smooth.Fragment, listed int, err error) {
	k := t.key
	k.Time = same[0].Time
	for _, c := range same {
		if !t.parts[c.part] {
			continue
		}
		if listed++; f != nil {
			continue
		}
		p, err := w.use(ctx, c.part)
		if err != nil {
			return nil, listed, w.parts[c.part].fault(err)
		}
		f, err = p.Fragment(ctx, k)
		if err != nil {
			f = nil
		}
		if err != nil && !errors.Is(err, smooth.ErrNotFound) && !errors.Is(err, smooth.ErrGone) && !errors.Is(err, smooth.ErrNotYet) {
			return nil, listed, w.parts[c.part].fault(err)
		}
	}
	return f, listed, nil
}

// copyFragment writes one fragment with a time, in ticks of the stream.
func (w *writing) copyFragment(ctx context.Context, s *stream, t *track, f *smooth.Fragment, time uint64) error {
	if err := t.configure(f.Codec, f.Key.Time, s.timescale); err != nil {
		return err
	}
	stored, err := f.Header(smooth.Smooth)
	if err != nil {
		return err
	}
	head := stored
	if time != f.Key.Time {
		if head, err = retime(stored, time); err != nil {
			return err
		}
	}
	id, at, err := asset.TrackID(head)
	if err != nil {
		return err
	}
	if t.media == nil {
		if err := w.create(ctx, s, t, id); err != nil {
			return err
		}
	}
	if id != t.media.id { // as of an encoder that was started again
		head = bytes.Clone(head)
		binary.BigEndian.PutUint32(head[at:], t.media.id)
	}
	if err := t.media.append(head, f, time); err != nil {
		return err
	}
	w.result.Fragments++
	w.result.Bytes += int64(len(head)) + f.PayloadSize()
	return nil
}

// retime returns moof and the header of mdat with another fragment time.
func retime(head []byte, time uint64) ([]byte, error) {
	n := fmp4.MoofSize(head)
	if n < 0 {
		return nil, fmt.Errorf("no moof box: %w", smooth.ErrCorrupt)
	}
	out, err := fmp4.Retime(nil, head[:n], time)
	switch {
	case errors.Is(err, fmp4.ErrUnsupported):
		return nil, fmt.Errorf("%w: %w", err, smooth.ErrUnsupported)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", err, smooth.ErrCorrupt)
	}
	return append(out, head[n:]...), nil
}
