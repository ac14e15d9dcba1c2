package storetest

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// record is a session with a viewer inside an entry of a nested list, in binary form.
const record = "01" + "0102030405064708890a0b0c0d0e0f10" + "062f612e697378" + "0176" + "0163" +
	"88f9a49a0d" + "00" + "3c" + "01" + "8080c58bc6d101" + "80e0ba84bf03" +
	"02" + "05" + "01" + "01" + "0e07" + "01" + "03" + "01" + "03342e31" + "01" + "0135" + "64" + "04" + "0a" + "8090dfc04a" + "01" + "14" + "05" +
	"0000000000" + "01" + "0135" + "062f622e697378" + "0177"

var errRefused = errors.New("refused")

func nothing(*playlist.Session) error { return nil }

// session returns a new session that lives for an hour, and ten minutes without a request.
func (f *fixture) session() *playlist.Session {
	return &playlist.Session{
		ID: playlist.NewID(), Playlist: "/a.isx", Version: "v", Created: f.now(), Used: f.now(),
		TimeToLive: time.Hour, InactivityTimeout: 10 * time.Minute, Client: "0",
	}
}

// create returns the ID of a new session in a store.
func (f *fixture) create(s playlist.Store) playlist.ID {
	f.Helper()
	session := f.session()
	require.NoError(f, s.Create(f.Context(), session))
	return session.ID
}

// update updates a session now.
func (f *fixture) update(s playlist.Store, id playlist.ID, change func(*playlist.Session) error) error {
	return s.Update(f.Context(), id, f.now(), change)
}

// get returns a copy of a session.
func (f *fixture) get(s playlist.Store, id playlist.ID) (got playlist.Session) {
	f.Helper()
	require.NoError(f, f.update(s, id, func(p *playlist.Session) error { got = *p; return nil }))
	return got
}

func (f *fixture) length(s playlist.Store) int {
	f.Helper()
	n, err := s.Len(f.Context())
	require.NoError(f, err)
	return n
}

func keepsAll(f *fixture) {
	s := f.open(0)
	data, err := hex.DecodeString(record)
	require.NoError(f, err)
	var want playlist.Session
	require.NoError(f, want.UnmarshalBinary(data))
	require.NoError(f, s.Create(f.Context(), &want))
	assert.Equal(f, want, f.get(s, want.ID))
	f.after(20 * time.Second)
	require.NoError(f, f.update(s, want.ID, func(p *playlist.Session) error {
		p.Used, p.Client, p.Version = f.now(), "192.0.2.1", ""
		return nil
	}))
	want.Used, want.Client, want.Version = f.now(), "192.0.2.1", ""
	assert.Equal(f, want, f.get(s, want.ID))
	assert.Equal(f, 1, f.length(s))
}

func refused(f *fixture) {
	s := f.open(0)
	id := f.create(s)
	before := f.get(s, id)
	assert.ErrorIs(f, f.update(s, id, func(p *playlist.Session) error {
		p.Client, p.Used = "another", time.Time{}
		return errRefused
	}), errRefused)
	assert.Equal(f, before, f.get(s, id))
}

func notShared(f *fixture) {
	s := f.open(0)
	first := f.session()
	require.NoError(f, s.Create(f.Context(), first))
	first.Client = "changed after Create"
	var kept *playlist.Session
	require.NoError(f, f.update(s, first.ID, func(p *playlist.Session) error { kept = p; return nil }))
	kept.Client = "changed after Update"
	assert.Equal(f, "0", f.get(s, first.ID).Client)
}

func unknown(f *fixture) {
	s := f.open(0)
	f.create(s)
	called := false
	err := f.update(s, playlist.NewID(), func(*playlist.Session) error { called = true; return nil })
	assert.ErrorIs(f, err, playlist.ErrNotFound)
	assert.False(f, called)
	assert.NoError(f, s.Delete(f.Context(), playlist.NewID()))
	assert.Equal(f, 1, f.length(s))
}

func endsIdle(f *fixture) {
	s := f.open(0)
	id := f.create(s)
	for range 4 { // requests let it live on
		f.after(9 * time.Minute)
		require.NoError(f, f.update(s, id, func(p *playlist.Session) error { p.Used = f.now(); return nil }))
	}
	f.after(10*time.Minute - time.Millisecond)
	require.NoError(f, f.update(s, id, nothing))
	f.after(time.Millisecond)
	for range 2 {
		assert.ErrorIs(f, f.update(s, id, nothing), playlist.ErrExpired)
		assert.Equal(f, 0, f.length(s))
	}
}

func endsOld(f *fixture) {
	s := f.open(0)
	id, other := f.create(s), playlist.ID{}
	for i := range 6 {
		f.after(9 * time.Minute)
		require.NoError(f, f.update(s, id, func(p *playlist.Session) error { p.Used = f.now(); return nil }))
		if i == 5 {
			other = f.create(s)
		}
	}
	f.after(6 * time.Minute)
	assert.ErrorIs(f, f.update(s, id, nothing), playlist.ErrExpired)
	assert.NoError(f, f.update(s, other, nothing))
	assert.Equal(f, 1, f.length(s))
}

func deleted(f *fixture) {
	s := f.open(0)
	id, other := f.create(s), f.create(s)
	for range 2 {
		require.NoError(f, s.Delete(f.Context(), id))
		assert.ErrorIs(f, f.update(s, id, nothing), playlist.ErrExpired)
		assert.Equal(f, 1, f.length(s))
	}
	assert.NoError(f, f.update(s, other, nothing))
}

