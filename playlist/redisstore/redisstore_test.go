package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/internal/storetest"
	"github.com/smoothkit/smoothkit/playlist/redisstore"
)

func TestStore(t *testing.T) {
	client := startServer(t).client(t)
	stores := 0
	storetest.Run(t, func(_ *testing.T, o storetest.Options) playlist.Store {
		stores++
		return redisstore.New(client, &redisstore.Options{Prefix: fmt.Sprintf("test%d:", stores), MaxSessions: o.MaxSessions, Now: o.Now})
	})
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, key := range keys {
		assert.Positive(t, client.TTL(t.Context(), key).Val(), "%s must expire", key)
	}
}

func TestStoreInCluster(t *testing.T) {
	client := startCluster(t)
	stores := 0
	storetest.Run(t, func(_ *testing.T, o storetest.Options) playlist.Store {
		stores++
		return redisstore.New(client, &redisstore.Options{Prefix: fmt.Sprintf("test%d:", stores), MaxSessions: o.MaxSessions, Now: o.Now})
	})
}

// Two servers have a session and a list in common, and change it at the same time.
func TestTwoServers(t *testing.T) {
	redisServer := startServer(t)
	var stores []*redisstore.Store
	for range 2 {
		stores = append(stores, redisstore.New(redisServer.client(t), &redisstore.Options{Now: frozen}))
	}
	session := newSession()
	require.NoError(t, stores[0].Create(t.Context(), session))
	require.NoError(t, stores[1].Update(t.Context(), session.ID, epoch, count))
	assert.Equal(t, "1", clientOf(t, stores[0], session.ID))

	const users, updates = 4, 40
	var wg sync.WaitGroup
	for i := range 2 * users {
		wg.Go(func() {
			for range updates {
				assert.NoError(t, stores[i%2].Update(t.Context(), session.ID, epoch, count))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, strconv.Itoa(1+2*users*updates), clientOf(t, stores[1], session.ID))

	want := &playlist.Playlist{Title: "t", Entries: []playlist.Entry{{Src: "a.wmv"}}}
	require.NoError(t, stores[0].PutList(t.Context(), "v", want, time.Hour))
	got, err := stores[1].List(t.Context(), "v")
	require.NoError(t, err)
	assert.Equal(t, want, got)

	require.NoError(t, stores[1].Delete(t.Context(), session.ID))
	assert.ErrorIs(t, stores[0].Update(t.Context(), session.ID, epoch, nothing), playlist.ErrExpired)
}

// However many servers create sessions at a time, there are no more than there may be, and no less.
func TestLimitOfAllServers(t *testing.T) {
	redisServer := startServer(t)
	const limit = 25
	var created, refused atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		store := redisstore.New(redisServer.client(t), &redisstore.Options{MaxSessions: limit, Now: frozen})
		for range 2 {
			wg.Go(func() {
				for range 10 {
					switch err := store.Create(t.Context(), newSession()); {
					case err == nil:
						created.Add(1)
					case assert.ErrorIs(t, err, playlist.ErrBusy):
						refused.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	assert.EqualValues(t, limit, created.Load())
	assert.EqualValues(t, 80-limit, refused.Load())
	client := redisServer.client(t)
	keys, err := client.Keys(t.Context(), "playlist:session:*").Result()
	require.NoError(t, err)
	assert.Len(t, keys, limit, "what was refused is not there")
}

// When another server is faster, the change is made again on what that has left.
func TestFasterServer(t *testing.T) {
	redisServer := startServer(t)
	slow := redisstore.New(redisServer.client(t), &redisstore.Options{Now: frozen})
	fast := redisstore.New(redisServer.client(t), &redisstore.Options{Now: frozen})
	session := newSession()
	require.NoError(t, slow.Create(t.Context(), session))
	calls := 0
	require.NoError(t, slow.Update(t.Context(), session.ID, epoch, func(p *playlist.Session) error {
		if calls++; calls == 1 {
			require.NoError(t, fast.Update(t.Context(), session.ID, epoch, count))
		}
		return count(p)
	}))
	assert.Equal(t, 2, calls)
	assert.Equal(t, "2", clientOf(t, slow, session.ID))

	err := slow.Update(t.Context(), session.ID, epoch, func(p *playlist.Session) error {
		return errors.Join(fast.Update(t.Context(), session.ID, epoch, count), count(p))
	})
	assert.ErrorIs(t, err, playlist.ErrBusy, "always")
	ctx, cancel := context.WithCancel(t.Context())
	err = slow.Update(ctx, session.ID, epoch, func(p *playlist.Session) error {
		cancel()
		return errors.Join(fast.Update(t.Context(), session.ID, epoch, count), count(p))
	})
	assert.ErrorIs(t, err, context.Canceled)
}

// A change is made once, also if the client of Redis sends it again because it did not get the answer.
func TestAnswerLost(t *testing.T) {
	client := startServer(t).client(t)
	twice := 0
	client.AddHook(hook(func(ctx context.Context, cmds []redis.Cmder, next redis.ProcessPipelineHook) error {
		_ = next(ctx, cmds)
		twice++
		return next(ctx, cmds)
	}))
	store := redisstore.New(client, &redisstore.Options{MaxSessions: 2, Now: frozen})
	session := newSession()
	require.NoError(t, store.Create(t.Context(), session), "the first time, scripts are not known")
	require.NoError(t, store.Create(t.Context(), newSession()), "the limit")
	assert.ErrorIs(t, store.Create(t.Context(), newSession()), playlist.ErrBusy)
	for range 5 {
		require.NoError(t, store.Update(t.Context(), session.ID, epoch, count))
	}
	assert.Equal(t, "5", clientOf(t, store, session.ID))
	require.NoError(t, store.Delete(t.Context(), session.ID))
	n, err := store.Len(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Positive(t, twice)
}

// A look at a session writes nothing.
func TestLook(t *testing.T) {
	client := startServer(t).client(t)
	store := redisstore.New(client, &redisstore.Options{Now: frozen})
	session := newSession()
	require.NoError(t, store.Create(t.Context(), session))
	key := "playlist:session:" + session.ID.String()
	before := client.Get(t.Context(), key).Val()
	require.NotEmpty(t, before)
	require.NoError(t, store.Update(t.Context(), session.ID, epoch, nothing))
	assert.Equal(t, before, client.Get(t.Context(), key).Val())
	require.NoError(t, store.Update(t.Context(), session.ID, epoch, count))
	assert.NotEqual(t, before, client.Get(t.Context(), key).Val())
}

// What Redis keeps ends some time after the session that it is of.
func TestLives(t *testing.T) {
	client := startServer(t).client(t)
	ctx := t.Context()
	ttl := func(key string) time.Duration { return client.PTTL(ctx, key).Val().Round(time.Minute) }
	for name, c := range map[string]struct{ ended, extra time.Duration }{
		"default": {0, time.Hour}, "short": {5 * time.Minute, 5 * time.Minute}, "not": {-1, 0},
	} {
		store := redisstore.New(client, &redisstore.Options{Prefix: name + ":", Ended: c.ended, Now: frozen})
		session := newSession()
		key := name + ":session:" + session.ID.String()
		require.NoError(t, store.Create(ctx, session))
		assert.Equal(t, 10*time.Minute+c.extra, ttl(key), name)
		assert.Equal(t, time.Hour, ttl(name+":sessions"), name)
		later := epoch.Add(5 * time.Minute)
		require.NoError(t, store.Update(ctx, session.ID, later, func(p *playlist.Session) error { p.Used = later; return nil }))
		assert.Equal(t, 10*time.Minute+c.extra, ttl(key), name)
		require.NoError(t, store.Update(ctx, session.ID, later.Add(5*time.Minute), count))
		assert.Equal(t, 5*time.Minute+c.extra, ttl(key), name)
		require.NoError(t, store.Delete(ctx, session.ID))
		err := store.Update(ctx, session.ID, epoch, nothing)
		if c.ended < 0 {
			assert.ErrorIs(t, err, playlist.ErrNotFound, name)
		} else {
			assert.ErrorIs(t, err, playlist.ErrExpired, name)
			assert.Equal(t, c.extra, ttl(key), name)
		}
		require.NoError(t, store.PutList(ctx, "v", &playlist.Playlist{}, time.Hour))
		require.NoError(t, store.PutList(ctx, "v", &playlist.Playlist{}, time.Minute))
		assert.Equal(t, time.Hour, ttl(name+":list:v"), name)
		require.NoError(t, store.PutList(ctx, "v", &playlist.Playlist{}, 2*time.Hour))
		assert.Equal(t, 2*time.Hour, ttl(name+":list:v"), name)
	}
}

// A session of a moment is forgotten by Redis itself.
func TestRedisForgets(t *testing.T) {
	store := redisstore.New(startServer(t).client(t), &redisstore.Options{Ended: -1, Now: frozen})
	session := newSession()
	session.TimeToLive = time.Millisecond
	require.NoError(t, store.Create(t.Context(), session))
	require.Eventually(t, func() bool {
		return errors.Is(store.Update(t.Context(), session.ID, epoch, nothing), playlist.ErrNotFound)
	}, 10*time.Second, time.Millisecond)
}

// Sessions that have ended leave the sorted set, a hundred at a time.
func TestSweep(t *testing.T) {
	client := startServer(t).client(t)
	now := epoch
	store := redisstore.New(client, &redisstore.Options{Now: func() time.Time { return now }})
	for range 250 {
		require.NoError(t, store.Create(t.Context(), newSession()))
	}
	now = epoch.Add(10 * time.Minute)
	n, err := store.Len(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
	for _, left := range []int64{151, 52, 3, 4} {
		session := newSession()
		session.Used = now
		require.NoError(t, store.Create(t.Context(), session))
		assert.Equal(t, left, client.ZCard(t.Context(), "playlist:sessions").Val())
	}
}

func TestRestart(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want error
	}{
		"forgets":   {nil, playlist.ErrNotFound},
		"remembers": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			redisServer := startServer(t, c.args...)
			store := redisstore.New(redisServer.client(t), &redisstore.Options{Now: frozen, MaxSessions: 10})
			session := newSession()
			require.NoError(t, store.Create(t.Context(), session))
			require.NoError(t, store.Update(t.Context(), session.ID, epoch, count))
			redisServer.stop(t)
			assert.Error(t, store.Update(t.Context(), session.ID, epoch, count))
			redisServer.start(t)
			err := store.Update(t.Context(), session.ID, epoch, func(p *playlist.Session) error {
				assert.Equal(t, "1", p.Client)
				return nil
			})
			if c.want == nil {
				require.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, c.want)
			}
			another := newSession()
			require.NoError(t, store.Create(t.Context(), another))
			require.NoError(t, store.Update(t.Context(), another.ID, epoch, count), "scripts are sent again")
			n, err := store.Len(t.Context())
			require.NoError(t, err)
			assert.Equal(t, map[bool]int{true: 2, false: 1}[c.want == nil], n)
		})
	}
}

// calls calls every method of a store.
func calls(t *testing.T, s *redisstore.Store) map[string]error {
	_, listErr := s.List(t.Context(), "v")
	_, lenErr := s.Len(t.Context())
	return map[string]error{
		"create":    s.Create(t.Context(), newSession()),
		"read":      s.Update(t.Context(), playlist.NewID(), epoch, nothing),
		"delete":    s.Delete(t.Context(), playlist.NewID()),
		"count":     lenErr,
		"put list":  s.PutList(t.Context(), "v", &playlist.Playlist{}, time.Hour),
		"read list": listErr,
	}
}

func TestNobodyListens(t *testing.T) {
	store, err := redisstore.Open("unix://"+filepath.Join(t.TempDir(), "none"), &redisstore.Options{Now: frozen})
	require.NoError(t, err)
	for name, err := range calls(t, store) {
		assert.ErrorContains(t, err, "redisstore: "+name, name)
		var dial *net.OpError
		assert.ErrorAs(t, err, &dial, name)
	}
	assert.NoError(t, store.Close())
}

// A Redis that takes connections and says nothing costs the timeout.
func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	store, err := redisstore.Open("redis://"+l.Addr().String(), &redisstore.Options{Now: frozen, Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	for name, err := range calls(t, store) {
		var timeout net.Error
		if assert.ErrorAs(t, err, &timeout, name) {
			assert.True(t, timeout.Timeout(), "%s: %v", name, err)
		}
		assert.ErrorContains(t, err, "redisstore: "+name, name)
	}
	assert.NoError(t, store.Close())
}

func TestOpen(t *testing.T) {
	_, err := redisstore.Open("http://127.0.0.1", nil)
	assert.ErrorContains(t, err, "redisstore: ")
	store, err := redisstore.Open("unix://"+startServer(t).socket, nil)
	require.NoError(t, err)
	session := newSession()
	session.Created, session.Used = time.Now(), time.Now()
	require.NoError(t, store.Create(t.Context(), session))
	n, err := store.Len(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.NoError(t, store.Close())
	assert.Error(t, store.Create(t.Context(), newSession()), "closed")
}

// What others have written under the same names is an error and changes nothing.
func TestForeignValues(t *testing.T) {
	client := startServer(t).client(t)
	ctx := t.Context()
	store := redisstore.New(client, &redisstore.Options{Now: frozen})
	session := newSession()
	key := "playlist:session:" + session.ID.String()
	for _, value := range []string{"", "short", "12345678 and something else"} {
		require.NoError(t, client.Set(ctx, key, value, time.Hour).Err())
		err := store.Update(ctx, session.ID, epoch, nothing)
		assert.ErrorContains(t, err, "session", "%q", value)
		assert.NotErrorIs(t, err, playlist.ErrNotFound)
		assert.NotContains(t, err.Error(), session.ID.String(), "who knows it is the viewer")
	}
	require.NoError(t, client.Del(ctx, key).Err())
	require.NoError(t, client.RPush(ctx, key, "a").Err())
	assert.ErrorContains(t, store.Update(ctx, session.ID, epoch, nothing), "WRONGTYPE")
	require.NoError(t, client.Set(ctx, "playlist:sessions", "text", time.Hour).Err())
	assert.ErrorContains(t, store.Create(ctx, newSession()), "WRONGTYPE")
	_, err := store.Len(ctx)
	assert.ErrorContains(t, err, "WRONGTYPE")
	require.NoError(t, client.Set(ctx, "playlist:list:v", "{}", time.Hour).Err())
	_, err = store.List(ctx, "v")
	assert.ErrorContains(t, err, "list of form 123")
}

// A list that another server has put is read whole, and large ones take less than their text.
func TestLists(t *testing.T) {
	redisServer := startServer(t)
	client := redisServer.client(t)
	large := &playlist.Playlist{Title: "large", Modified: epoch}
	for i := range playlist.MaxEntries {
		large.Entries = append(large.Entries, playlist.Entry{Src: fmt.Sprintf("videos/%d/programme.wmv", i), Title: "Evening"})
	}
	require.NoError(t, redisstore.New(client, nil).PutList(t.Context(), "v", large, time.Hour))
	got, err := redisstore.New(redisServer.client(t), nil).List(t.Context(), "v")
	require.NoError(t, err)
	assert.Equal(t, large, got)
	assert.Less(t, client.StrLen(t.Context(), "playlist:list:v").Val(), int64(len(large.Entries)*30))
}

func BenchmarkCreate(b *testing.B) {
	store := redisstore.New(startServer(b).client(b), &redisstore.Options{MaxSessions: 10_000_000, Now: frozen})
	session := newSession()
	b.ReportAllocs()
	for b.Loop() {
		session.ID = playlist.NewID()
		if err := store.Create(b.Context(), session); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateParallel(b *testing.B) {
	store := redisstore.New(startServer(b).client(b), &redisstore.Options{Now: frozen})
	var ids []playlist.ID
	for range 1000 {
		session := newSession()
		require.NoError(b, store.Create(b.Context(), session))
		ids = append(ids, session.ID)
	}
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := int(next.Add(311)); pb.Next(); i++ {
			err := store.Update(b.Context(), ids[i%len(ids)], epoch, func(p *playlist.Session) error {
				p.Used = epoch.Add(time.Duration(i%60) * time.Second)
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
