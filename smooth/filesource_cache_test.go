package smooth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// countingFiles is a tree in memory that counts open files and can hold reads until their context ends.
type countingFiles struct {
	mu    sync.Mutex // guards fsys
	fsys  fstest.MapFS
	opens map[string]int
	open  atomic.Int64
	reads atomic.Int64
	hang  atomic.Bool
	// closing, if set, is called when a file is closed.
	closing func()
	gate    chan struct{} // if set, reads wait until it is closed
}

func newCountingFiles(files map[string][]byte) *countingFiles {
	return &countingFiles{fsys: tree(files), opens: map[string]int{}}
}

func (c *countingFiles) set(name string, data []byte, mod time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if data == nil {
		delete(c.fsys, name)
		return
	}
	c.fsys[name] = &fstest.MapFile{Data: data, ModTime: mod}
}

func (c *countingFiles) Open(_ context.Context, name string) (smooth.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.fsys[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	c.opens[name]++
	c.open.Add(1)
	return &countedFile{c: c, r: bytes.NewReader(f.Data), f: f}, nil
}

func (c *countingFiles) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fsys.Stat(name)
}

func (c *countingFiles) ReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fsys.ReadDir(name)
}

type countedFile struct {
	c      *countingFiles
	r      *bytes.Reader
	f      *fstest.MapFile
	closed atomic.Bool
}

