package validate

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// segments checks the segments that are listed and were not checked before.
func (l *list) segments(ctx context.Context) {
	all := l.p.media.segments
	picked := pick(len(all), l.opts.Sample)
	for i, n := range picked {
		s := all[n]
		if s.number < l.next || s.gap {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		l.segment(ctx, s, i == 0, i == 0 || i == len(picked)-1)
		l.next = s.number + 1
	}
}

// pick returns the positions of n of total items, evenly spread, the first and the last included.
func pick(total, n int) []int {
	if n <= 0 || n > total {
		n = total
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i
		if n > 1 {
			out[i] = int(int64(i) * int64(total-1) / int64(n-1))
		}
	}
	return out
}

// segment checks one segment. The server is probed with the first, and some are fetched again.
func (l *list) segment(ctx context.Context, s *segment, probe, again bool) {
	target, ok := l.resolve(s.uri)
	p := Place{Document: l.name, Line: s.line}
	if !ok {
		l.rec.Add("HH111", p, "the URI %q cannot be fetched", clip(s.uri))
		return
	}
	p = Place{Document: l.document(target)}
	a := l.part(ctx, target, s.part, p)
	if a == nil {
		return
	}
	l.measures = append(l.measures, measure{s.number, s.duration, int64(len(a.Body))})
	want := expect{name: p.Document, duration: s.duration, iframes: l.p.media.iframes, profile: l.opts.Profile}
	if s.part != nil {
		want.offset = int64(s.part.offset)
	}
	want.init = l.initOf(ctx, s)
	data, ok := l.clear(ctx, s, a.Body, &want, p)
	if ok {
		l.content(data, want, s, a, p)
	}
	if l.files {
		return
	}
	if a.Header.Get("ETag") == "" && a.Header.Get("Last-Modified") == "" {
		l.rec.Add("HH141", p, "there is neither ETag nor Last-Modified")
	}
	if again {
		l.again(ctx, a, s.part, p)
	}
	if probe && s.part == nil {
		l.probe(ctx, a, p)
	}
}

// part gets a resource or a range of it. It returns nil, with the reason recorded, if that fails.
func (l *list) part(ctx context.Context, target string, part *byteRange, p Place) *answer {
	var headers []string
	limit := l.opts.MaxSegmentSize
	if part != nil {
		if part.length > uint64(limit) {
			l.rec.Add("HS108", p, "the range has %d bytes, the limit is %d", part.length, limit)
			return nil
		}
		headers = []string{"Range", fmt.Sprintf("bytes=%d-%d", part.offset, part.end()-1)}
	}
	a, err := l.get(ctx, target, limit, headers...)
	if err != nil {
		l.lost(ctx, err, p)
		return nil
	}
	switch {
	case a.Status != http.StatusOK && !(part != nil && a.Status == http.StatusPartialContent):
		l.rec.Add("HH111", p, "%s", statusHint(a))
		return nil
	case a.IsHTML() && !isText(a.Body):
		l.rec.Add("HH112", p, "%s", htmlHint)
		return nil
	case a.Large:
		l.rec.Add("HS108", p, "the limit is %d bytes", limit)
		return nil
	}
	l.common(a, p)
	if a.Cut {
		return nil
	}
	return l.cutRange(a, part, p)
}

// cutRange takes the range out of an answer with everything, and checks its length.
func (l *list) cutRange(a *answer, part *byteRange, p Place) *answer {
	if part == nil {
		return a
	}
	if a.Status == http.StatusOK && uint64(len(a.Body)) >= part.end() {
		a.Body = a.Body[part.offset:part.end()]
	}
	if uint64(len(a.Body)) != part.length {
		l.rec.Add("HH117", p, "bytes %d to %d: status %d with %d bytes",
			part.offset, part.end()-1, a.Status, len(a.Body))
		return nil
	}
	return a
}

// initOf returns the init segment of a segment, or nil.
func (l *list) initOf(ctx context.Context, s *segment) *initSegment {
	if s.init == nil {
		return nil
	}
	target, ok := l.resolve(s.init.uri)
	k := target
	if s.init.part != nil {
		k += fmt.Sprintf(" %d %d", s.init.part.offset, s.init.part.length)
	}
	if known, seen := l.inits[k]; seen || !ok {
		return known
	}
	p := Place{Document: l.document(target)}
	l.inits[k] = nil
	a := l.part(ctx, target, s.init.part, p)
	if a == nil {
		return nil
	}
	want := expect{name: p.Document, profile: l.opts.Profile}
	keyed := &segment{number: s.number, keys: s.init.keys}
	data, ok := l.clear(ctx, keyed, a.Body, &want, p)
	if !ok {
		return nil
	}
	want.method = methodOf(s.keys)
	l.inits[k] = checkInit(l.rec, data, want)
	if l.inits[k] != nil && l.inits[k].tracks != nil {
		l.typeOf(a, formatFragment, p)
	}
	return l.inits[k]
}

// methodOf returns the method of encryption within samples, or "".
func methodOf(keys []*key) string {
	for _, k := range keys {
		if strings.HasPrefix(k.method, "SAMPLE-AES") {
			return k.method
		}
	}
	return ""
}

// clear undoes AES-128, and notes a method that encrypts samples. It reports false if the segment cannot be read.
func (l *list) clear(ctx context.Context, s *segment, data []byte, want *expect, p Place) ([]byte, bool) {
	want.method = methodOf(s.keys)
	for _, k := range s.keys {
		if k.method != "AES-128" {
			if k.format == "identity" {
				l.secret(ctx, k)
			}
			continue
		}
		if k.format != "identity" {
			return nil, false // another system has the key
		}
		key := l.secret(ctx, k)
		if len(key) != 16 {
			return nil, false
		}
		return decrypt(l.rec, data, key, k.vector(s.number), p)
	}
	return data, true
}

// secret is a key that was fetched, or is being fetched.
type secret struct {
	done chan struct{}
	data []byte
}

// secret gets a key, once for all playlists. It returns nil, recorded, if there is none.
func (l *list) secret(ctx context.Context, k *key) []byte {
	if rest, ok := strings.CutPrefix(k.uri, "data:"); ok {
		return dataURI(rest)
	}
	target, ok := l.resolve(k.uri)
	if !ok {
		return nil
	}
	l.mu.Lock()
	s := l.keys[target]
	mine := s == nil && len(l.keys) < maxKeys
	if mine {
		s = &secret{done: make(chan struct{})}
		l.keys[target] = s
	}
	l.mu.Unlock()
	if s == nil {
		return nil
	}
	if mine {
		s.data = l.fetchKey(ctx, target)
		close(s.done)
	}
	<-s.done
	return s.data
}

// dataURI returns the body of a data URI with base64, without "data:".
func dataURI(s string) []byte {
	head, body, _ := strings.Cut(s, ",")
	if !strings.HasSuffix(head, ";base64") {
		body, _ = url.PathUnescape(body)
		return []byte(body)
	}
	b, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil
	}
	return b
}

