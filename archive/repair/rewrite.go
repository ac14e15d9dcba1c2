package repair

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// rewrite writes a media file again without its faults and returns that. The index, which comes last, tells that it is complete.
func (r *run) rewrite(ctx context.Context, m *media, a *Asset) (*media, error) {
	src, err := r.files.Open(ctx, m.name)
	if err != nil {
		return m, err
	}
	defer src.Close()
	if src.Size() != m.size {
		return m, fmt.Errorf("%s: %d bytes, %d when it was looked at: somebody writes to it", m.name, src.Size(), m.size)
	}
	name := freshName(m.name)
	w, err := r.store.Append(ctx, name)
	if err != nil {
		return m, err
	}
	defer w.Close()
	if err := w.Truncate(0); err != nil {
		return m, err
	}
	c := newCopier(ctx, bufio.NewWriterSize(w, copyStep))
	if err := c.run(m, src); err != nil {
		if !structural(err) {
			return m, err
		}
		a.note(MediaUnreadable, m.name, -1, "it cannot be written again: %v", err)
		return m, r.store.Remove(ctx, name)
	}
	if err := w.Sync(); err != nil {
		return m, err
	}
	if err := w.Close(); err != nil {
		return m, err
	}
	fresh, err := r.index(ctx, name, &hints{trusted: true})
	if err == nil {
		a.did(name, "written instead of %s, which stays, with %d fragments", m.name, fresh.fragments())
	}
	return fresh, err
}

// index appends the index to a file that has just been written.
func (r *run) index(ctx context.Context, name string, known *hints) (*media, error) {
	var quiet Asset
	m, err := scanFile(ctx, r.files, name, known, &quiet)
	if err != nil {
		return m, err
	}
	if !m.usable() || len(m.torn) > 0 {
		return m, fmt.Errorf("%s: not whole after it was written: %v", name, quiet.Findings)
	}
	ids, entries := m.entries()
	return m, r.close(ctx, m, fmp4.AppendMfra(nil, ids, entries), &quiet)
}

// complete returns a file that repair has written, or nil if there is none that is complete: its index comes last.
func (r *run) complete(ctx context.Context, name string) (*media, error) {
	var quiet Asset
	m, err := scanFile(ctx, r.files, name, nil, &quiet)
	if notThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !m.usable() || len(m.torn) > 0 || m.index.Size == 0 || m.wrong != "" {
		return nil, nil
	}
	return m, nil
}

// copier writes the whole fragments of a file.
type copier struct {
	ctx  context.Context
	m    *media
	src  smooth.File
	w    *window
	out  *bufio.Writer
	n    int64 // bytes written
	hole int   // the next one
	bare bool  // leave out everything but fragments
	// dropping are the tracks of which what goes on is dropped, like the fragment that it belongs to.
	dropping map[uint32]bool
	each     map[uint32]map[int64]uint32 // durations of samples, by track and moof
	last     map[uint32]uint32
}

func newCopier(ctx context.Context, out *bufio.Writer) *copier {
	return &copier{ctx: ctx, out: out, dropping: make(map[uint32]bool), last: make(map[uint32]uint32)}
}

// run copies a file, with its header.
func (c *copier) run(m *media, src smooth.File) error {
	c.m, c.src, c.w = m, src, newWindow(c.ctx, src)
	if err := c.head(); err != nil {
		return err
	}
	return c.body()
}

