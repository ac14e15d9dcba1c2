package manage

import "time"

// feedTitle is the title of the list.
const feedTitle = "Publishing Point Collection"

// atomNode returns an element of the Atom namespace with text.
func atomNode(name, text string) *element { return &element{space: nsAtom, name: name, text: text} }

// author returns the author of a document. RFC 4287 demands one; IIS left the name empty.
func author() *element {
	e := atomNode("author", "")
	e.add(atomNode("name", ""))
	return e
}

// link is one of an entry. Its title is what IIS wrote.
type link struct{ href, rel, title string }

// entry is an Atom entry.
type entry struct {
	id, title string
	// authored adds an author: entries of a feed take that of the feed.
	authored bool
	updated  time.Time
	links    []link
	payload  *element // child of SmoothStreaming; nil for an entry without content
}

func (en entry) element() *element {
	e := atomNode("entry", "")
	e.add(atomNode("id", en.id), atomNode("title", en.title))
	if en.authored {
		e.add(author())
	}
	e.add(atomNode("updated", formatTime(en.updated)))
	for _, l := range en.links {
		e.add(atomNode("link", "").with("href", l.href).with("rel", l.rel).with("type", typeAtom).with("title", l.title))
	}
	if en.payload != nil {
		content := atomNode("content", "").with("type", typeXML)
		content.add(node("SmoothStreaming", en.payload))
		e.add(content)
	}
	return e
}

// feed returns an Atom feed of entries.
func feed(updated time.Time, entries []entry) *element {
	e := atomNode("feed", "")
	e.add(author(), atomNode("title", feedTitle), atomNode("updated", formatTime(updated)))
	for _, en := range entries {
		e.add(en.element())
	}
	return e
}

// readPayload returns the element of a given name that an entry carries. Clients send back documents that they have
// received, with links and authors, or ones with nothing but the content; what Atom demands besides is not looked at.
func readPayload(data []byte, name string) (*element, error) {
	root, err := parseElement(data)
	if err != nil {
		return nil, err
	}
	if root.space != nsAtom || root.name != "entry" {
		return nil, root.fail(codeSchema, "the document is not an Atom entry")
	}
	content, err := root.only(nsAtom, "content")
	if err != nil {
		return nil, err
	}
	streaming, err := content.only(nsManagement, "SmoothStreaming")
	if err != nil {
		return nil, err
	}
	payload, err := streaming.only(nsManagement, name)
	if err != nil {
		return nil, err
	}
	if len(streaming.children) > 1 {
		return nil, streaming.fail(codeSchema, "more than %s in it", name)
	}
	return payload, nil
}

// only returns the one child with a name.
func (e *element) only(space, name string) (*element, error) {
	var found *element
	for _, c := range e.children {
		switch {
		case c.space != space || c.name != name:
		case found != nil:
			return nil, c.fail(codeSchema, "twice")
		default:
			found = c
		}
	}
	if found == nil {
		return nil, e.fail(codeSchema, "no %s in the namespace %s", name, space)
	}
	return found, nil
}
