package lossy_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/internal/storetest"
	"github.com/smoothkit/smoothkit/smooth"
)

func seed(n int) *rand.Rand { return rand.New(rand.NewPCG(uint64(n), 1)) }

func open(t testing.TB, s archive.Store, name string) archive.Appender {
	t.Helper()
	a, err := s.Append(t.Context(), name)
	require.NoError(t, err)
	return a
}

func write(t testing.TB, a archive.Appender, data []byte) {
	t.Helper()
	_, err := a.Write(data)
	require.NoError(t, err)
}

// noise returns bytes none of which is zero.
func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + r.IntN(255))
	}
	return b
}

// exists reports whether there is a file or directory.
func exists(t testing.TB, s smooth.Files, name string) bool {
	t.Helper()
	_, err := s.Stat(t.Context(), name)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	return err == nil
}

// outcomes counts what is left of a file after crashes of one state, by what look says of it; "none" if there is none.
func outcomes(t testing.TB, s *lossy.Store, name string, look func(b []byte) string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for i := range 300 {
		after := s.Crash(seed(i))
		if !exists(t, after, name) {
			seen["none"]++
			continue
		}
		seen[look(storetest.Content(t, after, name))]++
	}
	return seen
}

// kinds checks which outcomes there are.
func kinds(t testing.TB, seen map[string]int, want ...string) {
	t.Helper()
	for _, kind := range want {
		assert.Positive(t, seen[kind], "%s: %v", kind, seen)
	}
	assert.Len(t, seen, len(want), "%v", seen)
}

// TestNaiveWriterLoses: who never syncs finds his file gone, short, with zeros, torn in a page, or as it was.
func TestNaiveWriterLoses(t *testing.T) {
	s := lossy.New()
	data := noise(seed(0), 20_000)
	a := open(t, s, "event/1/video.ismv")
	for at := 0; at < len(data); at += 1000 {
		write(t, a, data[at:at+1000])
	}
	require.NoError(t, a.Close())
	assert.Equal(t, data, storetest.Content(t, s, "event/1/video.ismv"))
	kinds(t, outcomes(t, s, "event/1/video.ismv", func(b []byte) string {
		require.LessOrEqual(t, len(b), len(data))
		kind := "whole"
		for i, c := range b {
			switch {
			case c == 0 && i%512 != 0 && b[i-1] != 0:
				return "torn"
			case c == 0:
				kind = "zeros"
			default:
				require.Equal(t, data[i], c)
			}
		}
		if kind == "whole" && len(b) < len(data) {
			kind = "short"
		}
		return kind
	}), "none", "short", "zeros", "torn", "whole")
}

// TestSyncedStays: random work on a few files; what was certain is there after a crash at any time, and the rest is what was
// written or zeros.
func TestSyncedStays(t *testing.T) {
	for i := range 150 {
		r := seed(i)
		s := lossy.New()
		type work struct {
			archive.Appender
			data    []byte
			certain int // bytes; -1 if not even the name is
		}
		files := map[string]*work{}
		for range 1 + r.IntN(60) {
			name := fmt.Sprintf("%d/%d", r.IntN(2), r.IntN(2))
			f := files[name]
			if f == nil {
				f = &work{Appender: open(t, s, name), certain: -1}
				files[name] = f
			}
			switch r.IntN(6) {
			case 0:
				require.NoError(t, f.Sync())
				f.certain = len(f.data)
			case 1:
				size := r.IntN(len(f.data) + 1)
				require.NoError(t, f.Truncate(int64(size)))
				f.data, f.certain = f.data[:size], min(f.certain, size)
			default:
				p := noise(r, r.IntN(6000))
				write(t, f, p)
				f.data = append(f.data[:len(f.data):len(f.data)], p...)
			}
		}
		after := s.Crash(r)
		for name, f := range files {
			if f.certain < 0 {
				continue
			}
			require.True(t, exists(t, after, name), "seed %d: %s", i, name)
			got := storetest.Content(t, after, name)
			require.GreaterOrEqual(t, len(got), f.certain, "seed %d: %s", i, name)
			require.True(t, bytes.Equal(f.data[:f.certain], got[:f.certain]), "seed %d: %s", i, name)
		}
	}
}

// TestCutComesBack: what was cut off may be seen in place of what has followed it.
func TestCutComesBack(t *testing.T) {
	s := lossy.New()
	a := open(t, s, "f")
	write(t, a, []byte("synced "))
	require.NoError(t, a.Sync())
	write(t, a, []byte("first"))
	require.NoError(t, a.Truncate(7))
	write(t, a, []byte("other"))
	seen := outcomes(t, s, "f", func(b []byte) string {
		require.Equal(t, "synced ", string(b[:7]))
		switch got := string(b[7:]); got {
		case "", "first", "other":
			return got
		default:
			return "part"
		}
	})
	kinds(t, seen, "", "first", "other", "part")

	s = s.Crash(seed(1))
	a = open(t, s, "f")
	write(t, a, []byte("third"))
	require.NoError(t, a.Truncate(3))
	require.NoError(t, a.Sync())
	kinds(t, outcomes(t, s, "f", func(b []byte) string { return string(b) }), "syn")
}

