package throttle

import (
	"bytes"
	"encoding/xml"
)

func rawName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// enter opens an element and has it consumed.
func (r *configReader) enter(t xml.StartElement, visit visit) error {
	r.open = append(r.open, rawName(t.Name))
	if len(r.open) > maxConfigDepth {
		return r.fail("more than %d nested elements", maxConfigDepth)
	}
	return visit(t)
}

// each reads up to the end of the innermost element.
func (r *configReader) each(child visit, text func([]byte)) error {
	for {
		tok, err := r.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if err := r.enter(t, child); err != nil {
				return err
			}
		case xml.EndElement:
			last := len(r.open) - 1
			if name := rawName(t.Name); name != r.open[last] {
				return r.fail("closed by </%s>", shorten(name))
			}
			r.open = r.open[:last]
			return nil
		case xml.CharData:
			if text != nil {
				text(t)
			}
		}
	}
}

// children consumes the innermost element and visits the elements in it.
func (r *configReader) children(child visit) error { return r.each(child, nil) }

// skip consumes the innermost element.
func (r *configReader) skip(xml.StartElement) error { return r.each(r.skip, nil) }

// tree consumes the innermost element and returns it. Text is read over with a warning.
func (r *configReader) tree(t xml.StartElement) (*element, error) {
	if r.elements++; r.elements > MaxConfigEntries {
		return nil, r.fail("more than %d elements in sections", MaxConfigEntries)
	}
	if len(t.Attr) > maxConfigAttributes {
		return nil, r.fail("%d attributes, limit %d", len(t.Attr), maxConfigAttributes)
	}
	if r.attrs += len(t.Attr); r.attrs > maxConfigAllAttrs {
		return nil, r.fail("more than %d attributes in sections", maxConfigAllAttrs)
	}
	el := &element{name: rawName(t.Name), at: r.at, attrs: make([]attribute, 0, len(t.Attr))}
	at := attributePositions(r.data[r.offset:r.dec.InputOffset()], r.at, len(t.Attr))
	for i, a := range t.Attr {
		el.attrs = append(el.attrs, attribute{rawName(a.Name), a.Value, at[i]})
	}
	err := r.each(func(t xml.StartElement) error {
		child, err := r.tree(t)
		el.children = append(el.children, child)
		return err
	}, func(text []byte) {
		blank := len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
		at := r.at.after(text[:blank])
		if text = bytes.TrimSpace(text); len(text) > 0 {
			r.log.warn(at, "%s: text %q is ignored", el.label(), shorten(string(text)))
		}
	})
	return el, err
}

// after returns the position behind text that begins at p.
func (p position) after(text []byte) position {
	for _, c := range text {
		p.column++
		if c == '\n' {
			p = position{p.line + 1, 1}
		}
	}
	return p
}

// attributePositions returns where the n attributes of a start tag begin, which the decoder does not tell. The tag is
// well-formed, and begins at a position.
func attributePositions(tag []byte, at position, n int) []position {
	const space = " \t\r\n"
	list := make([]position, 0, n)
	skip := func(size int) { at, tag = at.after(tag[:size]), tag[size:] }
	to := func(set string) {
		if i := bytes.IndexAny(tag, set); i >= 0 {
			skip(i)
		}
	}
	to(space + "/>")
	for len(list) < n {
		skip(len(tag) - len(bytes.TrimLeft(tag, space)))
		list = append(list, at)
		to(`"'`)
		quote := string(tag[:min(1, len(tag))])
		skip(len(quote))
		to(quote)
		skip(min(1, len(tag)))
	}
	return list
}
