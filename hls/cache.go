package hls

import (
	"cmp"
	"container/list"
	"context"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// A cacheKey names the bytes of a segment: two segments with equal keys are equal.
type cacheKey struct {
	name     string // of the presentation, or the validator of its snapshot
	target   uint64
	identity uint64
}

const (
	// seenKeys is how many keys of segments that were made are remembered, to see which are asked for again.
	seenKeys = 4096
	// maxShare is the part of the cache that one segment may take.
	maxShare = 4
)

// A segmentCache keeps segments that have been asked for more than once, in files without a name, so that the kernel can
// send them. Requests for one segment at the same time make it once. It is safe for concurrent use.
type segmentCache struct {
	limit int64 // bytes; negative means that nothing is kept
	most  int   // segments, each of which is an open file
	dir   string
	files fileKind
	spare spareFiles

	mu      sync.Mutex // guards the fields below
	entries map[cacheKey]*list.Element
	recent  list.List // of *cacheEntry, the most recently used first
	bytes   int64
	flights map[cacheKey]*flight
	seen    map[cacheKey]bool
	ring    [seenKeys]cacheKey // of seen
	next    int                // in ring

	hits, misses, shared, kept atomic.Uint64
}

// A cacheEntry is a segment in a file.
type cacheEntry struct {
	key  cacheKey
	size int64
	file *heldFile
}

// A flight is a segment in the making.
type flight struct {
	done    chan struct{} // closed when body and err are set
	body    *segmentBody
	err     error
	waiters int
	landed  bool // the body is being kept
}

// A segmentBody is a segment to send. The user calls release.
type segmentBody struct {
	size int64

	memory *[]byte // with refs users, or nil
	refs   atomic.Int32

	file *heldFile // or else the file
}

func newSegmentCache(limit int64, dir string) *segmentCache {
	most := keptFiles(openFilesLimit())
	return &segmentCache{
		limit: limit, most: most, dir: cmp.Or(dir, os.TempDir()), files: systemFiles, spare: spareFiles{most: int64(most / 2)},
		entries: make(map[cacheKey]*list.Element), flights: make(map[cacheKey]*flight), seen: make(map[cacheKey]bool),
	}
}

// get returns the segment of a key, made by build, which appends it to a buffer of enough room, unless it is there.
func (c *segmentCache) get(ctx context.Context, key cacheKey, build func(ctx context.Context) (*[]byte, error)) (*segmentBody, error) {
	c.mu.Lock()
	if el, ok := c.entries[key]; ok {
		c.recent.MoveToFront(el)
		e := el.Value.(*cacheEntry)
		e.file.retain()
		c.mu.Unlock()
		c.hits.Add(1)
		return &segmentBody{size: e.size, file: e.file}, nil
	}
	if fl, ok := c.flights[key]; ok {
		if fl.landed {
			fl.body.refs.Add(1)
			c.mu.Unlock()
			c.shared.Add(1)
			return fl.body, nil
		}
		fl.waiters++
		c.mu.Unlock()
		c.shared.Add(1)
		return fl.wait(ctx, c)
	}
	fl := &flight{done: make(chan struct{}), err: errBuild}
	c.flights[key] = fl
	c.mu.Unlock()
	c.misses.Add(1)
	return c.make(ctx, key, fl, build)
}

// wait returns the body of a flight when it is done.
func (f *flight) wait(ctx context.Context, c *segmentCache) (*segmentBody, error) {
	select {
	case <-f.done:
		return f.body, f.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-f.done: // its reference is there, to be given back
		if f.body != nil {
			f.body.release()
		}
	default:
		f.waiters--
	}
	return nil, ctx.Err()
}

// make builds a segment for all who wait for it. Their number is not known before, so it does not end with the first.
func (c *segmentCache) make(ctx context.Context, key cacheKey, fl *flight, build func(ctx context.Context) (*[]byte, error)) (*segmentBody, error) {
	defer func() { c.land(key, fl) }()
	buf, err := build(context.WithoutCancel(ctx))
	fl.err = err
	if err == nil {
		fl.body = &segmentBody{size: int64(len(*buf)), memory: buf}
	}
	return fl.body, err
}

// land ends a flight, also one whose build has panicked.
func (c *segmentCache) land(key cacheKey, fl *flight) {
	c.mu.Lock()
	if fl.body != nil {
		users := int32(fl.waiters + 1)
		if fl.landed = c.wants(key, fl); fl.landed {
			users++
		}
		fl.body.refs.Store(users)
	}
	keep := fl.landed
	if !keep {
		delete(c.flights, key)
	}
	close(fl.done)
	c.mu.Unlock()
	if keep {
		c.keep(key, fl.body)
	}
}

// wants reports whether a segment is to be kept: it has been asked for before, or by several at once. mu must be held.
func (c *segmentCache) wants(key cacheKey, fl *flight) bool {
	return c.limit >= 0 && fl.body.size <= c.limit/maxShare && (!c.note(key) || fl.waiters > 0)
}

// note remembers a key and reports whether it was new. mu must be held.
func (c *segmentCache) note(key cacheKey) bool {
	if c.seen[key] {
		return false
	}
	delete(c.seen, c.ring[c.next])
	c.ring[c.next], c.seen[key] = key, true
	c.next = (c.next + 1) % seenKeys
	return true
}

// firstTime reports whether nobody has asked for a segment yet, as far as is remembered, and remembers it. Without a
// cache it is always the first time.
func (c *segmentCache) firstTime(key cacheKey) bool {
	if c.limit < 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[key] == nil && c.flights[key] == nil && c.note(key)
}

// forget makes the next time the first one again, for a segment that has not been made.
func (c *segmentCache) forget(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, key)
}

