package repair_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"io/fs"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// sparse is a store with one huge media file, whose payloads are made up when they are read. All else is in a lossy store, as is what
// is appended to the file.
type sparse struct {
	*lossy.Store
	name     string
	head     []byte
	moof     []byte // with the header of mdat
	tfxd     int    // where the time is in it
	payload  int64
	n        int64
	duration uint64
	extra    []byte // appended
	read     atomic.Int64
}

func (s *sparse) body() int64 { return int64(len(s.head)) + s.n*(int64(len(s.moof))+s.payload) }

func (s *sparse) size() int64 { return s.body() + int64(len(s.extra)) }

// ReadAt makes up the content.
func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	s.read.Add(int64(len(p)))
	n := 0
	for n < len(p) {
		at := off + int64(n)
		var piece []byte
		switch {
		case at >= s.size():
			return n, io.EOF
		case at < int64(len(s.head)):
			piece = s.head[at:]
		case at >= s.body():
			piece = s.extra[at-s.body():]
		default:
			piece = s.fragment(at-int64(len(s.head)), int64(len(p)-n))
		}
		n += copy(p[n:], piece)
	}
	return n, nil
}

// fragment returns what there is at a place behind the header, up to the end of the fragment or most bytes at most.
func (s *sparse) fragment(off, most int64) []byte {
	whole := int64(len(s.moof)) + s.payload
	i, in := off/whole, off%whole
	if in >= int64(len(s.moof)) {
		b := make([]byte, max(4, min(whole-in, most)))
		for k := range b {
			b[k] = 0xa5
		}
		if in == int64(len(s.moof)) {
			binary.BigEndian.PutUint32(b, uint32(s.payload-4)) // one NAL unit
		}
		return b
	}
	moof := bytes.Clone(s.moof)
	binary.BigEndian.PutUint64(moof[s.tfxd:], uint64(i)*s.duration)
	return moof[in:]
}

func (s *sparse) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	return s.ReadAt(p, off)
}

func (s *sparse) Open(ctx context.Context, name string) (smooth.File, error) {
	if name != s.name {
		return s.Store.Open(ctx, name)
	}
	return &sparseFile{s, s.size()}, nil
}

func (s *sparse) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	info, err := s.Store.Stat(ctx, name)
	if err == nil && name == s.name {
		return sparseInfo{info, s.size()}, nil
	}
	return info, err
}

func (s *sparse) Append(ctx context.Context, name string) (archive.Appender, error) {
	if name != s.name {
		return s.Store.Append(ctx, name)
	}
	return sparseAppender{s}, nil
}

type sparseInfo struct {
	fs.FileInfo
	size int64
}

func (i sparseInfo) Size() int64 { return i.size }

type sparseFile struct {
	*sparse
	bytes int64
}

func (f *sparseFile) Size() int64        { return f.bytes }
func (f *sparseFile) ModTime() time.Time { return time.Time{} }
func (f *sparseFile) Version() string    { return "1" }
func (f *sparseFile) Close() error       { return nil }

type sparseAppender struct{ *sparse }

func (a sparseAppender) Write(p []byte) (int, error) {
	a.extra = append(a.extra, p...)
	return len(p), nil
}
func (a sparseAppender) Size() int64 { return a.size() }
func (a sparseAppender) Truncate(size int64) error {
	a.extra = a.extra[:size-a.body()]
	return nil
}
func (a sparseAppender) Sync() error  { return nil }
func (a sparseAppender) Close() error { return nil }