func (f *countedFile) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if f.closed.Load() {
		return 0, fs.ErrClosed
	}
	f.c.reads.Add(1)
	if f.c.hang.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if f.c.gate != nil {
		select {
		case <-f.c.gate:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return f.r.ReadAt(p, off)
}
func (f *countedFile) Size() int64        { return f.r.Size() }
func (f *countedFile) ModTime() time.Time { return f.f.ModTime }
func (f *countedFile) Version() string    { return fmt.Sprint(f.f.ModTime.UnixNano(), f.r.Size()) }
func (f *countedFile) Close() error {
	if f.closed.Swap(true) {
		return errors.New("closed twice")
	}
	f.c.open.Add(-1)
	if f.c.closing != nil {
		f.c.closing()
	}
	return nil
}

func quietSource(files smooth.Files, opts smooth.FileOptions) (*smooth.FileSource, *logs) {
	l := new(logs)
	opts.Logger = l.logger()
	return smooth.NewFileSource(files, &opts), l
}

// TestOpenCoalesced lets a thousand first requests share one load, which outlives the first one's context.
func TestOpenCoalesced(t *testing.T) {
	files := newCountingFiles(map[string][]byte{"av.mp4": testmedia.File(t, "av.mp4")})
	files.gate = make(chan struct{})
	src, _ := quietSource(files, smooth.FileOptions{})
	first, cancel := context.WithCancel(context.Background())
	gone := make(chan error)
	go func() {
		_, err := src.Open(first, "av.mp4")
		gone <- err
	}()
	for files.open.Load() == 0 {
		runtime.Gosched()
	}
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 1000 {
		wg.Go(func() {
			p, err := src.Open(context.Background(), "av.mp4")
			if err != nil {
				failed.Add(1)
				return
			}
			if f, err := p.Fragment(context.Background(), firstKey(p)); err != nil {
				failed.Add(1)
			} else {
				f.Close()
			}
			p.Close()
		})
	}
	close(files.gate)
	wg.Wait()
	assert.Zero(t, failed.Load())
	assert.Equal(t, 1, files.opens["av.mp4"])
	assert.EqualValues(t, 1, src.Stats().Loads)
	require.NoError(t, src.Close())
	assert.Zero(t, files.open.Load())
}

func firstKey(p smooth.Presentation) smooth.FragmentKey {
	s, _ := p.Snapshot(context.Background())
	st := s.Manifest.Streams[0]
	return smooth.FragmentKey{Stream: st.Name, Bitrate: st.Levels[0].Bitrate, Attrs: st.Levels[0].AttrsKey(), Time: st.Timeline[0].Time}
}

// TestOpenReads opens a long file by its index with a handful of reads, and looks at moof boxes only without one.
func TestOpenReads(t *testing.T) {
	long := parseISMV(t, testmedia.File(t, "av.ismv"))
	first := long.frags
	for i := range uint64(100) { // 600 s
		for _, f := range first {
			if int64(f.time) < 0 {
				f.time = 0
			}
			f.time += (i + 1) * 60_000_000
			f.moof = withTime(f.moof, f.time)
			long.frags = append(long.frags, f)
		}
	}
	for _, tt := range []struct {
		name  string
		data  []byte
		reads int64
	}{
		{"mfra", long.bytes(whole), 8},
		{"scan", long.bytes(nil), int64(len(long.frags)) + 8},
	} {
		files := newCountingFiles(map[string][]byte{"x.ismv": tt.data})
		src, log := quietSource(files, smooth.FileOptions{})
		p, err := src.Open(context.Background(), "x.ismv")
		require.NoError(t, err, tt.name)
		s, err := p.Snapshot(context.Background())
		require.NoError(t, err)
		assert.Len(t, s.Manifest.Streams[0].Timeline, 606, tt.name)
		assert.LessOrEqual(t, files.reads.Load(), tt.reads, tt.name)
		assert.Empty(t, log.String())
		require.NoError(t, p.Close())
		require.NoError(t, src.Close())
	}
}

// TestRevalidate changes, removes and adds files behind a source.
func TestRevalidate(t *testing.T) {
	av, low := testmedia.File(t, "av.mp4"), testmedia.File(t, "low.mp4")
	files := newCountingFiles(map[string][]byte{"x.ism": ism("", track("video", "av.mp4", 40000), track("video", "Low.mp4", 30000)), "av.mp4": av, "film/1.mp4": av})
	now := newClock()
	src, log := quietSource(files, smooth.FileOptions{Now: now.Now})
	ctx := context.Background()
	open := func(name string) (smooth.Presentation, *smooth.Snapshot) {
		p, err := src.Open(ctx, name)
		require.NoError(t, err)
		s, err := p.Snapshot(ctx)
		require.NoError(t, err)
		return p, s
	}
	p1, s1 := open("x.ism")
	require.Len(t, s1.Manifest.Streams[0].Levels, 1)
	held, err := p1.Fragment(ctx, firstKey(p1))
	require.NoError(t, err)
	before := fragmentBytes(t, held)

	step := func(change func()) *smooth.Snapshot {
		_, old := open("x.ism")
		change()
		_, same := open("x.ism")
		require.Same(t, old, same, "within Revalidate nothing is looked at")
		now.Add(time.Second)
		_, s := open("x.ism")
		if s != old {
			select {
			case <-old.Superseded():
			default:
				require.Fail(t, "the old snapshot was not superseded")
			}
		}
		return s
	}
	s := step(func() {})
	require.Same(t, s1, s)
	s = step(func() { files.set("low.mp4", low, time.Unix(5, 0)) })
	require.Len(t, s.Manifest.Streams[0].Levels, 2, "a missing file came, in another case")
	s = step(func() { files.set("av.mp4", testmedia.File(t, "two.mp4"), time.Unix(6, 0)) })
	require.NotEqual(t, s1.Validator, s.Validator, "a file was replaced")
	s = step(func() { files.set("low.mp4", nil, time.Time{}) })
	require.Len(t, s.Manifest.Streams[0].Levels, 1, "a file was removed")
	xml, err := s.Manifest.AppendXML(nil, nil)
	require.NoError(t, err)
	s = step(func() { files.set("x.ismc", xml, time.Unix(7, 0)) })
	require.NotEqual(t, s1.Validator, s.Validator, "a client manifest came")

	assert.Equal(t, before, fragmentBytes(t, held), "old fragments stay valid")
	again, err := p1.Fragment(ctx, firstKey(p1))
	require.NoError(t, err)
	assert.Equal(t, before, fragmentBytes(t, again))
	again.Close()
	held.Close()

	_, d1 := open("film.ism")
	files.set("film/2.mp4", low, time.Unix(8, 0))
	now.Add(time.Second)
	_, d2 := open("film.ism")
	assert.Len(t, d1.Manifest.Streams[0].Levels, 1)
	assert.Len(t, d2.Manifest.Streams[0].Levels, 2, "a file was added to the directory")
	files.set("film.ism", ism("", track("video", "av.mp4", 1)), time.Unix(9, 0))
	now.Add(time.Second)
	_, d3 := open("film.ism")
	assert.EqualValues(t, 1, d3.Manifest.Streams[0].Levels[0].Bitrate)
	assert.Positive(t, src.Stats().Reloads)
	assert.Contains(t, log.String(), "Low.mp4")
	require.NoError(t, src.Close())
	assert.Positive(t, files.open.Load(), "p1 and others are still open")
}

func fragmentBytes(t testing.TB, f *smooth.Fragment) string {
	t.Helper()
	var b bytes.Buffer
	_, err := f.WriteTo(&b)
	require.NoError(t, err)
	return b.String()
}

// TestFailedOpens remembers a broken presentation for Revalidate and then tries again; missing ones are not remembered.
func TestFailedOpens(t *testing.T) {
	files := newCountingFiles(map[string][]byte{"bad.mp4": []byte("nothing that is an MP4 file")})
	now := newClock()
	src, log := quietSource(files, smooth.FileOptions{Now: now.Now})
	defer src.Close()
	ctx := context.Background()
	for range 5 {
		_, err := src.Open(ctx, "bad.mp4")
		require.ErrorIs(t, err, smooth.ErrCorrupt)
		var fe *smooth.FileError
		require.ErrorAs(t, err, &fe)
		assert.Equal(t, "bad.mp4", fe.File)
		assert.NotEmpty(t, fe.Remedy)
	}
	assert.EqualValues(t, 1, src.Stats().Loads)
	assert.EqualValues(t, 1, src.Stats().Failures)
	assert.Contains(t, log.String(), "bad.mp4")
	files.set("bad.mp4", testmedia.File(t, "av.mp4"), time.Unix(5, 0))
	now.Add(time.Second)
	p, err := src.Open(ctx, "bad.mp4")
	require.NoError(t, err)
	p.Close()
	for range 3 {
		_, err := src.Open(ctx, "none.mp4")
		require.ErrorIs(t, err, smooth.ErrNotFound)
	}
	assert.EqualValues(t, 1, src.Stats().Presentations)
	files.set("none.mp4", testmedia.File(t, "av.mp4"), time.Unix(5, 0))
	p, err = src.Open(ctx, "none.mp4")
	require.NoError(t, err, "a new file is there at once")
	p.Close()
}

// TestNamesRemembered does not look at the disk for each request with a name in another case.
func TestNamesRemembered(t *testing.T) {
	files := newCountingFiles(map[string][]byte{"Film.ism": ism("", track("video", "av.mp4", 1)), "av.mp4": testmedia.File(t, "av.mp4")})
	now := newClock()
	src, _ := quietSource(files, smooth.FileOptions{Now: now.Now})
	defer src.Close()
	open := func(name string) error {
		p, err := src.Open(context.Background(), name)
		if err == nil {
			p.Close()
		}
		return err
	}
	for _, name := range []string{"FILM.ISM", "film-m3u8-aapl.ism"} {
		require.NoError(t, open(name))
		loads := src.Stats().Loads
		for range 5 {
			require.NoError(t, open(name))
		}
		assert.Equal(t, loads, src.Stats().Loads, name)
	}
	files.set("Film.ism", nil, time.Time{})
	now.Add(time.Second)
	assert.ErrorIs(t, open("FILM.ISM"), smooth.ErrNotFound)
	files.set("FILM.ISM", ism("", track("video", "av.mp4", 2)), time.Unix(5, 0))
	now.Add(time.Second)
	s, _ := fetchAll(t, src, "FILM.ISM")
	assert.EqualValues(t, 2, s.Manifest.Streams[0].Levels[0].Bitrate)
}

// TestRevalidateAlways looks at the files on every use.
func TestRevalidateAlways(t *testing.T) {
	files := newCountingFiles(map[string][]byte{"a.mp4": testmedia.File(t, "av.mp4"), "bad.mp4": []byte("x")})
	src, _ := quietSource(files, smooth.FileOptions{Revalidate: -1, Now: newClock().Now})
	defer src.Close()
	for range 3 {
		p, err := src.Open(context.Background(), "a.mp4")
		require.NoError(t, err)
		p.Close()
		_, err = src.Open(context.Background(), "bad.mp4")
		require.Error(t, err)
	}
	assert.EqualValues(t, 4, src.Stats().Loads, "the broken one is tried every time")
	files.set("a.mp4", testmedia.File(t, "low.mp4"), time.Unix(5, 0))
	s, _ := fetchAll(t, src, "a.mp4")
	assert.Len(t, s.Manifest.Streams, 1)
}

// TestBudgets keeps the most recently used presentations within the budgets of files and of bytes.
func TestBudgets(t *testing.T) {
	data := map[string][]byte{}
	for i := range 8 {
		data[fmt.Sprintf("%d.mp4", i)] = testmedia.File(t, "av.mp4")
	}
	open := func(src *smooth.FileSource, i int) {
		p, err := src.Open(context.Background(), fmt.Sprintf("%d.mp4", i))
		require.NoError(t, err)
		require.NoError(t, p.Close())
	}
	files := newCountingFiles(data)
	src, _ := quietSource(files, smooth.FileOptions{MaxOpenFiles: 3, Now: newClock().Now})
	for _, i := range []int{0, 1, 2, 0, 3, 4} {
		open(src, i)
	}
	assert.EqualValues(t, 3, src.Stats().Files)
	assert.EqualValues(t, 3, files.open.Load())
	loads := src.Stats().Loads
	open(src, 0)
	open(src, 4)
	assert.Equal(t, loads, src.Stats().Loads, "0 was used more recently than 1 and 2")
	open(src, 1)
	assert.Equal(t, loads+1, src.Stats().Loads)
	one := src.Stats().IndexBytes / 3
	require.NoError(t, src.Close())
	assert.Zero(t, files.open.Load())
	assert.Equal(t, smooth.SourceStats{Loads: loads + 1}, src.Stats())

	src, _ = quietSource(files, smooth.FileOptions{MaxIndexBytes: 2*one + one/2})
	for i := range 8 {
		open(src, i)
	}
	assert.EqualValues(t, 2, src.Stats().Presentations)
	require.NoError(t, src.Close())
	src, _ = quietSource(files, smooth.FileOptions{MaxIndexBytes: 1, MaxOpenFiles: 1})
	open(src, 0)
	open(src, 0)
	assert.EqualValues(t, 1, src.Stats().Loads, "one presentation may exceed the budgets")
	p, err := src.Open(context.Background(), "0.mp4")
	require.NoError(t, err)
	open(src, 1)
	_, err = p.Fragment(context.Background(), firstKey(p))
	require.NoError(t, err, "in use, though evicted")
	require.NoError(t, src.Close())
}

// TestClose ends loads that hang and leaves nothing behind.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newCountingFiles(map[string][]byte{"av.mp4": testmedia.File(t, "av.mp4"), "low.mp4": testmedia.File(t, "low.mp4")})
		src, log := quietSource(files, smooth.FileOptions{})
		p, err := src.Open(t.Context(), "low.mp4")
		require.NoError(t, err)
		files.hang.Store(true)
		waiting := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := src.Open(context.Background(), "av.mp4")
				waiting <- err
			}()
		}
		synctest.Wait()
		began := time.Now()
		require.NoError(t, src.Close())
		require.NoError(t, src.Close())
		assert.Zero(t, time.Since(began), "Close does not wait for the time limit of the load")
		for range 2 {
			assert.ErrorIs(t, <-waiting, smooth.ErrClosed)
		}
		_, err = src.Open(t.Context(), "low.mp4")
		assert.ErrorIs(t, err, smooth.ErrClosed)
		assert.EqualValues(t, 1, files.open.Load(), "p is still open")
		files.hang.Store(false)
		f, err := p.Fragment(t.Context(), firstKey(p))
		require.NoError(t, err)
		require.NoError(t, p.Close())
		assert.NotEmpty(t, fragmentBytes(t, f), "a fragment outlives its presentation")
		f.Close()
		assert.Zero(t, files.open.Load())
		assert.Empty(t, log.String())
	})
}

