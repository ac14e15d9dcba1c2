package ttml

import (
	"encoding/xml"
	"strings"
)

// run is text of one scope, with line breaks as \n. Other white space is single spaces unless it is preserved.
type run struct {
	text     string
	interval // on the timeline of the document
	style    *style
	preserve bool
}

// contentReader reads the content of a p element in both views: as pieces of markup and as runs of text.
type contentReader struct {
	p      *parser
	cue    interval
	pieces []Piece
	start  int64    // of the markup that is not in pieces yet
	scopes []*scope // of the open elements, p first
	runs   []run
	last   *scope // of the last run
	hidden int    // how many of the open elements hold no text for viewers, or lie in such
	text   strings.Builder
}

// read reads up to the end of p. Elements with times are split, so that the times can be written anew.
func (c *contentReader) read() error {
	for depth := len(c.p.names); ; {
		before := c.p.dec.InputOffset()
		tok, err := c.p.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.CharData:
			c.characters(string(t))
		case xml.EndElement:
			if len(c.p.names) < depth {
				c.pieces = append(c.pieces, Piece{XML: string(c.p.data[c.start:before])})
				c.flush()
				return nil
			}
			c.scopes = c.scopes[:len(c.scopes)-1]
			c.hidden = max(c.hidden-1, 0)
		case xml.StartElement:
			if err := c.element(t, before); err != nil {
				return err
			}
		}
	}
}

// element reads a start tag, which begins at that offset.
func (c *contentReader) element(t xml.StartElement, before int64) error {
	parent := c.scopes[len(c.scopes)-1]
	next := parent.next
	in, attrs, err := c.p.enter(t.Attr, parent)
	if err != nil {
		return err
	}
	c.scopes = append(c.scopes, in)
	if t.Name.Local != "span" {
		parent.next = next // lasts no time in a sequence
	}
	switch {
	case c.hidden > 0 || t.Name.Local != "span" && t.Name.Local != "br":
		c.hidden++
	case t.Name.Local == "br":
		c.append("\n", parent)
		c.hidden++
	}
	if len(attrs) == len(t.Attr) && !parent.sequence {
		return nil
	}
	base := parent.begin - c.cue.begin
	tag := "<" + qualified(t.Name) + attributes(attrs)
	c.pieces = append(c.pieces, Piece{XML: string(c.p.data[c.start:before]) + tag + ` begin="`},
		Piece{Time: in.begin - c.cue.begin, Base: base, IsTime: true})
	if in.end < Forever {
		c.pieces = append(c.pieces, Piece{XML: `" end="`}, Piece{Time: in.end - c.cue.begin, Base: base, IsTime: true})
	}
	c.start = c.p.dec.InputOffset()
	if c.start >= 2 && c.p.data[c.start-2] == '/' { // an empty element, for which the decoder makes an end of its own
		c.pieces = append(c.pieces, Piece{XML: `"/>`})
	} else {
		c.pieces = append(c.pieces, Piece{XML: `">`})
	}
	return nil
}

// characters adds text.
func (c *contentReader) characters(s string) {
	in := c.scopes[len(c.scopes)-1]
	switch {
	case c.hidden > 0:
	case in.preserve:
		c.append(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), in)
	default:
		c.append(collapse(s), in)
	}
}

// append adds prepared text to the run of a scope. In a sequence, text lasts no time. See TTML1 10.4.
func (c *contentReader) append(s string, in *scope) {
	if s == "" || in.sequence {
		return
	}
	if c.last != in {
		c.flush()
		c.last = in
		c.runs = append(c.runs, run{interval: in.interval, style: in.style, preserve: in.preserve})
	}
	c.text.WriteString(s)
}

// flush completes the last run.
func (c *contentReader) flush() {
	if c.last != nil {
		c.runs[len(c.runs)-1].text = c.text.String()
		c.text.Reset()
		c.last = nil
	}
}

// collapse makes each stretch of white space one space. See TTML1 7.2.3 and 8.2.
func collapse(s string) string {
	var b strings.Builder
	space := false
	for i := range len(s) {
		switch s[i] {
		case ' ', '\t', '\n', '\r':
			if !space {
				b.WriteByte(' ')
			}
			space = true
		default:
			b.WriteByte(s[i])
			space = false
		}
	}
	return b.String()
}
