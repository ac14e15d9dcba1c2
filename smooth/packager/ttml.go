package packager

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth is the deepest nesting of elements in a text.
const maxDepth = 64

// parseTTML reads a TTML or DFXP document. The tags of tt, body and div and everything in head are kept as they are;
// p elements become cues. Times of body and div move the cues inside, times of elements inside p are kept relative to
// it. See TTML1 10 (timing) and 6.2 (parameters).
func parseTTML(data []byte) (*document, int, error) {
	p := &ttmlParser{data: data, dec: xml.NewDecoder(bytes.NewReader(data)), clock: defaultClock(), doc: new(document)}
	p.dec.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) { return r, nil } // converted already
	if err := p.parse(); err != nil {
		line, _ := p.dec.InputPos()
		return nil, line, err
	}
	return p.doc, 0, nil
}

type ttmlParser struct {
	data  []byte
	dec   *xml.Decoder
	clock ttmlClock
	doc   *document
	names []string     // qualified names of the open elements
	open  bytes.Buffer // up to the start tag of body
	close string
	body  bool
}

// interval is when an element is active, in ticks.
type interval struct{ begin, end int64 }

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// token returns the next token and keeps track of the open elements; io.EOF at the end. RawToken keeps prefixes.
func (p *ttmlParser) token() (xml.Token, error) {
	tok, err := p.dec.RawToken()
	if err == io.EOF && len(p.names) > 0 {
		return nil, fmt.Errorf("document ends inside %s", p.names[len(p.names)-1])
	}
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case xml.StartElement:
		if len(p.names) == maxDepth {
			return nil, fmt.Errorf("elements nested deeper than %d", maxDepth)
		}
		p.names = append(p.names, qualified(t.Name))
	case xml.EndElement:
		n := len(p.names)
		if n == 0 || p.names[n-1] != qualified(t.Name) {
			return nil, fmt.Errorf("unexpected </%s>", qualified(t.Name))
		}
		p.names = p.names[:n-1]
	case xml.Directive:
		return nil, errors.New("document type declaration")
	}
	return tok, nil
}

func (p *ttmlParser) parse() error {
	p.open.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n")
	for {
		tok, err := p.token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		t, ok := tok.(xml.StartElement)
		switch {
		case !ok:
		case t.Name.Local != "tt":
			return fmt.Errorf("root element %s, want tt", qualified(t.Name))
		case p.close != "":
			return errors.New("two root elements")
		default:
			if err := p.root(t); err != nil {
				return err
			}
		}
	}
	if p.close == "" {
		return errors.New("no tt element")
	}
	p.doc.open = p.open.Bytes()
	if !p.body {
		p.doc.open = append(p.doc.open, "<body>"...)
		p.close = "</body>" + p.close
	}
	p.doc.close = []byte(p.close)
	return nil
}

// root reads the content of tt.
func (p *ttmlParser) root(t xml.StartElement) error {
	if err := p.clock.configure(t.Attr); err != nil {
		return err
	}
	for _, a := range t.Attr {
		if a.Name.Space == "xml" && a.Name.Local == "lang" {
			p.doc.lang = a.Value
		}
	}
	p.open.WriteString(startTag(t))
	p.close = "</" + qualified(t.Name) + ">\n"
	depth := len(p.names)
	for {
		before := p.dec.InputOffset()
		tok, err := p.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "head":
				err = p.verbatim(before)
			case "body":
				err = p.bodyElement(t)
			default:
				err = p.skip()
			}
			if err != nil {
				return err
			}
		case xml.EndElement:
			if len(p.names) < depth {
				return nil
			}
		}
	}
}

// skip reads up to the end of the element that was opened last.
func (p *ttmlParser) skip() error {
	for depth := len(p.names); len(p.names) >= depth; {
		if _, err := p.token(); err != nil {
			return err
		}
	}
	return nil
}

// verbatim copies the element that starts at that offset.
func (p *ttmlParser) verbatim(start int64) error {
	if p.body {
		return errors.New("head after body")
	}
	if err := p.skip(); err != nil {
		return err
	}
	p.open.WriteByte('\n')
	p.open.Write(p.data[start:p.dec.InputOffset()])
	return nil
}

