package playlist_test

import (
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/internal/storetest"
)

var storeEpoch = time.Date(2026, 3, 1, 20, 15, 0, 0, time.UTC)

func unchanged(*playlist.Session) error { return nil }

func TestMemoryStore(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, o storetest.Options) playlist.Store {
		return playlist.NewMemoryStore(&playlist.MemoryOptions{MaxSessions: o.MaxSessions, Now: o.Now})
	})
}

// Sessions come back whole, and all of those that should end do, in any order of ends and changes of it. Of 5000 that
// ended, the store may have forgotten a few.
func TestMemoryStoreExpiry(t *testing.T) {
	now := storeEpoch
	m := playlist.NewMemoryStore(&playlist.MemoryOptions{Now: func() time.Time { return now }})
	ids, ends := make([]playlist.ID, 0, 5000), map[playlist.ID]time.Time{}
	for i := range cap(ids) {
		s := playlist.HalfPlayedSession(now)
		s.InactivityTimeout = time.Duration(i*7919%5000+1000) * time.Second
		require.NoError(t, m.Create(t.Context(), s))
		ids, ends[s.ID] = append(ids, s.ID), s.Expires()
	}
	for i, id := range ids {
		if i%3 == 0 {
			require.NoError(t, m.Update(t.Context(), id, now, func(s *playlist.Session) error {
				s.InactivityTimeout = time.Duration(i*104_729%5000+1000) * time.Second
				ends[id] = s.Expires()
				return nil
			}))
		}
	}
	forgotten := 0
	for _, after := range []time.Duration{2000 * time.Second, 4000 * time.Second, 2 * time.Hour} {
		now = storeEpoch.Add(after)
		alive := 0
		for _, id := range ids {
			err := m.Update(t.Context(), id, now, func(s *playlist.Session) error {
				assert.True(t, s.SeenByViewer(10) && !s.SeenByViewer(11))
				return nil
			})
			if now.Before(ends[id]) {
				require.NoError(t, err)
				alive++
			} else if !errors.Is(err, playlist.ErrExpired) {
				require.ErrorIs(t, err, playlist.ErrNotFound, "%v after its end", now.Sub(ends[id]))
				forgotten++
			}
		}
		n, err := m.Len(t.Context())
		require.NoError(t, err)
		assert.Equal(t, alive, n)
	}
	assert.Less(t, forgotten, 5)
}

// Whoever calls, calls remove more sessions that have ended than they can add.
func TestMemoryStoreRemovesWithoutBeingAskedFor(t *testing.T) {
	now := storeEpoch
	m := playlist.NewMemoryStore(&playlist.MemoryOptions{Now: func() time.Time { return now }})
	const sessions = 20_000
	for range sessions {
		require.NoError(t, m.Create(t.Context(), playlist.HalfPlayedSession(now)))
	}
	now = now.Add(3 * time.Hour)
	other := playlist.NewID()
	for range sessions / 5 {
		assert.ErrorIs(t, m.Update(t.Context(), other, now, unchanged), playlist.ErrNotFound)
	}
	now = storeEpoch // so that counting removes nothing
	n, err := m.Len(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
}

// A session of a list of 20 entries, half played, takes at most 1 kB of memory with all that the store needs for it.
func TestMemoryStoreBytesPerSession(t *testing.T) {
	assert.Less(t, bytesPerSession(t, 30_000), 1024.0)
}

func bytesPerSession(tb testing.TB, sessions int) float64 {
	m := playlist.NewMemoryStore(nil)
	before := heapAlloc()
	for range sessions {
		require.NoError(tb, m.Create(tb.Context(), playlist.HalfPlayedSession(time.Now())))
	}
	after := heapAlloc()
	n, err := m.Len(tb.Context())
	require.NoError(tb, err)
	require.Equal(tb, sessions, n)
	runtime.KeepAlive(m)
	return (float64(after) - float64(before)) / float64(sessions)
}

func heapAlloc() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// Memory is given back when sessions end, but for what remembers them.
func TestMemoryStoreGivesMemoryBack(t *testing.T) {
	now := storeEpoch
	m := playlist.NewMemoryStore(&playlist.MemoryOptions{Now: func() time.Time { return now }})
	before := heapAlloc()
	for range 40_000 {
		require.NoError(t, m.Create(t.Context(), playlist.HalfPlayedSession(now)))
	}
	full := heapAlloc() - before
	now = now.Add(3 * time.Hour)
	for n := 1; n > 0; {
		var err error
		n, err = m.Len(t.Context())
		require.NoError(t, err)
	}
	assert.Less(t, int64(heapAlloc())-int64(before), int64(full/4+1<<20))
	runtime.KeepAlive(m)
}

func TestMemoryStoreLists(t *testing.T) {
	now := storeEpoch
	m := playlist.NewMemoryStore(&playlist.MemoryOptions{MaxLists: 100, Now: func() time.Time { return now }})
	p := &playlist.Playlist{Title: "t"}
	put := func(version int, life time.Duration) error {
		return m.PutList(t.Context(), strconv.Itoa(version), p, life)
	}
	have := func() (n int) {
		for i := range 1000 {
			if got, err := m.List(t.Context(), strconv.Itoa(i)); assert.NoError(t, err) && got != nil {
				assert.Same(t, p, got)
				n++
			}
		}
		return n
	}
	for i := range 100 {
		require.NoError(t, put(i, time.Duration(1+i%10)*time.Hour))
	}
	require.NoError(t, put(0, 0), "no life, no place needed")
	assert.ErrorIs(t, put(100, time.Hour), playlist.ErrBusy)
	assert.Equal(t, 100, have())
	now = now.Add(time.Hour + time.Second)
	assert.Equal(t, 90, have())
	for i := range 10 { // another hour for those that end in one
		require.NoError(t, put(10*i+1, 2*time.Hour))
	}
	for i := 100; i < 110; i++ {
		require.NoError(t, put(i, 10*time.Hour))
	}
	assert.ErrorIs(t, put(110, time.Hour), playlist.ErrBusy)
	now = now.Add(time.Hour)
	assert.Equal(t, 100, have())
	now = now.Add(100 * time.Hour)
	assert.Zero(t, have())
	for i := 200; i < 300; i++ {
		require.NoError(t, put(i, time.Hour))
	}
}

func TestMemoryStoreListsAtOnce(t *testing.T) {
	m := playlist.NewMemoryStore(nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				version := strconv.Itoa(i)
				assert.NoError(t, m.PutList(t.Context(), version, &playlist.Playlist{Title: version}, time.Hour))
				p, err := m.List(t.Context(), version)
				if assert.NoError(t, err) && assert.NotNil(t, p) {
					assert.Equal(t, version, p.Title)
				}
			}
		})
	}
	wg.Wait()
}
