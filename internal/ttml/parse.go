package ttml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/smoothkit/smoothkit/internal/textenc"
)

// Parse reads a TTML or DFXP document in UTF-8 or UTF-16. The tags of tt, body and div and everything in head are kept
// as they are; p elements become cues. Times of body and div move the cues inside, times of elements inside p are kept
// relative to it. Time containers and their attributes are resolved. An error is an [*Error]; document type
// declarations are one, so nothing expands.
func Parse(data []byte) (*Document, error) {
	if len(data) > MaxDocument {
		return nil, fault(1, tooLarge(fmt.Sprintf("document of %d bytes, the limit is %d", len(data), MaxDocument)))
	}
	text, err := textenc.UTF8(data)
	if err != nil {
		return nil, fault(1, err)
	}
	if at := invalid(text); at >= 0 {
		return nil, fault(1+bytes.Count(text[:at], []byte{'\n'}), errors.New("text is neither UTF-8 nor UTF-16"))
	}
	p := &parser{
		data: text, dec: xml.NewDecoder(bytes.NewReader(text)), clock: defaultClock(),
		doc: &Document{size: len(text), styles: newStyleSheet(), regions: make(map[string]*style), root: defaultRoot()},
	}
	p.dec.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) { return r, nil } // converted already
	if err := p.document(); err != nil {
		line, _ := p.dec.InputPos()
		return nil, fault(line, err)
	}
	return p.doc, nil
}

// invalid returns the offset of the first byte that is not UTF-8, or -1.
func invalid(text []byte) int {
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
	return -1
}

type parser struct {
	data  []byte
	dec   *xml.Decoder
	clock clock
	doc   *Document
	names []string     // qualified names of the open elements
	open  bytes.Buffer // up to the start tag of body
	close string
	body  bool
	tags  int // bytes of the start tags in places of cues
}

// scope is what an element hands on to its children.
type scope struct {
	interval
	sequence bool  // children follow one another
	next     int64 // where the next child of a sequence begins
	style    *style
	region   string
	preserve bool // of white space
}

// interval is when an element is active, in ticks.
type interval struct{ begin, end int64 }

// enter returns the scope of a child with these attributes, and the attributes without those of timing.
func (p *parser) enter(attrs []xml.Attr, outer *scope) (*scope, []xml.Attr, error) {
	t, rest, err := p.clock.timing(attrs)
	if err != nil {
		return nil, nil, err
	}
	base := outer.begin
	if outer.sequence {
		base = outer.next
	}
	in := &scope{
		interval: t.within(base, outer.end), sequence: t.sequence,
		style: outer.style, region: outer.region, preserve: outer.preserve,
	}
	in.next = in.begin
	if outer.sequence {
		outer.next = max(in.begin, in.end)
	}
	in.style = p.doc.styles.apply(in.style, rest)
	for _, a := range rest {
		switch {
		case a.Name.Space == "" && a.Name.Local == "region":
			in.region = a.Value
		case a.Name.Space == "xml" && a.Name.Local == "space":
			in.preserve = a.Value == "preserve"
		}
	}
	return in, rest, nil
}

// token returns the next token and keeps track of the open elements; io.EOF at the end. RawToken keeps prefixes.
func (p *parser) token() (xml.Token, error) {
	tok, err := p.dec.RawToken()
	if err == io.EOF && len(p.names) > 0 {
		return nil, fmt.Errorf("document ends inside %s", p.names[len(p.names)-1])
	}
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case xml.StartElement:
		if len(p.names) == MaxDepth {
			return nil, tooLarge(fmt.Sprintf("elements nested deeper than %d", MaxDepth))
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

func (p *parser) document() error {
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
			if err := p.tt(t); err != nil {
				return err
			}
		}
	}
	if p.close == "" {
		return errors.New("no tt element")
	}
	p.doc.Open = p.open.Bytes()
	if !p.body {
		p.doc.Open = append(p.doc.Open, "<body>"...)
		p.close = "</body>" + p.close
	}
	p.doc.Close = []byte(p.close)
	return nil
}

// tt reads the root element.
func (p *parser) tt(t xml.StartElement) error {
	if err := p.clock.configure(t.Attr); err != nil {
		return err
	}
	p.doc.root.configure(t.Attr)
	root := &scope{interval: interval{0, Forever}}
	for _, a := range t.Attr {
		switch {
		case a.Name.Space != "xml":
		case a.Name.Local == "lang":
			p.doc.Language = a.Value
		case a.Name.Local == "space":
			root.preserve = a.Value == "preserve"
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
				err = p.head(before)
			case "body":
				err = p.bodyElement(t, root)
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
func (p *parser) skip() error {
	for depth := len(p.names); len(p.names) >= depth; {
		if _, err := p.token(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) bodyElement(t xml.StartElement, root *scope) error {
	if p.body {
		return errors.New("two body elements")
	}
	p.body = true
	in, attrs, err := p.enter(t.Attr, root)
	if err != nil {
		return err
	}
	t.Attr = attrs
	p.open.WriteString("\n" + startTag(t) + "\n")
	p.close = "</" + qualified(t.Name) + ">" + p.close
	return p.children(in, Div{})
}

// children reads the content of body or of a div. around is the tags of the divs around it.
func (p *parser) children(in *scope, around Div) error {
	depth := len(p.names)
	here := -1 // position of this place in Divs, when it has cues
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
			inner, attrs, err := p.enter(t.Attr, in)
			if err != nil {
				return err
			}
			t.Attr = attrs
			tags, err := p.place(around, t)
			if err != nil {
				return err
			}
			if err := p.children(inner, tags); err != nil {
				return err
			}
		case t.Name.Local == "p":
			if here < 0 {
				here = len(p.doc.Divs)
				p.doc.Divs = append(p.doc.Divs, around)
			}
			if err := p.cue(t, in, here); err != nil {
				return err
			}
		default:
			if err := p.skip(); err != nil {
				return err
			}
		}
	}
}

// place returns the tags around what is inside of a div. They repeat those around it, so their sum is bounded.
func (p *parser) place(around Div, t xml.StartElement) (Div, error) {
	tags := startTag(t)
	p.tags += len(around.Open) + len(tags)
	if p.tags > budgetBase+budgetFactor*p.doc.size {
		return Div{}, tooLarge("too many div elements within long ones")
	}
	return Div{around.Open + tags + "\n", "</" + qualified(t.Name) + ">\n" + around.Close}, nil
}

// cue reads a p element.
func (p *parser) cue(t xml.StartElement, outer *scope, div int) error {
	in, attrs, err := p.enter(t.Attr, outer)
	if err != nil {
		return err
	}
	if len(p.doc.Cues) == MaxCues {
		return tooLarge(fmt.Sprintf("more than %d p elements", MaxCues))
	}
	line, _ := p.dec.InputPos()
	c := Cue{
		line: line, Begin: in.begin, End: in.end, Div: div, Tag: qualified(t.Name), Attributes: attributes(attrs),
		style: in.style, region: in.region,
	}
	content := contentReader{p: p, cue: in.interval, start: p.dec.InputOffset(), scopes: []*scope{in}}
	if err := content.read(); err != nil {
		return err
	}
	if c.Inner, c.runs = content.pieces, content.runs; c.End > c.Begin {
		p.doc.Cues = append(p.doc.Cues, c)
	}
	return nil
}
