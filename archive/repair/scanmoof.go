package repair

import (
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// maxBetween is the number of other boxes that may stand between moof and mdat.
const maxBetween = 8

// fragment looks at the moof box h and at the mdat box behind it, and returns where to go on.
func (s *scanner) fragment(h fmp4.Box) (int64, error) {
	if h.Size > fmp4.MaxMoof {
		return s.lost(h.Offset, 8, fmt.Sprintf("moof of %d bytes", h.Size))
	}
	if _, err := s.w.at(h.Offset, int(h.Size)+32); err != nil { // with the header behind it
		return 0, err
	}
	s.w.expect(h.Size)
	data, ok, err := s.data(h.End())
	if err != nil {
		return 0, err
	}
	if !ok {
		return s.lost(h.Offset, h.Size, "a moof box whose mdat box is not whole")
	}
	if reason, bad := s.bad[h.Offset]; bad {
		return data.End(), s.hole(hole{h.Offset, data.End(), SumWrong, reason})
	}
	raw, err := s.w.at(h.Offset, int(h.Size))
	if err != nil {
		return 0, err
	}
	if err = s.moof.Parse(raw[:min(int64(len(raw)), h.Size)], h.Offset); err == nil {
		err = s.check(h, data)
	}
	if err != nil {
		if !structural(err) {
			return 0, err
		}
		return data.End(), s.hole(hole{h.Offset, data.End(), FragmentDamaged, err.Error()})
	}
	for i := range s.moof.Trafs {
		if err := s.add(&s.moof.Trafs[i], h.Offset); err != nil {
			return 0, err
		}
	}
	s.remember(piece{h.Offset, data.End()})
	return data.End(), nil
}

// data returns the mdat box that begins at off or after a few boxes of other types.
func (s *scanner) data(off int64) (fmp4.Box, bool, error) {
	for range maxBetween {
		h, ok, err := s.box(off)
		if !ok || err != nil || h.Type == fmp4.TypeMoof || h.Type == fmp4.TypeMfra || h.Type == fmp4.TypeMoov {
			return h, false, err
		}
		if h.Type == fmp4.TypeMdat {
			return h, !s.open(off), nil
		}
		off = h.End()
	}
	return fmp4.Box{}, false, nil
}

// check looks whether the samples are in the mdat box.
func (s *scanner) check(h, data fmp4.Box) error {
	var err error
	for i := range s.moof.Trafs {
		if s.spans, err = s.moof.Spans(s.spans[:0], i, s.defaults); err != nil {
			return err
		}
		for _, sp := range s.spans {
			if end := sp.Offset + sp.Size; sp.Offset >= h.Offset && end > data.End() {
				return &fmp4.Error{Path: "moof/traf/trun", Offset: h.Offset, Err: fmp4.ErrCorrupt,
					Reason: fmt.Sprintf("samples up to byte %d, mdat ends at %d", end, data.End())}
			}
		}
	}
	return nil
}

func (s *scanner) defaults(id uint32) fmp4.Defaults {
	if t := s.m.track(id); t != nil {
		return t.Defaults
	}
	return fmp4.Defaults{}
}

// add adds a traf box of the moof box at off to its track. What belongs together is what package smooth takes for one fragment: a
// second traf box of a track in a moof box, what does not begin with a sync sample of video, and what has the time of a
// fragment that lasts no time.
func (s *scanner) add(f *fmp4.Traf, off int64) error {
	t := s.m.track(f.TrackID)
	if t == nil {
		return nil // which moov does not declare
	}
	duration, size := f.Totals(t.Defaults)
	t.bytes += size
	bare := bareSamples(f, t, duration)
	fr := fragment{offset: off, duration: duration, samples: uint32(f.SampleCount()), bare: bare, shared: len(s.moof.Trafs) > 1}
	switch {
	case f.HasTfxd:
		fr.time, fr.timed = f.Time, true
	case f.HasDecodeTime:
		fr.time, fr.timed, fr.decode = f.DecodeTime, true, true
	}
	if (bare || duration == 0) && f.HasTfxd {
		fr.duration = f.Duration
	}
	if n := len(t.fragments); n > 0 && goesOn(&t.fragments[n-1], f, t, &fr) {
		last := &t.fragments[n-1]
		last.samples += fr.samples
		last.bare = last.bare || fr.bare
		last.duration += fr.duration
		if k := len(t.more); last.offset == off || k > 0 && t.more[k-1] == off {
			return nil
		}
		t.more = append(t.more, off)
		return s.count()
	}
	if err := s.count(); err != nil {
		return err
	}
	t.fragments = append(t.fragments, fr)
	return nil
}

// count counts what is remembered.
func (s *scanner) count() error {
	if s.total++; s.total > maxFragments {
		return fmt.Errorf("more than %d fragments: %w", maxFragments, fmp4.ErrTooLarge)
	}
	return nil
}

// goesOn reports whether a traf box belongs to the fragment before it.
func goesOn(last *fragment, f *fmp4.Traf, t *track, fr *fragment) bool {
	return last.offset == fr.offset || last.duration == 0 && last.timed && fr.timed && last.time == fr.time ||
		t.Handler == fmp4.HandlerVideo && f.FirstFlags(t.Defaults)&fmp4.FlagNonSync != 0
}

// bareSamples reports whether the samples of a traf box have a duration nowhere, so that a default of trex would count.
func bareSamples(f *fmp4.Traf, t *track, duration uint64) bool {
	if duration > 0 || f.SampleCount() == 0 || t.kind == smooth.Text && f.Duration == 0 {
		return false
	}
	d := t.Defaults
	d.Duration = 1
	would, _ := f.Totals(d)
	return would > 0
}