func deletedInside(f *fixture) {
	s := f.open(0)
	id := f.create(s)
	err := f.update(s, id, func(p *playlist.Session) error {
		p.Client = "1"
		return s.Delete(f.Context(), id)
	})
	assert.ErrorIs(f, err, playlist.ErrExpired)
	assert.ErrorIs(f, f.update(s, id, nothing), playlist.ErrExpired)
	assert.Equal(f, 0, f.length(s))
}

func limit(f *fixture) {
	s := f.open(3)
	var ids []playlist.ID
	for range 3 {
		ids = append(ids, f.create(s))
	}
	assert.ErrorIs(f, s.Create(f.Context(), f.session()), playlist.ErrBusy)
	assert.Equal(f, 3, f.length(s))
	require.NoError(f, s.Delete(f.Context(), ids[0]))
	f.after(5 * time.Minute)
	f.create(s)
	require.NoError(f, f.update(s, ids[1], func(p *playlist.Session) error { p.Used = f.now(); return nil }))
	assert.ErrorIs(f, s.Create(f.Context(), f.session()), playlist.ErrBusy)
	f.after(5 * time.Minute) // the third ends, the second would have
	f.create(s)
	assert.ErrorIs(f, s.Create(f.Context(), f.session()), playlist.ErrBusy)
	f.after(10 * time.Minute) // all
	for range 3 {
		f.create(s)
	}
	assert.ErrorIs(f, s.Create(f.Context(), f.session()), playlist.ErrBusy)
	assert.Equal(f, 3, f.length(s))
}

// count adds one to the number that the client of a session is.
func count(p *playlist.Session) error {
	n, err := strconv.Atoi(p.Client)
	p.Client = strconv.Itoa(n + 1)
	return err
}

func counts(f *fixture) {
	const users, updates = 8, 50
	s := f.open(0)
	id := f.create(s)
	var wg sync.WaitGroup
	for range users {
		wg.Go(func() {
			for range updates {
				assert.NoError(f, f.update(s, id, count))
			}
		})
	}
	wg.Wait()
	assert.Equal(f, strconv.Itoa(users*updates), f.get(s, id).Client)
}

func countsOfMany(f *fixture) {
	const users, sessions = 4, 100
	s := f.open(0)
	var ids []playlist.ID
	for range sessions {
		ids = append(ids, f.create(s))
	}
	var wg sync.WaitGroup
	for range users {
		wg.Go(func() {
			for _, id := range ids {
				assert.NoError(f, f.update(s, id, count))
			}
		})
	}
	wg.Go(func() {
		for range sessions {
			id := f.session()
			assert.NoError(f, s.Create(f.Context(), id))
			assert.NoError(f, s.Delete(f.Context(), id.ID))
		}
	})
	wg.Wait()
	for _, id := range ids {
		assert.Equal(f, strconv.Itoa(users), f.get(s, id).Client)
	}
	assert.Equal(f, sessions, f.length(s))
}

func othersGoOn(f *fixture) {
	s := f.open(0)
	outer := f.create(s)
	for range 300 { // wherever those are kept
		inner := f.create(s)
		require.NoError(f, f.update(s, outer, func(*playlist.Session) error { return f.update(s, inner, count) }))
		require.Equal(f, "1", f.get(s, inner).Client)
	}
}

func waitsForContext(f *fixture) {
	s := f.open(0)
	id := f.create(s)
	ctx, cancel := context.WithCancel(f.Context())
	require.NoError(f, f.update(s, id, func(*playlist.Session) error {
		result := make(chan error, 1)
		go func() { result <- s.Update(ctx, id, f.now(), nothing) }()
		cancel()
		assert.ErrorIs(f, <-result, context.Canceled)
		return nil
	}))
}

func panics(f *fixture) {
	s := f.open(0)
	id := f.create(s)
	assert.PanicsWithValue(f, "change", func() {
		_ = f.update(s, id, func(p *playlist.Session) error { p.Client = "1"; panic("change") })
	})
	assert.Equal(f, "0", f.get(s, id).Client)
	require.NoError(f, s.Delete(f.Context(), id))
}

func lists(f *fixture) {
	s := f.open(0)
	small := &playlist.Playlist{
		Title: "Evening <ü>", Description: "note", ExtraParam: "<AUTHOR>a</AUTHOR>", Modified: epoch,
		InactivityTimeout: time.Minute, TimeToLive: time.Hour, Warnings: []playlist.Warning{{Line: 2, Column: 3, Text: "w"}},
		Entries: []playlist.Entry{{
			Src: "ads/\xfc.wmv", SrcType: playlist.RemoteURL, Title: "t", ExtraParam: "<DURATION VALUE=\"1:00\"/>", NoSeek: true,
			NoSkipForward: true, NoSkipBack: true, Duration: 3 * time.Second, Role: "advertisement",
		}, {}},
	}
	large := &playlist.Playlist{}
	for i := range 2000 {
		large.Entries = append(large.Entries, playlist.Entry{Src: "videos/" + strconv.Itoa(i) + ".wmv", SrcType: playlist.RelativeURI})
	}
	put := func(version string, p *playlist.Playlist, life time.Duration) {
		require.NoError(f, s.PutList(f.Context(), version, p, life))
	}
	get := func(version string) *playlist.Playlist {
		p, err := s.List(f.Context(), version)
		require.NoError(f, err)
		return p
	}
	assert.Nil(f, get("small"))
	for range 2 {
		put("small", small, time.Hour)
		put("large", large, 24*time.Hour)
		assert.Equal(f, small, get("small"))
		assert.Equal(f, large, get("large"))
		assert.Nil(f, get("sma"))
	}
	f.after(30 * time.Minute)
	put("small", small, time.Hour)
	put("small", small, time.Minute) // a nested list of a session that lives less
	f.after(59 * time.Minute)
	assert.Equal(f, small, get("small"))
	assert.Equal(f, large, get("large"))
}