// keep copies a segment into a file, from which those who come later get it; until then they share it in memory.
func (c *segmentCache) keep(key cacheKey, body *segmentBody) {
	size := int64(len(*body.memory))
	file, err := newHeldFile(c.files, c.dir, *body.memory, &c.spare)
	var gone []*heldFile
	c.mu.Lock()
	delete(c.flights, key)
	if err == nil { // else there is no room, or no files: the segment is made again
		gone = c.add(&cacheEntry{key: key, size: size, file: file})
	}
	c.mu.Unlock()
	release(gone)
	body.release()
}

// add keeps an entry and returns the files of those that have to go. mu must be held.
func (c *segmentCache) add(e *cacheEntry) (gone []*heldFile) {
	c.kept.Add(1)
	c.entries[e.key] = c.recent.PushFront(e)
	c.bytes += e.size
	for c.bytes > c.limit || c.recent.Len() > c.most {
		e := c.recent.Remove(c.recent.Back()).(*cacheEntry)
		delete(c.entries, e.key)
		c.bytes -= e.size
		gone = append(gone, e.file)
	}
	return gone
}

// clear gives up all that is kept.
func (c *segmentCache) clear() {
	var gone []*heldFile
	c.mu.Lock()
	for el := c.recent.Front(); el != nil; el = el.Next() {
		gone = append(gone, el.Value.(*cacheEntry).file)
	}
	c.recent.Init()
	clear(c.entries)
	c.bytes = 0
	c.mu.Unlock()
	release(gone)
}

// release gives up files. It frees their space on the disk, for which nobody else has to wait.
func release(files []*heldFile) {
	for _, f := range files {
		f.release()
	}
}

// release gives the body back.
func (b *segmentBody) release() {
	if b.file != nil {
		b.file.release()
	} else if b.refs.Add(-1) == 0 {
		putBuffer(b.memory)
	}
}

// WriteTo writes the whole body the cheapest way.
func (b *segmentBody) WriteTo(w io.Writer) (int64, error) {
	if b.file == nil {
		n, err := w.Write(*b.memory)
		return int64(n), err
	}
	return b.file.send(w, b.size)
}

// ReadAt implements [io.ReaderAt].
func (b *segmentBody) ReadAt(p []byte, off int64) (int, error) {
	if b.file != nil {
		return b.file.base.ReadAt(p, off)
	}
	if off >= b.size {
		return 0, io.EOF
	}
	n := copy(p, (*b.memory)[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// maxIdleFiles is how many further descriptors of a kept segment wait for the next request.
const maxIdleFiles = 8

// A heldFile is a file without a name, open until its last user has released it. Each sender has a descriptor of its own,
// because the kernel sends from where the descriptor stands.
type heldFile struct {
	kind  fileKind
	base  *os.File
	spare *spareFiles
	refs  atomic.Int32

	mu   sync.Mutex // guards idle
	idle []*os.File
}

func newHeldFile(kind fileKind, dir string, data []byte, spare *spareFiles) (*heldFile, error) {
	f, err := kind.create(dir)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(data); err != nil {
		kind.discard(f)
		return nil, err
	}
	h := &heldFile{kind: kind, base: f, spare: spare}
	h.refs.Store(1)
	return h, nil
}

func (h *heldFile) retain() { h.refs.Add(1) }

func (h *heldFile) release() {
	if h.refs.Add(-1) != 0 {
		return
	}
	for _, f := range h.idle { // nobody else has it any more
		f.Close()
		h.spare.take()
	}
	h.kind.discard(h.base)
}

// lease returns a descriptor of its own position, or nil.
func (h *heldFile) lease() *os.File {
	h.mu.Lock()
	if n := len(h.idle); n > 0 {
		f := h.idle[n-1]
		h.idle = h.idle[:n-1]
		h.mu.Unlock()
		h.spare.take()
		return f
	}
	h.mu.Unlock()
	f, err := h.kind.reopen(h.base)
	if err != nil {
		return nil
	}
	return f
}

func (h *heldFile) giveBack(f *os.File) {
	h.mu.Lock()
	if len(h.idle) < maxIdleFiles && h.spare.put() {
		h.idle, f = append(h.idle, f), nil
	}
	h.mu.Unlock()
	if f != nil {
		f.Close()
	}
}

// send writes the whole file. net/http reaches sendfile only through ReadFrom with a LimitedReader over the file itself.
func (h *heldFile) send(w io.Writer, size int64) (int64, error) {
	f := h.lease()
	if rf, ok := w.(io.ReaderFrom); ok && f != nil {
		defer h.giveBack(f)
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		return rf.ReadFrom(&io.LimitedReader{R: f, N: size})
	}
	if f != nil {
		h.giveBack(f)
	}
	return io.Copy(w, io.NewSectionReader(h.base, 0, size))
}
