package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// firstBuffer is the buffer of a body whose length is unknown; it doubles.
	firstBuffer = 32 << 10
	// worthFinishing is how much may be missing from a body that nobody waits for any more so that it is still fetched.
	worthFinishing = 1 << 20
)

// kind is what came of a flight.
type kind int

const (
	// kindFailed: there is no response, only an error.
	kindFailed kind = iota
	// kindShared: head and body are for all.
	kindShared
	// kindStored: head is an object that is complete, validated just now.
	kindStored
	// kindStale: head is an object beyond its lifetime that may be used because upstreams fail.
	kindStale
	// kindPrivate: the response is for the one who caused the flight; the others have to ask for themselves.
	kindPrivate
)

// flight is one request to an upstream, with everybody who waits for it. Its goroutine belongs to the cache, so it
// does not end with the request that caused it, but when nobody waits any more.
type flight struct {
	c      *Cache
	id     flightID
	key    key
	hash   uint64
	header http.Header // of the request that caused it
	// authorized means that it carries the Authorization of that request. It has no others waiting then.
	authorized bool
	// stale is the object that it validates or replaces, or nil.
	stale *object
	// background means that nobody waits for it, and that it goes on all the same.
	background bool
	epoch      uint64          // of the cache when it began
	ctx        context.Context // of the goroutine
	cancel     context.CancelCauseFunc

	// ready is closed when the following four are final.
	ready chan struct{}
	kind  kind
	head  *object
	err   error
	resp  *http.Response
	// handed is closed when the leader needs resp no longer.
	handed chan struct{}

	mu      sync.Mutex // guards what follows; taken after that of the table
	waiters int
	leader  bool // the request that caused it still waits
	purged  bool // nothing of it is to be stored
	buf     []byte
	ended   bool
	bodyErr error
	wake    chan struct{} // closed when buf or ended changes; nil while nobody waits for that
}

// run sends the request and receives the response.
func (f *flight) run() {
	c := f.c
	defer c.counters.inFlight.Add(-1)
	defer f.cancel(nil)
	asked := c.opts.Now()
	lastResort := f.stale == nil || !f.stale.usableOnError(c.opts.StaleIfError, asked)
	c.counters.fetches.Add(1)
	resp, err := c.send(f.request(), attempt{rank: rank(f.key), slot: true, lastResort: lastResort})
	if err != nil {
		f.fail(err)
		return
	}
	defer resp.Body.Close()
	removeHopByHop(resp.Header)
	c.addVia(resp.Header, resp.ProtoMajor, resp.ProtoMinor)
	received := c.opts.Now()
	if resp.Header["Date"] == nil { // RFC 9110 section 6.6.1
		resp.Header["Date"] = []string{received.UTC().Format(http.TimeFormat)}
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && f.stale != nil:
		f.validated(resp, asked, received)
	case resp.StatusCode >= http.StatusInternalServerError && f.stale != nil:
		f.failStatus(resp, asked, received)
	default:
		f.receive(resp, asked, received)
	}
}

// fail ends a flight without a response.
func (f *flight) fail(err error) {
	if cause := context.Cause(f.ctx); cause != nil {
		err = cause
	}
	if f.stale != nil && f.stale.usableOnError(f.c.opts.StaleIfError, f.c.opts.Now()) {
		f.publish(kindStale, f.stale, err)
		return
	}
	f.publish(kindFailed, nil, err)
}

// failStatus ends a flight with a 5xx, for which there may be an old object: RFC 5861 section 4.
func (f *flight) failStatus(resp *http.Response, asked, received time.Time) {
	if f.stale.usableOnError(f.c.opts.StaleIfError, received) {
		f.publish(kindStale, f.stale, fmt.Errorf("edge: upstream status %d", resp.StatusCode))
		return
	}
	f.receive(resp, asked, received)
}

// validated ends a flight with the news that the old object is still valid: RFC 9111 section 4.3.3 and 4.3.4.
func (f *flight) validated(resp *http.Response, asked, received time.Time) {
	old := f.stale
	h := old.refreshed(resp.Header)
	cc := parseResponseControl(h["Cache-Control"])
	fresh := f.c.freshnessOf(old.status, h, &cc, asked, received)
	o := newObject(old.status, h, old.vary, fresh, old.size)
	o.body, o.file = old.body, old.file
	if cc.noStore || cc.private || resp.Header["Set-Cookie"] != nil {
		f.c.forget(f.hash, f.key)
	} else {
		f.store(o)
	}
	f.publish(kindStored, o, nil)
}

// receive takes in a response.
func (f *flight) receive(resp *http.Response, asked, received time.Time) {
	c := f.c
	cc := parseResponseControl(resp.Header["Cache-Control"])
	fresh := c.freshnessOf(resp.StatusCode, resp.Header, &cc, asked, received)
	stored := c.storable(resp, &cc, &fresh, f.authorized)
	if !stored && f.stale != nil && resp.StatusCode < http.StatusInternalServerError {
		c.forget(f.hash, f.key) // what is there is no longer what the upstream has
	}
	size := max(resp.ContentLength, 0)
	if !stored && !isSharedError(resp, &cc) || !c.reserve(size) {
		f.receivePrivate(resp)
		return
	}
	defer func() { c.reserved.Add(-max(size, int64(cap(f.buf)))) }()
	head := newObject(resp.StatusCode, resp.Header, c.selectorsOf(resp.Header, f.header), fresh, resp.ContentLength)
	f.buf = make([]byte, 0, size) // no more than MaxObject, and reserved
	if stored && fresh.fresh(received) {
		f.publishOpen(head)
	} else {
		f.publish(kindShared, head, nil)
	}
	err := f.readBody(resp.Body)
	if err == nil && stored {
		done := newObject(head.status, head.header(), head.vary, fresh, int64(len(f.buf)))
		done.body = f.buf
		f.store(done)
	}
	f.end(err)
}

