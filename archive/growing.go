package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// memoryFragment is the largest fragment that is read into pooled memory and sent in one write. Longer ones are sent from
// the file. It is the bound that package smooth has measured.
const memoryFragment = 64 << 10

// maxHead bounds what an index may say of a head, in bytes: a moof box and the header of mdat.
const maxHead = fmp4.MaxMoof + 16

// growing is the presentation of an index and the files that it tells of: a [smooth.Presentation], [smooth.Sizer] and
// [smooth.Waiter]. Its fragments are those that were recorded, byte for byte. It is safe for concurrent use.
type growing struct {
	index *index.Index
	// files returns a file of the index by its number, nil if it is not there, and what lends descriptors of it, nil if
	// nothing does.
	files func(number int) (io.ReaderAt, smooth.Leaser)
	live  bool
	done  func()

	users users // those who have it open
	held  users // the former, and fragments that are read from a file
}

// newGrowing returns the presentation with one user. live tells whether it goes on until the index ends, or is shown on demand,
// as far as it is there. done, which may be nil, is called once when all users have closed it and no fragment reads from the
// files any more.
func newGrowing(x *index.Index, files func(number int) (io.ReaderAt, smooth.Leaser), live bool, done func()) *growing {
	g := &growing{index: x, files: files, live: live, done: done}
	g.users.init()
	g.held.init()
	return g
}

// retain adds a user, who closes it too. It reports false if all have.
func (g *growing) retain() bool { return g.users.add() }

// Close implements [smooth.Presentation].
func (g *growing) Close() error {
	if g.users.drop() {
		g.release()
	}
	return nil
}

// release drops a reference to the files.
func (g *growing) release() {
	if g.held.drop() && g.done != nil {
		g.done()
	}
}

// hold adds a reference to the files.
func (g *growing) hold() error {
	if g.users.none() || !g.held.add() {
		return fmt.Errorf("archive: %w", smooth.ErrClosed)
	}
	return nil
}

// watch calls changed when a snapshot has been superseded, see [index.Index.Watch].
func (g *growing) watch(changed func()) (stop func()) { return g.index.Watch(changed) }

// Snapshot implements [smooth.Presentation]. It has no look-ahead, see [liveView].
func (g *growing) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if g.users.none() {
		return nil, fmt.Errorf("archive: %w", smooth.ErrClosed)
	}
	return g.snapshot(), nil
}

func (g *growing) snapshot() *smooth.Snapshot {
	if g.live {
		return g.index.Live()
	}
	return g.index.OnDemand()
}

// Fragment implements [smooth.Presentation]. The error wraps [smooth.ErrNotYet] at or after the end of what a live presentation
// lists, [smooth.ErrNotFound] for others that are not there, [smooth.ErrClosed], or is that of the file.
func (g *growing) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := g.hold(); err != nil {
		return nil, err
	}
	f, err := g.open(k)
	if err != nil {
		g.release()
		return nil, missing(k, err)
	}
	return f, nil
}

// open opens a fragment, which takes over a reference to the files.
func (g *growing) open(k smooth.FragmentKey) (*smooth.Fragment, error) {
	track, e, err := g.find(k)
	if err != nil {
		return nil, err
	}
	at, lender := g.files(track.File)
	switch {
	case at == nil:
		return nil, fmt.Errorf("file %d is not there: %w", track.File, smooth.ErrNotFound)
	case e.Head > maxHead:
		return nil, fmt.Errorf("head of %d bytes, the limit is %d: %w", e.Head, maxHead, smooth.ErrCorrupt)
	}
	in := smooth.FragmentInit{Key: k, Timescale: index.Scale, Duration: e.Duration, Codec: track.Codec}
	if int64(e.Head)+int64(e.Payload) <= memoryFragment {
		return g.read(in, at, e)
	}
	return g.lend(in, at, lender, e)
}

// read reads a fragment into memory.
func (g *growing) read(in smooth.FragmentInit, at io.ReaderAt, e index.Entry) (*smooth.Fragment, error) {
	n := int(e.Head) + int(e.Payload)
	buf := fragmentBuffers.get(n)
	if err := readWhole(at, (*buf)[:n], e.Offset); err != nil {
		fragmentBuffers.put(buf)
		return nil, err
	}
	g.release()
	in.Memory, in.HeadLen = (*buf)[:n:n], int(e.Head)
	in.Release = func() { fragmentBuffers.put(buf) }
	return smooth.NewFragment(in), nil
}

// lend returns a fragment as a section of the file, with a descriptor of its own that it is sent from if there is one.
func (g *growing) lend(in smooth.FragmentInit, at io.ReaderAt, lender smooth.Leaser, e index.Entry) (*smooth.Fragment, error) {
	n := int(e.Head)
	buf := fragmentBuffers.get(n)
	if err := readWhole(at, (*buf)[:n], e.Offset); err != nil {
		fragmentBuffers.put(buf)
		return nil, err
	}
	in.Head, in.Body = (*buf)[:n:n], at
	in.Offset, in.Size, in.Stored = e.Offset+int64(n), int64(e.Payload), true
	var file *os.File
	if lender != nil {
		if f, err := lender.Lease(); err == nil { // else it is read piece by piece
			file, in.Body = f, f
		}
	}
	in.Release = func() {
		fragmentBuffers.put(buf)
		if file != nil {
			lender.Return(file)
		}
		g.release()
	}
	return smooth.NewFragment(in), nil
}

// readWhole reads all of p.
func readWhole(at io.ReaderAt, p []byte, off int64) error {
	n, err := at.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// find looks a fragment up.
func (g *growing) find(k smooth.FragmentKey) (index.Track, index.Entry, error) {
	number, known := g.index.Number(k)
	if !known {
		return index.Track{}, index.Entry{}, smooth.ErrNotFound
	}
	e, ok := g.index.Find(number, k.Time)
	if !ok {
		return index.Track{}, index.Entry{}, absence(g.snapshot(), k)
	}
	return g.index.Track(number), e, nil
}

// FragmentSize implements [smooth.Sizer]. It is exact.
func (g *growing) FragmentSize(k smooth.FragmentKey) (int64, error) {
	_, e, err := g.find(k)
	if err != nil {
		return 0, missing(k, err)
	}
	return int64(e.Payload), nil
}

// Wait implements [smooth.Waiter].
func (g *growing) Wait(ctx context.Context, k smooth.FragmentKey) error { return await(ctx, g, k) }

// users counts those who use something. It is safe for concurrent use.
type users struct{ n atomic.Int32 }

// init counts the first one.
func (u *users) init() { u.n.Store(1) }

// add counts one more. It reports false if there was none left.
func (u *users) add() bool {
	for {
		n := u.n.Load()
		if n <= 0 {
			return false
		}
		if u.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// drop counts one less, and reports whether that was the last one.
func (u *users) drop() bool { return u.n.Add(-1) == 0 }

// none reports whether all are gone.
func (u *users) none() bool { return u.n.Load() <= 0 }

var _ waitingSizer = (*growing)(nil)
