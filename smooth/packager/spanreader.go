package packager

import (
	"fmt"
	"io"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

const (
	// windowSize is the most that is read at once.
	windowSize = 1 << 20
	// maxHole is the largest gap between spans that is read along instead of reading twice.
	maxHole = 64 << 10
)

// spanReader reads spans of an input that lie close together with few reads. Tracks that are interleaved find
// most of their data in the window that the first of them has read. It is for one goroutine.
type spanReader struct {
	in     *input
	window []byte
	start  int64 // of the window in the file
	buf    []byte
}

func newSpanReader(in *input) *spanReader {
	return &spanReader{in: in, buf: make([]byte, min(windowSize, in.size))}
}

// copy appends the bytes of spans to w.
func (r *spanReader) copy(w *blockWriter, spans []fmp4.Span) error {
	if err := r.check(spans); err != nil {
		return err
	}
	for i, s := range spans {
		for s.Size > 0 {
			n := r.cached(w, s)
			if n == 0 {
				var err error
				if n, err = r.fetch(w, s, spans[i+1:]); err != nil {
					return err
				}
			}
			s.Offset += n
			s.Size -= n
		}
	}
	return nil
}

// check refuses spans that are not in the file, before fetch reads several of them at once.
func (r *spanReader) check(spans []fmp4.Span) error {
	for _, s := range spans {
		if s.Offset < 0 || s.Size > r.in.size-s.Offset {
			return &smooth.FileError{
				File: r.in.name, Path: "mdat", Offset: s.Offset, Err: smooth.ErrCorrupt,
				Reason: fmt.Sprintf("samples of %d bytes exceed the file of %d bytes", s.Size, r.in.size),
				Remedy: cutShort,
			}
		}
	}
	return nil
}

// cached appends what of the start of s is in the window and fits into a block.
func (r *spanReader) cached(w *blockWriter, s fmp4.Span) int64 {
	in := s.Offset - r.start
	if in < 0 || in >= int64(len(r.window)) {
		return 0
	}
	p := r.window[in:]
	n := copy(w.room(), p[:min(int64(len(p)), s.Size)])
	w.add(n)
	return int64(n)
}

// fetch appends a part of the start of s, directly if s is large or stands alone, else by filling the window with
// as many of the following spans as are near.
func (r *spanReader) fetch(w *blockWriter, s fmp4.Span, following []fmp4.Span) (int64, error) {
	end := s.Offset + s.Size
	for _, f := range following {
		if f.Offset < end || f.Offset-end > maxHole || f.Offset+f.Size-s.Offset > windowSize {
			break
		}
		end = f.Offset + f.Size
	}
	if end == s.Offset+s.Size || s.Size >= windowSize/4 {
		room := w.room()
		room = room[:min(int64(len(room)), s.Size)]
		if err := r.read(room, s.Offset); err != nil {
			return 0, err
		}
		w.add(len(room))
		return int64(len(room)), nil
	}
	r.start, r.window = s.Offset, r.buf[:end-s.Offset]
	if err := r.read(r.window, r.start); err != nil {
		r.window = nil
		return 0, err
	}
	return r.cached(w, s), nil
}

func (r *spanReader) read(p []byte, off int64) error {
	n, err := r.in.r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("packager: %s at byte %d: %w", r.in.name, off+int64(n), err)
}
