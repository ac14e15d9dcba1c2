package playlist

import (
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// entry reads an ENTRY.
func (im *asxImporter) entry(n *asxNode) {
	im.attributes(n, "CLIENTSKIP")
	e := im.rules
	if skip, ok := n.get("CLIENTSKIP"); ok {
		all := false
		im.rule(n, "CLIENTSKIP", &all, skip)
		if all {
			e.NoSeek, e.NoSkipForward, e.NoSkipBack = true, true, true
		}
	}
	im.params(n, &e)
	im.titleOf(n, &e.Title)
	base := im.baseOf(n, im.base)
	ref := im.refOf(n, &e, base)
	if ref == nil {
		im.leftOut(n, "it has no REF with a place")
		return
	}
	extra := &asxExtra{im: im, base: base}
	im.timesOf(extra, ref, n)
	for _, c := range n.children {
		switch c.name {
		case "AUTHOR", "COPYRIGHT", "ABSTRACT", "MOREINFO", "BANNER", "LOGURL":
			extra.add(c)
		case "REF", "TITLE", "BASE", "PARAM", "DURATION", "STARTTIME": // read above
		default:
			im.leftOut(c, "it is in ENTRY")
		}
	}
	e.ExtraParam, e.Duration = string(extra.b), extra.duration
	im.add(n, e)
}

// refOf sets the source of an entry to the first REF that has one.
func (im *asxImporter) refOf(n *asxNode, e *Entry, base string) (found *asxNode) {
	for _, c := range n.children {
		if c.name != "REF" {
			continue
		}
		im.attributes(c, "HREF")
		href, _ := c.get("HREF")
		if found != nil {
			im.leftOut(c, "another source of the same, "+strconv.Quote(xmltree.Shorten(href)))
			continue
		}
		if im.source(c, e, base) {
			found = c
		}
	}
	return found
}

// source sets that of an entry from the HREF of an element.
func (im *asxImporter) source(n *asxNode, e *Entry, base string) bool {
	href, _ := n.get("HREF")
	if href = strings.TrimSpace(href); href == "" {
		im.leftOut(n, "it has no HREF")
		return false
	}
	src, kind, problem := asxSource(resolveASX(base, href))
	switch {
	case problem != "":
		im.leftOut(n, problem)
		return false
	case len(src) > MaxValue || invalidXML(src) >= 0:
		im.leftOut(n, "its HREF cannot be written")
		return false
	case kind == PhysicalPath:
		im.warn.add(n.at, "%q is a path of the server, which must be allowed", xmltree.Shorten(src))
	case isStreaming(src):
		im.warn.add(n.at, "%q is of a protocol that today's players do not have", xmltree.Shorten(src))
	}
	e.Src, e.SrcType = src, kind
	return true
}

// timesOf writes DURATION and STARTTIME of a REF, or else those of its ENTRY.
func (im *asxImporter) timesOf(extra *asxExtra, ref, entry *asxNode) {
	for _, name := range []string{"DURATION", "STARTTIME"} {
		if c := ref.child(name); c != nil {
			extra.add(c)
			if outer := entry.child(name); outer != nil {
				im.leftOut(outer, "REF has one")
			}
			continue
		}
		for _, c := range entry.children {
			if c.name == name {
				extra.add(c)
			}
		}
	}
	for _, c := range ref.children {
		if c.name != "DURATION" && c.name != "STARTTIME" {
			im.leftOut(c, "it is in REF")
		}
	}
}

// entryRef reads an ENTRYREF.
func (im *asxImporter) entryRef(n *asxNode) {
	im.attributes(n, "HREF")
	for _, c := range n.children {
		im.leftOut(c, "it is in ENTRYREF")
	}
	e := im.rules
	if im.source(n, &e, im.base) {
		im.add(n, e)
	}
}
