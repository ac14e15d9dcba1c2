package hls

import (
	"context"
	"net/url"
	"os"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Segment is an entry of a plan as tests see it.
type Segment struct {
	First, Count       int
	Start, End, Number uint64
	Discontinuity, Gap bool
}

// Plan is a plan as tests see it.
type Plan struct{ p plan }

// NewPlan returns the plan for a stream of a snapshot.
func NewPlan(s *smooth.Snapshot, st *smooth.Stream, length time.Duration) *Plan {
	return &Plan{newPlan(s, st, length)}
}

// Segments returns the complete segments.
func (p *Plan) Segments() []Segment {
	var list []Segment
	for _, s := range p.p.segments(nil) {
		list = append(list, Segment{s.first, s.count, s.start, s.end, s.number, s.discontinuity, s.gap})
	}
	return list
}

// Number returns the media sequence number that the answer to a request for the segment from fragment i on has.
func (p *Plan) Number(i int) uint64 { return exactNumber(p.p.numbers(), i, p.p.at(i, 0).number) }

// LiveTarget returns the target duration of a live list.
func (p *Plan) LiveTarget() uint64 { return p.p.liveTarget() }

// Cache is a cache of segments as tests see it.
type Cache struct{ c *segmentCache }

// Body is a segment from the cache.
type Body = segmentBody

// NewCache returns a cache with files in a directory: those of the system, or those with names.
func NewCache(limit int64, dir string, named bool) *Cache {
	c := newSegmentCache(limit, dir)
	if named {
		c.files = namedFiles
	}
	return &Cache{c}
}

// OnDiscard has f called whenever a file is given up, and whether the cache is locked meanwhile.
func (c *Cache) OnDiscard(f func(locked bool)) {
	discard := c.c.files.discard
	c.c.files.discard = func(file *os.File) {
		free := c.c.mu.TryLock()
		if free {
			c.c.mu.Unlock()
		}
		f(!free)
		discard(file)
	}
}

// SetMost bounds the segments that are kept.
func (c *Cache) SetMost(n int) { c.c.most, c.c.spare.most = n, int64(n/2) }

// Spare returns how many descriptors wait for the next request.
func (c *Cache) Spare() int { return int(c.c.spare.count.Load()) }

// KeptFiles returns how many segments are kept by a process that may have so many open files.
func KeptFiles(limit uint64) int { return keptFiles(limit) }

// Get returns the segment of a key.
func (c *Cache) Get(ctx context.Context, key string, build func() ([]byte, error)) (*Body, error) {
	return c.c.get(ctx, cacheKey{name: key}, func(context.Context) (*[]byte, error) {
		data, err := build()
		if err != nil {
			return nil, err
		}
		buf := getBuffer(len(data))
		*buf = append(*buf, data...)
		return buf, nil
	})
}

// Bytes returns the size of what is kept, and the number of segments.
func (c *Cache) Bytes() (int64, int) {
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	return c.c.bytes, len(c.c.entries)
}

// Stats returns the counts of the cache.
func (c *Cache) Stats() Stats { return (&Output{cache: c.c}).Stats() }

// Clear gives up all that is kept.
func (c *Cache) Clear() { c.c.clear() }

// Release gives a segment back.
func (b *Body) Release() { b.release() }

// IsFile reports whether a segment is in a file.
func (b *Body) IsFile() bool { return b.file != nil }

// ParsePlain returns the request that a URL of a [Handler] means.
func ParsePlain(u *url.URL) (smooth.Request, bool) {
	q, _, ok := parsePlain(u)
	return q, ok
}

// Fingerprint returns what tells the playlists of an output from those of others.
func Fingerprint(o *Output) string { return o.mark }