// fetchKey gets a key and checks the answer.
func (l *list) fetchKey(ctx context.Context, target string) []byte {
	p := Place{Document: l.document(target)}
	a, err := l.get(ctx, target, 1<<10)
	switch {
	case err != nil:
		l.lost(ctx, err, p)
		return nil
	case a.Status != http.StatusOK:
		l.rec.Add("HK102", p, "%s", statusHint(a))
		return nil
	case len(a.Body) != 16:
		l.rec.Add("HK101", p, "the key has %d bytes", len(a.Body))
		return nil
	}
	if l.files {
		return a.Body
	}
	if t := a.MediaType(); t != "application/octet-stream" && t != "binary/octet-stream" {
		l.rec.Add("HK103", p, "Content-Type is %q", t)
	}
	if c := a.Header.Get("Cache-Control"); !strings.Contains(c, "no-store") && !strings.Contains(c, "private") {
		l.rec.Add("HK104", p, "Cache-Control is %q", c)
	}
	return a.Body
}

// content checks what a segment holds.
func (l *list) content(data []byte, want expect, s *segment, a *answer, p Place) {
	last := l.series.last
	apart := last != nil && (s.number != l.series.lastNumber+1 || formatOf(data) != last.format)
	if s.discontinuity || want.iframes || apart {
		fresh := newTSState()
		if !s.discontinuity {
			fresh.clock, fresh.hasClock = l.state.clock, l.state.hasClock
		}
		l.state = fresh
	}
	c := checkSegment(l.rec, data, want, l.state)
	if c.format == formatUnknown {
		return
	}
	l.typeOf(a, c.format, p)
	if want.profile == ProfileIIS && (c.format == formatFragment || c.format == formatAudio) && want.init == nil {
		l.rec.Add("HD107", p, "the segment is %s", c.format)
	}
	if !want.iframes {
		l.series.add(c, s, p)
		if m := l.p.media; s != m.segments[len(m.segments)-1] {
			l.series.together(c, p)
		}
	}
	l.note(c, s, p)
}

