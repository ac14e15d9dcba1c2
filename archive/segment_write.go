package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/archive/internal/journal"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// A fragmentWriter sums up what it writes.
type fragmentWriter struct {
	w   io.Writer
	n   int64
	sum uint32
}

func (w *fragmentWriter) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	w.n += int64(n)
	w.sum = journal.Sum(w.sum, b[:n])
	return n, err
}

// write appends a fragment to a file and to the journal. The fragment gets the track_ID of the track in that file.
func (r *recording) write(ctx context.Context, s *segment, number int, f *smooth.Fragment) error {
	if s.whole {
		if err := s.grow(ctx); err != nil {
			return err
		}
	}
	t := s.index.Track(number)
	m := s.media()[t.File]
	payload := f.PayloadSize()
	head := f.Size() - payload
	if payload > math.MaxUint32-64 || head > math.MaxUint32 {
		return fmt.Errorf("archive: %s: fragment at %d of %d bytes: %w", s.path(m.name), f.Key.Time, f.Size(), smooth.ErrTooLarge)
	}
	if err := m.tidy(); err != nil {
		return fmt.Errorf("archive: %s: %w", s.path(m.name), err)
	}
	w := fragmentWriter{w: m}
	err := writeFragment(&w, f, t.ID)
	if err == nil && w.n != f.Size() {
		err = io.ErrShortWrite
	}
	rec := journal.Fragment{
		File: m.number, Track: t.ID, Time: f.Key.Time, Duration: f.Duration, Offset: m.size, Head: uint32(head), Payload: uint32(payload), Sum: w.sum,
	}
	if err == nil {
		r.buf = journal.AppendFragment(r.marks(s), &rec)
		err = r.record(ctx, s, r.buf)
	}
	if err != nil {
		m.dirty = true
		return fmt.Errorf("archive: %s: fragment at %d: %w", s.path(m.name), f.Key.Time, errors.Join(err, m.tidy()))
	}
	r.mu.Lock()
	m.size += w.n
	s.journal.size += int64(len(r.buf))
	s.mark = nil
	r.pace.note(f.Key, f.Key.Time+f.Duration)
	r.mu.Unlock()
	s.fragments++
	s.index.Add(number, index.Entry{Time: f.Key.Time, Duration: f.Duration, Offset: rec.Offset, Head: rec.Head, Payload: rec.Payload})
	if s.index.Len(number) == 1 {
		s.manifest = false
	}
	return nil
}

// marks returns what has been synced as a record, if that has changed.
func (r *recording) marks(s *segment) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.mark == nil {
		return r.buf[:0]
	}
	return journal.AppendMark(r.buf[:0], s.mark)
}

// writeFragment writes a fragment with another track_ID.
func writeFragment(w io.Writer, f *smooth.Fragment, id uint32) error {
	head, err := f.Header(smooth.Smooth)
	if err != nil {
		return err
	}
	have, at, err := asset.TrackID(head)
	if err != nil {
		return err
	}
	if have == id {
		_, err = f.WriteTo(w)
		return err
	}
	head = append([]byte(nil), head...)
	binary.BigEndian.PutUint32(head[at:], id)
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err = f.WritePayload(w)
	return err
}

// checkHead returns an error unless the head of a fragment says what its key says: readers go by the head, and would not find the
// fragment where it is listed.
func checkHead(f *smooth.Fragment) error {
	head, err := f.Header(smooth.Smooth)
	if err != nil {
		return err
	}
	in, err := fmp4.Inspect(head[:max(fmp4.MoofSize(head), 0)], 0, fmp4.Defaults{})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", smooth.ErrCorrupt, err)
	case !in.HasTfxd || in.Time != f.Key.Time:
		return fmt.Errorf("tfxd is there: %t, time %d: %w", in.HasTfxd, in.Time, smooth.ErrCorrupt)
	}
	return nil
}
