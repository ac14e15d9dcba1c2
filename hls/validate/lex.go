package validate

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// item is a line that is neither blank nor a comment: a tag, or a URI.
type item struct {
	line     int
	tag      string // such as "EXT-X-KEY"; empty for a URI
	value    string // after the colon, or the URI
	hasValue bool
	attrs    attrList // of a tag whose value is an attribute list
}

// attr is one attribute of a list. The value of a quoted string is without its quotes.
type attr struct {
	name, value string
	quoted      bool
}

// attrList is in the order of the playlist.
type attrList []attr

// lookup returns the first attribute of that name.
func (l attrList) lookup(name string) (attr, bool) {
	for _, a := range l {
		if a.name == name {
			return a, true
		}
	}
	return attr{}, false
}

// get returns the value of an attribute, or "".
func (l attrList) get(name string) string {
	a, _ := l.lookup(name)
	return a.value
}

func (l attrList) has(name string) bool {
	_, ok := l.lookup(name)
	return ok
}

// byteOrderMark is that of UTF-8.
var byteOrderMark = []byte("\xEF\xBB\xBF")

// lexer cuts a playlist into items. It is tolerant: a fault is reported, and the rest is read.
type lexer struct {
	rec  *recorder
	name string
}

func (x *lexer) at(line int) Place { return Place{Document: x.name, Line: line} }

// items returns the lines that count, without the first. It reports false if data is no playlist at all.
func (x *lexer) items(data []byte) ([]item, bool) {
	if len(data) > MaxPlaylistSize || bytes.Count(data, []byte("\n")) >= maxLines {
		x.rec.Add("HP100", x.at(0), "there are %d bytes in %d lines", len(data), bytes.Count(data, []byte("\n"))+1)
		return nil, false
	}
	if bytes.HasPrefix(data, byteOrderMark) {
		x.rec.Add("HP102", x.at(1), "there is a byte order mark")
		data = data[len(byteOrderMark):]
	}
	first, _, _ := bytes.Cut(data, []byte("\n"))
	if strings.TrimRight(string(first[:min(len(first), 100)]), " \t\r") != "#EXTM3U" {
		x.rec.Add("HP101", x.at(1), "the first line is %q: %s",
			clip(string(first[:min(len(first), 60)])), contentHint(data))
		return nil, false
	}
	var out []item
	for i, text := range strings.Split(string(data), "\n") {
		if it, ok := x.item(i+1, strings.TrimSuffix(text, "\r")); ok && i > 0 {
			out = append(out, it)
		}
	}
	return out, true
}

// item reads one line without its end.
//
//	#EXT<name>[:<value>] | #<comment> | <URI> | nothing
func (x *lexer) item(n int, text string) (item, bool) {
	if len(text) > maxLine {
		x.rec.Add("HP100", x.at(n), "the line has %d bytes", len(text))
		text = strings.ToValidUTF8(text[:maxLine], "")
	}
	if !utf8.ValidString(text) {
		x.rec.Add("HP102", x.at(n), "the line is no UTF-8")
	}
	if i := strings.IndexFunc(text, isControl); i >= 0 {
		x.rec.Add("HP103", x.at(n), "there is a character %q", text[i:i+1])
	}
	trimmed := strings.Trim(text, " \t\r")
	if trimmed != text && (trimmed == "" || trimmed[0] != '#' || strings.HasPrefix(trimmed, "#EXT")) {
		x.rec.Add("HP104", x.at(n), "the line %q has blanks around it", clip(text[:min(len(text), 100)]))
	}
	switch {
	case trimmed == "":
		return item{}, false
	case trimmed[0] != '#':
		return item{line: n, value: trimmed}, true
	case !strings.HasPrefix(trimmed, "#EXT"):
		return item{}, false
	}
	name, value, has := strings.Cut(trimmed[1:], ":")
	return item{line: n, tag: name, value: value, hasValue: has}, true
}

// isControl reports the characters that no playlist may hold. Tabs are left to the rule about blanks.
func isControl(r rune) bool { return r < 0x20 && r != '\t' || r >= 0x7F && r <= 0x9F }

// contentHint says what data may be instead of a playlist.
func contentHint(data []byte) string {
	head := bytes.ToLower(bytes.TrimLeft(data[:min(len(data), 512)], " \t\r\n"))
	is := func(part string) bool { return bytes.Contains(head, []byte(part)) }
	switch {
	case len(data) == 0:
		return "the document is empty"
	case is("<smoothstreamingmedia"):
		return "that is a Smooth Streaming manifest; ask for manifest(format=m3u8-aapl)"
	case is("<mpd"):
		return "that is a DASH manifest"
	case is("<!doctype html"), is("<html"):
		return "that is an HTML page"
	case is("#ext"):
		return "tags stand before #EXTM3U, or it is misspelled"
	case len(data) >= 8 && bytes.Contains([]byte("ftyp moov moof styp sidx"), data[4:8]):
		return "that is an MP4 file"
	case data[0] == syncByte:
		return "that is a transport stream"
	}
	return "that is no playlist"
}

// parseAttrs reads an attribute list. It returns what stands before a fault, and the fault or "".
//
//	NAME=value[,NAME=value]...    value: "quoted" | anything without comma, quote and blank
//
// See RFC 8216 section 4.2.
func parseAttrs(s string) (attrList, string) {
	var out attrList
	for {
		name, rest, ok := strings.Cut(s, "=")
		switch {
		case !ok || !isAttrName(name):
			return out, fmt.Sprintf("%q is no attribute name with a value", clip(name[:min(len(name), 40)]))
		case len(out) == maxAttrs:
			return out, fmt.Sprintf("there are more than %d attributes", maxAttrs)
		}
		a := attr{name: name}
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return out, fmt.Sprintf("the quoted string of %s does not end", name)
			}
			a.value, a.quoted, rest = rest[1:1+end], true, rest[2+end:]
		} else {
			end := strings.IndexByte(rest, ',')
			if end < 0 {
				end = len(rest)
			}
			a.value, rest = rest[:end], rest[end:]
			if a.value == "" || strings.ContainsAny(a.value, "\" \t") {
				return out, fmt.Sprintf("the value %q of %s is empty, or has a quote or a blank", a.value, name)
			}
		}
		out = append(out, a)
		if rest == "" {
			return out, ""
		}
		if rest[0] != ',' {
			return out, fmt.Sprintf("after the value of %s there is no comma", name)
		}
		s = rest[1:]
	}
}

func isAttrName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return s != ""
}
