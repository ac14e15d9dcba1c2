package alias

import (
	"fmt"
	"net/url"
	"strings"
)

// piece is text of a target, or what a placeholder has taken.
type piece struct {
	text, raw string // decoded and encoded
	segment   int    // of the pattern, or -1
}

// target is a compiled Rule.To.
type target struct {
	base     string // "https://host" of an absolute URL
	pieces   []piece
	tail     bool // ends with "*"
	query    string
	fragment string
}

// compileTarget reads Rule.To for a pattern.
func compileTarget(r Rule, p *pattern) (*target, error) {
	if len(r.To) > MaxPath {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTarget, len(r.To), MaxPath)
	}
	t := new(target)
	rest, err := t.compileBase(r)
	if err != nil {
		return nil, err
	}
	rest, t.fragment, _ = strings.Cut(rest, "#")
	rest, t.query, _ = strings.Cut(rest, "?")
	if err := t.checkQuery(r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTarget, err)
	}
	parts, err := splitPath(rest, ErrTarget)
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		last := i == len(parts)-1
		if last && isTail(part) {
			t.tail = true // brings its own slash
			break
		}
		t.add(piece{text: "/", raw: "/", segment: -1})
		if err := t.compileSegment(part, p); err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrTarget, shorten(part), err)
		}
	}
	if t.tail && !p.tail {
		return nil, fmt.Errorf("%w: \"*\" that the pattern does not have", ErrTarget)
	}
	return t, nil
}

// compileBase reads scheme and host of an absolute URL, in which no placeholder may stand: what a client sends must not
// choose the host that it is sent to.
func (t *target) compileBase(r Rule) (rest string, err error) {
	if strings.HasPrefix(r.To, "/") {
		return r.To, nil
	}
	scheme, rest, found := strings.Cut(r.To, "://")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "http" && scheme != "https" {
		return "", fmt.Errorf("%w: %q is neither a path nor an http or https URL", ErrTarget, shorten(r.To))
	}
	if !r.redirects() {
		return "", fmt.Errorf("%w: a rewrite stays on this server; to %s://... one redirects with 301, 302, 307 or 308", ErrTarget, scheme)
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	rest = rest[len(host):]
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Host != host || !isHostText(host) {
		return "", fmt.Errorf("%w: host %q; it is a name or address with or without port, and no placeholder", ErrTarget, shorten(host))
	}
	t.base = scheme + "://" + host
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	return rest, nil
}

// isHostText tells whether a host with or without port has the characters of names and addresses only; names beyond ASCII
// are written in their ASCII form.
func isHostText(host string) bool {
	return !strings.ContainsFunc(host, func(c rune) bool { return !isHostByte(c) && c != '.' && c != ':' && c != '[' && c != ']' })
}

// checkQuery checks query and fragment, which are taken as they are.
func (t *target) checkQuery(r Rule) error {
	if t.fragment != "" && !r.redirects() {
		return fmt.Errorf("a fragment, which no server sees")
	}
	for _, s := range [...]string{t.query, t.fragment} {
		if i := strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' }); i >= 0 {
			return fmt.Errorf("%q is not encoded", shorten(s[i:]))
		}
		if strings.ContainsAny(s, "{}") {
			return fmt.Errorf("a placeholder in the query or fragment")
		}
	}
	return nil
}

func (t *target) compileSegment(part string, p *pattern) error {
	for rest := part; rest != ""; {
		before, inside, found := strings.Cut(rest, "{")
		text, err := decodeText(before)
		if err != nil {
			return err
		}
		if before == part && isDots(text) { // with a placeholder beside them it is found out when the rule applies
			return errDots
		}
		t.add(piece{text: text, raw: escape(text), segment: -1})
		if !found {
			return nil
		}
		if inside, rest, found = strings.Cut(inside, "}"); !found {
			return errBrace
		}
		i := p.find(inside)
		if i < 0 {
			return fmt.Errorf("{%s} that the pattern does not have", inside)
		}
		t.add(piece{segment: i})
	}
	return nil
}

// find returns the segment of a placeholder, or -1.
func (p *pattern) find(id string) int {
	for i, s := range p.segments {
		if s.kind != literal && s.id == id {
			return i
		}
	}
	return -1
}

// add appends a piece, or its text to that of the last one.
func (t *target) add(p piece) {
	if n := len(t.pieces); n > 0 && p.segment < 0 && t.pieces[n-1].segment < 0 {
		t.pieces[n-1].text += p.text
		t.pieces[n-1].raw += p.raw
		return
	}
	t.pieces = append(t.pieces, p)
}

// escape encodes text of a path.
func escape(text string) string {
	return strings.TrimPrefix((&url.URL{Path: "/" + text}).EscapedPath(), "/")
}

// expand returns the new path for a decoded path that the pattern matches, or for its encoded form if raw is true.
func (t *target) expand(p *pattern, path string, raw bool) string {
	segments := strings.SplitN(path[1:], "/", len(p.segments)+1)
	var b strings.Builder
	for _, piece := range t.pieces {
		switch {
		case piece.segment >= 0:
			s := &p.segments[piece.segment]
			b.WriteString(capture(segments[piece.segment], len(s.prefix), len(s.suffix), raw))
		case raw:
			b.WriteString(piece.raw)
		default:
			b.WriteString(piece.text)
		}
	}
	if t.tail {
		rest := ""
		if len(segments) > len(p.segments) {
			rest = "/" + segments[len(p.segments)]
		}
		b.WriteString(rest)
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// capture returns a segment without the text before and behind a placeholder.
func capture(segment string, prefix, suffix int, raw bool) string {
	if !raw {
		return segment[prefix : len(segment)-suffix]
	}
	n := 0
	for i := 0; i < len(segment); i++ {
		if segment[i] == '%' {
			i += 2
		}
		n++
	}
	return encodedSlice(segment, prefix, n-suffix)
}
