package iis

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Bounds of rewrite rules.
const (
	maxPattern      = 4096 // bytes of a pattern or a text with variables
	maxTemplateDeep = 8    // braces in braces
	maxExpanded     = 8192 // bytes of a text whose variables have their values
	maxGroup        = 99
)

// pieces are text with variables in braces.
type pieces []part

// part is a piece of a template: text, or what stands in braces.
type part struct {
	text string // if kind is partText; else the name in upper case, or that of a map as it is written
	kind partKind
	n    int    // of a group
	arg  pieces // of a map or a function
}

type partKind int

const (
	partText      partKind = iota
	partRule               // {R:n}
	partCondition          // {C:n}
	partVariable
	partMap
	partFunction
)

// parseTemplate reads text with variables. Names of maps are not checked.
func parseTemplate(s string) (pieces, error) {
	if len(s) > maxPattern {
		return nil, fmt.Errorf("text of %d bytes, limit %d: %w", len(s), maxPattern, ErrRule)
	}
	t, rest, err := parseParts(s, 0)
	if err == nil && rest != "" {
		err = fmt.Errorf("brace without its other half in %.100q: %w", s, ErrRule)
	}
	return t, err
}

// parseParts reads as far as a closing brace that opened outside, or the end.
func parseParts(s string, deep int) (t pieces, rest string, err error) {
	if deep > maxTemplateDeep {
		return nil, "", fmt.Errorf("more than %d nested braces: %w", maxTemplateDeep, ErrRule)
	}
	for s != "" {
		i := strings.IndexAny(s, "{}")
		switch {
		case i < 0:
			return append(t, part{text: s}), "", nil
		case i > 0:
			t = append(t, part{text: s[:i]})
			s = s[i:]
		case s[0] == '}':
			return t, s, nil
		default:
			var p part
			if p, s, err = parseBraces(s[1:], deep); err != nil {
				return nil, "", err
			}
			t = append(t, p)
		}
	}
	return t, "", nil
}

// parseBraces reads what is behind an opening brace, with the closing one.
func parseBraces(s string, deep int) (p part, rest string, err error) {
	i := strings.IndexAny(s, ":{}")
	if i < 0 || s[i] == '{' {
		return p, "", fmt.Errorf("variable {%.50s: %w", s, ErrRule)
	}
	name := s[:i]
	if s[i] == '}' {
		p, err = variable(name)
		return p, s[i+1:], err
	}
	arg, rest, err := parseParts(s[i+1:], deep+1)
	if err != nil {
		return p, "", err
	}
	if rest == "" {
		return p, "", fmt.Errorf("variable {%.50s without its end: %w", s, ErrRule)
	}
	p, err = call(name, arg)
	return p, rest[1:], err
}

// call returns the part for {name:argument}.
func call(name string, arg pieces) (part, error) {
	upper := strings.ToUpper(name)
	switch upper {
	case "R", "C":
		n, err := strconv.Atoi(arg.literal())
		if err != nil || n < 0 || n > maxGroup {
			return part{}, fmt.Errorf("group {%s:%.20s}: %w", name, arg.literal(), ErrRule)
		}
		if upper == "R" {
			return part{kind: partRule, n: n}, nil
		}
		return part{kind: partCondition, n: n}, nil
	case "TOLOWER", "URLENCODE", "URLDECODE":
		return part{kind: partFunction, text: upper, arg: arg}, nil
	}
	return part{kind: partMap, text: name, arg: arg}, nil
}

// literal returns the text of a template without variables, empty for others.
func (t pieces) literal() string {
	if len(t) == 1 && t[0].kind == partText {
		return t[0].text
	}
	return ""
}

// isFilename tells whether a template is the file of the request and nothing else.
func (t pieces) isFilename() bool {
	return len(t) == 1 && t[0].kind == partVariable && t[0].text == "REQUEST_FILENAME"
}

// fromPath tells whether a template begins with what a client has in its path, as it is or through a function.
func (t pieces) fromPath() bool {
	return len(t) > 0 && (t[0].kind == partRule || t[0].kind == partFunction && t[0].arg.fromPath())
}

// each calls f for every part, also those in others.
func (t pieces) each(f func(*part)) {
	for i := range t {
		f(&t[i])
		t[i].arg.each(f)
	}
}

// variable returns the part for {name}.
func variable(name string) (part, error) {
	upper := strings.ToUpper(name)
	known := strings.HasPrefix(upper, "HTTP_") && isToken(upper[5:]+"x")
	switch upper {
	case "HTTPS", "QUERY_STRING", "REQUEST_URI", "UNENCODED_URL", "CACHE_URL", "URL", "PATH_INFO", "SCRIPT_NAME",
		"REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PORT_SECURE", "SERVER_PROTOCOL", "REMOTE_ADDR", "REMOTE_HOST",
		"REMOTE_PORT", "CONTENT_TYPE", "CONTENT_LENGTH", "REQUEST_FILENAME":
		known = true
	}
	if !known {
		return part{}, fmt.Errorf("variable {%.50s}: %w", name, ErrRule)
	}
	return part{kind: partVariable, text: upper}, nil
}

// escapeValue escapes a value that is not text of a URL for one, whose query has begun or not.
func escapeValue(v string, inQuery bool) string {
	if inQuery {
		return escapeText(v)
	}
	u := url.URL{Path: "/" + v}
	return u.EscapedPath()[1:]
}

// escapeText escapes what cannot be in a path or query, and leaves what is escaped already.
func escapeText(v string) string { return escapeBytes(v, false) }

// escapeBytes is [escapeText], which may leave what separates a fragment.
func escapeBytes(v string, fragments bool) string {
	bad := func(i int) bool {
		c := v[i]
		return c <= ' ' || c >= 0x7f || c == '%' && !isEscape(v[i:]) || c == '#' && !fragments || c == '\\' || c == '"'
	}
	clean := true
	for i := range len(v) {
		clean = clean && !bad(i)
	}
	if clean {
		return v
	}
	var b strings.Builder
	for i := range len(v) {
		if bad(i) {
			fmt.Fprintf(&b, "%%%02X", v[i])
			continue
		}
		b.WriteByte(v[i])
	}
	return b.String()
}
