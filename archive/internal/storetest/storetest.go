// Package storetest checks that a store does what [archive.Store] promises, as far as that can be seen without a power cut.
package storetest

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

// Run runs the tests, each with an empty store.
func Run(t *testing.T, store func(t *testing.T) archive.Store) {
	for name, test := range map[string]func(*testing.T, archive.Store){
		"append": testAppend, "reopen": testReopen, "truncate": testTruncate, "replace": testReplace, "remove": testRemove,
		"list": testList, "names": testNames, "context": testContext, "readers": testReaders, "directories": testDirectories,
		"lock": testLock,
	} {
		t.Run(name, func(t *testing.T) { test(t, store(t)) })
	}
}

// Content returns the content of a file as a reader sees it.
func Content(t testing.TB, s smooth.Files, name string) []byte {
	t.Helper()
	b, err := read(s, name)
	require.NoError(t, err)
	return b
}

func read(s smooth.Files, name string) ([]byte, error) {
	f, err := s.Open(context.Background(), name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, f.Size())
	if n, err := f.ReadAtContext(context.Background(), b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}

func open(t testing.TB, s archive.Store, name string) archive.Appender {
	t.Helper()
	a, err := s.Append(t.Context(), name)
	require.NoError(t, err)
	return a
}

func write(t testing.TB, a archive.Appender, data string) {
	t.Helper()
	n, err := a.Write([]byte(data))
	require.NoError(t, err)
	require.Equal(t, len(data), n)
}

func testAppend(t *testing.T, s archive.Store) {
	a := open(t, s, "a/b/c.ismv")
	assert.Zero(t, a.Size())
	require.NoError(t, a.Sync())
	long := strings.Repeat("0123456789", 1000)
	write(t, a, "abc")
	write(t, a, "")
	write(t, a, long)
	require.NoError(t, a.Sync())
	require.NoError(t, a.Sync())
	write(t, a, "xyz")
	want := "abc" + long + "xyz"
	assert.EqualValues(t, len(want), a.Size())
	assert.Equal(t, want, string(Content(t, s, "a/b/c.ismv")))

	b := make([]byte, 5)
	n, err := a.ReadAt(b, 1)
	require.NoError(t, err)
	assert.Equal(t, want[1:6], string(b[:n]))
	n, err = a.ReadAt(b, a.Size()-2)
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, "yz", string(b[:n]))
	n, err = a.ReadAt(b, a.Size()+100)
	require.ErrorIs(t, err, io.EOF)
	assert.Zero(t, n)

	require.NoError(t, a.Close())
	require.Error(t, a.Close())
	_, err = a.Write([]byte("x"))
	require.Error(t, err)
	require.Error(t, a.Sync())
	require.Error(t, a.Truncate(0))
	_, err = a.ReadAt(b, 0)
	require.Error(t, err)
	assert.Equal(t, want, string(Content(t, s, "a/b/c.ismv")))
}

func testReopen(t *testing.T, s archive.Store) {
	a := open(t, s, "f")
	write(t, a, "one")
	require.NoError(t, a.Close())
	a = open(t, s, "f")
	assert.EqualValues(t, 3, a.Size())
	write(t, a, "two")
	require.NoError(t, a.Sync())
	require.NoError(t, a.Close())
	assert.Equal(t, "onetwo", string(Content(t, s, "f")))
}

func testTruncate(t *testing.T, s archive.Store) {
	a := open(t, s, "f")
	long := strings.Repeat("x", 10_000)
	write(t, a, long)
	require.NoError(t, a.Sync())
	for _, size := range []int64{10_000, 8192, 5000, 3} {
		require.NoError(t, a.Truncate(size))
		assert.Equal(t, size, a.Size())
		assert.Equal(t, long[:size], string(Content(t, s, "f")))
	}
	for _, size := range []int64{-1, 4} {
		require.ErrorIs(t, a.Truncate(size), fs.ErrInvalid)
	}
	write(t, a, "yz")
	require.NoError(t, a.Sync())
	assert.Equal(t, "xxxyz", string(Content(t, s, "f")))
	require.NoError(t, a.Truncate(0))
	assert.Empty(t, Content(t, s, "f"))
	require.NoError(t, a.Close())
}

