package playlist

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/textenc"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// The document type and namespace of .isx files.
const (
	isxDoctype   = `<!DOCTYPE smil PUBLIC "-//W3C//DTD SMIL 2.1//EN" "http://www.w3.org/2005/SMIL21/SMIL21.dtd"[]>`
	isxNamespace = "http://www.w3.org/2005/SMIL21/Language"
)

// maxAttributes is the number of attributes that an element may have.
const maxAttributes = 64

// isxLimits are those of .isx files. An entry has up to seven params.
func isxLimits() xmltree.Limits {
	return xmltree.Limits{Bytes: MaxDocument, Depth: MaxDepth, Attrs: maxAttributes, Value: MaxValue, Elements: 16 * MaxEntries}
}

// ParseISX reads an .isx file of IIS Web Playlists: the part of SMIL 2.1 that is named below, in UTF-8 or UTF-16. The
// document type is ignored, but entities must not be declared, and none but those of XML are expanded. Modified is left
// to the caller.
//
// A meta element in the head has a name and a content:
//
//	title, description, extraParam  as the fields of [Playlist]
//	inactivityTimeout, timeToLive   minutes, 1 to 525600. IIS has such names, which are not documented: these are those
//	                                of its programming interface and of its configuration, and are taken in any case.
//
// Entries are the elements ref, audio and video in the body, which may be in seq elements within one another. They have
// a src and params:
//
//	srcType                              relativeURI (the default), physicalPath or remoteURL
//	canSeek, canSkipForward, canSkipBack True (the default) or False, in any case
//	title, extraParam, role              as the fields of [Entry]; role is none of IIS's
//
// Names are case-sensitive as they are in IIS: one in another case has no effect, and a warning says what was meant.
// What is not of this format does not end the parsing where something can be played without it: what is in par and
// excl plays in order, of a switch the first choice plays, what is in unknown elements plays, timing such as clipBegin
// and dur has no effect, an entry without src is left out. Each is a warning. A value that cannot be read, such as a
// canSeek of "flase", is an error, since an entry would otherwise play without its rules.
//
// Entry.Duration is that of a DURATION element in extraParam. Markup in extraParam that [CheckMarkup] refuses, which
// [ASX] leaves out, is a warning too.
//
// Errors are [*SyntaxError]. The result does not alias data.
//
// See "Creating a Simple Playlist" in the documentation of IIS Web Playlists.
func ParseISX(data []byte) (*Playlist, error) {
	r, err := xmltree.New(data, isxLimits())
	if err != nil {
		return nil, syntaxError(err)
	}
	p := &isxParser{Reader: r, list: &Playlist{}}
	if !beginsLikeXML(data) {
		return nil, &SyntaxError{1, 1, "does not begin with an element", ErrNotPlaylist}
	}
	r.Doctype = p.doctype
	r.Text = func(element string, at xmltree.Position, text string) {
		p.warn.add(at, "text %q in %s is ignored", xmltree.Shorten(text), xmltree.Shorten(element))
	}
	if err := r.Document(p.root); err != nil {
		return nil, syntaxError(err)
	}
	if !p.found {
		return nil, &SyntaxError{r.At().Line, r.At().Column, "no smil element", ErrNotPlaylist}
	}
	p.list.Warnings = p.warn.all()
	return p.list, nil
}

// beginsLikeXML tells whether the first character that is not white space is that of a tag.
func beginsLikeXML(data []byte) bool {
	text, err := textenc.UTF8(data[:min(len(data), 4096)&^1]) // not in the middle of a unit of UTF-16
	if err != nil {
		return true // a surrogate pair may be cut in two; the parser finds what is wrong
	}
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && text[0] == '<' || len(data) > 4096 && len(text) == 0
}

// syntaxError returns an error of the XML reader in the form of this package.
func syntaxError(err error) error {
	var e *xmltree.Error
	var own *SyntaxError
	switch {
	case errors.As(err, &own):
		return own
	case !errors.As(err, &e):
		return &SyntaxError{1, 1, err.Error(), ErrSyntax}
	}
	detail := e.Detail
	if e.Element != "" {
		detail = xmltree.Shorten(e.Element) + ": " + detail
	}
	sentinel := ErrSyntax
	if errors.Is(e, xmltree.ErrTooLarge) {
		sentinel = ErrTooLarge
	}
	return &SyntaxError{max(e.At.Line, 1), max(e.At.Column, 1), detail, sentinel}
}

