package redisstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/internal/turn"
)

// Options tune a [Store]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Prefix begins the name of every key. Empty means "playlist:". All servers of a farm need the same.
	Prefix string
	// MaxSessions is the number of sessions that there may be at a time, of all servers together. Zero means no limit.
	MaxSessions int
	// Ended is how long a session is remembered after its end, so that its viewer is told that it has ended and not that
	// it never was. Zero means an hour; negative means not at all.
	Ended time.Duration
	// Timeout bounds every exchange with Redis. Zero means two seconds. It needs a client whose ContextTimeoutEnabled is
	// true; one without it may wait for its own ReadTimeout.
	Timeout time.Duration
	// Now tells the time: that of the handler, if the handler has its own. Nil means time.Now.
	Now func() time.Time
}

const (
	stampSize = 8
	// maxTries is how often a change is computed again when other servers change the session at the same time. Users of
	// this server wait for each other before.
	maxTries = 32
	// maxPause is the longest pause between tries.
	maxPause = 32 * time.Millisecond
)

// Store is a [playlist.Store] in Redis. It is safe for concurrent use. Errors of Redis come with what was being done,
// and wrapped.
type Store struct {
	client redis.UniversalClient
	opts   Options
	own    bool // the client
	turns  turn.Turns[playlist.ID]
	cache  listCache
}

var _ playlist.Store = (*Store)(nil)

// New returns a store that uses a client. It does not wait for Redis.
func New(client redis.UniversalClient, opts *Options) *Store {
	s := &Store{client: client}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Prefix == "" {
		s.opts.Prefix = "playlist:"
	}
	if s.opts.Ended == 0 {
		s.opts.Ended = time.Hour
	}
	if s.opts.Timeout <= 0 {
		s.opts.Timeout = 2 * time.Second
	}
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	return s
}

// Open returns a store that connects to a URL such as redis://user:password@host:6379/0, rediss:// for TLS or
// unix:///path, when it needs to, with the timeout of the options. Close ends its connections.
func Open(url string, opts *Options) (*Store, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	s := New(nil, opts)
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = s.opts.Timeout, s.opts.Timeout, s.opts.Timeout
	o.MaxRetries, o.DialerRetries = 1, 1
	s.client, s.own = redis.NewClient(o), true
	return s, nil
}

// Close ends the connections of a store that [Open] returned. Those of another are their owner's.
func (s *Store) Close() error {
	if !s.own {
		return nil
	}
	return s.client.Close()
}

