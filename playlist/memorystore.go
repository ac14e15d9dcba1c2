package playlist

import (
	"context"
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// MemoryOptions tune a [MemoryStore]. A nil pointer and the zero value mean the documented defaults.
type MemoryOptions struct {
	// MaxSessions is the number of sessions that there may be at a time; those that have ended do not count. Zero means
	// no limit. A session of a list of 20 entries takes about half a kilobyte.
	MaxSessions int
	// MaxLists is the number of versions of playlists that are kept for sessions of them. Zero means 100,000; a provider
	// that makes up a playlist for each viewer may need as many as sessions.
	MaxLists int
	// Now tells the time: that of the handler, if the handler has its own. Nil means time.Now.
	Now func() time.Time
}

const (
	defaultMaxLists = 100_000
	// memoryShards is the number of parts with a lock each, a power of two. Of a million sessions one has a thousand,
	// which bounds how long the growing and shrinking of its tables takes.
	memoryShards = 1024
	// Each call removes up to sweepOwn sessions that have ended from its own shard and up to sweepOther from another,
	// in turn: more than calls can create, in some microseconds.
	sweepOwn   = 4
	sweepOther = 16
	// sweepAll is how many are removed by a call that needs room or counts.
	sweepAll = 256
)

// MemoryStore is a [Store] in memory, for one server: what it has ends with it. Sessions are kept in their binary form,
// with one pointer each.
//
// It has no goroutine. Sessions that have ended are removed a few at a time by the calls that come, whichever sessions
// those are for; until then they take memory and nothing else. It tells sessions that have ended from those that never
// were for about the last quarter of a million that ended, with a megabyte.
type MemoryStore struct {
	max    int64
	now    func() time.Time
	count  atomic.Int64 // sessions in all shards
	turn   atomic.Uint32
	shards [memoryShards]memoryShard
	bufs   sync.Pool // *[]byte for records
	lists  memoryLists
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns a store without sessions.
func NewMemoryStore(opts *MemoryOptions) *MemoryStore {
	m := &MemoryStore{max: math.MaxInt64, now: time.Now}
	m.lists.max = defaultMaxLists
	m.bufs.New = func() any { return new([]byte) }
	for i := range m.shards {
		m.shards[i].first.Store(math.MaxInt64)
	}
	if opts == nil {
		return m
	}
	if opts.MaxSessions > 0 {
		m.max = int64(opts.MaxSessions)
	}
	if opts.MaxLists > 0 {
		m.lists.max = opts.MaxLists
	}
	if opts.Now != nil {
		m.now = opts.Now
	}
	return m
}

// Create implements [Store].
func (m *MemoryStore) Create(_ context.Context, s *Session) error {
	buf := m.bufs.Get().(*[]byte)
	defer m.bufs.Put(buf)
	data, err := s.AppendBinary((*buf)[:0])
	if err != nil {
		return err
	}
	*buf = data
	sh, now := m.shard(s.ID), m.now()
	m.sweep(sh, now)
	if !m.reserve(now) {
		return ErrBusy
	}
	if replaced := sh.put(s.ID, data, endOf(s)); replaced {
		m.count.Add(-1)
	}
	return nil
}

// Update implements [Store]. No lock is held while change runs: calls for other sessions go on, and those for the same
// wait, or give up with their context.
func (m *MemoryStore) Update(ctx context.Context, id ID, now time.Time, change func(*Session) error) error {
	sh := m.shard(id)
	m.sweep(sh, now)
	if err := sh.turns.Take(ctx, id); err != nil {
		return err
	}
	defer sh.turns.Give(id)
	buf := m.bufs.Get().(*[]byte)
	defer m.bufs.Put(buf)
	data, err := sh.get((*buf)[:0], id)
	if err != nil {
		return err
	}
	var s Session
	if err := s.UnmarshalBinary(data); err != nil {
		return err
	}
	if !now.Before(s.Expires()) {
		m.count.Add(-int64(sh.end(id)))
		return ErrExpired
	}
	if err := change(&s); err != nil {
		return err
	}
	if data, err = s.AppendBinary(data[:0]); err != nil {
		return err
	}
	*buf = data
	return sh.replace(id, data, endOf(&s))
}

// Delete implements [Store].
func (m *MemoryStore) Delete(_ context.Context, id ID) error {
	m.count.Add(-int64(m.shard(id).end(id)))
	return nil
}

// Len implements [Store]. Sessions that have ended count while no call has removed them, of which this one removes
// some hundreds.
func (m *MemoryStore) Len(context.Context) (int, error) {
	m.sweepAll(m.now(), sweepAll)
	return int(m.count.Load()), nil
}

// PutList implements [Store]. It returns ErrBusy if there are too many.
func (m *MemoryStore) PutList(_ context.Context, version string, p *Playlist, life time.Duration) error {
	return m.lists.put(m.now(), version, p, life)
}

// List implements [Store].
func (m *MemoryStore) List(_ context.Context, version string) (*Playlist, error) {
	return m.lists.get(m.now(), version), nil
}

// shard returns where a session is; the last bytes of an ID are random.
func (m *MemoryStore) shard(id ID) *memoryShard {
	return &m.shards[binary.LittleEndian.Uint16(id[14:])%memoryShards]
}

// reserve counts one more session, or returns false.
func (m *MemoryStore) reserve(now time.Time) bool {
	for {
		n := m.count.Load()
		if n >= m.max {
			if m.sweepAll(now, sweepAll); m.count.Load() >= m.max {
				return false
			}
			continue
		}
		if m.count.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// sweep removes a few sessions that have ended, of a shard and of the next in turn.
func (m *MemoryStore) sweep(own *memoryShard, now time.Time) {
	ms := now.UnixMilli()
	n := own.sweep(ms, sweepOwn) + m.shards[m.turn.Add(1)%memoryShards].sweep(ms, sweepOther)
	if n > 0 {
		m.count.Add(-int64(n))
	}
}

// sweepAll removes up to most sessions that have ended, of all shards.
func (m *MemoryStore) sweepAll(now time.Time, most int) {
	ms, start := now.UnixMilli(), m.turn.Add(1)
	for i := uint32(0); i < memoryShards && most > 0; i++ {
		n := m.shards[(start+i)%memoryShards].sweep(ms, most)
		m.count.Add(-int64(n))
		most -= n
	}
}

// endOf returns when a session ends in milliseconds since 1970, rounded up.
func endOf(s *Session) int64 {
	t := s.Expires()
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}
