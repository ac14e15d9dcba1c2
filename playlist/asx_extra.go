package playlist

import (
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// asxExtra writes elements that ExtraParam may have, each kind once.
type asxExtra struct {
	im       *asxImporter
	base     string
	b        []byte
	seen     map[string]bool
	duration time.Duration
}

// add writes an element if there is room and it makes sense.
func (x *asxExtra) add(n *asxNode) {
	if x.seen[n.name] {
		x.im.leftOut(n, "there is one before")
		return
	}
	written := x.element(nil, n)
	if written == nil {
		return
	}
	if len(x.b)+len(written) > MaxValue {
		x.im.leftOut(n, "there is too much in the entry")
		return
	}
	if x.seen == nil {
		x.seen = make(map[string]bool)
	}
	x.seen[n.name] = true
	x.b = append(x.b, written...)
}

// element appends an element, or returns nil and warns.
func (x *asxExtra) element(dst []byte, n *asxNode) []byte {
	switch n.name {
	case "AUTHOR", "COPYRIGHT", "ABSTRACT":
		return x.text(dst, n)
	case "DURATION", "STARTTIME":
		return x.clock(dst, n)
	case "BANNER":
		return x.banner(dst, n)
	}
	return x.link(dst, n)
}

func (x *asxExtra) text(dst []byte, n *asxNode) []byte {
	x.im.attributes(n)
	text := n.text()
	if text == "" {
		x.im.leftOut(n, "it is empty")
		return nil
	}
	dst = append(append(append(dst, '<'), n.name...), '>')
	dst = appendEscaped(dst, text, "&apos;")
	return append(append(append(dst, "</"...), n.name...), '>')
}

// clock appends an element with a time. A DURATION of zero means nothing.
func (x *asxExtra) clock(dst []byte, n *asxNode) []byte {
	x.im.attributes(n, "VALUE")
	value, _ := n.get("VALUE")
	d, ok := parseClock(value)
	if !ok {
		x.im.leftOut(n, "its VALUE is not a time like 00:01:30.5")
		return nil
	}
	if n.name == "DURATION" {
		x.duration = d
	}
	return x.attribute(dst, n, "VALUE", strings.TrimSpace(value), " />")
}

// href returns the place that an element refers to.
func (x *asxExtra) href(n *asxNode) (string, bool) {
	x.im.attributes(n, "HREF")
	href, _ := n.get("HREF")
	if href = strings.TrimSpace(href); href == "" {
		x.im.leftOut(n, "it has no HREF")
		return "", false
	}
	switch scheme := asxScheme(href); scheme {
	case "", "http", "https", "mailto", "ftp":
		return resolveASX(x.base, href), true
	default:
		x.im.leftOut(n, "scheme "+xmltree.Shorten(scheme)+" is not for links")
		return "", false
	}
}

func (x *asxExtra) link(dst []byte, n *asxNode) []byte {
	href, ok := x.href(n)
	if !ok {
		return nil
	}
	return x.attribute(dst, n, "HREF", href, " />")
}

// banner appends a BANNER with what may be in it.
func (x *asxExtra) banner(dst []byte, n *asxNode) []byte {
	href, ok := x.href(n)
	if !ok {
		return nil
	}
	dst = x.attribute(dst, n, "HREF", href, ">")
	seen := make(map[string]bool)
	for _, c := range n.children {
		switch {
		case c.name != "ABSTRACT" && c.name != "MOREINFO", seen[c.name]:
			x.im.leftOut(c, "it is in BANNER")
		default:
			seen[c.name] = true
			dst = append(dst, x.element(nil, c)...)
		}
	}
	return append(dst, "</BANNER>"...)
}

// attribute appends a tag with one attribute.
func (x *asxExtra) attribute(dst []byte, n *asxNode, name, value, end string) []byte {
	dst = append(append(append(dst, '<'), n.name...), ' ')
	dst = append(append(dst, name...), `="`...)
	dst = appendEscaped(dst, value, "&apos;")
	return append(append(dst, '"'), end...)
}
