package validate

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// playlist is what was understood of a playlist, of either kind.
type playlist struct {
	name        string
	items       []item
	isMaster    bool
	version     uint64 // 1 if there is no tag
	independent bool
	start       attrList
	vars        map[string]string
	master      *master // one of these is set
	media       *media
}

// origin is what a playlist knows of where it comes from.
type origin struct {
	imports map[string]string // variables of the master playlist
	query   url.Values        // of the playlist's URL
}

// checkPlaylist checks a playlist by itself. It returns nil if it is none.
func checkPlaylist(rec *recorder, opts Options, name string, data []byte, from origin) *playlist {
	rec.Tally(func(n *Counts) { n.Documents++; n.Bytes += int64(len(data)) })
	x := &lexer{rec, name}
	items, ok := x.items(data)
	if !ok {
		return nil
	}
	p := &playlist{name: name, items: items, version: 1, vars: make(map[string]string)}
	c := &checker{rec: rec, opts: opts, from: from, p: p}
	c.tags()
	c.kind()
	c.substitute()
	if c.p.isMaster {
		c.master()
	} else {
		c.media()
	}
	c.versions()
	return c.p
}

// checker checks one playlist.
type checker struct {
	rec  *recorder
	opts Options
	from origin
	p    *playlist

	needed   uint64 // version, with the reason
	reason   string
	at       int    // line of that reason
	expanded int    // bytes of what variables were put into
	allowed  uint64 // highest version that is not worth a remark
}

func (c *checker) place(line int) Place { return Place{Document: c.p.name, Line: line} }

// need notes that a feature needs a version.
func (c *checker) need(version uint64, line int, format string, args ...any) {
	if version > c.needed {
		c.needed, c.at, c.reason = version, line, fmt.Sprintf(format, args...)
	}
}

// tags checks each tag by its definition, and reads the attribute lists.
func (c *checker) tags() {
	seen := make(map[string]bool)
	for i := range c.p.items {
		it := &c.p.items[i]
		if it.tag == "" {
			continue
		}
		def, known := tagDefs[it.tag]
		switch {
		case it.tag == "EXTM3U":
			c.rec.Add("HP119", c.place(it.line), "there is a second EXTM3U")
		case !known && strings.HasPrefix(it.tag, "EXT-X-") && !customTags[it.tag]:
			c.rec.Add("HP115", c.place(it.line), "the tag is %q%s", it.tag, likely(it.tag))
		case known && def.once && seen[it.tag]:
			c.rec.Add("HP119", c.place(it.line), "there is a second %s", it.tag)
		case known:
			c.value(it, def)
		}
		seen[it.tag] = true
	}
}

// likely names the tag that is meant by one that differs in capitals.
func likely(tag string) string {
	if _, ok := tagDefs[strings.ToUpper(tag)]; ok {
		return ": players want it in upper case"
	}
	return ""
}

// value checks the form of a tag's value.
func (c *checker) value(it *item, def tagDef) {
	p := c.place(it.line)
	switch def.form {
	case formNone:
		if it.hasValue {
			c.rec.Add("HP117", p, "%s has the value %q", it.tag, it.value)
		}
	case formInteger:
		if _, ok := integer(it.value); !ok {
			c.rec.Add("HP117", p, "%s is %q", it.tag, it.value)
			it.value = ""
		}
	case formText:
		if !it.hasValue {
			c.rec.Add("HP117", p, "%s has no value", it.tag)
		}
	case formList:
		list, fault := parseAttrs(it.value)
		if fault != "" {
			c.rec.Add("HP110", p, "%s: %s", it.tag, fault)
			return // what follows from a broken list is left out
		}
		it.attrs = list
		c.list(it, def.attrs, p)
	}
}

// list checks an attribute list by its definition.
func (c *checker) list(it *item, defs []attrDef, p Place) {
	for i, a := range it.attrs {
		if slices.ContainsFunc(it.attrs[:i], func(b attr) bool { return a.name == b.name }) {
			c.rec.Add("HP111", p, "%s is repeated", a.name)
			continue
		}
		j := slices.IndexFunc(defs, func(d attrDef) bool { return d.name == a.name })
		if j < 0 {
			continue // clients ignore what they do not know
		}
		d := defs[j]
		switch {
		case !d.kind.fits(a):
			c.rec.Add("HP112", p, "%s is %q, quoted %t, and should be a %s", a.name, a.value, a.quoted, d.kind)
		case d.values != "" && !slices.Contains(strings.Split(d.values, "|"), a.value):
			c.rec.Add("HP113", p, "%s is %s, and should be %s",
				a.name, a.value, strings.ReplaceAll(d.values, "|", " or "))
		}
	}
	for _, d := range defs {
		if d.required && !it.attrs.has(d.name) {
			c.rec.Add("HP114", p, "%s has no %s", it.tag, d.name)
		}
	}
}

// kind tells master from media playlists, and reads what both have.
func (c *checker) kind() {
	counts := make(map[scope]int)
	first := make(map[scope]item)
	for _, it := range c.p.items {
		def, known := tagDefs[it.tag]
		if !known {
			continue
		}
		if counts[def.scope]++; counts[def.scope] == 1 {
			first[def.scope] = it
		}
		switch it.tag {
		case "EXT-X-VERSION":
			c.p.version, _ = integer(it.value)
			if c.p.version == 0 {
				c.rec.Add("HP105", c.place(it.line), "the version is %q", it.value)
			}
		case "EXT-X-INDEPENDENT-SEGMENTS":
			c.p.independent = true
		case "EXT-X-START":
			c.p.start = it.attrs
		}
	}
	c.p.isMaster = counts[scopeMaster] > 0
	if counts[scopeMaster] > 0 && counts[scopeMedia] > 0 {
		a, b := first[scopeMaster], first[scopeMedia]
		c.rec.Add("HP108", c.place(max(a.line, b.line)), "there is %s in line %d and %s in line %d",
			a.tag, a.line, b.tag, b.line)
		c.p.isMaster = counts[scopeMaster] >= counts[scopeMedia]
	}
}

