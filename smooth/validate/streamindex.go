package validate

import (
	"regexp"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// stream checks a StreamIndex with its levels and chunks. Inside a Clip the version 1 vocabulary holds, where Index,
// Name and the codec attributes are other or missing.
func (c *manifestChecker) stream(e *element, clip bool) *stream {
	s := &stream{el: e, timescale: c.p.timescale, clip: clip}
	c.streamType(e, s)
	c.streamName(e, s)
	s.control = c.boolean(e, s, "ManifestOutput", "SM226")
	_, s.sparse = e.attr("ParentStreamIndex")
	c.streamTimescale(e, s)
	c.language(e, s)
	levels := e.all("QualityLevel")
	if len(levels) == 0 {
		c.rec.Add("SM230", c.at(e, s), "there is no QualityLevel")
	}
	for i, l := range levels {
		if clip {
			s.levels = append(s.levels, c.clipLevel(l, s))
		} else {
			s.levels = append(s.levels, c.level(l, s, i))
		}
	}
	c.captions(e, s)
	if !clip {
		c.levelIndexes(levels, s)
		c.levelsDistinct(levels, s)
		c.chunks(e, s)
		c.counts(e, s)
		c.sizes(e, s)
	}
	c.url(e, s)
	c.rec.Tally(func(n *Counts) { n.Streams++; n.Levels += len(levels) })
	return s
}

func (c *manifestChecker) streamType(e *element, s *stream) {
	text, _ := e.attr("Type")
	s.typ = smooth.StreamType(strings.ToLower(text))
	switch s.typ {
	case smooth.Video, smooth.Audio, smooth.Text:
		if string(s.typ) != text {
			c.rec.Add("SM202", c.at(e, s), "Type is %q", text)
		}
	default:
		c.rec.Add("SM201", c.at(e, s), "Type is %q", text)
		s.typ = ""
	}
	if s.typ != smooth.Text {
		return
	}
	switch sub, _ := e.attr("Subtype"); strings.ToUpper(sub) {
	case "":
		c.rec.Add("SM203", c.at(e, s), "there is no Subtype")
	case "SCMD", "CHAP", "SUBT", "CAPT", "DESC", "CTRL", "DATA":
	default:
		c.rec.Add("SM204", c.at(e, s), "Subtype is %q", sub)
	}
}

// captions checks the Subtype of streams with TTML.
func (c *manifestChecker) captions(e *element, s *stream) {
	sub, _ := e.attr("Subtype")
	if s.typ != smooth.Text || sub == "" || contains("CAPT SUBT", strings.ToUpper(sub)) {
		return
	}
	for _, l := range s.levels {
		if fourCCType(l.fourCC) == smooth.Text && contains("SCMD CHAP DESC CTRL DATA", strings.ToUpper(sub)) {
			c.rec.Add("SM231", c.at(e, s), "Subtype is %q, FourCC is %q", sub, l.fourCC)
			return
		}
	}
}

// isName reports a letter followed by letters, digits, underscores and hyphens.
func isName(s string) bool { return namePattern.MatchString(s) }

var (
	namePattern     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$`)
)

func (c *manifestChecker) streamName(e *element, s *stream) {
	name, present := e.attr("Name")
	s.name = name
	if name == "" {
		s.name = string(s.typ)
	}
	if present && !isName(name) {
		c.rec.Add("SM205", c.at(e, s), "Name is %q", name)
	}
}

// streamNames checks that names are unique after defaulting.
func (c *manifestChecker) streamNames() {
	seen := make(map[string]*stream)
	for _, s := range c.p.streams {
		if other := seen[s.name]; other != nil {
			c.rec.Add("SM206", c.at(s.el, s), "the name %q is that of the stream in line %d; give each a Name and carry it in Url",
				s.name, other.el.line)
			continue
		}
		seen[s.name] = s
	}
}

func (c *manifestChecker) streamTimescale(e *element, s *stream) {
	v, _, ok := c.number(e, s, "TimeScale", "SM207")
	switch {
	case !ok:
	case v == 0:
		c.rec.Add("SM207", c.at(e, s), "TimeScale is 0")
	case v != c.p.timescale:
		c.rec.Add("SM208", c.at(e, s), "TimeScale is %d, the root's is %d", v, c.p.timescale)
		s.timescale = v
	}
}

func (c *manifestChecker) language(e *element, s *stream) {
	text, present := e.attr("Language")
	if !present || text == "" {
		return
	}
	if !languagePattern.MatchString(text) {
		c.rec.Add("SM229", c.at(e, s), "Language is %q", text)
	}
}

// parents checks ParentStreamIndex once all streams are known.
func (c *manifestChecker) parents() {
	for _, s := range c.p.streams {
		name, ok := s.el.attr("ParentStreamIndex")
		if !ok {
			continue
		}
		var parent *stream
		for _, o := range c.p.streams {
			if o.name == name && o != s {
				parent = o
			}
		}
		switch {
		case parent == nil:
			c.rec.Add("SM224", c.at(s.el, s), "ParentStreamIndex is %q, and no other stream has that name", name)
		case parent.sparse || parent.control:
			c.rec.Add("SM225", c.at(s.el, s), "the parent %q is itself a sparse or control stream", name)
		}
	}
}

// counts compares Chunks and QualityLevels with what is listed. IIS writes Chunks="0" in live manifests.
func (c *manifestChecker) counts(e *element, s *stream) {
	c.count(e, s, "Chunks", s.count(), "SM209", "SM210")
	c.count(e, s, "QualityLevels", uint64(len(s.levels)), "SM211", "SM212")
}

func (c *manifestChecker) count(e *element, s *stream, name string, listed uint64, differs, missing string) {
	v, present, ok := c.number(e, s, name, missing)
	_, hasURL := e.attr("Url")
	switch {
	case !present && hasURL && !c.p.live:
		c.rec.Add(missing, c.at(e, s), "there is no %s", name)
	case name == "Chunks" && s.broken: // the number is unknown
	case ok && v != listed && !(c.p.live && v == 0):
		c.rec.Add(differs, c.at(e, s), "%s is %d, %d are listed", name, v, listed)
	}
}

// sizes checks the video size attributes of the stream.
func (c *manifestChecker) sizes(e *element, s *stream) {
	for _, name := range []string{"MaxWidth", "MaxHeight", "DisplayWidth", "DisplayHeight"} {
		v, present, ok := c.number(e, s, name, "SM222")
		switch {
		case present && s.typ != smooth.Video:
			c.rec.Add("SM221", c.at(e, s), "a stream of type %s has %s", s.typ, name)
		case ok && v == 0:
			c.rec.Add("SM222", c.at(e, s), "%s is 0", name)
		case ok && strings.HasPrefix(name, "Max"):
			c.largest(e, s, name, v)
		}
	}
}

func (c *manifestChecker) largest(e *element, s *stream, name string, v uint64) {
	for _, l := range e.all("QualityLevel") {
		// A malformed number is reported by the level.
		text, _ := l.attr(name)
		if n, ok := decimal(text); ok && n > v {
			c.rec.Add("SM223", c.at(e, s), "%s is %d, the level in line %d has %d", name, v, l.line, n)
		}
	}
}

// urlPattern is the grammar of [MS-SSTR] 2.2.2.4 with placeholders in braces; a query may follow.
var urlPattern = regexp.MustCompile(
	`^QualityLevels\(([^(),]*)(?:,([^(),]*))?\)/Fragments\(([^(),=]*)=([^(),=]*)\)(?:\?.*)?$`)

func (c *manifestChecker) url(e *element, s *stream) {
	text, ok := e.attr("Url")
	if !ok {
		if len(e.all("Content")) == 0 && !s.control {
			c.rec.Add("SM213", c.at(e, s), "there is no Url")
		}
		return
	}
	s.url = text
	p := c.at(e, s)
	bitrates := strings.Count(text, "{bitrate}") + strings.Count(text, "{Bitrate}")
	times := strings.Count(text, "{start time}") + strings.Count(text, "{start_time}")
	if bitrates != 1 {
		c.rec.Add("SM215", p, "Url %q has %d", text, bitrates)
	}
	if times != 1 {
		c.rec.Add("SM216", p, "Url %q has %d", text, times)
	}
	if strings.Contains(text, "{Bitrate}") || strings.Contains(text, "{start_time}") {
		c.rec.Add("SM217", p, "Url is %q", text)
	}
	c.urlGrammar(p, s, text)
	c.urlAttributes(p, s, text)
}

func (c *manifestChecker) urlGrammar(p Place, s *stream, text string) {
	m := urlPattern.FindStringSubmatch(text)
	if m == nil {
		c.rec.Add("SM214", p, "Url is %q", text)
		return
	}
	if m[3] != s.name {
		c.rec.Add("SM218", p, "Url carries %q, the stream's name is %q", m[3], s.name)
	}
}

func (c *manifestChecker) urlAttributes(p Place, s *stream, text string) {
	has, needed, repeated := strings.Contains(text, "{CustomAttributes}"), false, false
	seen := make(map[string]string)
	for _, l := range s.levels {
		other, ok := seen[l.bitrate]
		needed = needed || ok && l.bitrate != "" && other != l.key()
		repeated = repeated || ok && other == l.key() // reported by SM304
		seen[l.bitrate] = l.key()
	}
	if needed && !has {
		c.rec.Add("SM220", p, "two levels have the same bit rate, and Url %q cannot tell them apart", text)
	}
	if has && !needed && !repeated {
		c.rec.Add("SM219", p, "Url %q has it, and bit rates are unique", text)
	}
}
