package edge

import (
	"context"
	"hash/maphash"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/internal/sending"
)

// Cache is a caching handler in front of upstreams. It is safe for concurrent use.
type Cache struct {
	opts      Options
	seed      maphash.Seed
	transport http.RoundTripper
	owned     *http.Transport // the transport if it is the cache's own
	proxy     *httputil.ReverseProxy
	upstreams atomic.Pointer[upstreamSet]

	memory  *memory
	disk    *disk // nil without a directory
	loading loads
	failing atomic.Bool // the disk
	table   table
	passing memo
	buffers bufferPool
	watch   *sending.Watch // nil without SendTimeout
	// reserved are the bytes of bodies in flight.
	reserved atomic.Int64
	// epoch counts what was taken out on purpose, so that what is just being read from disk does not come back.
	epoch    atomic.Uint64
	counters counters

	// ctx is that of the cache's goroutines, until Close.
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
}

// New returns a cache. With a directory it reads the names of all files there first. The error is ErrNoUpstream,
// ErrUpstreamURL, or that of the directory.
func New(opts *Options) (*Cache, error) {
	o := opts.withDefaults()
	c := &Cache{opts: o, seed: maphash.MakeSeed(), transport: o.Transport, memory: newMemory(o.MemoryBytes)}
	if o.SendTimeout > 0 {
		c.watch = sending.NewWatch(o.SendTimeout)
	}
	c.table.flights = map[flightID]*flight{}
	if err := c.SetUpstreams(o.Upstreams); err != nil {
		return nil, err
	}
	if o.Dir != "" {
		d, err := newDisk(o.Dir, o.DiskBytes, o.MaxObject)
		if err != nil {
			return nil, err
		}
		c.disk = d
	}
	if c.transport == nil {
		c.owned = newTransport(o.MaxFetches)
		c.transport = c.owned
	}
	c.proxy = c.newProxy()
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	if c.disk != nil {
		c.wg.Go(c.runWriter)
	}
	if o.Health.Path != "" {
		c.wg.Go(c.runChecks)
	}
	return c, nil
}

// SetUpstreams replaces the upstreams. One with the same URL as before keeps its state. Requests that are under way
// stay where they are. The error is ErrNoUpstream or ErrUpstreamURL, and then nothing changes.
func (c *Cache) SetUpstreams(list []Upstream) error {
	s, err := newUpstreamSet(list, c.opts.MaxFetches, c.upstreams.Load())
	if err != nil {
		return err
	}
	c.upstreams.Store(s)
	return nil
}

// Close ends the flights and the goroutines of the cache, and waits for them. What waits to be written to disk is not.
// Requests afterwards are answered from the cache, or with 503. It always returns nil.
func (c *Cache) Close() error {
	c.table.mu.Lock()
	c.table.closed = true
	c.table.mu.Unlock()
	c.cancel(ErrClosed)
	c.wg.Wait()
	if c.disk != nil {
		c.disk.unlink(nil)
	}
	if c.owned != nil {
		c.owned.CloseIdleConnections()
	}
	return nil
}

// reserve takes bytes for a body in flight, if there are enough.
func (c *Cache) reserve(n int64) bool {
	if c.reserved.Add(n) > max(c.opts.MemoryBytes, c.opts.MaxObject) && n > 0 {
		c.reserved.Add(-n)
		return false
	}
	return true
}

const (
	// memoSlots is the size of a memo.
	memoSlots = 4096
	// memoTime is how long a memo remembers.
	memoTime = 10 * time.Second
)

// memo remembers for a while which keys had responses that are not for all, so that the next request passes through at
// once, and a range of a large file does not begin with the whole. It has a fixed size and forgets when two keys meet.
type memo struct {
	slots [memoSlots]atomic.Uint64 // high half: part of the hash; low half: until when, in Unix seconds
}

func (m *memo) note(h uint64, now time.Time) {
	until := uint64(uint32(now.Add(memoTime).Unix()))
	m.slots[h%memoSlots].Store(h&^0xffffffff | until)
}

func (m *memo) has(h uint64, now time.Time) bool {
	v := m.slots[h%memoSlots].Load()
	return v != 0 && (v^h)>>32 == 0 && uint32(now.Unix()) < uint32(v)
}