// body copies the whole fragments.
func (c *copier) body() error {
	c.hole = 0
	for off := c.m.body; off < c.m.end; {
		if c.hole < len(c.m.holes) && c.m.holes[c.hole].from == off {
			off = c.m.holes[c.hole].to
			c.hole++
			continue
		}
		h, err := fmp4.NewScanner(c.w, off, c.m.end).Next()
		if err != nil {
			return err
		}
		if off, err = c.box(h); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// head copies what stands before the fragments, with default durations in trex where they are missing.
func (c *copier) head() error {
	moov, err := fmp4.ReadBox(c.w, c.m.moov, fmp4.MaxMoov)
	if err != nil {
		return err
	}
	for _, t := range c.m.tracks {
		if t.bare == 0 {
			continue
		}
		if d := t.common(); d > 0 && setTrex(moov, t.ID, d) {
			continue
		}
		if c.each == nil {
			c.each = make(map[uint32]map[int64]uint32)
		}
		c.each[t.ID] = make(map[int64]uint32)
		for i := range t.fragments {
			if f := &t.fragments[i]; f.bare {
				c.each[t.ID][f.offset] = f.each()
			}
		}
	}
	if err := c.copy(0, c.m.moov.Offset); err != nil {
		return err
	}
	return c.write(moov)
}

// box copies the box h, a moof box with what is between it and the next box, and returns where to go on.
func (c *copier) box(h fmp4.Box) (int64, error) {
	switch {
	case h.Type == fmp4.TypeMoof:
		return c.fragment(h)
	case h.Type == fmp4.TypeMfra, c.bare: // of a shorter file; what has no place in a presentation
		return h.End(), nil
	}
	return h.End(), c.copy(h.Offset, h.End())
}

// fragment copies a moof box and, up to and with the mdat box, what follows.
func (c *copier) fragment(h fmp4.Box) (int64, error) {
	raw, err := fmp4.ReadBox(c.w, h, fmp4.MaxMoof)
	if err != nil {
		return 0, err
	}
	end := h.End()
	for {
		d, err := fmp4.NewScanner(c.w, end, c.m.end).Next()
		if err != nil {
			return 0, err
		}
		end = d.End()
		if d.Type == fmp4.TypeMdat {
			break
		}
	}
	moof, err := fmp4.ParseMoof(raw, h.Offset)
	if err != nil {
		return 0, err
	}
	if c.drops(moof) {
		return end, nil
	}
	p := moofPatch{shift: c.n - h.Offset, each: c.durations(moof)}
	if raw, err = p.apply(raw); err != nil {
		return 0, fmt.Errorf("%s: moof at byte %d: %w", c.m.name, h.Offset, err)
	}
	if err := c.write(raw); err != nil {
		return 0, err
	}
	return end, c.copy(h.End(), end)
}

// drops reports whether a fragment is left out because it is there twice.
func (c *copier) drops(moof *fmp4.Moof) bool {
	if len(c.m.drops) == 0 || len(moof.Trafs) == 0 {
		return false
	}
	id := moof.Trafs[0].TrackID
	t := c.m.track(id)
	if t == nil {
		return false
	}
	if _, more := slices.BinarySearch(t.more, moof.Offset); !more {
		c.dropping[id] = c.m.drops[moof.Offset]
	}
	return c.dropping[id]
}

// durations returns those of samples that have none, by track.
func (c *copier) durations(moof *fmp4.Moof) map[uint32]uint32 {
	if c.each == nil {
		return nil
	}
	out := make(map[uint32]uint32)
	for i := range moof.Trafs {
		f := &moof.Trafs[i]
		times := c.each[f.TrackID]
		t := c.m.track(f.TrackID)
		if times == nil || t == nil {
			continue
		}
		if d, ok := times[moof.Offset]; ok {
			c.last[f.TrackID] = d
		} else if _, more := slices.BinarySearch(t.more, moof.Offset); !more {
			delete(c.last, f.TrackID)
		}
		if d := c.last[f.TrackID]; d > 0 {
			if own, _ := f.Totals(t.Defaults); own == 0 {
				out[f.TrackID] = d
			}
		}
	}
	return out
}

func (c *copier) write(b []byte) error {
	n, err := c.out.Write(b)
	c.n += int64(n)
	return err
}

func (c *copier) copy(from, to int64) error {
	var failed error
	err := blocks(c.ctx, c.src, from, to, func(b []byte, _ int64) bool {
		failed = c.write(b)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// setTrex sets default_sample_duration of a track in a moov box.
//
//	version:8 flags:24 track_ID:32 default_sample_description_index:32 default_sample_duration:32 ...
//
// See ISO/IEC 14496-12 8.8.3.
func setTrex(moov []byte, id, d uint32) bool {
	for _, mvex := range children(moov, 8) {
		if mvex.typ != fmp4.TypeMvex {
			continue
		}
		for _, trex := range children(moov[mvex.from:mvex.to], 8) {
			b := moov[mvex.from+trex.from : mvex.from+trex.to]
			if trex.typ == fmp4.TypeTrex && len(b) >= 32 && binary.BigEndian.Uint32(b[12:]) == id {
				binary.BigEndian.PutUint32(b[20:], d)
				return true
			}
		}
	}
	return false
}

// replace makes data the content of a manifest. The first content that it had is kept.
func replace(ctx context.Context, store archive.Store, name string, data []byte, a *Asset) error {
	old, err := readSmall(ctx, store, name, smooth.MaxClientManifest)
	if err != nil && !notThere(err) {
		return err
	}
	if before := name + beforeExt; len(old) > 0 {
		_, err := store.Stat(ctx, before)
		if err != nil && !notThere(err) {
			return err
		}
		if err != nil {
			if err := store.Replace(ctx, before, old); err != nil {
				return err
			}
			a.did(before, "keeps the content of %s", name)
		}
	}
	return store.Replace(ctx, name, data)
}

// beforeExt is added to the name of what was replaced.
const beforeExt = ".before"

// readSmall reads a whole file of at most limit bytes.
func readSmall(ctx context.Context, files smooth.Files, name string, limit int64) ([]byte, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes, the limit is %d: %w", name, f.Size(), limit, smooth.ErrTooLarge)
	}
	b := make([]byte, f.Size())
	return b, readFull(ctx, f, b, 0)
}