// TestHangingFile gives up a load after a while, and a fragment with its context.
func TestHangingFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newCountingFiles(map[string][]byte{"av.mp4": testmedia.File(t, "av.mp4"), "other.mp4": testmedia.File(t, "low.mp4")})
		src, log := quietSource(files, smooth.FileOptions{})
		p, err := src.Open(t.Context(), "other.mp4")
		require.NoError(t, err)
		files.hang.Store(true)
		_, err = src.Open(t.Context(), "av.mp4")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Contains(t, log.String(), "av.mp4")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.Fragment(ctx, firstKey(p))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		files.hang.Store(false)
		time.Sleep(2 * time.Second)
		q, err := src.Open(t.Context(), "av.mp4")
		require.NoError(t, err, "tried again")
		q.Close()
		p.Close()
		require.NoError(t, src.Close())
		assert.Zero(t, files.open.Load())
	})
}

// TestDirReplaced serves the old content of a file that another one has replaced, and leaves no descriptors behind.
func TestDirReplaced(t *testing.T) {
	big := parseISMV(t, testmedia.File(t, "av.ismv"))
	big.each(func(f *frag) { f.mdat = mkbox("mdat", f.mdat[8:], make([]byte, 300<<10)) }) // bytes that no sample needs
	dir := writeTree(t, map[string][]byte{"av.ismv": big.bytes(whole), "x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1"))})
	fds := openDescriptors()
	now := newClock()
	src := smooth.Dir(dir, &smooth.FileOptions{Logger: new(logs).logger(), Now: now.Now})
	ctx := context.Background()
	p, err := src.Open(ctx, "x.ism")
	require.NoError(t, err)
	f, err := p.Fragment(ctx, firstKey(p))
	require.NoError(t, err)
	want := fragmentBytes(t, f)
	require.Greater(t, len(want), 300<<10)
	writeFile(t, dir, "new", testmedia.File(t, "av-frag.mp4"))
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "av.ismv")); err != nil {
		t.Skipf("open files cannot be replaced here: %v", err)
	}
	for range 20 {
		g, err := p.Fragment(ctx, firstKey(p))
		require.NoError(t, err)
		require.Equal(t, want, fragmentBytes(t, g))
		require.NoError(t, g.Close())
	}
	now.Add(time.Second)
	s, _ := fetchAll(t, src, "x.ism")
	old, err := p.Snapshot(ctx)
	require.NoError(t, err)
	assert.NotEqual(t, old.Validator, s.Validator)
	require.NoError(t, p.Close())
	require.NoError(t, f.Close())
	require.NoError(t, src.Close())
	assert.Equal(t, fds, openDescriptors(), "no descriptor is left behind")
}

// openDescriptors returns how many files the process has open, or 0 where that cannot be told.
func openDescriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// TestCloseOutsideLock lets closing a file, which may take long, use the source that forgets the file.
func TestCloseOutsideLock(t *testing.T) {
	data := testmedia.File(t, "av.mp4")
	files := newCountingFiles(map[string][]byte{"a.mp4": data, "b.mp4": data, "c.mp4": data})
	src, _ := quietSource(files, smooth.FileOptions{MaxOpenFiles: 1, Revalidate: -1})
	var closed atomic.Int64
	files.closing = func() {
		src.Stats()
		closed.Add(1)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, name := range []string{"a.mp4", "b.mp4"} {
			p, err := src.Open(context.Background(), name)
			if assert.NoError(t, err) {
				assert.NoError(t, p.Close())
			}
		}
		files.set("b.mp4", data, time.Unix(1, 0)) // is opened anew
		p, err := src.Open(context.Background(), "b.mp4")
		if assert.NoError(t, err) {
			assert.NoError(t, p.Close())
		}
		assert.NoError(t, src.Close())
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the source waits for itself")
	}
	assert.EqualValues(t, 3, closed.Load())
	assert.Zero(t, files.open.Load())
}
