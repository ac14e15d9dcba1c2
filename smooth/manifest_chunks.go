package smooth

import (
	"encoding/xml"
	"math"
	"slices"
	"strings"
)

// chunkReader turns the c elements of a stream into a timeline. See [MS-SSTR] 2.2.2.6 and, for the duration of a
// chunk without d, 3.1.5.1: it is the distance to the next chunk. (The prose of 2.2.2.6 speaks of the previous one.)
type chunkReader struct {
	p      *manifestParser
	s      *Stream
	sparse bool
	// pending is the line of the last chunk while its duration is unknown, else 0.
	pending int
	line    int // of the last chunk
	count   int // of c elements
}

// cElement is one c element as written.
type cElement struct {
	t, d, r    uint64
	hasT, hasD bool
	data       []ChunkData
}

func (c *chunkReader) chunk(el xml.StartElement) error {
	line := c.p.line
	c.count++
	c.p.number(c.count)
	e := cElement{r: 1}
	if _, err := c.p.attributes(el, func(key string, a xml.Attr) bool {
		c.p.chunkAttribute(&e, key, a)
		return true
	}); err != nil {
		return err
	}
	if err := c.append(&e); err != nil {
		return err
	}
	c.line = line
	if !e.hasD {
		c.pending = line
	}
	if err := c.p.children(func(el xml.StartElement) error { return c.data(el, &e) }); err != nil {
		return err
	}
	return c.embed(&e)
}

func (p *manifestParser) chunkAttribute(e *cElement, key string, a xml.Attr) {
	present := strings.TrimSpace(a.Value) != ""
	switch key {
	case "t":
		e.t, e.hasT = p.uint64(a), present
	case "d":
		e.d, e.hasD = p.uint64(a), present
	case "r":
		if present {
			e.r = p.uint64(a)
		}
	}
}

// append adds the chunks of e to the timeline; a missing duration is 0 until the next chunk is known.
func (c *chunkReader) append(e *cElement) error {
	tl := c.s.Timeline
	switch {
	case !e.hasT && !e.hasD:
		return c.p.fail(ErrCorrupt, "c has neither t nor d")
	case !e.hasT && c.pending != 0:
		return c.p.fail(ErrCorrupt, "c without t after a c without d")
	case e.r == 0:
		return c.p.fail(ErrCorrupt, "r is 0, want at least 1")
	case e.r > 1 && !e.hasD:
		return c.p.fail(ErrCorrupt, "r=%d without d", e.r)
	case e.r > 1 && e.d == 0:
		return c.p.fail(ErrCorrupt, "r=%d with d=0", e.r)
	case e.r > uint64(MaxManifestChunks-c.p.chunks):
		return c.p.fail(ErrTooLarge, "more than %d fragments", MaxManifestChunks)
	}
	t := e.t
	if !e.hasT {
		t = tl.End()
	}
	if len(tl) > 0 {
		last := &tl[len(tl)-1]
		if t <= last.Time {
			return c.p.fail(ErrCorrupt, "t %d is not after the previous t %d", t, last.Time)
		}
		if c.pending != 0 {
			last.Duration, c.pending = t-last.Time, 0
		}
	}
	// d is at least 1 where r is above 1; the last chunk must end within 64 bits.
	if e.d > 0 && e.r > (math.MaxUint64-t)/e.d {
		return c.p.fail(ErrCorrupt, "t %d + d %d * r %d exceeds 64 bits", t, e.d, e.r)
	}
	c.p.chunks += int(e.r)
	tl = slices.Grow(tl, int(e.r))
	for range e.r {
		tl = append(tl, Chunk{Time: t, Duration: e.d})
		t += e.d
	}
	c.s.Timeline = tl
	return nil
}

// data reads an f element. Its attributes s and q (size and quality) are informative and dropped; an element that
// carries only them is kept for control streams alone.
func (c *chunkReader) data(el xml.StartElement, e *cElement) error {
	if !equalFoldASCII(el.Name.Local, "f") {
		return c.p.skip(el)
	}
	f := ChunkData{Level: uint32(len(e.data))}
	if _, err := c.p.attributes(el, func(key string, a xml.Attr) bool {
		if key == "i" {
			f.Level = c.p.uint32(a)
		}
		return true
	}); err != nil {
		return err
	}
	var err error
	if f.Data, err = c.p.base64(); err != nil {
		return err
	}
	if len(f.Data) == 0 && !c.s.ManifestOutput {
		return nil
	}
	if c.p.embedded++; c.p.embedded > MaxManifestEmbedded {
		return c.p.fail(ErrTooLarge, "more than %d f elements with data", MaxManifestEmbedded)
	}
	e.data = append(e.data, f)
	return nil
}

// embed stores the data of a chunk at the position of the chunk.
func (c *chunkReader) embed(e *cElement) error {
	if len(e.data) == 0 {
		return nil
	}
	if e.r > 1 {
		return c.p.failAt(c.line, ErrCorrupt, "c with r=%d and f elements", e.r)
	}
	for len(c.s.Embedded) < len(c.s.Timeline)-1 {
		c.s.Embedded = append(c.s.Embedded, nil)
	}
	c.s.Embedded = append(c.s.Embedded, e.data)
	return nil
}

// finish completes the timeline at the end of the stream. MS-SSTR calls a last c without d invalid, and nothing
// tells the end of such a fragment, so it is an error; sparse and control streams, whose events have no extent, are
// written so by tools that follow the documentation of manifest merging, and get duration 0.
func (c *chunkReader) finish() error {
	if c.pending != 0 && !c.sparse {
		return c.p.failAt(c.pending, ErrCorrupt, "last c of stream %q has no d", abbreviate(c.s.Name))
	}
	if c.s.Embedded != nil {
		for len(c.s.Embedded) < len(c.s.Timeline) {
			c.s.Embedded = append(c.s.Embedded, nil)
		}
	}
	return nil
}
