package lossy

import (
	"io"
	"maps"
	"math/rand/v2"
	"slices"
)

const (
	pageSize   = 4096
	sectorSize = 512
)

type page [pageSize]byte

// content is what is in a file, and what of it is on the disk. The lock of the store guards it.
type content struct {
	size  int64
	pages []*page // nil is zeros; behind size they are zeros
	// dirty are the pages that may not be on the disk as they are.
	dirty map[int]*dirtyPage
	// synced is the length that is on the disk for certain, lengths are those since.
	synced  int64
	lengths []int64
	changed int64 // clock of the store
	cuts    int   // calls of truncate
}

// dirtyPage is what may be on the disk of a page, besides what readers see.
type dirtyPage struct {
	base *page   // was there before; nil is zeros
	cut  []*page // was there at some time since, before it was cut off
	// lost tells that a Sync has failed since the page was written, so that no other will write it.
	lost bool
}

// touch makes a page one that may not be on the disk, and returns it.
func (c *content) touch(i int) *dirtyPage {
	d := c.dirty[i]
	if d == nil {
		d = &dirtyPage{}
		if p := c.page(i); p != nil {
			base := *p
			d.base = &base
		}
		if c.dirty == nil {
			c.dirty = make(map[int]*dirtyPage)
		}
		c.dirty[i] = d
	}
	d.lost = false
	return d
}

func (c *content) page(i int) *page {
	if i < len(c.pages) {
		return c.pages[i]
	}
	return nil
}

func (c *content) write(p []byte) {
	for len(p) > 0 {
		i, at := int(c.size/pageSize), c.size%pageSize
		c.touch(i)
		for len(c.pages) <= i {
			c.pages = append(c.pages, nil)
		}
		if c.pages[i] == nil {
			c.pages[i] = new(page)
		}
		n := copy(c.pages[i][at:], p)
		p = p[n:]
		c.size += int64(n)
	}
	c.lengths = append(c.lengths, c.size)
}

func (c *content) truncate(size int64) {
	if size == c.size {
		return
	}
	for i := int(size / pageSize); i < len(c.pages); i++ {
		d := c.touch(i)
		if c.pages[i] == nil {
			continue
		}
		before := *c.pages[i]
		d.cut = append(d.cut, &before)
		clear(c.pages[i][max(size-int64(i)*pageSize, 0):])
	}
	c.pages = c.pages[:(size+pageSize-1)/pageSize]
	c.size = size
	c.cuts++
	c.lengths = append(c.lengths, size)
}

func (c *content) readAt(p []byte, off, size int64) (n int, err error) {
	size = min(size, c.size)
	for n < len(p) && off < size {
		i, at := int(off/pageSize), off%pageSize
		part := p[n : n+int(min(int64(len(p)-n), pageSize-at, size-off))]
		if c.pages[i] == nil {
			clear(part)
		} else {
			copy(part, c.pages[i][at:])
		}
		n, off = n+len(part), off+int64(len(part))
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// unsynced is the number of bytes in pages that a Sync would write.
func (c *content) unsynced() (n int64) {
	for _, d := range c.dirty {
		if !d.lost {
			n += pageSize
		}
	}
	return n
}

// mark is how a file was at some time.
type mark struct {
	size          int64
	lengths, cuts int
}

func (c *content) mark() mark { return mark{c.size, len(c.lengths), c.cuts} }

// sync makes certain what was in the file at a time since the last sync, but for what is lost.
func (c *content) sync(m mark) {
	if m.cuts != c.cuts { // what was there then is not known any more
		m = c.mark()
	}
	size := m.size
	full := int(size / pageSize)
	maps.DeleteFunc(c.dirty, func(i int, d *dirtyPage) bool {
		return !d.lost && (i < full || size == c.size)
	})
	if d := c.dirty[full]; d != nil && !d.lost { // something was written behind
		d.base, d.cut = new(page), nil
		copy(d.base[:size%pageSize], c.pages[full][:])
	}
	c.synced, c.lengths = size, c.lengths[m.lengths:]
}

// lose is a Sync that fails.
func (c *content) lose() {
	for _, d := range c.dirty {
		d.lost = true
	}
}

// crash returns what is on the disk.
func (c *content) crash(r *rand.Rand) *content {
	after := &content{size: c.crashedSize(r), changed: c.changed}
	after.synced = after.size
	mode := r.IntN(4) // all pages as before, all as they are, or by chance
	for i := range int((after.size + pageSize - 1) / pageSize) {
		p := c.page(i)
		if d := c.dirty[i]; d != nil {
			p = d.crash(p, mode, r)
		}
		if p != nil {
			q := *p
			clear(q[min(after.size-int64(i)*pageSize, pageSize):])
			p = &q
		}
		after.pages = append(after.pages, p)
	}
	return after
}

// crashedSize is the length on the disk: the one synced or one since, or between two, of which the second was written in parts.
func (c *content) crashedSize(r *rand.Rand) int64 {
	history := slices.Concat([]int64{c.synced}, c.lengths)
	switch r.IntN(3) {
	case 0:
		return history[0]
	case 1:
		return c.size
	}
	i := r.IntN(len(history))
	size := history[i]
	if i > 0 && history[i-1] < size && r.IntN(2) == 0 {
		size = history[i-1] + r.Int64N(size-history[i-1])
	}
	return size
}

// crash returns what is on the disk of a page that readers see as now. Mode 0 is all as before, 1 all that was written.
func (d *dirtyPage) crash(now *page, mode int, r *rand.Rand) *page {
	switch {
	case mode == 0:
		return d.base
	case mode == 1 && !d.lost:
		return now
	case r.IntN(3) == 0:
		return d.base
	}
	newer := now
	if k := r.IntN(len(d.cut) + 1); k < len(d.cut) {
		newer = d.cut[k]
	}
	var old, torn page
	if d.base != nil {
		old = *d.base
	}
	if torn = old; newer != nil {
		torn = *newer
	}
	if r.IntN(2) == 0 { // when it was written there was not yet all of it
		k := r.IntN(pageSize)
		copy(torn[k:], old[k:])
	}
	if r.IntN(2) == 0 {
		for at := 0; at < pageSize; at += sectorSize {
			if r.IntN(2) == 0 {
				copy(torn[at:at+sectorSize], old[at:at+sectorSize])
			}
		}
	}
	return &torn
}
