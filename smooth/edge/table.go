package edge

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

// table are the flights that others may join.
type table struct {
	mu      sync.Mutex // guards what follows; taken before that of a flight and those of the tiers
	flights map[flightID]*flight
	closed  bool
}

// flightID names a flight: its key, and the variant if the key has some.
type flightID struct {
	key     key
	variant string
}

// query is a request that looks for an object.
type query struct {
	r          *http.Request
	key        key
	hash       uint64
	control    requestControl
	now        time.Time
	authorized bool
	// found is the object that is there but may not be used as it is, or nil.
	found *object
	// like are the selectors of the key, as far as they are known.
	like []selector
	// again means that it has looked once more, since something was on disk when it wanted a flight.
	again bool
}

// join returns the flight for a query, and whether it was made for it; or an object, if one was stored since the query
// looked. It returns neither if the cache is closed, or if the query, whose again it sets then, is to look once more, since
// there may be such an object on disk. Who gets a flight must leave it.
func (c *Cache) join(q *query) (f *flight, leader bool, o *object) {
	t := &c.table
	var sum digest
	if c.disk != nil {
		sum = digestOf(q.key)
	}
	id := flightID{q.key, c.variantOf(q.r.Header, q.like)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false, nil
	}
	if !q.authorized {
		if f := t.flights[id]; f != nil && f.open(q) {
			f.mu.Lock()
			f.waiters++
			f.mu.Unlock()
			return f, false, nil
		}
		if e := c.memory.entry(q.hash, q.key); e != nil {
			if o := c.choose(e, q.r.Header); o != nil && o != q.found && o.usable(&q.control, q.now) {
				return nil, false, o
			}
		}
		if c.disk != nil {
			if o, look := c.writtenSince(q, sum); look {
				return nil, false, o
			}
		}
	}
	f = c.launch(q, id)
	f.waiters, f.leader = 1, true
	c.wg.Go(f.run)
	return f, true, nil
}

// writtenSince looks for an object that went to disk since a query looked, past memory as it is too large for that. What
// waits to be written it returns; what is in a file it leaves to the query, since it must not read it here. It reports
// whether there is either. mu of the table must be held.
func (c *Cache) writtenSince(q *query, sum digest) (*object, bool) {
	waiting, refs := c.disk.files(sum)
	for _, o := range waiting {
		if o != q.found && c.matches(o, q.r.Header) {
			return o, o.usable(&q.control, q.now)
		}
	}
	if len(refs) == 0 || q.again {
		return nil, false
	}
	q.again = true
	return nil, true
}

// launch makes a flight and enters it into the table, whose mu must be held.
func (c *Cache) launch(q *query, id flightID) *flight {
	f := &flight{
		c: c, id: id, key: q.key, hash: q.hash, header: q.r.Header.Clone(), authorized: q.authorized, epoch: c.epoch.Load(),
		ready: make(chan struct{}), handed: make(chan struct{}),
	}
	if q.found != nil && c.matches(q.found, q.r.Header) {
		f.stale = q.found
	}
	f.ctx, f.cancel = context.WithCancelCause(c.ctx)
	c.counters.inFlight.Add(1)
	if !q.authorized {
		c.table.flights[id] = f
	}
	return f
}

// validateBehind makes a flight that validates an object while that is being used, if there is none yet.
func (c *Cache) validateBehind(q *query) {
	id := flightID{q.key, c.variantOf(q.r.Header, q.found.vary)}
	t := &c.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.flights[id] != nil || c.counters.inFlight.Load() >= int64(c.opts.MaxFetches) {
		return
	}
	f := c.launch(q, id)
	f.background = true
	c.wg.Go(f.run)
}

// open reports whether a query may join. mu of the table must be held.
func (f *flight) open(q *query) bool {
	select {
	case <-f.ready:
		return f.head.usable(&q.control, q.now) // what is in the table when it is ready is shared, and fresh at first
	default:
		return true
	}
}

// remove takes a flight out of the table.
func (t *table) remove(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(f)
}

func (t *table) removeLocked(f *flight) {
	if t.flights[f.id] == f {
		delete(t.flights, f.id)
	}
}

// leave ends the wait of one who joined. The last one ends the flight, unless little is missing.
func (f *flight) leave(leader bool) {
	t := &f.c.table
	t.mu.Lock()
	defer t.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiters--
	if leader {
		f.leader = false
		close(f.handed)
	}
	if f.waiters > 0 || f.background || f.ended || f.nearlyComplete() {
		return
	}
	t.removeLocked(f)
	f.cancel(errAbandoned)
}

// nearlyComplete reports whether a flight that nobody waits for is worth going on: most of the object is there, or
// little is missing. mu must be held.
func (f *flight) nearlyComplete() bool {
	select {
	case <-f.ready:
	default:
		return false
	}
	if f.kind != kindShared || f.head.size < 0 {
		return false
	}
	missing := f.head.size - int64(len(f.buf))
	return missing <= worthFinishing || missing <= f.head.size/2
}

// purge makes the flights of some keys store nothing, and nobody joins them any more. mu must be held.
func (t *table) purge(match func(key) bool) {
	for id, f := range t.flights {
		if match(id.key) {
			f.mu.Lock()
			f.purged = true
			f.mu.Unlock()
			delete(t.flights, id)
		}
	}
}

// forget removes a key from both tiers, and reports whether it was there.
func (c *Cache) forget(h uint64, k key) bool {
	c.table.mu.Lock()
	c.epoch.Add(1)
	found := c.memory.remove(h, k)
	var gone []fileRef
	if c.disk != nil {
		var onDisk bool
		onDisk, gone = c.disk.take(digestOf(k))
		found = found || onDisk
	}
	c.table.mu.Unlock()
	c.unlink(gone)
	return found
}

// unlink removes files that have left the index.
func (c *Cache) unlink(gone []fileRef) {
	if len(gone) > 0 {
		c.disk.unlink(gone)
	}
}

// Purge removes the objects whose path begins with a prefix, such as "/vod/film.ism/", with any query and host, and
// returns of how many keys. What is in flight for them is not stored. The path is as it is in a URL, with nothing escaped
// that need not be. With a directory it reads the header of each file, which takes a while.
func (c *Cache) Purge(prefix string) int {
	prefix = canonicalPath(prefix)
	match := func(k key) bool { return strings.HasPrefix(k.path, prefix) }
	gone := map[key]struct{}{}
	c.table.mu.Lock()
	c.epoch.Add(1)
	c.table.purge(match)
	c.memory.removePrefix(prefix, func(k key) { gone[k] = struct{}{} })
	c.table.mu.Unlock()
	if c.disk != nil {
		c.disk.purge(match, func(k key) { gone[k] = struct{}{} })
	}
	return len(gone)
}

// purge removes the keys that match, those that wait to be written first.
func (d *disk) purge(match func(key) bool, gone func(key)) {
	d.mu.Lock()
	for _, list := range d.pending {
		for _, j := range list {
			if match(j.key) && !j.dropped {
				j.dropped = true
				gone(j.key)
			}
		}
	}
	d.mu.Unlock()
	for _, sum := range d.digests() {
		_, refs := d.files(sum)
		if len(refs) == 0 {
			continue
		}
		h, err := d.load(refs[0], 0)
		switch {
		case err != nil:
			d.removeFile(refs[0])
		case match(h.key):
			_, files := d.take(sum)
			d.unlink(files)
			gone(h.key)
		}
	}
}