// receivePrivate leaves a response to the one who caused the flight.
func (f *flight) receivePrivate(resp *http.Response) {
	if resp.StatusCode < http.StatusBadRequest && !f.authorized { // with other rights, or none, it may be for all
		f.c.passing.note(f.hash, f.c.opts.Now())
	}
	f.resp = resp
	f.publish(kindPrivate, nil, nil)
	if f.background {
		return
	}
	select {
	case <-f.handed:
	case <-f.ctx.Done():
	}
}

// readBody reads the body into the buffer.
func (f *flight) readBody(body io.Reader) error {
	idle := time.AfterFunc(f.c.opts.IdleTimeout, func() { f.cancel(ErrTimeout) })
	defer idle.Stop()
	var beyond [1]byte
	for {
		space := f.buf[len(f.buf):cap(f.buf)]
		if len(space) == 0 {
			if f.head.size >= 0 {
				space = beyond[:] // to see the end
			} else if space = f.grow(); space == nil {
				return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, f.c.opts.MaxObject)
			}
		}
		n, err := body.Read(space)
		idle.Reset(f.c.opts.IdleTimeout)
		if n > 0 && f.head.size >= 0 && int64(len(f.buf)+n) > f.head.size {
			return fmt.Errorf("%w: more than the %d bytes announced", ErrTooLarge, f.head.size)
		}
		f.advance(n)
		switch {
		case err == io.EOF && f.head.size >= 0 && int64(len(f.buf)) != f.head.size:
			return fmt.Errorf("%w: %d of %d bytes", ErrTruncated, len(f.buf), f.head.size)
		case err == io.EOF:
			return nil
		case err != nil:
			if cause := context.Cause(f.ctx); cause != nil {
				err = cause
			}
			return fmt.Errorf("%w: %w", ErrTruncated, err)
		}
	}
}

// grow makes room in the buffer of a body of unknown length and returns it, or nil when it is at its bound. Those who
// have parts of the old one keep them: what is written once never changes.
func (f *flight) grow() []byte {
	limit := int(f.c.opts.MaxObject)
	if len(f.buf) >= limit {
		f.c.passing.note(f.hash, f.c.opts.Now()) // the next one passes through
		return nil
	}
	size := min(max(2*cap(f.buf), firstBuffer), limit)
	f.c.reserved.Add(int64(size - cap(f.buf)))
	next := make([]byte, len(f.buf), size)
	copy(next, f.buf)
	f.mu.Lock()
	f.buf = next
	f.mu.Unlock()
	return next[len(next):size]
}

// advance tells those who wait about n more bytes.
func (f *flight) advance(n int) {
	if n == 0 {
		return
	}
	f.c.counters.fetchedBytes.Add(uint64(n))
	f.mu.Lock()
	f.buf = f.buf[:len(f.buf)+n]
	f.wakeAll()
	f.mu.Unlock()
}

// end tells those who wait that there is no more.
func (f *flight) end(err error) {
	f.c.table.remove(f)
	f.mu.Lock()
	f.ended, f.bodyErr = true, err
	f.wakeAll()
	f.mu.Unlock()
	if err != nil && !errors.Is(err, errAbandoned) {
		f.c.opts.Logger.Debug("edge: body", "path", f.key.path, "err", err)
	}
}

// wakeAll wakes those who wait for the body. mu must be held.
func (f *flight) wakeAll() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// next returns what there is of the body from an offset on. Where there is nothing yet it returns a channel that is
// closed when that changes; at the end neither, and the error.
func (f *flight) next(offset int64) ([]byte, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case offset < int64(len(f.buf)):
		return f.buf[offset:len(f.buf):len(f.buf)], nil, nil
	case f.ended:
		return nil, nil, f.bodyErr
	case f.wake == nil:
		f.wake = make(chan struct{})
	}
	return nil, f.wake, nil
}

// store stores an object, unless its key was purged while it was in flight.
func (f *flight) store(o *object) {
	c := f.c
	c.table.mu.Lock()
	f.mu.Lock()
	purged := f.purged || f.authorized && f.epoch != c.epoch.Load() // an authorized one is not in the table
	f.mu.Unlock()
	var gone []fileRef
	if !purged {
		gone = c.store(f.hash, f.key, o)
	}
	c.table.mu.Unlock()
	c.unlink(gone)
}

// publish makes the outcome final. Nobody joins afterwards.
func (f *flight) publish(k kind, head *object, err error) {
	f.c.table.remove(f)
	f.kind, f.head, f.err = k, head, err
	close(f.ready)
}

// publishOpen makes the head final. Others join until the body is complete or the head is no longer fresh.
func (f *flight) publishOpen(head *object) {
	f.kind, f.head = kindShared, head
	close(f.ready)
}
