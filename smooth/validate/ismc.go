package validate

import (
	"fmt"
	"strconv"
	"strings"
)

// clientManifest checks the client manifest and compares it to the tracks.
func (c *serverChecker) clientManifest() error {
	if c.client == "." {
		return nil // reported
	}
	data, err := readFile(c.fsys, c.client, MaxManifestSize+1)
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	p := checkManifest(c.rec, c.client, data)
	if p == nil {
		return nil
	}
	for _, s := range p.streams {
		if s.url == "" {
			continue
		}
		for _, l := range s.levels {
			t := c.match(s, l)
			if t == nil {
				c.rec.Add("SS121", Place{Document: c.client, Line: s.el.line, Stream: s.name, Level: l.key()},
					"the server manifest has no track %s with systemBitrate %s", s.name, l.key())
				continue
			}
			t.listed = true
			c.chunks(s, l, t)
		}
	}
	for _, t := range c.tracks {
		if !t.listed && !t.wrong {
			c.rec.Add("SS122", c.at(t.el), "the client manifest does not list %s", t.key())
		}
	}
	return nil
}

// match returns the track of a level: bit rates are compared as text, as IIS did.
func (c *serverChecker) match(s *stream, l *level) *serverTrack {
	for _, t := range c.tracks {
		if !strings.EqualFold(t.name, s.name) || t.bitrate != l.bitrate {
			continue
		}
		fits := true
		for _, a := range l.attrs {
			fits = fits && strings.Contains(","+strings.Join(t.attrs, ",")+",", ","+a[0]+"="+a[1]+",")
		}
		if fits {
			return t
		}
	}
	return nil
}

// chunks looks for each chunk in the index of the file.
func (c *serverChecker) chunks(s *stream, l *level, t *serverTrack) {
	if t.file == nil {
		return
	}
	times := make(map[uint64]*mediaFragment)
	for _, offset := range t.file.order {
		if f := t.file.moofs[offset]; f.track == uint32(t.id) && f.hasTime {
			times[f.time] = f
		}
	}
	for _, chunk := range s.picked(0) {
		p := Place{Document: c.client, Line: s.el.line, Stream: s.name, Level: l.key(), Time: strconv.FormatUint(chunk.Time, 10)}
		f := times[chunk.Time]
		if f == nil {
			c.rec.Add("SS123", p, "%s has %d fragments of track %d and none of that time", t.src, len(times), t.id)
			continue
		}
		if f.samples > 0 && distance(f.duration, chunk.Duration) > sampleTolerance(f.samples, f.duration, chunk.Duration) {
			c.rec.Add("SS124", p, "the samples last %d, d is %d", f.duration, chunk.Duration)
		}
	}
}