func testReplace(t *testing.T, s archive.Store) {
	require.NoError(t, s.Replace(t.Context(), "d/e/f.json", []byte("old")))
	f, err := s.Open(t.Context(), "d/e/f.json")
	require.NoError(t, err)
	defer f.Close()
	data := []byte("the new one")
	require.NoError(t, s.Replace(t.Context(), "d/e/f.json", data))
	data[0] = 'X'
	assert.Equal(t, "the new one", string(Content(t, s, "d/e/f.json")))
	b := make([]byte, 3)
	_, err = f.ReadAtContext(t.Context(), b, 0)
	require.NoError(t, err)
	assert.Equal(t, "old", string(b), "who has it open keeps it")
	g, err := s.Open(t.Context(), "d/e/f.json")
	require.NoError(t, err)
	defer g.Close()
	assert.NotEqual(t, f.Version(), g.Version())
	require.NoError(t, s.Replace(t.Context(), "d/e/f.json", nil))
	assert.Empty(t, Content(t, s, "d/e/f.json"))
	require.Error(t, s.Replace(t.Context(), "d/e", data), "a directory")
	assert.Equal(t, []string{"f.json"}, names(t, s, "d/e"), "nothing is left beside it")
}

func testRemove(t *testing.T, s archive.Store) {
	require.NoError(t, s.Remove(t.Context(), "none"))
	require.NoError(t, s.Remove(t.Context(), "none/at/all"))
	a := open(t, s, "d/f")
	write(t, a, "x")
	require.Error(t, s.Remove(t.Context(), "d"), "not empty")
	require.NoError(t, a.Close())
	require.NoError(t, s.Remove(t.Context(), "d/f"))
	_, err := s.Open(t.Context(), "d/f")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, s.Remove(t.Context(), "d"))
	_, err = s.Stat(t.Context(), "d")
	require.ErrorIs(t, err, fs.ErrNotExist)
	a = open(t, s, "d/f")
	assert.Zero(t, a.Size(), "a new one")
	require.NoError(t, a.Sync())
	require.NoError(t, a.Close())
}

func names(t testing.TB, s archive.Store, dir string) (names []string) {
	t.Helper()
	list, err := s.ReadDir(t.Context(), dir)
	require.NoError(t, err)
	for _, d := range list {
		names = append(names, d.Name())
	}
	return names
}

func testList(t *testing.T, s archive.Store) {
	assert.Empty(t, names(t, s, "."))
	if l, ok := s.(archive.Locker); ok {
		lock, err := l.Lock(t.Context())
		require.NoError(t, err)
		defer lock.Close()
		assert.Empty(t, names(t, s, "."), "nothing of the lock is seen")
	}
	for _, name := range []string{"b/2", "b/10", "a", "b/1/x"} {
		require.NoError(t, s.Replace(t.Context(), name, []byte("12345")))
	}
	assert.Equal(t, []string{"a", "b"}, names(t, s, "."))
	list, err := s.ReadDir(t.Context(), "b")
	require.NoError(t, err)
	require.Len(t, list, 3)
	for i, want := range []string{"1", "10", "2"} {
		assert.Equal(t, want, list[i].Name())
		assert.Equal(t, want == "1", list[i].IsDir())
		info, err := list[i].Info()
		require.NoError(t, err)
		stat, err := s.Stat(t.Context(), "b/"+want)
		require.NoError(t, err)
		assert.Equal(t, want, stat.Name())
		assert.Equal(t, info.IsDir(), stat.IsDir())
		if !stat.IsDir() {
			assert.EqualValues(t, 5, stat.Size())
			assert.Equal(t, info.ModTime(), stat.ModTime())
			assert.True(t, stat.Mode().IsRegular())
		}
	}
	_, err = s.ReadDir(t.Context(), "none")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.Open(t.Context(), "b")
	require.ErrorIs(t, err, fs.ErrNotExist, "a directory")
}

