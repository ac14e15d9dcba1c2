package lossy_test

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/internal/storetest"
)

// TestFaults: each operation can fail, and has then done nothing.
func TestFaults(t *testing.T) {
	fault := errors.New("fault")
	s := lossy.New()
	a := open(t, s, "f")
	write(t, a, []byte("abc"))
	require.NoError(t, a.Sync())
	f, err := s.Open(t.Context(), "f")
	require.NoError(t, err)
	b := make([]byte, 2)
	type call struct {
		op   lossy.Op
		name string
		n    int64
	}
	for want, do := range map[call]func() error{
		{lossy.Open, "f", 0}:      func() error { _, err := s.Open(t.Context(), "f"); return err },
		{lossy.Stat, "f", 0}:      func() error { _, err := s.Stat(t.Context(), "f"); return err },
		{lossy.ReadDir, ".", 0}:   func() error { _, err := s.ReadDir(t.Context(), "."); return err },
		{lossy.Read, "f", 2}:      func() error { _, err := f.ReadAtContext(t.Context(), b, 0); return err },
		{lossy.Append, "g", 0}:    func() error { _, err := s.Append(t.Context(), "g"); return err },
		{lossy.Write, "f", 2}:     func() error { _, err := a.Write(b); return err },
		{lossy.Truncate, "f", 1}:  func() error { return a.Truncate(1) },
		{lossy.Sync, "f", 0}:      a.Sync,
		{lossy.Replace, "f", 2}:   func() error { return s.Replace(t.Context(), "f", b) },
		{lossy.Remove, "f", 0}:    func() error { return s.Remove(t.Context(), "f") },
		{lossy.Append, "d/g", 0}:  func() error { _, err := s.Append(t.Context(), "d/g"); return err },
		{lossy.Replace, "d/g", 2}: func() error { return s.Replace(t.Context(), "d/g", b) },
	} {
		var got []call
		s.SetFault(func(op lossy.Op, name string, n int64) error {
			got = append(got, call{op, name, n})
			return fault
		})
		require.ErrorIs(t, do(), fault, "%v", want)
		assert.Equal(t, []call{want}, got)
		s.SetFault(nil)
		list, err := s.ReadDir(t.Context(), ".")
		require.NoError(t, err)
		assert.Len(t, list, 1)
		assert.Equal(t, "abc", string(storetest.Content(t, s, "f")))
		_, err = a.ReadAt(b, 0)
		require.NoError(t, err)
	}
}

// TestFullDisk: a write that is done in part.
func TestFullDisk(t *testing.T) {
	s := lossy.New()
	a := open(t, s, "f")
	s.SetFault(func(op lossy.Op, _ string, n int64) error {
		if room := 10 - a.Size(); op == lossy.Write && n > room {
			return &lossy.Short{N: room, Err: syscall.ENOSPC}
		}
		return nil
	})
	write(t, a, []byte("abcdef"))
	n, err := a.Write([]byte("ghijklm"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.Equal(t, 4, n)
	n, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.Zero(t, n)
	assert.Equal(t, "abcdefghij", string(storetest.Content(t, s, "f")))
}

// TestSyncFails: pages are lost for good unless they are written again, though readers see them.
func TestSyncFails(t *testing.T) {
	data := noise(seed(1), 10_000)
	broken := func() (*lossy.Store, func(from int64)) {
		s := lossy.New()
		a := open(t, s, "f")
		write(t, a, data[:5000])
		require.NoError(t, a.Sync())
		write(t, a, data[5000:9000])
		s.SetFault(func(op lossy.Op, _ string, n int64) error {
			if op == lossy.Sync {
				assert.EqualValues(t, 8192, n)
				return syscall.EIO
			}
			return nil
		})
		require.ErrorIs(t, a.Sync(), syscall.EIO)
		s.SetFault(nil)
		return s, func(from int64) {
			require.NoError(t, a.Truncate(from))
			write(t, a, data[from:])
			require.NoError(t, a.Sync(), "now it works again")
			assert.Equal(t, data, storetest.Content(t, s, "f"))
		}
	}
	look := func(b []byte) string {
		require.Len(t, b, 10_000)
		require.Equal(t, data[:5000], b[:5000])
		if string(b) == string(data) {
			return "whole"
		}
		return "damaged"
	}
	s, goOn := broken()
	goOn(9000)
	kinds(t, outcomes(t, s, "f", look), "damaged", "whole")
	s, goOn = broken()
	goOn(5000)
	kinds(t, outcomes(t, s, "f", look), "whole")
}

// TestSlowSync: a Sync that waits makes nothing certain that is written meanwhile.
func TestSlowSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lossy.New()
		a := open(t, s, "f")
		write(t, a, []byte("before"))
		wait := make(chan struct{})
		s.SetFault(func(op lossy.Op, _ string, _ int64) error {
			if op == lossy.Sync {
				<-wait
			}
			return nil
		})
		synced := make(chan error, 1)
		go func() { synced <- a.Sync() }()
		synctest.Wait()
		write(t, a, []byte("+during"))
		long := noise(seed(1), 5000)
		write(t, a, long)
		assert.EqualValues(t, 5013, a.Size())
		close(wait)
		require.NoError(t, <-synced)
		kinds(t, outcomes(t, s, "f", func(b []byte) string {
			require.Equal(t, "before", string(b[:6]))
			switch {
			case len(b) == 6:
				return "before"
			case string(b) == "before+during"+string(long):
				return "all"
			}
			return "part"
		}), "before", "part", "all")
	})
}
