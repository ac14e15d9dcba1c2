package edge

import (
	"errors"
	"net/http"
	"runtime"
)

// CheckHealth checks the upstreams once.
func (c *Cache) CheckHealth() { c.checkAll() }

// WaitWritten waits until nothing waits to be written to disk.
func (c *Cache) WaitWritten() {
	for {
		c.disk.mu.Lock()
		n := len(c.disk.pending)
		c.disk.mu.Unlock()
		if n == 0 {
			return
		}
		runtime.Gosched()
	}
}

// ForgetMemory removes everything from memory.
func (c *Cache) ForgetMemory() { c.memory.removePrefix("/", func(key) {}) }

// ErrCorrupt is errCorrupt.
var ErrCorrupt = errCorrupt

// DecodeDisk decodes a whole file and encodes it again.
func DecodeDisk(b []byte) ([]byte, error) {
	n, size, err := diskLengths(b, int64(len(b)))
	if err != nil {
		return nil, err
	}
	h, err := decodeDisk(b[:diskPrefix+n])
	if err != nil {
		return nil, err
	}
	if h.object.size != size {
		return nil, errors.New("sizes differ")
	}
	return append(encodeDisk(h.key, h.object, h.bodySum), b[diskPrefix+n:]...), nil
}

// CanonicalPath is canonicalPath.
func CanonicalPath(path string) string { return canonicalPath(path) }

// StripQuery is stripQuery.
func StripQuery(query string, names ...string) string { return stripQuery(query, names) }

// ControlOf parses Cache-Control of a response, and returns it as comparable values.
func ControlOf(values ...string) any { return parseResponseControl(values) }

// RequestControlOf parses that of a request.
func RequestControlOf(values ...string) any {
	return requestControlOf(map[string][]string{"Cache-Control": values}, false)
}

// FIFO is a fifo of strings.
type FIFO struct{ fifo[string, int] }

// NewFIFO makes one.
func NewFIFO(max int64) *FIFO { return &FIFO{newFIFO[string, int](max)} }

// Set adds an item and returns those that had to go.
func (f *FIFO) Set(k string, cost int64) (gone []string) {
	f.set(k, 0, cost, func(k string, _ int) { gone = append(gone, k) })
	return gone
}

// Hit uses an item and reports whether it is there.
func (f *FIFO) Hit(k string) bool {
	it := f.get(k)
	if it != nil {
		it.touch()
	}
	return it != nil
}

// Remove removes an item.
func (f *FIFO) Remove(k string) { f.remove(k) }

// Bytes returns what the items cost, how many there are and how many are remembered.
func (f *FIFO) Bytes() (bytes int64, items, ghosts int) {
	return f.bytes(), len(f.items), len(f.ghosts)
}

// JoinLate is what a request does that has found nothing and wants a flight only after between: it gets an object, has to look
// once more, or gets a flight.
func (c *Cache) JoinLate(r *http.Request, between func()) string {
	k, err := c.keyOf(r)
	if err != nil {
		return err.Error()
	}
	q := query{r: r, key: k, hash: c.hash(k), control: noRequestControl, now: c.opts.Now()}
	q.found, q.like = c.find(q.hash, k, r.Header)
	between()
	q.now = c.opts.Now()
	switch f, leader, o := c.join(&q); {
	case o != nil:
		return "object"
	case f == nil && q.again:
		return "again"
	case f != nil:
		f.leave(leader)
	}
	return "flight"
}