// Create implements [playlist.Store].
func (s *Store) Create(ctx context.Context, session *playlist.Session) error {
	record, err := newRecord(session)
	if err != nil {
		return err
	}
	now := s.opts.Now()
	key, args := s.key(session.ID), []any{
		now.UnixMilli(), s.opts.MaxSessions, session.Expires().UnixMilli(), string(session.ID[:]),
		atLeastOne(session.Created.Add(session.TimeToLive).Sub(now)),
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	// Nobody knows the ID yet: the session may be there before its place is sure.
	pipe := s.client.Pipeline()
	set := pipe.Set(ctx, key, record, s.ttl(session, now))
	place := reserveScript.EvalSha(ctx, pipe, []string{s.index()}, args...)
	_, _ = pipe.Exec(ctx) // the commands have its errors
	placed, err := s.again(ctx, reserveScript, place, s.index(), args)
	if err = errors.Join(set.Err(), err); err != nil {
		return fmt.Errorf("redisstore: create: %w", err)
	}
	if placed == 1 {
		return nil
	}
	if err := s.client.Del(ctx, key).Err(); err != nil {
		return fmt.Errorf("redisstore: create: %w", err)
	}
	return playlist.ErrBusy
}

// Update implements [playlist.Store]. Users of this server wait for each other, without any connection; change is
// called again only when another server was faster. It returns an error that wraps ErrBusy when others have been faster
// again and again. A change that changes nothing is not written.
func (s *Store) Update(ctx context.Context, id playlist.ID, now time.Time, change func(*playlist.Session) error) error {
	if err := s.turns.Take(ctx, id); err != nil {
		return err
	}
	defer s.turns.Give(id)
	for try := range maxTries {
		if done, err := s.try(ctx, id, now, change); done || err != nil {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return fmt.Errorf("redisstore: session changed by other servers %d times: %w", maxTries, playlist.ErrBusy)
}

// try makes a change once. It returns false if another server was faster.
func (s *Store) try(ctx context.Context, id playlist.ID, now time.Time, change func(*playlist.Session) error) (bool, error) {
	var session playlist.Session
	old, err := s.load(ctx, id, &session)
	if err != nil {
		return false, err
	}
	before := session.Expires()
	if !now.Before(before) {
		return false, playlist.ErrExpired
	}
	if err := change(&session); err != nil {
		return false, err
	}
	session.ID = id
	record, err := newRecord(&session)
	if err != nil {
		return false, err
	}
	if bytes.Equal(old[stampSize:], record[stampSize:]) {
		return true, nil // change only looked
	}
	args := []any{old[:stampSize], record, s.ttl(&session, now).Milliseconds()}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	pipe := s.client.Pipeline()
	swap := swapScript.EvalSha(ctx, pipe, []string{s.key(id)}, args...)
	if after := session.Expires(); !after.Equal(before) {
		// If it fails, or others were faster, the count is not exact for a while.
		pipe.ZAddXX(ctx, s.index(), redis.Z{Score: float64(after.UnixMilli()), Member: string(id[:])})
	}
	_, _ = pipe.Exec(ctx)
	swapped, err := s.again(ctx, swapScript, swap, s.key(id), args)
	if err != nil {
		return false, fmt.Errorf("redisstore: update: %w", err)
	}
	return swapped == 1, nil
}

// load reads a session, and returns its record.
func (s *Store) load(ctx context.Context, id playlist.ID, session *playlist.Session) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	record, err := s.client.Get(ctx, s.key(id)).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, playlist.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("redisstore: read session: %w", err)
	case len(record) == stampSize:
		return nil, playlist.ErrExpired
	case len(record) < stampSize:
		return nil, fmt.Errorf("redisstore: session of %d bytes", len(record))
	}
	if err := session.UnmarshalBinary(record[stampSize:]); err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	return record, nil
}

// Delete implements [playlist.Store].
func (s *Store) Delete(ctx context.Context, id playlist.ID) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	pipe := s.client.Pipeline()
	if s.opts.Ended < 0 {
		pipe.Del(ctx, s.key(id))
	} else {
		pipe.SetXX(ctx, s.key(id), newStamp(), s.opts.Ended)
	}
	pipe.ZRem(ctx, s.index(), string(id[:]))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("redisstore: delete: %w", err)
	}
	return nil
}

// Len implements [playlist.Store], for all servers together.
func (s *Store) Len(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	n, err := s.client.ZCount(ctx, s.index(), fmt.Sprintf("(%d", s.opts.Now().UnixMilli()), "+inf").Result()
	if err != nil {
		return 0, fmt.Errorf("redisstore: count: %w", err)
	}
	return int(n), nil
}

func (s *Store) key(id playlist.ID) string { return s.opts.Prefix + "session:" + id.String() }
func (s *Store) index() string             { return s.opts.Prefix + "sessions" }

// ttl returns how long Redis is to keep a session.
func (s *Store) ttl(session *playlist.Session, now time.Time) time.Duration {
	return time.Duration(atLeastOne(session.Expires().Sub(now)+max(s.opts.Ended, 0))) * time.Millisecond
}

// atLeastOne returns whole milliseconds, rounded up: Redis takes no others, and not zero.
func atLeastOne(d time.Duration) int64 {
	return max(1, int64((d+time.Millisecond-1)/time.Millisecond))
}

// newRecord returns what Redis keeps of a session: a new stamp and its binary form.
func newRecord(session *playlist.Session) ([]byte, error) {
	return session.AppendBinary(newStamp())
}

// newStamp returns the bytes by which one record of a session differs from all others of it.
func newStamp() []byte {
	stamp := make([]byte, stampSize, 512)
	_, _ = rand.Read(stamp) // never fails
	return stamp
}

// pause waits a little longer with each try, at random so that two servers do not meet again.
func pause(ctx context.Context, try int) error {
	most := min(time.Millisecond<<min(try, 10), maxPause)
	timer := time.NewTimer(mathrand.N(most))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
