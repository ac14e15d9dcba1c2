package validate

import (
	"regexp"
	"slices"
	"strings"
)

// master is what was understood of a master playlist.
type master struct {
	variants   []*variant
	renditions []*rendition
}

// variant is EXT-X-STREAM-INF or EXT-X-I-FRAME-STREAM-INF.
type variant struct {
	uri     string
	line    int
	attrs   attrList
	iframes bool

	bandwidth, average uint64
	codecs             []string
}

// rendition is EXT-X-MEDIA.
type rendition struct {
	kind, group, name, uri string
	line                   int
	attrs                  attrList
}

// groupAttrs are the attributes of a variant that name groups. They are also the types of renditions.
var groupAttrs = []string{"AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"}

// hasVideo reports a variant that says that it has video. Without CODECS or RESOLUTION nothing is said.
func (v *variant) hasVideo() bool {
	return v.iframes || v.attrs.has("RESOLUTION") || slices.ContainsFunc(v.codecs, isVideoCodec)
}

func isVideoCodec(s string) bool {
	name, _, _ := strings.Cut(s, ".")
	return slices.Contains([]string{"avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "dvav", "dva1", "av01", "vp09"}, name)
}

// master checks a master playlist.
func (c *checker) master() {
	m := &master{}
	c.p.master = m
	c.allowed = 7 // what the media playlists may need
	for i := 0; i < len(c.p.items); i++ {
		it := c.p.items[i]
		switch it.tag {
		case "EXT-X-STREAM-INF":
			uri := ""
			if i+1 < len(c.p.items) && c.p.items[i+1].tag == "" {
				i++
				uri = c.p.items[i].value
			} else {
				c.rec.Add("HM102", c.place(it.line), "the next line is no URI")
			}
			c.variant(m, it, uri, false)
		case "EXT-X-I-FRAME-STREAM-INF":
			c.variant(m, it, it.attrs.get("URI"), true)
		case "EXT-X-MEDIA":
			c.rendition(m, it)
		case "EXT-X-SESSION-KEY":
			if it.attrs == nil {
				continue
			}
			if k := c.key(&it); k.method == "NONE" {
				c.rec.Add("HM127", c.place(it.line), "METHOD is NONE")
			}
		case "":
			c.rec.Add("HM102", c.place(it.line), "the URI %q has no EXT-X-STREAM-INF before it", clip(it.value))
		}
	}
	c.sessionData()
	c.groups(m)
	c.references(m)
	c.variants(m)
	c.rec.Tally(func(n *Counts) { n.Levels += len(m.variants); n.Streams += len(m.renditions) })
}

func (c *checker) variant(m *master, it item, uri string, iframes bool) {
	v := &variant{uri: uri, line: it.line, attrs: it.attrs, iframes: iframes}
	p := c.place(it.line)
	v.bandwidth, _ = integer(it.attrs.get("BANDWIDTH"))
	v.average, _ = integer(it.attrs.get("AVERAGE-BANDWIDTH"))
	if v.bandwidth == 0 && it.attrs.get("BANDWIDTH") == "0" {
		c.rec.Add("HM103", p, "BANDWIDTH is 0")
	}
	if v.average > v.bandwidth && v.bandwidth > 0 {
		c.rec.Add("HM110", p, "AVERAGE-BANDWIDTH is %d, BANDWIDTH %d", v.average, v.bandwidth)
	}
	if iframes {
		for _, name := range []string{"FRAME-RATE", "AUDIO", "SUBTITLES", "CLOSED-CAPTIONS"} {
			if it.attrs.has(name) {
				c.rec.Add("HM123", p, "EXT-X-I-FRAME-STREAM-INF has %s", name)
			}
		}
	}
	for _, a := range it.attrs {
		if strings.HasPrefix(a.name, "REQ-") {
			c.need(12, it.line, "there is %s", a.name)
		}
	}
	if m.variants = append(m.variants, v); it.attrs != nil {
		c.codecs(v, p)
	}
}

// codecForms are the RFC 6381 forms that are known; others pass.
var codecForms = map[string]*regexp.Regexp{
	"avc1": regexp.MustCompile(`^avc[13]\.[0-9A-Fa-f]{6}$`),
	"hvc1": regexp.MustCompile(`^h(vc|ev)1\.[ABC]?[0-9]{1,2}\.[0-9A-Fa-f]{1,8}\.[LH][0-9]{1,3}(\.[0-9A-Fa-f]{1,2}){0,6}$`),
	"mp4a": regexp.MustCompile(`^mp4a\.[0-9A-Fa-f]{2}(\.[0-9]{1,2})?$`),
}

// codecs checks CODECS.
func (c *checker) codecs(v *variant, p Place) {
	a, has := v.attrs.lookup("CODECS")
	if !has {
		c.rec.Add("HM105", p, "there is no CODECS")
		return
	}
	v.codecs = strings.Split(a.value, ",")
	for i, s := range v.codecs {
		name, _, _ := strings.Cut(s, ".")
		known := map[string]string{"avc3": "avc1", "hev1": "hvc1"}[name]
		if known == "" {
			known = name
		}
		switch f := codecForms[known]; {
		case s == "" || strings.TrimSpace(s) != s && strings.TrimSpace(s) == "":
			c.rec.Add("HM104", p, "CODECS %q has an empty part", a.value)
		case f != nil && !f.MatchString(strings.TrimSpace(s)):
			c.rec.Add("HM104", p, "CODECS has %q, which is no complete name", s)
		case name == "hev1" || name == "dvhe":
			c.rec.Add("HM131", p, "CODECS has %q, and Apple plays hvc1 and dvh1", s)
		}
		v.codecs[i] = strings.TrimSpace(s)
	}
}

func (c *checker) rendition(m *master, it item) {
	if it.attrs == nil {
		return
	}
	l, p := it.attrs, c.place(it.line)
	x := &rendition{
		kind: l.get("TYPE"), group: l.get("GROUP-ID"), name: l.get("NAME"), uri: l.get("URI"), line: it.line, attrs: l,
	}
	captions := x.kind == "CLOSED-CAPTIONS"
	switch {
	case captions && l.has("URI"):
		c.rec.Add("HM113", p, "CLOSED-CAPTIONS has a URI, they are in the video")
	case x.kind == "SUBTITLES" && !l.has("URI"):
		c.rec.Add("HM113", p, "SUBTITLES has no URI")
	}
	c.instream(it, captions)
	if l.has("FORCED") && x.kind != "SUBTITLES" {
		c.rec.Add("HM115", p, "FORCED is there, and TYPE is %s", x.kind)
	}
	if l.get("DEFAULT") == "YES" && l.get("AUTOSELECT") == "NO" {
		c.rec.Add("HM116", p, "DEFAULT is YES, and AUTOSELECT NO")
	}
	for _, name := range []string{"LANGUAGE", "ASSOC-LANGUAGE"} {
		if a, ok := l.lookup(name); ok && a.quoted && !languagePattern.MatchString(a.value) {
			c.rec.Add("HM121", p, "%s is %q", name, a.value)
		}
	}
	if x.kind == "AUDIO" && !l.has("CHANNELS") {
		c.rec.Add("HM122", p, "there is no CHANNELS")
	}
	m.renditions = append(m.renditions, x)
}

var (
	languagePattern = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
	instreamPattern = regexp.MustCompile(`^(CC[1-4]|SERVICE([1-9]|[1-5][0-9]|6[0-3]))$`)
)

// instream checks INSTREAM-ID.
func (c *checker) instream(it item, captions bool) {
	a, has := it.attrs.lookup("INSTREAM-ID")
	switch {
	case captions != has && !(has && c.p.version >= 13):
		c.rec.Add("HM114", c.place(it.line), "INSTREAM-ID is there: %t, and TYPE is %s", has, it.attrs.get("TYPE"))
	case captions && !instreamPattern.MatchString(a.value):
		c.rec.Add("HM114", c.place(it.line), "INSTREAM-ID is %q", a.value)
	case captions && strings.HasPrefix(a.value, "SERVICE"):
		c.need(7, it.line, "INSTREAM-ID is %s", a.value)
	}
}

// sessionData checks EXT-X-SESSION-DATA.
func (c *checker) sessionData() {
	seen := make(map[[2]string]bool)
	for _, it := range c.p.items {
		if it.tag != "EXT-X-SESSION-DATA" || it.attrs == nil {
			continue
		}
		id := [2]string{it.attrs.get("DATA-ID"), it.attrs.get("LANGUAGE")}
		switch {
		case it.attrs.has("VALUE") == it.attrs.has("URI"):
			c.rec.Add("HM126", c.place(it.line), "there is not exactly one of VALUE and URI")
		case seen[id]:
			c.rec.Add("HM126", c.place(it.line), "DATA-ID %q with LANGUAGE %q is repeated", id[0], id[1])
		}
		seen[id] = true
	}
}
