package smooth

import (
	"context"
	"errors"
	"io"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// gatherer is the payload of a fragment whose samples lie apart in a file, between those of other tracks: reads of the
// payload become one read of the span in the file, the bytes in between going to waste. It is an [io.ReaderAt]
// under the context of its fragment.
type gatherer struct {
	ctx   context.Context
	file  File
	spans []fmp4.Span
	size  int64
}

// maxHole is the most bytes between two spans that are read over rather than skipped by a second call.
const maxHole = 8 << 10

// ReadAt implements [io.ReaderAt].
func (g *gatherer) ReadAt(p []byte, off int64) (int, error) {
	if off >= g.size {
		return 0, io.EOF
	}
	end := io.EOF
	if int64(len(p)) <= g.size-off {
		end = nil
	} else {
		p = p[:g.size-off]
	}
	if err := gather(g.ctx, g.file, g.spans, p, off); err != nil {
		return 0, err
	}
	return len(p), end
}

// gather fills p with the concatenation of spans from off.
func gather(ctx context.Context, file File, spans []fmp4.Span, p []byte, off int64) error {
	for len(spans) > 0 && off >= spans[0].Size {
		off -= spans[0].Size
		spans = spans[1:]
	}
	w := gathering{p: p, spans: spans, off: off}
	if tr, ok := file.(thinReader); ok && w.thin() {
		if done, err := tr.readResident(&w); done || err != nil {
			return err
		}
	}
	if vr, ok := file.(VectorReader); ok && len(spans) > 1 {
		return w.vectors(ctx, vr)
	}
	return w.pieces(ctx, file)
}

// A thinReader is a [File] that can fill w without a system call per piece, if the bytes are in memory anyway. It
// reports false, and leaves w alone, if they are not.
type thinReader interface {
	readResident(w *gathering) (bool, error)
}

// thin reports whether what is wanted is less than half of the span it lies in, in more than a few pieces.
func (w *gathering) thin() bool {
	if len(w.spans) < 4 {
		return false
	}
	first, last := w.bounds()
	return last-first > 2*int64(len(w.p)) && last > first
}

// bounds returns the part of the file that holds all that is wanted.
func (w *gathering) bounds() (first, last int64) {
	if len(w.spans) == 0 {
		return 0, 0
	}
	first = w.spans[0].Offset + w.off
	left := int64(len(w.p)) + w.off
	for _, s := range w.spans {
		n := min(left, s.Size)
		first, last = min(first, s.Offset), max(last, s.Offset+n)
		if left -= n; left == 0 {
			break
		}
	}
	return first, last
}

// gathering is the state of one gather: what is still to be filled and from where.
type gathering struct {
	p     []byte
	spans []fmp4.Span
	off   int64 // in spans[0]
}

// next takes the next piece: the place in the file and the part of p it goes to.
func (w *gathering) next() (at int64, piece []byte, err error) {
	if len(w.spans) == 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	n := min(int64(len(w.p)), w.spans[0].Size-w.off)
	at, piece = w.spans[0].Offset+w.off, w.p[:n]
	w.p = w.p[n:]
	if w.off += n; w.off == w.spans[0].Size {
		w.spans, w.off = w.spans[1:], 0
	}
	return at, piece, nil
}

func (w *gathering) pieces(ctx context.Context, file File) error {
	for len(w.p) > 0 {
		at, piece, err := w.next()
		if err != nil {
			return err
		}
		if n, err := file.ReadAtContext(ctx, piece, at); n < len(piece) {
			return unexpected(err)
		}
	}
	return nil
}

// unexpected returns the error of a read that was too short.
func unexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (w *gathering) vectors(ctx context.Context, file VectorReader) error {
	waste := sendBuffers.Get().(*[sendBufferSize]byte)
	defer sendBuffers.Put(waste)
	list := make([][]byte, 0, 2*len(w.spans))
	for len(w.p) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		start, piece, err := w.next()
		if err != nil {
			return err
		}
		list = append(list[:0], piece)
		for end := start + int64(len(piece)); len(w.p) > 0 && len(w.spans) > 0; {
			hole := w.spans[0].Offset + w.off - end
			if hole < 0 || hole > maxHole {
				break
			}
			if hole > 0 {
				list = append(list, waste[:hole])
			}
			at, piece, _ := w.next()
			list = append(list, piece)
			end = at + int64(len(piece))
		}
		if err := file.ReadVectorAt(list, start); err != nil {
			return unexpected(err)
		}
	}
	return nil
}
