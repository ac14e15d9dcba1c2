package playlist

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// asxToken is a tag or a text of a metafile.
type asxToken struct {
	kind  asxKind
	name  string // of a tag, in upper case
	attrs []asxAttr
	text  string
	at    xmltree.Position
	empty bool // a start tag that ends with />
}

type asxKind int

const (
	asxEnd asxKind = iota // of the document
	asxStart
	asxClose
	asxText
)

// asxAttr is an attribute, its name in upper case.
type asxAttr struct{ name, value string }

// get returns the first attribute of a name in upper case.
func (t *asxToken) get(name string) (string, bool) {
	for _, a := range t.attrs {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

// asxScanner finds tags in what was meant to be a metafile. Names are taken in any case, values with quotes or without,
// references that are none as they are, and a tag that is not ended is ended by the next. It goes forward only: the
// time is that of the size of the document.
type asxScanner struct {
	s    string
	i    int
	pos  xmltree.Position // of s[seen]
	seen int
	warn *warnings
	err  error // the first value above the limit
}

func newASXScanner(s string, warn *warnings) *asxScanner {
	return &asxScanner{s: s, pos: xmltree.Position{Line: 1, Column: 1}, warn: warn}
}

// at returns the position of the next byte.
func (c *asxScanner) at() xmltree.Position {
	c.pos = c.pos.After(c.s[c.seen:c.i])
	c.seen = c.i
	return c.pos
}

// until goes behind the next end, or to the end of the document, and returns what is before it.
func (c *asxScanner) until(end string) string {
	rest := c.s[c.i:]
	if n := strings.Index(rest, end); n >= 0 {
		c.i += n + len(end)
		return rest[:n]
	}
	c.i = len(c.s)
	return rest
}

// next returns the next token.
func (c *asxScanner) next() asxToken {
	for c.i < len(c.s) && c.err == nil {
		at, rest := c.at(), c.s[c.i:]
		switch {
		case rest[0] != '<':
			return c.textToken(at)
		case strings.HasPrefix(rest, "<!--"):
			c.i += 4
			c.until("-->")
		case strings.HasPrefix(rest, "<![CDATA["):
			c.i += 9
			return c.limited(asxToken{kind: asxText, text: c.until("]]>"), at: at})
		case strings.HasPrefix(rest, "<!"), strings.HasPrefix(rest, "<?"):
			c.until(">")
		case len(rest) > 2 && rest[1] == '/' && isTagLetter(rest[2]):
			return c.endTag(at)
		case len(rest) > 1 && isTagLetter(rest[1]):
			return c.startTag(at)
		default:
			return c.textToken(at)
		}
	}
	return asxToken{kind: asxEnd, at: c.at()}
}

// limited refuses what is too long.
func (c *asxScanner) limited(t asxToken) asxToken {
	if n := len(t.text); n > MaxValue && len(strings.TrimSpace(t.text)) > MaxValue {
		c.err = &SyntaxError{t.at.Line, t.at.Column, fmt.Sprintf("text of %d bytes, limit %d", n, MaxValue), ErrTooLarge}
	}
	return t
}

func isTagLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// textToken returns what is before the next tag. The first byte is text even if it is <.
func (c *asxScanner) textToken(at xmltree.Position) asxToken {
	from := c.i
	for c.i++; c.i < len(c.s); c.i++ {
		n := strings.IndexByte(c.s[c.i:], '<')
		if n < 0 {
			c.i = len(c.s)
			break
		}
		if c.i += n; c.i+1 < len(c.s) && (isTagLetter(c.s[c.i+1]) || strings.IndexByte("/!?", c.s[c.i+1]) >= 0) {
			break
		}
	}
	return c.limited(asxToken{kind: asxText, text: unescape(c.s[from:c.i]), at: at})
}

func (c *asxScanner) endTag(at xmltree.Position) asxToken {
	c.i += 2
	name := c.tagName()
	n := strings.IndexAny(c.s[c.i:], "<>")
	switch {
	case n < 0:
		c.i = len(c.s)
	case c.s[c.i+n] == '>':
		c.i += n + 1
	default:
		c.i += n
	}
	return asxToken{kind: asxClose, name: name, at: at}
}

func (c *asxScanner) tagName() string {
	from := c.i
	for c.i < len(c.s) && strings.IndexByte(" \t\r\n/><=\"'", c.s[c.i]) < 0 {
		c.i++
	}
	return strings.ToUpper(c.s[from:c.i])
}

func (c *asxScanner) skipSpace() {
	for c.i < len(c.s) && strings.IndexByte(" \t\r\n", c.s[c.i]) >= 0 {
		c.i++
	}
}

func (c *asxScanner) startTag(at xmltree.Position) asxToken {
	c.i++
	t := asxToken{kind: asxStart, name: c.tagName(), at: at}
	for c.err == nil {
		c.skipSpace()
		switch {
		case c.i == len(c.s), c.s[c.i] == '<':
			c.warn.add(at, "the tag of %s has no end", xmltree.Shorten(t.name))
			return t
		case c.s[c.i] == '>':
			c.i++
			return t
		case strings.HasPrefix(c.s[c.i:], "/>"):
			c.i += 2
			t.empty = true
			return t
		}
		c.attribute(&t)
	}
	return t
}

// attribute reads one, or goes over a byte that cannot begin one.
func (c *asxScanner) attribute(t *asxToken) {
	name := c.tagName()
	if name == "" {
		c.i++
		return
	}
	c.skipSpace()
	value := ""
	if c.i < len(c.s) && c.s[c.i] == '=' {
		c.i++
		c.skipSpace()
		value = unescape(c.value(t))
	}
	switch {
	case len(value) > MaxValue:
		c.err = &SyntaxError{t.at.Line, t.at.Column, fmt.Sprintf("%s: attribute %s of %d bytes, limit %d",
			xmltree.Shorten(t.name), xmltree.Shorten(name), len(value), MaxValue), ErrTooLarge}
	case len(t.attrs) == maxAttributes:
		c.err = &SyntaxError{t.at.Line, t.at.Column, fmt.Sprintf("%s: more than %d attributes",
			xmltree.Shorten(t.name), maxAttributes), ErrTooLarge}
	}
	if _, twice := t.get(name); twice {
		c.warn.add(t.at, "%s: attribute %s is repeated, the first one counts", xmltree.Shorten(t.name), xmltree.Shorten(name))
		return
	}
	t.attrs = append(t.attrs, asxAttr{name, value})
}

// value reads the value of an attribute. A quote that is not closed before the tag seems to end is ended there.
func (c *asxScanner) value(t *asxToken) string {
	rest := c.s[c.i:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		n := strings.IndexAny(rest, " \t\r\n><")
		if n < 0 {
			n = len(rest)
		}
		if strings.HasPrefix(rest[n:], ">") && strings.HasSuffix(rest[:n], "/") {
			n--
		}
		c.i += n
		return rest[:n]
	}
	window := rest[1:min(len(rest), MaxValue+2)]
	end := strings.IndexByte(window, rest[0])
	value := window
	if end >= 0 {
		value = window[:end]
	}
	tagEnd := strings.IndexByte(value, '>')
	open := strings.IndexByte(value, '<')
	if end >= 0 && (tagEnd < 0 || open < tagEnd) {
		c.i += end + 2
		return value
	}
	if tagEnd < 0 {
		tagEnd = len(value)
	}
	c.warn.add(t.at, "%s: a quote is not closed", xmltree.Shorten(t.name))
	c.i += 1 + tagEnd
	value = value[:tagEnd]
	if strings.HasSuffix(value, "/") {
		c.i--
		value = value[:len(value)-1]
	}
	return strings.TrimRight(value, " \t\r\n")
}

// unescape resolves references to characters and the five entities of XML. Others stay as they are, as in URLs whose
// ampersands nobody escaped.
func unescape(s string) string {
	amp := strings.IndexByte(s, '&')
	if amp < 0 {
		return s
	}
	var b strings.Builder
	for amp >= 0 {
		b.WriteString(s[:amp])
		s = s[amp:]
		end := strings.IndexByte(s[:min(len(s), 12)], ';')
		if end > 0 && isReference(s[1:end]) {
			b.WriteRune(referenced(s[1:end]))
			s = s[end+1:]
		} else {
			b.WriteByte('&')
			s = s[1:]
		}
		amp = strings.IndexByte(s, '&')
	}
	b.WriteString(s)
	return b.String()
}

// referenced returns the character of what isReference accepts.
func referenced(name string) rune {
	switch name {
	case "amp":
		return '&'
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	digits, base := name[1:], 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, _ := strconv.ParseUint(digits, base, 21)
	return rune(n)
}

// markupDuration returns the value of the first DURATION that is not in another element.
func markupDuration(markup string) (value string, found bool) {
	c := newASXScanner(markup, new(warnings))
	for depth := 0; ; {
		switch t := c.next(); t.kind {
		case asxEnd:
			return "", false
		case asxStart:
			if depth == 0 && t.name == "DURATION" {
				return t.get("VALUE")
			}
			if !t.empty {
				depth++
			}
		case asxClose:
			depth--
		}
	}
}
