package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// complete completes the segments that nothing is expected for any more, given a fragment that was written. One that cannot be
// completed stays as it is, which is tried again with the next fragment that begins a segment, and at the end.
func (r *recording) complete(ctx context.Context, f *smooth.Fragment) error {
	for len(r.segments) > 1 {
		first := r.segments[0]
		late := f.Key.Stream == r.main && first.until <= math.MaxUint64-drain && f.Key.Time >= first.until+drain
		if !late && len(r.segments) <= maxOpenSegments || first.failed == r.segments[len(r.segments)-1].number {
			return nil
		}
		if err := r.finishSegment(ctx, first); err != nil {
			first.failed = r.segments[len(r.segments)-1].number
			r.a.log.Error("archive segment cannot be completed", "segment", first.dir, "err", err)
			return nil
		}
	}
	return nil
}

// finishSegment makes a segment a complete presentation: nothing of the media is written again.
func (r *recording) finishSegment(ctx context.Context, s *segment) error {
	if err := s.finish(ctx, r); err != nil {
		return fmt.Errorf("archive: complete %s: %w", s.dir, err)
	}
	r.mu.Lock()
	r.segments = slices.DeleteFunc(slices.Clone(r.segments), func(o *segment) bool { return o == s })
	r.mu.Unlock()
	r.event.drop(s)
	r.a.rouse()
	return nil
}

// finish writes the index of each file and the manifests, in that order: a segment with a client manifest is complete.
func (s *segment) finish(ctx context.Context, r *recording) error {
	if err := r.sync(); err != nil {
		return err
	}
	var files []syncFile
	for _, m := range s.media() {
		if !s.feeds(m) { // a header, if anything
			continue
		}
		if err := m.tidy(); err != nil {
			return err
		}
		m.dirty = true // what follows is no fragment
		if _, err := m.Write(s.trailer(m)); err != nil {
			return errors.Join(fmt.Errorf("index of %s: %w", m.name, err), m.tidy())
		}
		if err := m.Truncate(m.Size()); err != nil { // nothing will be appended
			return errors.Join(fmt.Errorf("end of %s: %w", m.name, err), m.tidy())
		}
		files = append(files, syncFile{grower: &m.grower, name: s.path(m.name)})
	}
	if len(files) == 0 { // the power was cut before anything was on the disk
		if err := errors.Join(s.store.Remove(ctx, s.ismName()), s.store.Remove(ctx, s.ismcName())); err != nil {
			return err
		}
		s.removeUnused(ctx)
		s.index.End()
		return nil
	}
	if err := syncAll(files); err != nil {
		return err
	}
	if err := s.list(ctx); err != nil {
		return err
	}
	data, err := asset.ClientManifest(ctx, s.store, s.ismName())
	if err != nil {
		return err
	}
	s.whole = true
	if err := s.store.Replace(ctx, s.ismcName(), data); err != nil {
		return err
	}
	s.removeUnused(ctx)
	s.index.End()
	return nil
}

// removeUnused removes the files without fragments, as far as that is possible. Nothing may be written to the segment afterwards.
func (s *segment) removeUnused(ctx context.Context) {
	for _, m := range s.media() {
		if !s.feeds(m) {
			_ = s.store.Remove(ctx, s.path(m.name))
		}
	}
}

// grow makes certain that a segment which is complete, or may be, does not count as that when more is written. An empty client manifest
// takes the place of the one there is: a name that is removed may be back after a power cut.
func (s *segment) grow(ctx context.Context) error {
	info, err := s.store.Stat(ctx, s.ismcName())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil && info.Size() > 0:
		err = s.store.Replace(ctx, s.ismcName(), nil)
	}
	if err != nil {
		return fmt.Errorf("archive: %s: %w", s.ismcName(), err)
	}
	s.whole = false
	return nil
}

// feeds reports whether a file has fragments.
func (s *segment) feeds(m *mediaFile) bool {
	for i := range m.tracks {
		if _, ok := s.numberOf(m, &m.tracks[i]); ok {
			return true
		}
	}
	return false
}

// trailer returns the mfra box of a file.
func (s *segment) trailer(m *mediaFile) []byte {
	var ids []uint32
	var lists [][]fmp4.TfraEntry
	for i := range m.tracks {
		t := &m.tracks[i]
		n, ok := s.numberOf(m, t)
		if !ok {
			continue
		}
		list := make([]fmp4.TfraEntry, 0, s.index.Len(n))
		for e := range s.index.Entries(n) {
			list = append(list, fmp4.TfraEntry{Time: e.Time, Moof: uint64(e.Offset)})
		}
		ids, lists = append(ids, t.ID), append(lists, list)
	}
	return fmp4.AppendMfra(nil, ids, lists)
}

// end returns the end of the last fragment.
func (s *segment) end() uint64 {
	end := uint64(0)
	for n := range s.index.Tracks() {
		if e, ok := s.index.Last(n); ok {
			end = max(end, e.Time+e.Duration)
		}
	}
	return end
}

// finish completes the event. It can be done again after an error.
func (r *recording) finish(ctx context.Context) error {
	r.over, r.next = true, math.MaxUint64
	if err := r.heal(ctx); err != nil {
		return err
	}
	if err := r.unhold(ctx); err != nil {
		return err
	}
	for len(r.segments) > 0 {
		r.end = max(r.end, r.segments[0].end())
		if err := r.finishSegment(ctx, r.segments[0]); err != nil {
			return err
		}
	}
	state, err := r.event.edit(ctx, r.a.store, func(state *eventState) {
		state.Ended = true
		state.Last = min(r.end, state.First+ticks(r.a.opts.Now().Sub(state.Wall)))
	})
	if err != nil {
		return err
	}
	for _, s := range state.Segments { // nothing can come late any more
		dir := segmentDir(r.event.dir, s.Number)
		_ = r.a.store.Remove(ctx, path.Join(dir, r.event.base+journalExtension))
	}
	r.a.removeHeld(ctx, r.event.dir)
	r.a.ended(r.event)
	return nil
}
