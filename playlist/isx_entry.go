package playlist

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// The names of metas and params.
const (
	nameTitle          = "title"
	nameDescription    = "description"
	nameExtraParam     = "extraParam"
	nameInactivity     = "inactivityTimeout"
	nameTimeToLive     = "timeToLive"
	nameSrcType        = "srcType"
	nameCanSeek        = "canSeek"
	nameCanSkipForward = "canSkipForward"
	nameCanSkipBack    = "canSkipBack"
	nameRole           = "role"
)

// meta reads a child of the head.
func (p *isxParser) meta(el *xmltree.Element) error {
	if el.Local() != "meta" {
		p.warn.add(el.At, "element %s in head is ignored", xmltree.Shorten(el.Name))
		return p.Skip(el)
	}
	name, content, ok := p.pair(el, "content")
	if !ok {
		return p.Skip(el)
	}
	if p.metas == nil {
		p.metas = make(map[string]xmltree.Position)
	}
	p.repeated(p.metas, "meta", name)
	if err := p.setMeta(name, content); err != nil {
		return err
	}
	return p.Skip(el)
}

func (p *isxParser) setMeta(name, content xmltree.Attr) error {
	switch {
	case name.Value == nameTitle:
		p.list.Title = content.Value
	case name.Value == nameDescription:
		p.list.Description = content.Value
	case name.Value == nameExtraParam:
		p.list.ExtraParam = content.Value
		p.checkMarkup(content)
	case strings.EqualFold(name.Value, nameInactivity):
		return p.minutes(&p.list.InactivityTimeout, nameInactivity, content)
	case strings.EqualFold(name.Value, nameTimeToLive):
		return p.minutes(&p.list.TimeToLive, nameTimeToLive, content)
	default:
		p.unknownName("meta", name, nameTitle, nameDescription, nameExtraParam)
	}
	return nil
}

// pair returns the attributes of an element that names a value.
func (p *isxParser) pair(el *xmltree.Element, key string) (name, value xmltree.Attr, ok bool) {
	p.attributes(el, "name", key, "valuetype")
	name, ok = el.Get("name")
	if !ok {
		p.warn.add(el.At, "%s without name is ignored", xmltree.Shorten(el.Name))
		return name, value, false
	}
	value, ok = el.Get(key)
	if !ok {
		p.warn.add(el.At, "%s %s without %s is ignored", xmltree.Shorten(el.Name), xmltree.Shorten(name.Value), key)
	}
	return name, value, ok
}

// repeated warns of a name that was there before.
func (p *isxParser) repeated(seen map[string]xmltree.Position, kind string, name xmltree.Attr) {
	if len(seen) > 2*maxAttributes { // of names that are not known
		return
	}
	if at, twice := seen[name.Value]; twice {
		p.warn.add(name.At, "%s %s is there on %v already, the last one counts", kind, xmltree.Shorten(name.Value), at)
	}
	seen[name.Value] = name.At
}

// unknownName warns of a name that is none of the known ones.
func (p *isxParser) unknownName(kind string, name xmltree.Attr, known ...string) {
	for _, k := range known {
		if strings.EqualFold(strings.TrimSpace(name.Value), k) {
			p.warn.add(name.At, "%s %q has no effect, %s is meant", kind, xmltree.Shorten(name.Value), k)
			return
		}
	}
	p.warn.add(name.At, "%s %q is not known", kind, xmltree.Shorten(name.Value))
}

func (p *isxParser) minutes(to *time.Duration, name string, value xmltree.Attr) error {
	n, err := strconv.ParseUint(strings.TrimSpace(value.Value), 10, 32)
	if err != nil || n < 1 || n > maxMinutes {
		return p.fail(value.At, ErrSyntax,
			fmt.Sprintf("%s %q is not a number of minutes from 1 to %d", name, xmltree.Shorten(value.Value), maxMinutes))
	}
	*to = time.Duration(n) * time.Minute
	return nil
}

