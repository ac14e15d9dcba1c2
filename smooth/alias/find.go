package alias

import "strings"

// find returns the rule for a path of a host, or nil.
func (m *Map) find(host, path string) *entry {
	if m == nil {
		return nil
	}
	if len(m.hosts)+len(m.wild) > 0 {
		if e := m.findHost(host, path); e != nil {
			return e
		}
	}
	return m.any.find(path)
}

// findHost looks among the rules of hosts.
func (m *Map) findHost(host, path string) *entry {
	var buf [256]byte
	name := appendFolded(buf[:0], hostName(host))
	if t := m.hosts[string(name)]; t != nil {
		if e := t.find(path); e != nil {
			return e
		}
	}
	for i := range name {
		if name[i] != '.' || i == 0 || len(m.wild) == 0 {
			continue
		}
		if t := m.wild[string(name[i:])]; t != nil {
			if e := t.find(path); e != nil {
				return e
			}
		}
	}
	return nil
}

// hostName cuts the port and the dot at the end. Longer names than there are match nothing.
func hostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	if host = strings.TrimSuffix(host, "."); len(host) > 253 {
		return ""
	}
	return host
}

func (t *table) find(path string) *entry {
	if t == nil || len(path) > MaxPath {
		return nil
	}
	var buf [512]byte
	var s segmented
	var ok bool
	if s.folded, ok = s.parse(path, t.depth, buf[:0]); !ok {
		return nil
	}
	for _, f := range t.forms {
		if e := f.find(&s); e != nil && (!e.rule.ExactCase || e.pattern.sameCase(path)) {
			return e
		}
	}
	return nil
}

// find returns the rule of the form for a path, or nil.
func (f *form) find(s *segmented) *entry {
	n := len(f.pattern.segments)
	if s.n < n || !f.pattern.tail && (s.n > n || s.slash != f.pattern.slash) {
		return nil
	}
	if n == 0 {
		return f.entries[""]
	}
	if f.plain {
		return f.entries[string(s.folded[1:s.ends[n-1]])]
	}
	var buf [512]byte
	key := buf[:0]
	for i := range f.pattern.segments {
		if i > 0 {
			key = append(key, '/')
		}
		p, text := &f.pattern.segments[i], s.segment(i)
		switch {
		case p.kind == literal:
			key = append(key, text...)
		case !p.takes(text):
			return nil
		}
	}
	return f.entries[string(key)]
}

// takes tells whether a placeholder and the text beside it match a folded segment.
func (p *segment) takes(text []byte) bool {
	n := len(text) - len(p.suffix)
	return len(p.prefix) <= n && string(text[:len(p.prefix)]) == p.prefix && string(text[n:]) == p.suffix &&
		p.kind.matches(text[len(p.prefix):n])
}

// sameCase tells whether the literal text of a pattern that matches a path is in the same case there.
func (p *pattern) sameCase(path string) bool {
	rest := path[1:]
	for i := range p.segments {
		s := &p.segments[i]
		var text string
		text, rest, _ = strings.Cut(rest, "/")
		if s.kind == literal {
			if text != s.text {
				return false
			}
			continue
		}
		before, after, _ := strings.Cut(s.exact, "\x00")
		if !strings.HasPrefix(text, before) || !strings.HasSuffix(text, after) {
			return false
		}
	}
	return true
}
