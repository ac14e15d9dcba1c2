package smooth

import (
	"sort"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// A lender is a [File] that can show bytes where the page cache of the system holds them.
type lender interface {
	// borrow calls use with the content of the file, of which use reads [first, last) only. It reports false, without
	// having called it, if those bytes are not in memory.
	borrow(first, last int64, use func(file []byte) error) (bool, error)
}

// Borrow calls use with a function that returns parts of the sample data where they are: in the memory of the
// fragment, or in the page cache of its file, so that nothing is copied. It reports false, and has not called use, if
// the data has to be read, with [Fragment.Load] or [Fragment.ReadPayloadAt]. What the function returns must not be
// modified, and is valid until use returns; a part that lies across places of the file is nil, which one sample
// never does. If the file is cut meanwhile, use ends where it reads and the error wraps [ErrCorrupt].
func (f *Fragment) Borrow(use func(at func(off int64, n int) []byte) error) (bool, error) {
	if data := f.payload; data != nil {
		return true, use(func(off int64, n int) []byte { return data[off : off+int64(n)] })
	}
	if f.within != nil {
		return f.within.borrow(use)
	}
	if f.of != nil {
		return f.of.Borrow(use)
	}
	if f.loan.media == nil {
		return false, nil
	}
	from, ok := f.loan.media.file.(lender)
	if !ok {
		return false, nil
	}
	if g, ok := f.body.(*gatherer); ok {
		return g.borrow(from, use)
	}
	return from.borrow(f.offset, f.offset+f.size, func(file []byte) error {
		return use(func(off int64, n int) []byte { return file[f.offset+off : f.offset+off+int64(n)] })
	})
}

// borrow is Borrow for samples in several places.
func (g *gatherer) borrow(from lender, use func(at func(off int64, n int) []byte) error) (bool, error) {
	first, last := g.spans[0].Offset, int64(0)
	starts := make([]int64, len(g.spans)) // in the payload
	total := int64(0)
	for i, s := range g.spans {
		first, last = min(first, s.Offset), max(last, s.Offset+s.Size)
		starts[i] = total
		total += s.Size
	}
	return from.borrow(first, last, func(file []byte) error {
		i := 0
		return use(func(off int64, n int) []byte {
			if off < starts[i] || off >= starts[i]+g.spans[i].Size {
				i = spanAt(starts, g.spans, off)
			}
			s := &g.spans[i]
			at := off - starts[i]
			if at+int64(n) > s.Size {
				return nil
			}
			return file[s.Offset+at : s.Offset+at+int64(n)]
		})
	})
}

// spanAt returns the span that holds an offset of the payload.
func spanAt(starts []int64, spans []fmp4.Span, off int64) int {
	i := sort.Search(len(starts), func(i int) bool { return starts[i] > off })
	return max(min(i-1, len(spans)-1), 0)
}