// checkMarkup tells whether extraParam can be in a document.
func (p *isxParser) checkMarkup(value xmltree.Attr) bool {
	at, reason := checkMarkup(value.Value)
	if reason != "" {
		p.warn.add(value.At, "extraParam is left out of ASX: byte %d: %s", at, reason)
	}
	return reason == ""
}

// entry reads an element that is one.
func (p *isxParser) entry(el *xmltree.Element) error {
	p.attributes(el, "src")
	if err := p.Tree(el); err != nil {
		return err
	}
	e := Entry{SrcType: RelativeURI}
	seen := make(map[string]xmltree.Position, len(el.Children))
	for _, child := range el.Children {
		if child.Local() != "param" {
			p.warn.add(child.At, "element %s in an entry is ignored", xmltree.Shorten(child.Name))
			continue
		}
		name, value, ok := p.pair(child, "value")
		if !ok {
			continue
		}
		p.repeated(seen, "param", name)
		if err := p.param(&e, name, value); err != nil {
			return err
		}
	}
	src, _ := el.Get("src")
	if e.Src = strings.Trim(src.Value, " \t\r\n"); e.Src == "" {
		p.warn.add(el.At, "%s without src is left out", xmltree.Shorten(el.Name))
		return nil
	}
	if scheme := asxScheme(e.Src); e.SrcType == RelativeURI && (scheme == "http" || scheme == "https") {
		p.warn.add(src.At, "src %q is a URL, but its srcType is relativeURI", xmltree.Shorten(e.Src))
	}
	if len(p.list.Entries) == MaxEntries {
		return p.fail(el.At, ErrTooLarge, fmt.Sprintf("more than %d entries", MaxEntries))
	}
	p.list.Entries = append(p.list.Entries, e)
	return nil
}

func (p *isxParser) param(e *Entry, name, value xmltree.Attr) error {
	switch name.Value {
	case nameSrcType:
		return p.srcType(e, value)
	case nameCanSeek:
		return p.rule(&e.NoSeek, nameCanSeek, value)
	case nameCanSkipForward:
		return p.rule(&e.NoSkipForward, nameCanSkipForward, value)
	case nameCanSkipBack:
		return p.rule(&e.NoSkipBack, nameCanSkipBack, value)
	case nameTitle:
		e.Title = value.Value
	case nameExtraParam:
		p.extraParam(e, value)
	case nameRole:
		e.Role = value.Value
	default:
		p.unknownName("param", name, nameSrcType, nameCanSeek, nameCanSkipForward, nameCanSkipBack, nameTitle, nameExtraParam, nameRole)
	}
	return nil
}

func (p *isxParser) srcType(e *Entry, value xmltree.Attr) error {
	word := strings.TrimSpace(value.Value)
	for t := PhysicalPath; t <= RemoteURL; t++ {
		if strings.EqualFold(word, t.String()) {
			e.SrcType = t
			return nil
		}
	}
	return p.fail(value.At, ErrSyntax,
		fmt.Sprintf("srcType %q is none of relativeURI, physicalPath, remoteURL", xmltree.Shorten(value.Value)))
}

// rule reads what the viewer can do, the opposite of a rule.
func (p *isxParser) rule(not *bool, name string, value xmltree.Attr) error {
	switch word := strings.TrimSpace(value.Value); {
	case strings.EqualFold(word, "true"):
		*not = false
	case strings.EqualFold(word, "false"):
		*not = true
	default:
		return p.fail(value.At, ErrSyntax, fmt.Sprintf("%s %q is neither True nor False", name, xmltree.Shorten(value.Value)))
	}
	return nil
}

func (p *isxParser) extraParam(e *Entry, value xmltree.Attr) {
	e.ExtraParam, e.Duration = value.Value, 0
	if !p.checkMarkup(value) {
		return
	}
	clock, found := markupDuration(value.Value)
	if !found {
		return
	}
	d, ok := parseClock(clock)
	if !ok {
		p.warn.add(value.At, "DURATION %q is not a time like 00:01:30.5", xmltree.Shorten(clock))
	}
	e.Duration = d
}