func (p *ttmlParser) bodyElement(t xml.StartElement) error {
	if p.body {
		return errors.New("two body elements")
	}
	p.body = true
	span, attrs, err := p.timing(t.Attr, interval{0, forever})
	if err != nil {
		return err
	}
	t.Attr = attrs
	p.open.WriteString("\n" + startTag(t) + "\n")
	p.close = "</" + qualified(t.Name) + ">" + p.close
	return p.children(span, "", "")
}

// children reads the content of body or of a div. open and close are the tags of the divs around it.
func (p *ttmlParser) children(outer interval, open, close string) error {
	depth := len(p.names)
	here := -1 // position of this place in doc.divs, when it has cues
	for {
		tok, err := p.token()
		if err != nil {
			return err
		}
		t, ok := tok.(xml.StartElement)
		switch {
		case !ok && len(p.names) < depth:
			return nil
		case !ok:
		case t.Name.Local == "div":
			here = -1 // cues that follow stand after it
			span, attrs, err := p.timing(t.Attr, outer)
			if err != nil {
				return err
			}
			t.Attr = attrs
			if err := p.children(span, open+startTag(t)+"\n", "</"+qualified(t.Name)+">\n"+close); err != nil {
				return err
			}
		case t.Name.Local == "p":
			if here < 0 {
				here = len(p.doc.divs)
				p.doc.divs = append(p.doc.divs, div{open, close})
			}
			if err := p.cue(t, outer, here); err != nil {
				return err
			}
		default:
			if err := p.skip(); err != nil {
				return err
			}
		}
	}
}

// cue reads a p element.
func (p *ttmlParser) cue(t xml.StartElement, outer interval, div int) error {
	span, attrs, err := p.timing(t.Attr, outer)
	if err != nil {
		return err
	}
	c := cue{begin: span.begin, end: span.end, div: div, order: len(p.doc.cues), tag: qualified(t.Name), attrs: attributes(attrs)}
	if c.inner, err = p.inner(span); err != nil {
		return err
	}
	if c.end > c.begin {
		p.doc.cues = append(p.doc.cues, c)
	}
	return nil
}

// inner reads the content of p. Elements with times are split, so that the times can be written anew.
func (p *ttmlParser) inner(outer interval) ([]piece, error) {
	var pieces []piece
	spans := []interval{outer}
	start := p.dec.InputOffset()
	for depth := len(p.names); ; {
		before := p.dec.InputOffset()
		tok, err := p.token()
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.EndElement:
			if len(p.names) < depth {
				return append(pieces, piece{xml: string(p.data[start:before])}), nil
			}
			spans = spans[:len(spans)-1]
		case xml.StartElement:
			parent := spans[len(spans)-1]
			span, attrs, err := p.timing(t.Attr, parent)
			if err != nil {
				return nil, err
			}
			spans = append(spans, span)
			if len(attrs) == len(t.Attr) {
				continue
			}
			tag := "<" + qualified(t.Name) + attributes(attrs)
			pieces = append(pieces, piece{xml: string(p.data[start:before]) + tag + ` begin="`},
				piece{time: span.begin - outer.begin, base: parent.begin - outer.begin, isTime: true})
			if span.end < forever {
				pieces = append(pieces, piece{xml: `" end="`}, piece{time: span.end - outer.begin, base: parent.begin - outer.begin, isTime: true})
			}
			start = p.dec.InputOffset()
			if start >= 2 && p.data[start-2] == '/' { // an empty element, for which the decoder makes an end of its own
				pieces = append(pieces, piece{xml: `"/>`})
			} else {
				pieces = append(pieces, piece{xml: `">`})
			}
		}
	}
}

// startTag returns the tag of t.
func startTag(t xml.StartElement) string { return "<" + qualified(t.Name) + attributes(t.Attr) + ">" }

func attributes(list []xml.Attr) string {
	var b strings.Builder
	for _, a := range list {
		b.WriteString(" " + qualified(a.Name) + `="` + escape(a.Value) + `"`)
	}
	return b.String()
}