var variablePattern = regexp.MustCompile(`\{\$([A-Za-z0-9_-]+)\}`)

// substitute puts the variables into URIs, quoted strings and hexadecimal sequences, and checks the URIs of lines.
// See draft-pantos-hls-rfc8216bis section 4.3.
func (c *checker) substitute() {
	for i := range c.p.items {
		it := &c.p.items[i]
		switch {
		case it.tag == "EXT-X-DEFINE":
			c.define(it)
		case it.tag == "":
			it.value = c.expand(it.value, it.line)
			c.uri(it.value, it.line)
		default:
			for j := range it.attrs {
				a := &it.attrs[j]
				if a.quoted || strings.HasPrefix(a.value, "0x") {
					a.value = c.expand(a.value, it.line)
				}
				if a.quoted && (a.name == "URI" || a.name == "SERVER-URI") {
					c.uri(a.value, it.line)
				}
			}
		}
	}
}

func (c *checker) uri(s string, line int) {
	switch u, err := url.Parse(s); {
	case err != nil:
		c.rec.Add("HP121", c.place(line), "%v", err)
	case s == "" || u.Fragment != "" && u.Path == "":
		c.rec.Add("HP121", c.place(line), "the URI is %q", s)
	case strings.ContainsAny(s, " \"<>\\^`{|}"):
		c.rec.Add("HP121", c.place(line), "%q has characters that a URI writes with a percent sign", s)
	}
}

// expand replaces references to variables.
func (c *checker) expand(s string, line int) string {
	if !strings.Contains(s, "{$") {
		return s
	}
	c.need(8, line, "variables are used")
	if c.expanded > MaxPlaylistSize {
		c.rec.Add("HP100", c.place(line), "with its variables put in, the playlist has more than %d bytes",
			MaxPlaylistSize)
		return "x"
	}
	grown := len(s)
	defer func() { c.expanded += grown }()
	return variablePattern.ReplaceAllStringFunc(s, func(ref string) string {
		value, ok := c.p.vars[ref[2:len(ref)-1]]
		if !ok {
			c.rec.Add("HP120", c.place(line), "the variable %s is not defined before this line", ref)
			return "x"
		}
		if grown+len(value) > maxLine {
			return "x"
		}
		grown += len(value)
		return value
	})
}

// define reads a variable.
func (c *checker) define(it *item) {
	if it.attrs == nil {
		return
	}
	p := c.place(it.line)
	name, hasName := it.attrs.lookup("NAME")
	value, hasValue := it.attrs.lookup("VALUE")
	imported, hasImport := it.attrs.lookup("IMPORT")
	query, hasQuery := it.attrs.lookup("QUERYPARAM")
	c.need(8, it.line, "there is EXT-X-DEFINE")
	known := true
	switch {
	case hasName && hasValue && !hasImport && !hasQuery:
	case hasImport && !hasName && !hasQuery:
		name = imported
		if value.value, known = c.from.imports[name.value]; c.from.imports == nil {
			known = true // a media playlist that is checked alone
		}
	case hasQuery && !hasName && !hasImport:
		c.need(11, it.line, "there is QUERYPARAM")
		name = query
		if value.value = c.from.query.Get(name.value); c.from.query != nil {
			known = c.from.query.Has(name.value)
		}
	default:
		c.rec.Add("HP120", p, "EXT-X-DEFINE has not exactly one of NAME with VALUE, IMPORT and QUERYPARAM")
		return
	}
	_, twice := c.p.vars[name.value]
	switch {
	case !known:
		c.rec.Add("HP120", p, "the variable %s is not known where it comes from", name.value)
	case twice:
		c.rec.Add("HP120", p, "the variable %s is defined twice", name.value)
	case len(c.p.vars) == maxVariables:
		c.rec.Add("HP100", p, "there are more than %d variables", maxVariables)
		return
	}
	if !utf8.ValidString(value.value) || value.value == "" {
		value.value = "x" // what follows from an unknown value is left out
	}
	c.p.vars[name.value] = value.value
}

// versions compares the version to what the features need.
func (c *checker) versions() {
	v := c.p.version
	for _, it := range c.p.items {
		switch {
		case it.tag == "EXT-X-ALLOW-CACHE" && v >= 7:
			c.rec.Add("HP116", c.place(it.line), "the version is %d, EXT-X-ALLOW-CACHE was removed in 7", v)
		case v >= 6 && it.attrs.has("PROGRAM-ID"):
			c.rec.Add("HP116", c.place(it.line), "the version is %d, PROGRAM-ID was removed in 6", v)
		}
	}
	if c.needed > v && v > 0 {
		c.rec.Add("HP106", c.place(c.at), "the version is %d, and %d is needed: %s", v, c.needed, c.reason)
	}
	if limit := max(c.needed, c.allowed, 4); v > limit {
		c.rec.Add("HP107", c.place(0), "the version is %d, and %d is enough", v, max(c.needed, 1))
	}
}