// note keeps what the comparison of playlists needs.
func (l *list) note(c *content, s *segment, p Place) {
	for _, t := range c.tracks {
		if t.codec != "" && t.frames > 0 {
			l.found[t.codec] = true
		}
		if t.video && t.width > 0 {
			l.width, l.height = t.width, t.height
		}
		l.video = l.video || t.video
		if t.audio && t.frames > 0 && len(l.starts) == 0 {
			l.sound, l.hasSound = t.present, true
		}
	}
	if m := c.main(); m != nil {
		l.starts[s.number] = m.present
	}
	if len(c.cues) > 0 {
		l.texts = append(l.texts, textSegment{s, c.cues, p.Document})
	}
}

// segmentTypes are the Content-Types of formats.
var segmentTypes = map[format][]string{
	formatTransport: {"video/mp2t"},
	formatFragment:  {"video/mp4", "audio/mp4", "application/mp4", "video/iso.segment", "audio/iso.segment"},
	formatAudio:     {"audio/aac", "audio/aacp", "audio/ac3", "audio/eac3", "audio/mpeg"},
	formatText:      {"text/vtt"},
}

// typeOf checks the Content-Type of a segment.
func (l *list) typeOf(a *answer, f format, p Place) {
	if t := a.MediaType(); !l.files && !slices.Contains(segmentTypes[f], t) {
		l.rec.Add("HH113", p, "Content-Type is %q, the segment is %s", t, f)
	}
}

// again gets a segment a second time.
func (l *list) again(ctx context.Context, first *answer, part *byteRange, p Place) {
	quiet := *l
	quiet.walk = &walk{fetcher: &fetcher{client: l.client, opts: l.opts, rec: l.rec, files: true}}
	a := quiet.part(ctx, first.URL, part, p)
	if a == nil || bytes.Equal(a.Body, first.Body) {
		return
	}
	at := 0
	for at < len(a.Body) && at < len(first.Body) && a.Body[at] == first.Body[at] {
		at++
	}
	l.rec.Add("HH116", p, "there are %d bytes, then %d, which differ from byte %d on", len(first.Body), len(a.Body), at)
}

// probe asks for a segment in the ways that players and caches do.
func (l *list) probe(ctx context.Context, whole *answer, p Place) {
	l.head(ctx, whole, "HH115", p)
	n := len(whole.Body)
	if n >= 8 {
		a, err := l.get(ctx, whole.URL, l.opts.MaxSegmentSize, "Range", "bytes=4-7")
		switch {
		case err != nil:
			l.lost(ctx, err, p)
		case a.Status == http.StatusOK && bytes.Equal(a.Body, whole.Body):
		case a.Status != http.StatusPartialContent || !bytes.Equal(a.Body, whole.Body[4:8]) ||
			a.Header.Get("Content-Range") != fmt.Sprintf("bytes 4-7/%d", n):
			l.rec.Add("HH117", p, "bytes 4 to 7 of %d: status %d, Content-Range %q, %d bytes",
				n, a.Status, a.Header.Get("Content-Range"), len(a.Body))
		}
	}
	tag := whole.Header.Get("ETag")
	if tag == "" {
		return
	}
	a, err := l.get(ctx, whole.URL, l.opts.MaxSegmentSize, "If-None-Match", tag)
	switch {
	case err != nil:
		l.lost(ctx, err, p)
	case a.Status != http.StatusNotModified:
		l.rec.Add("HH118", p, "If-None-Match: %s answers status %d", tag, a.Status)
	}
}
