package repair

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// copyStep is the size of reads and writes of bytes that are copied.
const copyStep = 1 << 20

// mend notes the faults at the end of a media file and, if there is a store, makes the file whole. It returns what is to be used in
// its place: the file itself or the one that was written again.
func (r *run) mend(ctx context.Context, m *media, a *Asset) (*media, error) {
	if !m.usable() {
		return m, nil
	}
	if m.rewrite() {
		if err := r.tail(ctx, m, nil, a); err != nil || r.store == nil {
			return m, err
		}
		return r.rewrite(ctx, m, a)
	}
	ids, entries := m.entries()
	index := fmp4.AppendMfra(nil, ids, entries)
	if m.index.Size > 0 && m.wrong == "" && len(m.torn) == 0 {
		return m, nil
	}
	if err := r.tail(ctx, m, index, a); err != nil || r.store == nil {
		return m, err
	}
	return m, r.close(ctx, m, index, a)
}

// tail notes what is wrong behind the last whole fragment. index is what belongs there, or nil.
func (r *run) tail(ctx context.Context, m *media, index []byte, a *Asset) error {
	if len(m.torn) > 0 {
		kind, err := r.tailKind(ctx, m, index)
		switch {
		case err != nil:
			return err
		case kind == tailZeros:
			a.fault(ZeroTail, m.name, m.end, "%d zeros at the end", m.size-m.end)
		case kind == tailIndex:
			a.fault(MfraBroken, m.name, m.end, "the index breaks off after %d of %d bytes", m.size-m.end, len(index))
			return nil
		default:
			last := m.torn[len(m.torn)-1]
			a.fault(TornTail, m.name, m.end, "%d bytes behind the last whole fragment: %s", m.size-m.end, last.reason)
		}
	}
	switch {
	case index == nil:
	case m.index.Size == 0:
		a.fault(MfraMissing, m.name, m.end, "no index of %d fragments", m.fragments())
	case m.broken:
		a.fault(MfraBroken, m.name, m.index.Offset, "%s", m.wrong)
	case m.wrong != "":
		a.fault(MfraWrong, m.name, m.index.Offset, "%s", m.wrong)
	}
	return nil
}

type tailKind int

const (
	tailOther tailKind = iota
	tailZeros
	// tailIndex is a beginning of the index, as a repair leaves it that was interrupted.
	tailIndex
)

// tailKind looks at what follows the last whole fragment, as far as needed.
func (r *run) tailKind(ctx context.Context, m *media, index []byte) (tailKind, error) {
	f, err := r.files.Open(ctx, m.name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	zeros, same := true, m.size-m.end <= int64(len(index))
	err = blocks(ctx, f, m.end, m.size, func(b []byte, off int64) bool {
		zeros = zeros && len(bytes.TrimLeft(b, "\x00")) == 0
		same = same && bytes.HasPrefix(index[off-m.end:], b)
		return zeros || same
	})
	switch {
	case err != nil:
		return 0, err
	case same:
		return tailIndex, nil
	case zeros:
		return tailZeros, nil
	}
	return tailOther, nil
}

// blocks reads [from, to) of a file step by step until take returns false.
func blocks(ctx context.Context, f smooth.File, from, to int64, take func(b []byte, off int64) bool) error {
	buf := make([]byte, max(0, min(copyStep, to-from)))
	for off := from; off < to; {
		b := buf[:min(int64(len(buf)), to-off)]
		if err := readFull(ctx, f, b, off); err != nil {
			return err
		}
		if !take(b, off) {
			return nil
		}
		off += int64(len(b))
	}
	return nil
}

// close cuts off what does not belong behind the last fragment and appends the index.
func (r *run) close(ctx context.Context, m *media, index []byte, a *Asset) error {
	if m.end < m.size {
		kind, err := r.tailKind(ctx, m, index)
		if err != nil {
			return err
		}
		if kind == tailOther {
			if err := r.keepTail(ctx, m, a); err != nil {
				return err
			}
		}
	}
	w, err := r.store.Append(ctx, m.name)
	if err != nil {
		return err
	}
	defer w.Close()
	if w.Size() != m.size {
		return fmt.Errorf("%s: %d bytes, %d when it was looked at: somebody writes to it", m.name, w.Size(), m.size)
	}
	if m.end < m.size {
		if err := w.Truncate(m.end); err != nil {
			return err
		}
		if err := w.Sync(); err != nil {
			return err
		}
		a.did(m.name, "cut to %d bytes, the end of the last whole fragment", m.end)
	}
	if _, err := w.Write(index); err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	a.did(m.name, "index of %d fragments appended", m.fragments())
	return w.Close()
}

// keepTail copies what is to be cut off into a file of its own. What an interrupted run has copied is gone on with.
func (r *run) keepTail(ctx context.Context, m *media, a *Asset) error {
	src, err := r.files.Open(ctx, m.name)
	if err != nil {
		return err
	}
	defer src.Close()
	name, have, err := r.tailName(ctx, m, src)
	if err != nil {
		return err
	}
	w, err := r.store.Append(ctx, name)
	if err != nil {
		return err
	}
	defer w.Close()
	var failed error
	err = blocks(ctx, src, m.end+have, m.size, func(b []byte, _ int64) bool {
		_, failed = w.Write(b)
		return failed == nil
	})
	if failed != nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	a.did(name, "keeps the %d bytes from byte %d on of %s", m.size-m.end, m.end, m.name)
	return w.Close()
}

// maxTails bounds how often the same file is cut at the same place.
const maxTails = 1000

// tailName returns the name of the file for the tail of m, and how many bytes of it are there.
func (r *run) tailName(ctx context.Context, m *media, src smooth.File) (string, int64, error) {
	for n := 1; n <= maxTails; n++ {
		name := fmt.Sprintf("%s.%d.torn", m.name, m.end)
		if n > 1 {
			name = fmt.Sprintf("%s.%d.%d.torn", m.name, m.end, n)
		}
		f, err := r.files.Open(ctx, name)
		if notThere(err) {
			return name, 0, nil
		}
		if err != nil {
			return "", 0, err
		}
		same, err := isPart(ctx, f, src, m.end)
		size := f.Size()
		f.Close()
		if err != nil {
			return "", 0, err
		}
		if same {
			return name, size, nil
		}
	}
	return "", 0, fmt.Errorf("%s: %d files of what was cut off at byte %d: %w", m.name, maxTails, m.end, smooth.ErrTooLarge)
}

// isPart reports whether all of f is what src has from a place on.
func isPart(ctx context.Context, f, src smooth.File, from int64) (bool, error) {
	if f.Size() > src.Size()-from {
		return false, nil
	}
	same := true
	var failed error
	err := blocks(ctx, f, 0, f.Size(), func(b []byte, off int64) bool {
		other := make([]byte, len(b))
		failed = readFull(ctx, src, other, from+off)
		same = failed == nil && slices.Equal(b, other)
		return same
	})
	if err == nil {
		err = failed
	}
	return same && err == nil, err
}
