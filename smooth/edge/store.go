package edge

import (
	"errors"
	"io/fs"
	"net/http"
	"sync"
	"time"
)

// minDiskLifetime is the least lifetime of what is written to disk, unless it is too large for memory: a live manifest
// would be stale before it is there.
const minDiskLifetime = 30 * time.Second

// store puts a complete object into the tiers, and returns the files that have to be removed. mu of the table must be
// held.
func (c *Cache) store(h uint64, k key, o *object) (gone []fileRef) {
	inMemory := o.size <= c.opts.MaxMemoryObject && c.memory.fits(o.size)
	if c.disk != nil && o.file.offset == 0 {
		if o.size > 0 && (o.lifetime-o.initialAge >= minDiskLifetime || !inMemory) {
			if err := c.disk.enqueue(h, k, o); err != nil {
				c.diskFailed(err)
				inMemory = c.memory.fits(o.size)
			}
		} else {
			_, gone = c.disk.take(digestOf(k)) // it has nothing to say any more
		}
	}
	if inMemory || o.file.offset > 0 && o.body == nil {
		c.memory.put(h, k, o)
	} else {
		c.memory.remove(h, k) // what is there is older
	}
	return gone
}

// find returns the object that a request selects, or nil, and what the objects of its key depend on.
func (c *Cache) find(h uint64, k key, header http.Header) (*object, []selector) {
	var like []selector
	if e := c.memory.entry(h, k); e != nil {
		if o := c.choose(e, header); o != nil {
			return o, nil
		}
		like = e.objects[0].vary
	}
	if c.disk == nil {
		return nil, like
	}
	o, onDisk := c.findOnDisk(h, k, header)
	if like == nil {
		like = onDisk
	}
	return o, like
}

// loads are the keys that are being read from disk, so that a herd reads a file once.
type loads struct {
	mu   sync.Mutex // guards keys
	keys map[uint64]chan struct{}
}

// begin waits while another one reads a key, and returns false then; else it returns true, and the caller must end.
func (l *loads) begin(h uint64) bool {
	l.mu.Lock()
	wait := l.keys[h]
	if wait == nil {
		if l.keys == nil {
			l.keys = map[uint64]chan struct{}{}
		}
		l.keys[h] = make(chan struct{})
	}
	l.mu.Unlock()
	if wait != nil {
		<-wait
		return false
	}
	return true
}

func (l *loads) end(h uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.keys[h])
	delete(l.keys, h)
}

// findOnDisk looks for an object on disk and takes it, or its header, into memory.
func (c *Cache) findOnDisk(h uint64, k key, header http.Header) (*object, []selector) {
	sum := digestOf(k)
	waiting, refs := c.disk.files(sum)
	for _, o := range waiting {
		if c.matches(o, header) {
			return o, nil
		}
	}
	if len(refs) == 0 {
		if len(waiting) > 0 {
			return nil, waiting[0].vary
		}
		return nil, nil
	}
	if !c.loading.begin(h) {
		if e := c.memory.entry(h, k); e != nil {
			return c.choose(e, header), e.objects[0].vary
		}
	} else {
		defer c.loading.end(h)
	}
	return c.loadFiles(h, k, header, refs)
}

// loadFiles reads the files of a key until one has the object that a request selects.
func (c *Cache) loadFiles(h uint64, k key, header http.Header, refs []fileRef) (found *object, like []selector) {
	epoch := c.epoch.Load()
	for _, ref := range refs {
		d, err := c.disk.load(ref, c.opts.MaxMemoryObject)
		if err != nil {
			c.dropFile(ref, err)
			continue
		}
		if d.key != k {
			continue
		}
		like = d.object.vary
		if !c.matches(d.object, header) {
			continue
		}
		c.memory.add(h, k, d.object)
		if c.epoch.Load() != epoch { // perhaps of this key
			c.memory.remove(h, k)
			return nil, like
		}
		return d.object, like
	}
	return nil, like
}

// dropFile removes a file that cannot be used.
func (c *Cache) dropFile(ref fileRef, err error) {
	c.disk.removeFile(ref)
	if !errors.Is(err, fs.ErrNotExist) {
		c.counters.diskErrors.Add(1)
		c.opts.Logger.Warn("edge: cached file removed", "file", ref.path(""), "err", err)
	}
}

// runWriter writes objects to disk until the cache is closed.
func (c *Cache) runWriter() {
	for {
		select {
		case j := <-c.disk.jobs:
			c.writeJob(j)
		case <-c.ctx.Done():
			return
		}
	}
}

func (c *Cache) writeJob(j *job) {
	ref, err := c.disk.write(j)
	if err != nil {
		c.diskFailed(err)
	} else if c.failing.Swap(false) {
		c.opts.Logger.Info("edge: disk writes again", "dir", c.disk.dir)
	}
	if !c.disk.finish(j, ref) {
		if err != nil && c.memory.fits(j.object.size) {
			c.memory.add(j.hash, j.key, j.object)
		}
		return
	}
	c.memory.written(j, ref, c.opts.MaxMemoryObject)
}

// diskFailed counts a fault of the disk and logs the first one after a success.
func (c *Cache) diskFailed(err error) {
	c.counters.diskErrors.Add(1)
	if !c.failing.Swap(true) {
		c.opts.Logger.Error("edge: disk does not write, going on without", "dir", c.disk.dir, "err", err)
	}
}
