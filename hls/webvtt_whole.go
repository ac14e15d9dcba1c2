package hls

import (
	"context"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

const (
	// maxCueFragments bounds the fragments that are read on either side of a segment for the rest of its cues: a minute
	// of two seconds each.
	maxCueFragments = 30
	// maxWholeCues bounds the cues in which the rest of one is looked for, so that it costs little.
	maxWholeCues = 4096
)

// A cueReading gathers the cues of fragments of a text stream.
type cueReading struct {
	ctx  context.Context
	p    smooth.Presentation
	r    *rendition
	edge func(ticks uint64) uint64 // a time of the stream in 90 kHz
	list []cue
	size int // of list, in bytes
}

// read adds the cues of the fragment at a time. The error wraps [smooth.ErrTooLarge] beyond [maxSegmentText].
func (c *cueReading) read(time uint64) error {
	f, err := c.p.Fragment(c.ctx, c.r.key(time))
	if err != nil {
		return err
	}
	defer f.Close()
	more, err := cuesOf(c.ctx, f)
	if err != nil {
		return err
	}
	if c.size += sizeOfCues(more); c.size > maxSegmentText {
		return fmt.Errorf("hls: fragment %s %d: cues of more than %d bytes in a segment: %w", c.r.stream.Name, time, maxSegmentText, smooth.ErrTooLarge)
	}
	c.list = append(c.list, more...)
	return nil
}

// complete reads on after and before fragments [lo, hi), which have been read, as long as a cue that is shown in a span
// goes on there. A cue has to have the same times in each segment, or players take it for several and show them all.
func (c *cueReading) complete(shown cueSpan, lo, hi int) error {
	line := c.r.stream.Timeline
	for n := 0; n < maxCueFragments && hi < len(line) && c.crosses(shown, line[hi-1].End()); n++ {
		if err := c.read(line[hi].Time); err != nil {
			return err
		}
		hi++
	}
	for n := 0; n < maxCueFragments && lo > 0 && c.crosses(shown, line[lo].Time); n++ {
		lo--
		if err := c.read(line[lo].Time); err != nil {
			return err
		}
	}
	return nil
}

// crosses reports whether a cue that is shown in a span may go on at a time, as far as milliseconds tell.
func (c *cueReading) crosses(shown cueSpan, ticks uint64) bool {
	time := c.edge(ticks)
	return len(c.list) <= maxWholeCues && slices.ContainsFunc(arrange(c.list), func(x cue) bool {
		return x.begin < shown.end && x.end > shown.begin && x.begin <= time+millisecond && x.end+millisecond >= time
	})
}
