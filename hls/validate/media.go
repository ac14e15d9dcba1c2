package validate

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// media is what was understood of a media playlist.
type media struct {
	target        time.Duration // 0 if it is not known
	sequence      uint64
	discontinuity uint64
	hasDiscSeq    bool
	kind          string // VOD, EVENT or empty
	iframes       bool
	ended         bool
	dated         bool // there is a PROGRAM-DATE-TIME
	segments      []*segment
}

// live reports a playlist that still changes.
func (m *media) live() bool { return !m.ended && m.kind != "VOD" }

// duration is the sum over all segments.
func (m *media) duration() time.Duration {
	var d time.Duration
	for _, s := range m.segments {
		d += s.duration
	}
	return d
}

// segment is one media segment of a playlist.
type segment struct {
	uri           string
	line          int
	number        uint64 // media sequence number
	duration      time.Duration
	start         time.Duration // from the beginning of the playlist
	discontinuity bool
	gap           bool
	date          time.Time
	part          *byteRange
	keys          []*key
	init          *initMap
}

// key is an EXT-X-KEY in force.
type key struct {
	method, uri, format string
	iv                  string // as written, or empty
	line                int
}

// initMap is an EXT-X-MAP in force.
type initMap struct {
	uri  string
	part *byteRange
	line int
	keys []*key
}

// mediaReader walks the items of a media playlist.
type mediaReader struct {
	*checker
	m *media

	inf      *item // of the segment that comes
	next     segment
	keys     []*key
	init     *initMap
	lastURI  string // with its range, for ranges without offset
	lastEnd  uint64
	ranges   map[string]attrList
	rangeTag int // line of the first EXT-X-DATERANGE
	partInf  time.Duration
}

// media checks a media playlist.
func (c *checker) media() {
	r := &mediaReader{checker: c, m: &media{}, ranges: make(map[string]attrList)}
	c.p.media = r.m
	r.m.iframes = slices.ContainsFunc(c.p.items, func(it item) bool { return it.tag == "EXT-X-I-FRAMES-ONLY" })
	for i := range c.p.items {
		r.item(&c.p.items[i])
	}
	if r.inf != nil {
		c.rec.Add("HL104", c.place(r.inf.line), "after the last EXTINF there is no URI")
	}
	r.whole()
	r.lowLatency()
	c.rec.Tally(func(n *Counts) { n.Chunks += len(r.m.segments) })
}

func (r *mediaReader) item(it *item) {
	p := r.place(it.line)
	n, _ := integer(it.value)
	begun := len(r.m.segments) > 0 || r.inf != nil
	switch it.tag {
	case "":
		r.segment(it)
	case "EXTINF":
		r.extinf(it)
	case "EXT-X-TARGETDURATION":
		r.m.target = time.Duration(min(n, maxSeconds)) * time.Second
	case "EXT-X-MEDIA-SEQUENCE":
		r.m.sequence = n
		if begun {
			r.rec.Add("HL108", p, "EXT-X-MEDIA-SEQUENCE stands after a segment")
		}
	case "EXT-X-DISCONTINUITY-SEQUENCE":
		r.m.discontinuity, r.m.hasDiscSeq = n, true
		if begun || r.next.discontinuity {
			r.rec.Add("HL109", p, "EXT-X-DISCONTINUITY-SEQUENCE stands after a segment or EXT-X-DISCONTINUITY")
		}
	case "EXT-X-PLAYLIST-TYPE":
		if r.m.kind = it.value; it.hasValue && it.value != "VOD" && it.value != "EVENT" {
			r.rec.Add("HL110", p, "the type is %q", it.value)
		}
	case "EXT-X-I-FRAMES-ONLY":
		r.need(4, it.line, "there is EXT-X-I-FRAMES-ONLY")
	case "EXT-X-ENDLIST":
		r.m.ended = true
	case "EXT-X-DISCONTINUITY":
		r.next.discontinuity = true
	case "EXT-X-GAP":
		r.next.gap = true
		r.allowed = max(r.allowed, 8)
	case "EXT-X-KEY":
		r.key(it)
	case "EXT-X-MAP":
		r.mapTag(it)
	case "EXT-X-BYTERANGE":
		r.byteRange(it)
	case "EXT-X-PROGRAM-DATE-TIME":
		r.date(it)
	case "EXT-X-DATERANGE":
		r.dateRange(it)
	}
}

var extinfPattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]*)?),`)

// extinf reads "duration,[title]".
func (r *mediaReader) extinf(it *item) {
	if r.inf != nil {
		r.rec.Add("HL104", r.place(it.line), "there is a second EXTINF before the URI")
	}
	r.inf = it
	text := extinfPattern.FindStringSubmatch(it.value)
	if text == nil && it.hasValue {
		r.rec.Add("HL105", r.place(it.line), "EXTINF is %q, and should be a decimal number and a comma", clip(it.value))
		loose, _, _ := strings.Cut(it.value, ",")
		r.next.duration, _ = seconds(strings.TrimSpace(loose))
		return
	}
	if text == nil {
		return
	}
	d, ok := seconds(text[1])
	if !ok {
		r.rec.Add("HL105", r.place(it.line), "EXTINF is %q", clip(it.value))
	}
	if strings.Contains(text[1], ".") {
		r.need(3, it.line, "EXTINF has a fraction")
	}
	r.next.duration = d
}

// segment ends a segment with its URI.
func (r *mediaReader) segment(it *item) {
	s := r.next
	s.uri, s.line = it.value, it.line
	s.number = r.m.sequence + uint64(len(r.m.segments))
	s.keys, s.init = r.keys, r.init
	if n := len(r.m.segments); n > 0 {
		s.start = r.m.segments[n-1].start + r.m.segments[n-1].duration
	}
	if r.inf == nil {
		r.rec.Add("HL104", r.place(it.line), "the URI %q has no EXTINF before it", clip(it.value))
	}
	r.locate(&s)
	r.m.segments = append(r.m.segments, &s)
	r.inf, r.next = nil, segment{}
}

// locate settles the range of a segment without offset.
func (r *mediaReader) locate(s *segment) {
	if s.part == nil {
		r.lastURI, r.lastEnd = s.uri, 0
		return
	}
	if !s.part.hasOffset {
		if r.lastURI != s.uri || r.lastEnd == 0 {
			r.rec.Add("HL118", r.place(s.line), "EXT-X-BYTERANGE has no offset, and the segment before is no range of %q",
				clip(s.uri))
		} else {
			s.part.offset = r.lastEnd
		}
	}
	r.lastURI, r.lastEnd = s.uri, s.part.end()
}

func (r *mediaReader) byteRange(it *item) {
	r.need(4, it.line, "there is EXT-X-BYTERANGE")
	part, ok := parseRange(it.value)
	switch {
	case !it.hasValue:
	case !ok:
		r.rec.Add("HL117", r.place(it.line), "EXT-X-BYTERANGE is %q", it.value)
	case r.next.part != nil:
		r.rec.Add("HL117", r.place(it.line), "the segment has a second EXT-X-BYTERANGE")
	default:
		r.next.part = &part
	}
}

var keyVersionsPattern = regexp.MustCompile(`^[1-9][0-9]*(/[1-9][0-9]*)*$`)

// key reads a key. It holds until the next one of the same format; keys of different formats hold together.
func (r *mediaReader) key(it *item) {
	if it.attrs == nil {
		return
	}
	k := r.checker.key(it)
	var kept []*key
	for _, old := range r.keys {
		if old.format != k.format && k.method != "NONE" {
			kept = append(kept, old)
		}
	}
	if k.method != "NONE" && len(kept) < maxKeyFormats {
		kept = append(kept, k)
	}
	r.keys = kept
}

// key checks the attributes of EXT-X-KEY and EXT-X-SESSION-KEY.
func (c *checker) key(it *item) *key {
	p := c.place(it.line)
	l := it.attrs
	k := &key{method: l.get("METHOD"), uri: l.get("URI"), format: l.get("KEYFORMAT"), iv: l.get("IV"), line: it.line}
	if k.format == "" {
		k.format = "identity"
	}
	switch {
	case k.method == "NONE" && (l.has("URI") || l.has("IV") || l.has("KEYFORMAT") || l.has("KEYFORMATVERSIONS")):
		c.rec.Add("HL113", p, "METHOD is NONE, and there are other attributes")
	case k.method != "NONE" && k.method != "" && !l.has("URI"):
		c.rec.Add("HL113", p, "METHOD is %s, and there is no URI", k.method)
	}
	if l.has("IV") {
		c.need(2, it.line, "EXT-X-KEY has IV")
		if len(k.iv) > 34 && hexPattern.MatchString(k.iv) {
			c.rec.Add("HL114", p, "the IV has %d hexadecimal digits", len(k.iv)-2)
		}
	}
	if k.method == "SAMPLE-AES" {
		c.need(5, it.line, "METHOD is SAMPLE-AES")
	}
	if l.has("KEYFORMAT") || l.has("KEYFORMATVERSIONS") {
		c.need(5, it.line, "EXT-X-KEY has KEYFORMAT or KEYFORMATVERSIONS")
	}
	if v, ok := l.lookup("KEYFORMATVERSIONS"); ok && v.quoted && !keyVersionsPattern.MatchString(v.value) {
		c.rec.Add("HL115", p, "KEYFORMATVERSIONS is %q", v.value)
	}
	if k.method == "SAMPLE-AES-CTR" {
		c.allowed = max(c.allowed, 7)
	}
	return k
}

func (r *mediaReader) mapTag(it *item) {
	if it.attrs == nil {
		return
	}
	version := uint64(6)
	if r.m.iframes {
		version = 5
	}
	r.need(version, it.line, "there is EXT-X-MAP")
	r.allowed = max(r.allowed, 7)
	m := &initMap{uri: it.attrs.get("URI"), line: it.line, keys: r.keys}
	if text, ok := it.attrs.lookup("BYTERANGE"); ok && text.quoted {
		part, ok := parseRange(text.value)
		if !ok {
			r.rec.Add("HL117", r.place(it.line), "BYTERANGE is %q", text.value)
		} else {
			m.part = &part
		}
	}
	for _, k := range r.keys {
		if k.method == "AES-128" && k.iv == "" {
			r.rec.Add("HL116", r.place(it.line), "the key of line %d, which holds for EXT-X-MAP, has no IV", k.line)
		}
	}
	r.init = m
}

func (r *mediaReader) date(it *item) {
	if !it.hasValue {
		return
	}
	r.m.dated = true
	t, zone, ok := parseDate(it.value)
	switch {
	case !ok:
		r.rec.Add("HL119", r.place(it.line), "the date is %q", clip(it.value))
		return
	case !zone:
		r.rec.Add("HL120", r.place(it.line), "the date %q has no zone", it.value)
	}
	r.next.date = t
}