// TestNothingBehindTheEnd: what a crash has made shorter has zeros behind its end, should it grow without data.
func TestNothingBehindTheEnd(t *testing.T) {
	before := lossy.New()
	write(t, open(t, before, "f"), bytes.Repeat([]byte("x"), 100))
	for i := range 50 {
		s := before.Crash(seed(i))
		a := open(t, s, "f")
		size := int(a.Size())
		write(t, a, bytes.Repeat([]byte("y"), 100))
		outcomes(t, s, "f", func(b []byte) string {
			require.NotContains(t, string(b[min(size, len(b)):]), "x")
			return ""
		})
	}
}

func TestReplaceCrash(t *testing.T) {
	at := lossy.Op("")
	state := func() *lossy.Store {
		s := lossy.New()
		require.NoError(t, s.Replace(t.Context(), "d/f", []byte("old")))
		s.SetFault(func(op lossy.Op, name string, n int64) error {
			if op == at {
				assert.Equal(t, "d/f", name)
				assert.EqualValues(t, 3, n)
				s.Crash(seed(0))
			}
			return nil
		})
		err := s.Replace(t.Context(), "d/f", []byte("new"))
		if at == "" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, lossy.ErrPower)
		}
		return s
	}
	content := func(b []byte) string { return string(b) }
	kinds(t, outcomes(t, state(), "d/f", content), "new")
	at = lossy.Replace
	kinds(t, outcomes(t, state(), "d/f", content), "old")
	at = lossy.Renamed
	kinds(t, outcomes(t, state(), "d/f", content), "old", "new")
}

func TestNamesCrash(t *testing.T) {
	s := lossy.New()
	content := func(b []byte) string { return string(b) }
	for _, name := range []string{"d/synced", "d/removed", "d/made"} {
		a := open(t, s, name)
		if name != "d/made" {
			write(t, a, []byte("x"))
			require.NoError(t, a.Sync())
		}
		require.NoError(t, a.Close())
	}
	require.NoError(t, s.Remove(t.Context(), "d/removed"))
	kinds(t, outcomes(t, s, "d/synced", content), "x")
	kinds(t, outcomes(t, s, "d/removed", content), "x", "none")
	kinds(t, outcomes(t, s, "d/made", content), "", "none")

	s = lossy.New()
	require.NoError(t, s.Replace(t.Context(), "a/b/f", []byte("x")))
	require.NoError(t, s.Remove(t.Context(), "a/b/f"))
	require.NoError(t, s.Remove(t.Context(), "a/b"))
	require.NoError(t, s.Remove(t.Context(), "a"))
	directories := map[string]int{}
	for i := range 100 {
		after := s.Crash(seed(i))
		kind := ""
		for _, name := range []string{"a", "a/b", "a/b/f"} {
			if exists(t, after, name) {
				kind += path.Base(name)
			}
		}
		directories[kind]++
	}
	kinds(t, directories, "", "a", "ab", "abf")

	after := s.Crash(seed(0))
	assert.Equal(t, after.Dump(), after.Crash(seed(7)).Dump(), "what has survived one crash survives the next")
}

// TestDeterminism: the same calls and the same random source give the same.
func TestDeterminism(t *testing.T) {
	state := func() *lossy.Store {
		s, r := lossy.New(), seed(5)
		for i := range 8 {
			a := open(t, s, fmt.Sprintf("%d/f", i))
			write(t, a, noise(r, 10_000))
			if i%2 == 0 {
				require.NoError(t, a.Sync())
			}
			write(t, a, noise(r, 10_000))
		}
		return s
	}
	different := map[string]bool{}
	for i := range 20 {
		dump := state().Crash(seed(i)).Dump()
		assert.Equal(t, dump, state().Crash(seed(i)).Dump())
		different[dump] = true
	}
	assert.Greater(t, len(different), 15)
}

// TestPower: nothing works after a crash, and the survivor is as new.
func TestPower(t *testing.T) {
	s := lossy.New()
	a := open(t, s, "f")
	write(t, a, []byte("abc"))
	require.NoError(t, a.Sync())
	f, err := s.Open(t.Context(), "f")
	require.NoError(t, err)
	lock, err := s.Lock(t.Context())
	require.NoError(t, err)
	after := s.Crash(seed(1))

	b := make([]byte, 1)
	_, e1 := a.Write(b)
	_, e2 := a.ReadAt(b, 0)
	_, e3 := f.ReadAtContext(t.Context(), b, 0)
	_, e4 := s.Append(t.Context(), "f")
	_, e5 := s.Open(t.Context(), "f")
	_, e6 := s.Stat(t.Context(), "f")
	_, e7 := s.ReadDir(t.Context(), ".")
	_, e8 := s.Lock(t.Context())
	for i, err := range []error{
		e1, e2, e3, e4, e5, e6, e7, e8, a.Sync(), a.Truncate(0), s.Replace(t.Context(), "f", nil), s.Remove(t.Context(), "f"),
	} {
		require.ErrorIs(t, err, lossy.ErrPower, "%d", i)
	}
	again, err := after.Lock(t.Context())
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	require.NoError(t, a.Close())
	_, err = after.Lock(t.Context())
	require.ErrorIs(t, err, archive.ErrLocked)
	require.NoError(t, again.Close())
	assert.Equal(t, "abc", string(storetest.Content(t, after, "f")))
	assert.True(t, strings.HasPrefix(after.Dump(), "f 3 "), after.Dump())
	require.NoError(t, after.Remove(t.Context(), "f"))
}
