package playlist

import (
	"fmt"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// maxASXElements bounds the elements of a metafile, each of which costs memory.
const maxASXElements = 16 * MaxEntries

// asxNode is an element of a metafile. Text is that of TITLE and the like, with what is in elements within it.
type asxNode struct {
	asxToken
	children []*asxNode
	content  []byte
}

// text returns the content in one line.
func (n *asxNode) text() string { return strings.Join(strings.Fields(string(n.content)), " ") }

// child returns the first child of a name.
func (n *asxNode) child(name string) *asxNode {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// asxTree builds the elements of a metafile, closing those that nobody closed.
type asxTree struct {
	*asxScanner
	open  []*asxNode
	count int
}

// isASXContainer tells whether an element is one of those that make the structure.
func isASXContainer(name string) bool {
	switch name {
	case "ASX", "ENTRY", "ENTRYREF", "REPEAT", "EVENT":
		return true
	}
	return false
}

// isASXText tells whether an element has text.
func isASXText(name string) bool {
	switch name {
	case "TITLE", "AUTHOR", "COPYRIGHT", "ABSTRACT":
		return true
	}
	return false
}

// isASXParent tells whether an element may be in another, by the tables of the Windows Media Metafile Elements
// Reference. Some are as they are found: DURATION and the like directly in ASX, REPEAT in REPEAT.
func isASXParent(parent, name string) bool {
	switch name {
	case "ENTRY", "ENTRYREF", "REPEAT", "EVENT", "ASX":
		return parent == "ASX" || parent == "REPEAT" || parent == "EVENT"
	case "REF":
		return parent == "ENTRY"
	case "TITLE", "AUTHOR", "COPYRIGHT", "BASE", "BANNER", "LOGURL", "PARAM":
		return parent == "ASX" || parent == "ENTRY"
	case "ABSTRACT", "MOREINFO":
		return parent == "ASX" || parent == "ENTRY" || parent == "BANNER"
	case "DURATION", "STARTTIME", "STARTMARKER", "ENDMARKER", "PREVIEWDURATION":
		return parent == "ASX" || parent == "ENTRY" || parent == "REF" || parent == "ENTRYREF"
	}
	return true
}

// asxSyntax returns an error about a place.
func asxSyntax(at xmltree.Position, sentinel error, format string, args ...any) error {
	return &SyntaxError{at.Line, at.Column, fmt.Sprintf(format, args...), sentinel}
}

// parseASXTree returns the element ASX of a metafile.
func parseASXTree(text string, warn *warnings) (*asxNode, error) {
	t := &asxTree{asxScanner: newASXScanner(text, warn)}
	root, err := t.root()
	if err != nil {
		return nil, err
	}
	t.open = []*asxNode{root}
	for {
		tok := t.next()
		switch tok.kind {
		case asxEnd:
			if t.err == nil && len(t.open) > 0 {
				warn.add(tok.at, "%s is not closed", xmltree.Shorten(t.open[len(t.open)-1].name))
			}
			return root, t.err
		case asxStart:
			err = t.start(tok)
		case asxClose:
			t.close(tok)
		case asxText:
			err = t.textIn(tok)
		}
		if err != nil {
			return nil, err
		}
		if len(t.open) == 0 {
			t.rest()
			return root, t.err
		}
	}
}

// root finds the first element.
func (t *asxTree) root() (*asxNode, error) {
	for {
		tok := t.next()
		switch {
		case t.err != nil:
			return nil, t.err
		case tok.kind == asxEnd:
			return nil, asxSyntax(tok.at, ErrNotPlaylist, "no ASX element")
		case tok.kind == asxStart && tok.name == "ASX":
			if tok.empty {
				t.warn.add(tok.at, "ASX has nothing in it")
			}
			if tok.at != (xmltree.Position{Line: 1, Column: 1}) {
				t.warn.add(tok.at, "Windows Media Player takes a file only if <ASX is what it begins with")
			}
			return &asxNode{asxToken: tok}, nil
		case tok.kind != asxText:
			return nil, asxSyntax(tok.at, ErrNotPlaylist, "the root element is %s, not ASX", xmltree.Shorten(tok.name))
		case strings.TrimSpace(tok.text) != "":
			return nil, asxSyntax(tok.at, ErrNotPlaylist, "text %q before the root", xmltree.Shorten(strings.TrimSpace(tok.text)))
		}
	}
}

// rest warns of what is behind the root.
func (t *asxTree) rest() {
	for {
		tok := t.next()
		if tok.kind == asxEnd {
			return
		}
		if tok.kind != asxText || strings.TrimSpace(tok.text) != "" {
			t.warn.add(tok.at, "what follows </ASX> is ignored")
			return
		}
	}
}

func (t *asxTree) start(tok asxToken) error {
	if t.count++; t.count > maxASXElements {
		return asxSyntax(tok.at, ErrTooLarge, "more than %d elements", maxASXElements)
	}
	t.closeBefore(tok)
	if len(t.open) == MaxDepth {
		return asxSyntax(tok.at, ErrTooLarge, "more than %d nested elements", MaxDepth)
	}
	node := &asxNode{asxToken: tok}
	parent := t.open[len(t.open)-1]
	parent.children = append(parent.children, node)
	if !tok.empty {
		t.open = append(t.open, node)
	}
	return nil
}

// closesASX tells whether an element that is not closed ends where the next begins, which cannot be in it.
func closesASX(open, next string) bool {
	switch open {
	case "ENTRYREF":
		return true
	case "ENTRY":
		return isASXContainer(next)
	}
	return !isASXContainer(open)
}

// closeBefore closes what an element cannot be in.
func (t *asxTree) closeBefore(tok asxToken) {
	i := len(t.open) - 1
	for i > 0 && !isASXParent(t.open[i].name, tok.name) && closesASX(t.open[i].name, tok.name) {
		i--
	}
	if i < len(t.open)-1 {
		t.warn.add(tok.at, "%s is not closed before %s", xmltree.Shorten(t.open[i+1].name), xmltree.Shorten(tok.name))
		t.open = t.open[:i+1]
	}
}

func (t *asxTree) close(tok asxToken) {
	for i := len(t.open) - 1; i >= 0; i-- {
		if t.open[i].name != tok.name {
			continue
		}
		if i < len(t.open)-1 {
			t.warn.add(tok.at, "%s is not closed before </%s>", xmltree.Shorten(t.open[i+1].name), xmltree.Shorten(tok.name))
		}
		t.open = t.open[:i]
		return
	}
	t.warn.add(tok.at, "</%s> closes nothing", xmltree.Shorten(tok.name))
}

// textIn adds text to the element that it belongs to.
func (t *asxTree) textIn(tok asxToken) error {
	for i := len(t.open) - 1; i >= 0; i-- {
		node := t.open[i]
		if !isASXText(node.name) {
			continue
		}
		if node.content = append(node.content, tok.text...); len(node.content) > MaxValue {
			return asxSyntax(node.at, ErrTooLarge, "%s of more than %d bytes", node.name, MaxValue)
		}
		return nil
	}
	if text := strings.TrimSpace(tok.text); text != "" {
		name := t.open[len(t.open)-1].name
		t.warn.add(tok.at, "text %q in %s is left out", xmltree.Shorten(text), xmltree.Shorten(name))
	}
	return nil
}
