package iis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// node is an element with an account of what was read of it. What nobody has read gets a note at the end, so that
// nothing of a document can be lost.
type node struct {
	*xmltree.Element
	children []*node
	used     []bool // of Attrs
	// taken tells that the element was read; told that there is a note that covers everything in it, too.
	taken, told bool
}

// attr returns an attribute, which is read by that.
func (n *node) attr(name string) (xmltree.Attr, bool) {
	for i, a := range n.Attrs {
		if strings.EqualFold(a.Name, name) {
			n.used[i] = true
			return a, true
		}
	}
	return xmltree.Attr{}, false
}

// take marks an element as read.
func (n *node) take() { n.taken = true }

// noteKeys are the attributes that tell elements of the same name apart.
func noteKeys() []string {
	return []string{
		"name", "fileExtension", "path", "key", "value", "segment", "sequence", "verb", "ipAddress", "input", "bindingInformation",
	}
}

// builder makes a [Config] of a document.
type builder struct {
	log        iisconfig.Log // errors, and the number of entries
	notes      []Note
	more       int    // notes that were not kept
	inLocation string // that of the section that is being read
	// server tells that the document is the configuration of a server.
	server bool
	media  []MediaSection
}

// read returns the roots of a document: one, or several locations.
func (b *builder) read(data []byte) ([]*node, error) {
	r, err := xmltree.New(data, xmltree.Limits{
		Bytes: MaxBytes, Depth: MaxDepth, Attrs: 256, Value: 1 << 20, Elements: MaxElements,
	})
	if err != nil {
		return nil, err
	}
	r.Text = func(element string, at xmltree.Position, text string) {
		b.note(at, element, false, "text %q is ignored", xmltree.Shorten(text))
	}
	var roots []*node
	err = r.Document(func(el *xmltree.Element) error {
		if len(roots) > 0 && !(el.Is("location") && roots[0].Is("location")) {
			return r.Fail(el.At, xmltree.ErrSyntax, "a second root element, the first is %s of %v",
				xmltree.Shorten(roots[0].Name), roots[0].At)
		}
		n, err := readTree(r, el)
		roots = append(roots, n)
		return err
	})
	if err == nil && len(roots) == 0 {
		err = &ConfigError{Line: r.At().Line, Column: r.At().Column, Err: fmt.Errorf("no element: %w", ErrNoConfiguration)}
	}
	return roots, err
}

// readTree consumes the innermost element.
func readTree(r *xmltree.Reader, el *xmltree.Element) (*node, error) {
	n := &node{Element: el, used: make([]bool, len(el.Attrs))}
	err := r.Children(func(child *xmltree.Element) error {
		c, err := readTree(r, child)
		n.children = append(n.children, c)
		return err
	})
	return n, err
}

// note keeps a note.
func (b *builder) note(at xmltree.Position, element string, understood bool, format string, args ...any) {
	if len(b.notes) == MaxNotes {
		b.more++
		return
	}
	b.notes = append(b.notes, Note{at.Line, at.Column, element, understood, fmt.Sprintf(format, args...)})
}

// say notes what was understood of an element.
func (b *builder) say(n *node, path, format string, args ...any) {
	n.take()
	b.note(n.At, b.label(n, path), true, format, args...)
}

// refuse notes that an element with everything in it was not understood.
func (b *builder) refuse(n *node, path, format string, args ...any) {
	n.taken, n.told = true, true
	b.note(n.At, b.label(n, path), false, format, args...)
}

// label returns the path of an element with what tells it apart from its siblings.
func (b *builder) label(n *node, path string) string {
	if name := b.log.Label(n.Element); name != n.Name {
		path += strings.TrimPrefix(name, xmltree.Shorten(n.Name))
	}
	return path
}

// account notes what nobody has read of an element. The path is that of its parent.
func (b *builder) account(n *node, path string) {
	path = join(path, n.Name)
	switch {
	case n.told:
		return
	case !n.taken:
		b.refuse(n, path, "%s", whyNot(path))
		return
	}
	for i, a := range n.Attrs {
		name := strings.ToLower(a.Name)
		switch {
		case n.used[i] || name == "xmlns" || strings.HasPrefix(name, "xmlns:"):
		case strings.HasPrefix(name, "lock"):
			b.note(a.At, b.label(n, path), false, "attribute %s: locks of single attributes and elements are not enforced",
				xmltree.Shorten(a.Name))
		default:
			b.note(a.At, b.label(n, path), false, "attribute %s", xmltree.Shorten(a.Name))
		}
	}
	for _, child := range n.children {
		b.account(child, path)
	}
}

// finish brings the notes into the order of the document.
func (b *builder) finish() []Note {
	slices.SortStableFunc(b.notes, func(x, y Note) int {
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
	if b.more > 0 {
		return append(b.notes, Note{Understood: false, Text: fmt.Sprintf("%d more notes", b.more)})
	}
	return b.notes
}

// join returns the path of a child. That of the configuration itself is empty. Names are shortened, since documents of
// others may have long ones.
func join(path, name string) string {
	name = xmltree.Shorten(name)
	switch {
	case strings.EqualFold(name, "configuration") && path == "", strings.EqualFold(name, "location"):
		return ""
	case path == "":
		return name
	}
	return path + "/" + name
}

// notEnforced is said of sections that keep somebody out on IIS.
const notEnforced = "NOT ENFORCED: who may come in is up to package access"

// whyNot says of well-known sections why they have no effect.
func whyNot(path string) string {
	path = strings.ToLower(path)
	if rest, ok := strings.CutPrefix(path, "system.webserver/"); ok {
		return whyNotServer(rest)
	}
	top, _, _ := strings.Cut(path, "/")
	switch top {
	case "system.web", "appsettings", "connectionstrings", "runtime", "system.codedom",
		"system.web.extensions", "system.servicemodel", "system.net", "system.diagnostics":
		return "of ASP.NET, which is not here"
	case "system.ftpserver":
		return "of the FTP server"
	case "configprotecteddata":
		return "encrypted values are not read"
	case "system.applicationhost":
		return "has no effect here"
	}
	return "not known"
}

// whyNotServer is [whyNot] below system.webServer.
func whyNotServer(path string) string {
	if strings.HasPrefix(path, "security/authentication/") {
		return notEnforced
	}
	switch path {
	case "modules", "globalmodules", "isapifilters", "fastcgi", "cgi", "asp", "caching", "serversideinclude", "webdav",
		"security/isapicgirestriction", "security/applicationdependencies", "aspnetcore", "websocket":
		return "modules of IIS are not loaded here"
	case "httperrors":
		return "pages for errors are not replaced"
	case "urlcompression", "httpcompression":
		return "compression is up to the handlers"
	case "tracing", "httptracing", "httplogging", "odbclogging":
		return "logs are written by package usage"
	case "security/dynamicipsecurity":
		return "limits per address are those of package limit of throttle"
	case "rewrite/outboundrules":
		return "bodies of answers are not rewritten"
	case "serverruntime", "validation", "management", "wdeploy":
		return "has no effect here"
	}
	return "not known"
}