// isxParser builds a playlist.
type isxParser struct {
	*xmltree.Reader
	list  *Playlist
	warn  warnings
	found bool // the root
	metas map[string]xmltree.Position
}

func (p *isxParser) fail(at xmltree.Position, sentinel error, detail string) error {
	return &SyntaxError{at.Line, at.Column, detail, sentinel}
}

// doctype reads over a document type. One that declares entities means a document that is not what it seems.
func (p *isxParser) doctype(at xmltree.Position, text string) error {
	if strings.Contains(strings.ToUpper(text), "<!ENTITY") {
		return p.fail(at, ErrSyntax, "entity declarations are not allowed")
	}
	if _, subset, ok := strings.Cut(text, "["); ok {
		if subset, _, _ = strings.Cut(subset, "]"); strings.TrimSpace(subset) != "" {
			p.warn.add(at, "declarations in the document type are ignored")
		}
	}
	return nil
}

func (p *isxParser) root(el *xmltree.Element) error {
	switch {
	case p.found:
		return p.fail(el.At, ErrSyntax, "a second root element "+xmltree.Shorten(el.Name))
	case el.Local() != "smil":
		return p.fail(el.At, ErrNotPlaylist, "the root element is "+xmltree.Shorten(el.Name)+", not smil")
	}
	p.found = true
	if ns, ok := el.Get("xmlns"); ok && ns.Value != isxNamespace {
		p.warn.add(ns.At, "namespace %q is not that of SMIL 2.1", xmltree.Shorten(ns.Value))
	}
	p.attributes(el)
	return p.Children(p.part)
}

// part reads a child of the root. The body is there for the sake of SMIL only, as in IIS: entries may do without.
func (p *isxParser) part(el *xmltree.Element) error {
	switch el.Local() {
	case "head":
		p.attributes(el)
		return p.Children(p.meta)
	case "body":
		p.attributes(el)
		return p.Children(p.item)
	}
	return p.item(el)
}

// item reads what is to be played.
func (p *isxParser) item(el *xmltree.Element) error {
	switch name := el.Local(); name {
	case "seq":
		p.attributes(el)
		return p.Children(p.item)
	case "ref", "audio", "video":
		return p.entry(el)
	case "par", "excl":
		p.warn.add(el.At, "%s is not supported: what is in it plays in order", name)
		return p.Children(p.item)
	case "switch":
		p.warn.add(el.At, "switch is not supported: the first choice plays")
		return p.choose()
	case "img", "text", "textstream", "animation", "brush", "smilText":
		p.warn.add(el.At, "%s is not supported and left out", name)
		return p.Skip(el)
	case "meta", "param", "metadata", "layout", "head", "body":
		p.warn.add(el.At, "%s is ignored here", name)
		return p.Skip(el)
	default:
		p.unknownElement(el)
		return p.Children(p.item)
	}
}

func (p *isxParser) unknownElement(el *xmltree.Element) {
	for _, known := range []string{"seq", "ref", "audio", "video", "head", "body"} {
		if strings.EqualFold(known, el.Local()) {
			p.warn.add(el.At, "element %s has no effect, %s is meant", xmltree.Shorten(el.Name), known)
			return
		}
	}
	p.warn.add(el.At, "element %s is not known: what is in it plays", xmltree.Shorten(el.Name))
}

// choose reads the first child that has something to play.
func (p *isxParser) choose() error {
	before := len(p.list.Entries)
	return p.Children(func(el *xmltree.Element) error {
		if len(p.list.Entries) > before {
			return p.Skip(el)
		}
		return p.item(el)
	})
}

// attributes warns of attributes that have no effect. Known are those that the caller reads.
func (p *isxParser) attributes(el *xmltree.Element, known ...string) {
	for _, a := range el.Attrs {
		if !isName(a.Name) && !slices.Contains(known, a.Name) {
			p.warn.add(a.At, "attribute %s of %s has no effect", xmltree.Shorten(a.Name), xmltree.Shorten(el.Name))
		}
	}
}

// isName tells whether an attribute is a name or a namespace, which need not have an effect.
func isName(name string) bool {
	return name == "id" || name == "xml:id" || name == "xml:lang" || name == "version" || name == "xmlns" ||
		strings.HasPrefix(name, "xmlns:")
}