// newSparse returns a store with a file of n fragments of two seconds with samples in each.
func newSparse(t testing.TB, n int64, samples int, payload int64) *sparse {
	s := &sparse{Store: lossy.New(), name: "rec/big.ismv", n: n, payload: payload, duration: 2e7}
	e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 4_000_000}}}}})
	s.head = e.Header()
	h := fmp4.FragmentHead{TrackID: 1, Tfxd: true, Duration: s.duration}
	for i := range samples {
		x := fmp4.RunSample{Duration: uint32(s.duration) / uint32(samples), Flags: fmp4.FlagsDelta}
		if i == 0 {
			x.Size, x.Flags = uint32(payload), fmp4.FlagsSync
		}
		h.Samples = append(h.Samples, x)
	}
	var err error
	s.moof, err = h.AppendTo(nil)
	require.NoError(t, err)
	s.tfxd = bytes.Index(s.moof, fmp4.UUIDTfxd[:]) + 20
	put(t, s.Store, s.name, nil)
	put(t, s.Store, "rec/big.ism", nil)
	put(t, s.Store, "rec/big.ismc", nil)
	return s
}

// TestBig: of a file of 10 GB without an index only the boxes are read.
func TestBig(t *testing.T) {
	s := newSparse(t, 10_500, 50, 1<<20)
	require.Greater(t, s.size(), int64(10<<30))
	r, err := repair.Check(t.Context(), s, ".", nil)
	require.True(t, one(t, r, err).Has(repair.MfraMissing))
	require.Less(t, s.read.Swap(0), s.size()/50)
	r, err = repair.Repair(t.Context(), s, ".", nil)
	a := one(t, r, err)
	require.True(t, a.Plays, "%v", r)
	require.Less(t, s.read.Load(), s.size()/50)
	m := manifestOf(t, s, a.Name)
	require.EqualValues(t, 10_500*2e7, m.Duration)
	r, err = repair.Repair(t.Context(), s, ".", nil)
	require.NoError(t, err)
	require.Zero(t, r.Done(), "%v", r)
}

// TestMemory: small fragments by the hundred thousand take a bounded number of bytes each.
func TestMemory(t *testing.T) {
	const n = 100_000
	s := newSparse(t, n, 2, 2000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, err := repair.Repair(t.Context(), s, ".", nil)
	runtime.ReadMemStats(&after)
	require.True(t, one(t, r, err).Plays)
	require.Less(t, (after.HeapSys-min(before.HeapSys, after.HeapSys))/n, uint64(1000))
}

// FuzzMedia: whatever is in a media file, nothing hangs, nothing grows, nothing is lost, and a second run has nothing to do.
func FuzzMedia(f *testing.F) {
	good := newSparse(f, 3, 2, 200)
	b := make([]byte, good.size())
	_, err := good.ReadAt(b, 0)
	require.NoError(f, err)
	list, end := moofs(f, b)
	index := fmp4.AppendMfra(nil, []uint32{1}, [][]fmp4.TfraEntry{{{Time: 0, Moof: uint64(list[0])}, {Time: 2e7, Moof: uint64(list[1])}, {Time: 4e7, Moof: uint64(list[2])}}})
	f.Add(b)
	f.Add(append(bytes.Clone(b), index...))
	f.Add(append(bytes.Clone(b), index[:40]...))
	f.Add(b[:end-3])
	f.Add(append(bytes.Clone(b[:list[1]-50]), b[list[1]:]...))
	f.Add(append(bytes.Clone(b[:list[2]]), b[list[0]:]...))
	f.Add(append(bytes.Clone(b), make([]byte, 300)...))
	f.Add(append(bytes.Clone(b[:list[1]]), append(bare(f, b[list[0]:list[1]]), b[list[1]:]...)...))
	f.Add([]byte("\x00\x00\x00\x08moof"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		s := lossy.New()
		put(t, s, "x/a.ismv", data)
		put(t, s, "x/a.ism", nil)
		_, err := repair.Check(ctx, s, ".", nil)
		require.NoError(t, err)
		r, err := repair.Repair(ctx, s, ".", nil)
		require.NoError(t, err)
		size := 0
		for _, b := range files(t, s) {
			size += len(b)
		}
		require.Less(t, size, 4*len(data)+64<<10)
		nothingLost(t, s, map[string]string{"x/a.ismv": string(data)})
		was := s.Dump()
		again, err := repair.Repair(ctx, s, ".", nil)
		require.NoError(t, err)
		require.Zero(t, again.Done(), "%v\n%v", r, again)
		require.Equal(t, was, s.Dump())
	})
}
