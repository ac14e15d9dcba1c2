package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/archive/internal/journal"
	"github.com/smoothkit/smoothkit/smooth"
)

// A replay reads the journal of a segment and finds out what of its files is whole.
type replay struct {
	s    *segment
	size int64                         // of the journal, as far as it is whole
	tail map[uint16][]journal.Fragment // what was written after the last mark, by file
	mark map[uint16]int64              // what was synced of each file
	end  map[uint16]int64              // of the last fragment, or of the header
	bad  bool                          // something that was synced is not there
}

// replaySegment returns a segment that a crash has left, with its files closed. The error wraps [fs.ErrNotExist] if there is
// no journal.
func (a *Archive) replaySegment(ctx context.Context, dir, base string, number int, from uint64) (*replay, error) {
	s := newSegment(a.store, dir, base, number, from)
	f, err := a.store.Open(ctx, s.journalName())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &replay{s: s, tail: make(map[uint16][]journal.Fragment), mark: make(map[uint16]int64), end: make(map[uint16]int64)}
	r := journal.NewReader(io.NewSectionReader(contextReader{ctx, f}, 0, f.Size()))
	for {
		rec, err := r.Next()
		if err == io.EOF || err == nil && !p.take(rec) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("archive: %s: %w", s.journalName(), err)
		}
		p.size = r.Offset()
	}
	for _, m := range s.media() {
		if err := p.verify(ctx, m); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// contextReader reads a file until ctx ends.
type contextReader struct {
	ctx context.Context
	f   smooth.File
}

func (r contextReader) ReadAt(p []byte, off int64) (int, error) {
	return r.f.ReadAtContext(r.ctx, p, off)
}

// take takes a record. It reports false if that cannot follow those before.
func (p *replay) take(rec any) bool {
	switch rec := rec.(type) {
	case *journal.File:
		return p.takeFile(rec)
	case *journal.Fragment:
		return p.takeFragment(rec)
	case journal.Mark:
		for _, s := range rec {
			p.mark[s.File] = s.Size
			rest := p.tail[s.File]
			for len(rest) > 0 && rest[0].End() <= s.Size {
				rest = rest[1:]
			}
			p.tail[s.File] = append([]journal.Fragment(nil), rest...)
		}
	case journal.Cut:
		p.cut(rec.File, rec.Size)
	case smooth.Gap:
		p.s.index.AddGap(rec)
	}
	return true
}

func (p *replay) takeFile(rec *journal.File) bool {
	files := p.s.media()
	n := int(rec.Number)
	if n > len(files) || rec.Name != path.Base(rec.Name) || !fs.ValidPath(rec.Name) || len(rec.Tracks) == 0 {
		return false
	}
	if n == len(files) {
		m := &mediaFile{number: rec.Number, name: rec.Name, input: rec.Input, header: rec.Header, sum: rec.Sum, tracks: rec.Tracks}
		p.end[rec.Number] = rec.Header
		p.s.adopt(m, true)
		return true
	}
	m := files[n]
	if m.name != rec.Name || m.header != rec.Header {
		return false
	}
	m.tracks = rec.Tracks
	p.s.adopt(m, false)
	return true
}

func (p *replay) takeFragment(rec *journal.Fragment) bool {
	files := p.s.media()
	if int(rec.File) >= len(files) {
		return false
	}
	m := files[rec.File]
	for i := range m.tracks {
		t := &m.tracks[i]
		n, ok := p.s.index.Number(t.Key)
		if t.ID != rec.Track || !ok || p.s.index.Track(n).File != int(rec.File) || rec.Offset < p.end[rec.File] {
			continue
		}
		p.s.index.Add(n, index.Entry{Time: rec.Time, Duration: rec.Duration, Offset: rec.Offset, Head: rec.Head, Payload: rec.Payload})
		p.end[rec.File] = rec.End()
		if rec.End() > p.mark[rec.File] {
			p.tail[rec.File] = append(p.tail[rec.File], *rec)
		}
		return true
	}
	return false
}

// cut takes out what ends after size bytes of a file.
func (p *replay) cut(file uint16, size int64) {
	p.s.index.Cut(int(file), size)
	p.end[file] = min(p.end[file], size)
	tail := p.tail[file]
	for len(tail) > 0 && tail[len(tail)-1].End() > size {
		tail = tail[:len(tail)-1]
	}
	p.tail[file] = tail
}

// verify finds out how much of a file is whole: what was synced, and the fragments after that whose bytes are those that were
// written.
func (p *replay) verify(ctx context.Context, m *mediaFile) error {
	good, err := p.whole(ctx, m)
	if err != nil {
		return fmt.Errorf("archive: %s: %w", p.s.path(m.name), err)
	}
	if good < p.mark[m.number] {
		p.bad = true
	}
	p.cut(m.number, good)
	m.size = good
	return nil
}

func (p *replay) whole(ctx context.Context, m *mediaFile) (int64, error) {
	f, err := p.s.store.Open(ctx, p.s.path(m.name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := contextReader{ctx, f}
	if ok, err := summed(r, 0, m.header, m.sum); err != nil || !ok {
		return 0, err
	}
	good := p.end[m.number]
	if tail := p.tail[m.number]; len(tail) > 0 {
		good = tail[0].Offset
		for i := range tail {
			ok, err := summed(r, tail[i].Offset, tail[i].End()-tail[i].Offset, tail[i].Sum)
			if err != nil {
				return 0, err
			}
			if !ok {
				break
			}
			good = tail[i].End()
		}
	}
	if size := f.Size(); good > size { // less than what was synced
		good = p.lastBefore(m, size)
	}
	return good, nil
}

// lastBefore returns the end of the last fragment that ends in the first size bytes of a file.
func (p *replay) lastBefore(m *mediaFile, size int64) int64 {
	end := m.header
	for i := range m.tracks {
		if n, ok := p.s.numberOf(m, &m.tracks[i]); ok {
			for e := range p.s.index.Entries(n) {
				if at := entryEnd(e); at <= size {
					end = max(end, at)
				}
			}
		}
	}
	return end
}

// summed reports whether n bytes at an offset are there and have a CRC-32C.
func summed(r io.ReaderAt, off, n int64, sum uint32) (bool, error) {
	crc, buf := uint32(0), make([]byte, min(n, 256<<10))
	section := io.NewSectionReader(r, off, n)
	for n > 0 {
		got, err := section.Read(buf)
		crc = journal.Sum(crc, buf[:got])
		n -= int64(got)
		if err == io.EOF && n > 0 {
			return false, nil
		}
		if err != nil && err != io.EOF {
			return false, err
		}
	}
	return crc == sum, nil
}

// take opens the files of a segment that was replayed for writing, and cuts off what is torn.
func (r *recording) take(ctx context.Context, p *replay) error {
	s := p.s
	for _, m := range s.media() {
		g, err := s.open(ctx, m.name, m.size)
		if err != nil {
			return err
		}
		m.grower = g
		if err := m.Sync(); err != nil { // a store that has just been opened does not know what is synced
			return fmt.Errorf("archive: sync %s: %w", s.path(m.name), err)
		}
		m.synced = m.size
	}
	g, err := s.open(ctx, s.base+journalExtension, p.size)
	if err != nil {
		return err
	}
	s.journal = &g
	var b []byte
	for _, m := range s.media() {
		b = journal.AppendCut(b, journal.Cut{File: m.number, Size: m.size})
	}
	if err := r.record(ctx, s, b); err != nil {
		return err
	}
	s.journal.size += int64(len(b))
	return nil
}
