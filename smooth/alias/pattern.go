package alias

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a segment of a pattern matches, most specific first.
type kind uint8

const (
	literal kind = iota
	number
	guid
	name
)

// kindNamed knows the kinds of placeholders.
func kindNamed(s string) (kind, bool) {
	switch s {
	case "number":
		return number, true
	case "guid":
		return guid, true
	case "name":
		return name, true
	}
	return literal, false
}

// matches tells whether a placeholder takes some folded text.
func (k kind) matches(b []byte) bool {
	switch k {
	case number:
		return isNumber(b)
	case guid:
		return isGUID(b)
	}
	return len(b) > 0
}

func isNumber(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// isGUID tells whether b is a GUID as Azure writes them: 36 characters, hyphens in four places.
func isGUID[T string | []byte](b T) bool {
	if len(b) != 36 {
		return false
	}
	for i := range len(b) {
		c := b[i] | 0x20
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen && b[i] != '-' || !hyphen && (b[i] < '0' || b[i] > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// segment is one of a pattern: literal text, or a placeholder with text before and behind it.
type segment struct {
	kind           kind
	text           string // of a literal: decoded
	prefix, suffix string // of a placeholder: ASCII, in lower case
	exact          string // prefix and suffix as they were written, with a zero byte between
	id             string // of a placeholder
}

// pattern is a compiled Rule.From.
type pattern struct {
	segments []segment
	tail     bool // ends with "*"
	slash    bool // ends with "/"
}

// compilePattern reads Rule.From.
func compilePattern(from string) (pattern, error) {
	var p pattern
	parts, err := splitPath(from, ErrPattern)
	if err != nil {
		return p, err
	}
	for i, part := range parts {
		last := i == len(parts)-1
		switch {
		case last && isTail(part):
			p.tail = true
		case last && part == "":
			p.slash = true
		default:
			s, err := p.compileSegment(part)
			if err != nil {
				return p, fmt.Errorf("%w: %q: %w", ErrPattern, shorten(part), err)
			}
			p.segments = append(p.segments, s)
		}
	}
	if len(p.segments) > MaxSegments {
		return p, fmt.Errorf("%w: %d segments, at most %d", ErrPattern, len(p.segments), MaxSegments)
	}
	return p, nil
}

// isTail tells whether a last segment stands for the rest of a path.
func isTail(part string) bool { return part == "*" || part == "{rest...}" }

// splitPath returns the segments of a pattern or target; the last one may be empty.
func splitPath(path string, sentinel error) ([]string, error) {
	switch {
	case path == "" || path[0] != '/':
		return nil, fmt.Errorf("%w: path %q does not begin with \"/\"", sentinel, shorten(path))
	case len(path) > MaxPath:
		return nil, fmt.Errorf("%w: path of %d bytes, at most %d", sentinel, len(path), MaxPath)
	}
	parts := strings.Split(path[1:], "/")
	if i := slices.Index(parts, ""); i >= 0 && i < len(parts)-1 {
		return nil, fmt.Errorf("%w: path %q has \"//\"", sentinel, shorten(path))
	}
	return parts, nil
}

func (p *pattern) compileSegment(part string) (segment, error) {
	before, rest, found := strings.Cut(part, "{")
	if !found {
		text, err := decodeText(part)
		if err == nil && isDots(text) {
			err = errDots
		}
		return segment{text: text}, err
	}
	inside, after, found := strings.Cut(rest, "}")
	if !found {
		return segment{}, errBrace
	}
	s, err := p.placeholder(inside)
	if err != nil {
		return s, err
	}
	if before, err = decodeText(before); err != nil {
		return s, err
	}
	if strings.Contains(after, "{") {
		return s, errTwo
	}
	if after, err = decodeText(after); err != nil {
		return s, err
	}
	if !isASCII(before) || !isASCII(after) {
		return s, errASCII
	}
	s.prefix, s.suffix, s.exact = strings.ToLower(before), strings.ToLower(after), before+"\x00"+after
	return s, nil
}

// Why a segment is refused.
var (
	errDots  = errors.New("no segment of dots")
	errBrace = errors.New("a brace without the other; as text they are %7B and %7D")
	errTwo   = errors.New("one placeholder per segment at most")
	errASCII = errors.New("only ASCII beside a placeholder")
	errStar  = errors.New("\"*\" and {rest...} stand alone and at the end only; as text it is %2A")
	errQuery = errors.New("a query or fragment; as text they are %3F and %23")
	errSpace = errors.New("a space; as text it is %20")
	errSlash = errors.New("an encoded slash or a backslash")
	errUTF8  = errors.New("not UTF-8")
)

// placeholder reads what is inside of braces: the kind, or "id:kind".
func (p *pattern) placeholder(inside string) (segment, error) {
	id, kindText, named := strings.Cut(inside, ":")
	if !named {
		kindText = id
	}
	k, ok := kindNamed(kindText)
	switch {
	case strings.HasSuffix(inside, "..."):
		return segment{}, errStar
	case !ok && !named && isID(id):
		return segment{}, fmt.Errorf("no kind %q; a placeholder of that name is {%s:name}, {%s:number} or {%s:guid}", id, id, id, id)
	case !ok || !isID(id):
		return segment{}, fmt.Errorf("placeholder {%s}; they are {guid}, {number}, {name}, or {id:guid} and so on", inside)
	}
	for _, s := range p.segments {
		if s.kind != literal && s.id == id {
			return segment{}, fmt.Errorf("a second {%s}; give it an id of its own: {id:%s}", id, kindText)
		}
	}
	return segment{kind: k, id: id}, nil
}

func isID(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !isHostByte(c) })
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= utf8.RuneSelf })
}

func isDots(s string) bool { return s == "." || s == ".." }

// decodeText decodes literal text of a pattern or target, once.
func decodeText(s string) (string, error) {
	if strings.ContainsAny(s, "*") {
		return "", errStar
	}
	if strings.ContainsAny(s, "{}") {
		return "", errBrace
	}
	if strings.ContainsAny(s, "?#") {
		return "", errQuery
	}
	if strings.ContainsFunc(s, unicode.IsSpace) {
		return "", errSpace
	}
	text, err := url.PathUnescape(s)
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(text) {
		return "", errUTF8
	}
	for _, c := range text {
		switch {
		case c == '/' || c == '\\':
			return "", errSlash
		case c < ' ' || c == 0x7f:
			return "", fmt.Errorf("control character %#x", c)
		}
	}
	return text, nil
}

// key returns the folded literal segments with slashes between, where placeholders are empty.
func (p *pattern) key() string {
	var b []byte
	for i, s := range p.segments {
		if i > 0 {
			b = append(b, '/')
		}
		if s.kind == literal {
			b = appendFolded(b, s.text)
		}
	}
	return string(b)
}

// comparePatterns orders forms, the more specific ones first: segment by segment from the left, literal text before
// {number}, {guid} and {name}, more text beside a placeholder before less, and what ends before "*".
func comparePatterns(a, b *pattern) int {
	for i := range min(len(a.segments), len(b.segments)) {
		x, y := &a.segments[i], &b.segments[i]
		c := cmp.Or(cmp.Compare(x.kind, y.kind), cmp.Compare(len(y.prefix)+len(y.suffix), len(x.prefix)+len(x.suffix)),
			cmp.Compare(x.prefix, y.prefix), cmp.Compare(x.suffix, y.suffix))
		if c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(b.segments), len(a.segments)), compareBools(a.tail, b.tail), compareBools(a.slash, b.slash))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