func testNames(t *testing.T, s archive.Store) {
	require.NoError(t, s.Replace(t.Context(), "file", []byte("x")))
	for _, name := range []string{"", ".", "..", "/a", "a/", "../a", "a/../../b", "./a", "a//b", "a/./b", "a\x00b"} {
		_, err := s.Append(t.Context(), name)
		require.ErrorIs(t, err, fs.ErrInvalid, "%q", name)
		require.ErrorIs(t, s.Replace(t.Context(), name, nil), fs.ErrInvalid, "%q", name)
		require.ErrorIs(t, s.Remove(t.Context(), name), fs.ErrInvalid, "%q", name)
		_, err = s.Open(t.Context(), name)
		require.ErrorIs(t, err, fs.ErrNotExist, "%q", name)
	}
	for _, name := range []string{"file/x", "file/x/y"} {
		_, err := s.Append(t.Context(), name)
		require.Error(t, err, "%q", name)
		require.Error(t, s.Replace(t.Context(), name, nil), "%q", name)
		_, err = s.Open(t.Context(), name)
		require.ErrorIs(t, err, fs.ErrNotExist, "%q", name)
	}
	require.NoError(t, s.Replace(t.Context(), "dir/x", nil))
	_, err := s.Append(t.Context(), "dir")
	require.Error(t, err)
}

func testContext(t *testing.T, s archive.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, s.Replace(ctx, "f", []byte("x")))
	cancel()
	_, err := s.Append(ctx, "g")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Replace(ctx, "f", nil), context.Canceled)
	require.ErrorIs(t, s.Remove(ctx, "f"), context.Canceled)
	assert.Equal(t, []string{"f"}, names(t, s, "."))
}

// testReaders reads a file while it grows, from the one that writes and from files opened meanwhile.
func testReaders(t *testing.T, s archive.Store) {
	const pieces, size = 200, 3000
	piece := func(i int) []byte { return bytes.Repeat([]byte{byte(i + 1)}, size) }
	a := open(t, s, "growing")
	var written atomic.Int64
	var wg sync.WaitGroup
	check := func(read func(p []byte, off int64) (int, error), n int) {
		b := make([]byte, size)
		for i := max(n-20, 0); i < n; i++ {
			if _, err := read(b, int64(i)*size); !assert.NoError(t, err) || !assert.True(t, bytes.Equal(piece(i), b), "piece %d", i) {
				return
			}
		}
	}
	for range 2 {
		wg.Go(func() {
			for n := 0; n < pieces; {
				n = int(written.Load())
				assert.GreaterOrEqual(t, a.Size(), int64(n)*size)
				check(a.ReadAt, n)
			}
		})
		wg.Go(func() {
			for n := 0; n < pieces; {
				n = int(written.Load())
				f, err := s.Open(t.Context(), "growing")
				if !assert.NoError(t, err) {
					return
				}
				assert.GreaterOrEqual(t, f.Size(), int64(n)*size)
				check(func(p []byte, off int64) (int, error) { return f.ReadAtContext(t.Context(), p, off) }, n)
				assert.NoError(t, f.Close())
			}
		})
	}
	wg.Go(func() {
		for n := 0; n < pieces; {
			n = int(written.Load())
			assert.NoError(t, a.Sync())
		}
	})
	for i := range pieces {
		_, err := a.Write(piece(i))
		assert.NoError(t, err)
		written.Add(1)
	}
	wg.Wait()
	require.NoError(t, a.Close())
	var want []byte
	for i := range pieces {
		want = append(want, piece(i)...)
	}
	assert.True(t, bytes.Equal(want, Content(t, s, "growing")))
}

// testDirectories makes and removes files of the same directories at once.
func testDirectories(t *testing.T, s archive.Store) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := "a/b/" + string(rune('a'+i))
			for range 20 {
				f, err := s.Append(t.Context(), name)
				if !assert.NoError(t, err) {
					return
				}
				assert.NoError(t, f.Sync())
				assert.NoError(t, f.Close())
				assert.NoError(t, s.Replace(t.Context(), name, []byte(name)))
				got, err := read(s, name)
				assert.NoError(t, err)
				assert.Equal(t, name, string(got))
				assert.NoError(t, s.Remove(t.Context(), name))
			}
			assert.NoError(t, s.Replace(t.Context(), name, nil))
		})
	}
	wg.Wait()
	got := names(t, s, "a/b")
	assert.True(t, slices.Equal([]string{"a", "b", "c", "d"}, got), got)
}

func testLock(t *testing.T, s archive.Store) {
	l, ok := s.(archive.Locker)
	if !ok {
		t.Skip("not a Locker")
	}
	lock, err := l.Lock(t.Context())
	require.NoError(t, err)
	_, err = l.Lock(t.Context())
	require.ErrorIs(t, err, archive.ErrLocked)
	require.NoError(t, lock.Close())
	lock, err = l.Lock(t.Context())
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}
