package iis

import (
	"slices"
	"strings"
)

// HandlerMapping says which module answers which requests: an entry of the section handlers.
type HandlerMapping struct {
	Name string
	// Path is a pattern with * for anything. One with a slash is for whole paths, one without for names.
	Path    string
	Verbs   []string // "*" alone is for all of them
	Modules []string
	// Kind is what the modules do.
	Kind HandlerKind
	Line int
}

// HandlerKind is what answers the requests of a mapping.
type HandlerKind int

// The kinds of handlers.
const (
	// UnknownHandler is for what has no counterpart here, such as ASP.NET and CGI.
	UnknownHandler HandlerKind = iota
	// StaticHandler sends files: StaticFileModule with those for default documents and lists of directories.
	StaticHandler
	// SmoothHandler is that of on-demand Smooth Streaming, LiveHandler that of publishing points, PlaylistHandler that
	// of Web Playlists.
	SmoothHandler
	LiveHandler
	PlaylistHandler
)

// String returns such as "Smooth Streaming".
func (k HandlerKind) String() string {
	switch k {
	case StaticHandler:
		return "static files"
	case SmoothHandler:
		return "Smooth Streaming"
	case LiveHandler:
		return "Live Smooth Streaming"
	case PlaylistHandler:
		return "Web Playlists"
	}
	return "unknown"
}

// HandlerFor returns the mapping of a request, nil if there is none. The path is that of a URL.
func (s *Settings) HandlerFor(method, path string) *HandlerMapping {
	for i := range s.Handlers {
		if s.Handlers[i].Matches(method, path) {
			return &s.Handlers[i]
		}
	}
	return nil
}

// Matches reports whether a request is one of the mapping's. A pattern without a slash is compared with every name in
// the path, as what follows the name of a presentation or a script is for its handler, too.
func (m *HandlerMapping) Matches(method, path string) bool {
	isVerb := func(v string) bool { return v == "*" || strings.EqualFold(v, method) }
	if !slices.ContainsFunc(m.Verbs, isVerb) {
		return false
	}
	if strings.Contains(m.Path, "/") {
		return matchWildcard(m.Path, path) || matchWildcard("/"+m.Path, path)
	}
	name := path
	for {
		var element string
		element, name = cutLast(name)
		if m.matchesName(element) {
			return true
		}
		if name == "" {
			return false
		}
	}
}

// matchesName compares a name with a pattern. "*." is for names without a dot.
func (m *HandlerMapping) matchesName(name string) bool {
	if m.Path == "*." {
		return name != "" && !strings.Contains(name, ".")
	}
	return matchWildcard(m.Path, name)
}

func cutLast(path string) (last, before string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return path, ""
	}
	return path[i+1:], path[:i]
}

// matchWildcard compares in any case; * stands for anything and ? for one byte.
func matchWildcard(pattern, s string) bool {
	pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	star, mark := -1, 0
	p := 0
	for i := 0; i < len(s); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// handlers reads the section of that name.
func (b *builder) handlers(to *Settings, n *node, path string) {
	n.attr("accessPolicy")
	to.Handlers = change(b, to, n, path, to.Handlers, listReader[HandlerMapping]{
		id: statedHandlers, add: "add", key: "name", required: []string{"path", "verb"}, front: true,
		keyOf: func(m HandlerMapping) string { return m.Name }, read: b.handlerMapping,
	})
	b.say(n, path, "%d mappings", len(to.Handlers))
}

// Bounds of a mapping.
const (
	maxVerbs       = 64
	maxHandlerPath = 1024 // bytes
)

func (b *builder) handlerMapping(n *node, path string) (m HandlerMapping, ok bool) {
	var verbs, modules, managed, script string
	b.str(n, "name", &m.Name)
	b.str(n, "path", &m.Path)
	b.str(n, "verb", &verbs)
	b.str(n, "modules", &modules)
	b.str(n, "type", &managed)
	b.str(n, "scriptProcessor", &script)
	for _, name := range []string{"resourceType", "requireAccess", "allowPathInfo", "preCondition", "responseBufferLimit"} {
		n.attr(name)
	}
	m.Line = n.At.Line
	m.Verbs = splitList(verbs)
	m.Modules = splitList(modules)
	m.Kind = kindOf(m.Name, m.Path, m.Modules, managed+script)
	if len(m.Verbs) > maxVerbs || len(m.Modules) > maxVerbs || len(m.Path) > maxHandlerPath {
		b.log.FailElement(n.Element, "%d verbs and %d modules, limit %d, and a path of %d bytes, limit %d",
			len(m.Verbs), len(m.Modules), maxVerbs, len(m.Path), maxHandlerPath)
		return m, false
	}
	b.noteMapping(n, path, &m, modules+managed)
	return m, true
}

// noteMapping says what becomes of a mapping.
func (b *builder) noteMapping(n *node, path string, m *HandlerMapping, program string) {
	isRead := func(v string) bool { return v == "*" || strings.EqualFold(v, "GET") || strings.EqualFold(v, "HEAD") }
	switch {
	case m.Kind != UnknownHandler:
		b.note(n.At, b.label(n, path), true, "%s for %v", m.Path, m.Kind)
	case slices.ContainsFunc(m.Verbs, isRead):
		b.note(n.At, b.label(n, path), false, "%s for %.100q: files that it answers for are not sent", m.Path, program)
	default:
		b.note(n.At, b.label(n, path), false, "%s for %.100q", m.Path, program)
	}
}

// splitList splits at commas. IIS Media Services 3 had spaces in the lists of its mappings.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n' })
}

// kindOf tells what a mapping is for, by its modules, name and path.
func kindOf(name, path string, modules []string, program string) HandlerKind {
	all := strings.ToLower(name + "\n" + strings.Join(modules, "\n"))
	switch {
	case program != "":
		return UnknownHandler
	case strings.Contains(all, "livestreaming") || strings.Contains(all, "livesmooth") || strings.EqualFold(path, "*.isml"):
		return LiveHandler
	case strings.Contains(all, "smooth") || strings.EqualFold(path, "*.ism"):
		return SmoothHandler
	case strings.Contains(all, "playlist") || strings.EqualFold(path, "*.isx"):
		return PlaylistHandler
	}
	isStatic := func(m string) bool {
		switch strings.ToLower(m) {
		case "staticfilemodule", "defaultdocumentmodule", "directorylistingmodule":
			return true
		}
		return false
	}
	if len(modules) > 0 && !slices.ContainsFunc(modules, func(m string) bool { return !isStatic(m) }) {
		return StaticHandler
	}
	return UnknownHandler
}
