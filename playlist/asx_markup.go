package playlist

import (
	"fmt"
	"strconv"
	"strings"
)

// CheckMarkup tells whether markup can be put into any XML document between its elements without breaking it: tags that
// are closed in order, at most [MaxDepth] of them open, quoted attributes that are not repeated, names in ASCII without
// prefixes, no references but those of XML and no declarations. The error wraps [ErrSyntax], or [ErrTooLarge] for more
// than [MaxValue] bytes. It does not look at what the elements are.
//
// It refuses some things that a document of its own might have, and nothing that it accepts is refused by an XML parser.
func CheckMarkup(markup string) error {
	at, reason := checkMarkup(markup)
	switch {
	case reason == "":
		return nil
	case len(markup) > MaxValue:
		return fmt.Errorf("playlist: markup: %d bytes, limit %d: %w", len(markup), MaxValue, ErrTooLarge)
	}
	return fmt.Errorf("playlist: markup: byte %d: %s: %w", at, reason, ErrSyntax)
}

// checkMarkup returns where the markup is wrong and why, or no reason. It does not allocate: a list is made for every
// session.
func checkMarkup(s string) (at int, reason string) {
	if len(s) > MaxValue {
		return 0, "too long"
	}
	if i := invalidXML(s); i >= 0 {
		return i, "not a character of XML"
	}
	c := markupChecker{s: s}
	for c.reason == "" && c.i < len(s) {
		switch {
		case c.s[c.i] == '<':
			c.tag()
		case c.s[c.i] == '&':
			c.reference()
		case strings.HasPrefix(c.s[c.i:], "]]>"):
			c.reason = "]]> in text"
		default:
			c.i++
		}
	}
	if c.reason == "" && c.depth > 0 {
		c.reason = "a tag is not closed"
	}
	return c.i, c.reason
}

// markupChecker is a recogniser that goes once from the beginning to the end.
type markupChecker struct {
	s      string
	i      int
	open   [MaxDepth]string
	depth  int
	reason string
}

// over goes behind a prefix, if it is there.
func (c *markupChecker) over(prefix string) bool {
	ok := strings.HasPrefix(c.s[c.i:], prefix)
	if ok {
		c.i += len(prefix)
	}
	return ok
}

func (c *markupChecker) space() bool {
	from := c.i
	for c.i < len(c.s) && strings.IndexByte(" \t\r\n", c.s[c.i]) >= 0 {
		c.i++
	}
	return c.i > from
}

// name goes over a name, which is empty if there is none.
func (c *markupChecker) name() string {
	from := c.i
	for c.i < len(c.s) && isNameByte(c.s[c.i], c.i == from) {
		c.i++
	}
	return c.s[from:c.i]
}

func isNameByte(b byte, first bool) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_':
		return true
	case b >= '0' && b <= '9', b == '-', b == '.':
		return !first
	}
	return false
}

// reference goes over a reference to a character. Those to entities are only the five of XML.
func (c *markupChecker) reference() {
	end := strings.IndexByte(c.s[c.i:min(len(c.s), c.i+12)], ';')
	if end < 0 || !isReference(c.s[c.i+1:c.i+end]) {
		c.reason = "& that begins no reference"
		return
	}
	c.i += end + 1
}

func isReference(name string) bool {
	switch name {
	case "amp", "lt", "gt", "quot", "apos":
		return true
	}
	digits, base := name, 10
	if digits = strings.TrimPrefix(name, "#"); digits == name {
		return false
	}
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' || strings.Contains(digits, "_") {
		return false
	}
	n, err := strconv.ParseUint(digits, base, 21)
	return err == nil && n > 0 && isXMLChar(rune(n))
}

// tag goes over what begins with <.
func (c *markupChecker) tag() {
	switch {
	case c.over("<!--"):
		c.comment()
	case c.over("<![CDATA["):
		end := strings.Index(c.s[c.i:], "]]>")
		if end < 0 {
			c.reason = "CDATA is not closed"
			return
		}
		c.i += end + 3
	case c.over("</"):
		c.endTag()
	case strings.HasPrefix(c.s[c.i:], "<!"), strings.HasPrefix(c.s[c.i:], "<?"):
		c.reason = "a declaration or instruction"
	default:
		c.i++
		c.startTag()
	}
}

func (c *markupChecker) comment() {
	end := strings.Index(c.s[c.i:], "--")
	if end >= 0 {
		c.i += end
	}
	if end < 0 || !c.over("-->") {
		c.reason = "a comment is not closed"
	}
}

func (c *markupChecker) endTag() {
	name := c.name()
	c.space()
	switch {
	case name == "" || !c.over(">"):
		c.reason = "< that begins no tag"
	case c.depth == 0:
		c.reason = "an end tag closes nothing"
	case c.open[c.depth-1] != name:
		c.reason = "an end tag closes another element"
	default:
		c.depth--
	}
}

func (c *markupChecker) startTag() {
	name := c.name()
	if name == "" {
		c.reason = "< that begins no tag"
		return
	}
	c.attributes()
	switch {
	case c.reason != "", c.over("/>"):
	case !c.over(">"):
		c.reason = "a tag is not ended"
	case c.depth == MaxDepth:
		c.reason = "too many nested elements"
	default:
		c.open[c.depth] = name
		c.depth++
	}
}

// attributes goes over those of a start tag.
func (c *markupChecker) attributes() {
	var names [maxAttributes]string
	for n := 0; c.space(); n++ {
		name := c.name()
		if name == "" {
			return
		}
		if n == len(names) {
			c.reason = "too many attributes"
			return
		}
		for _, other := range names[:n] {
			if other == name {
				c.reason = "an attribute is repeated"
				return
			}
		}
		names[n] = name
		if c.value(); c.reason != "" {
			return
		}
	}
}

// value goes over the equals sign and the value of an attribute.
func (c *markupChecker) value() {
	c.space()
	equals := c.over("=")
	c.space()
	quote := c.s[c.i:min(len(c.s), c.i+1)]
	if !equals || quote != `"` && quote != "'" {
		c.reason = "an attribute without a quoted value"
		return
	}
	for c.i++; c.reason == "" && c.i < len(c.s) && c.s[c.i] != quote[0]; {
		switch c.s[c.i] {
		case '<':
			c.reason = "< in an attribute"
		case '&':
			c.reference()
		default:
			c.i++
		}
	}
	if c.reason == "" && !c.over(quote) {
		c.reason = "an attribute is not closed"
	}
}
