package playlist

import (
	"net/url"
	"strings"
)

// questionScheme begins the source of an entry whose place a server is asked for.
const questionScheme = "httpd://"

// isQuestion reports whether a source is a question: an httpd:// URL, whose answer is the place.
func isQuestion(src string) bool {
	src = strings.TrimSpace(src)
	return len(src) >= len(questionScheme) && strings.EqualFold(src[:len(questionScheme)], questionScheme)
}

// urlPart is a part of a URL in which a server variable can stand.
type urlPart int

const (
	inHost   urlPart = iota // up to the first slash
	inPath                  // up to the question mark
	inQuery                 // where a pair begins
	inValue                 // of a pair of the query
	inAnchor                // after #, which is not sent
)

// next returns the part after a byte of the template.
func (p urlPart) next(c byte) urlPart {
	switch {
	case p == inAnchor || c == '#':
		return inAnchor
	case p <= inPath && c == '?', p >= inQuery && (c == '&' || c == ';'):
		return inQuery
	case p == inHost && c == '/':
		return inPath
	case p == inQuery:
		return inValue
	}
	return p
}

// questionURL returns the http URL that a question asks, with values in the place of {SERVER_VARIABLE} names. Whatever a
// client sends, it changes neither the host nor the port (see [variables]). Values are percent-encoded, so they neither end
// a part of the URL nor a pair of the query; but paths keep their slashes in the path, and QUERY_STRING its pairs where a
// pair begins, as in "?{QUERY_STRING}&list=1". Errors, such as that of an unknown name, wrap [ErrForbiddenSource].
func questionURL(src string, vars *variables) (*url.URL, error) {
	src = strings.TrimSpace(src)
	if !isQuestion(src) || len(src) > maxSource {
		return nil, forbidden("no question", src[:min(len(src), 64)])
	}
	built, why := fill(src[len(questionScheme):], vars)
	if why != "" {
		return nil, forbidden(why, src)
	}
	u, err := parseRemote("http://" + built)
	if err != nil {
		return nil, err
	}
	if hasDots(u) {
		return nil, forbidden("path with dot segments", u.String())
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// fill returns a template of what follows the scheme, with values, or why it cannot.
func fill(template string, vars *variables) (built, why string) {
	var b strings.Builder
	for part, i := inHost, 0; i < len(template); i++ {
		switch c := template[i]; c {
		case '}':
			return "", "brace that closes nothing"
		case '{':
			name, _, closed := strings.Cut(template[i+1:], "}")
			if !closed {
				return "", "brace that is not closed"
			}
			value, why := vars.value(name, part)
			if why != "" {
				return "", why
			}
			b.WriteString(value)
			i += len(name) + 1
			if part == inQuery {
				part = inValue
			}
		default:
			part = part.next(c)
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// hasDots reports whether the path of a URL has an element "." or ".." for any server, also one that takes encoded
// separators or backslashes for slashes.
func hasDots(u *url.URL) bool {
	for _, e := range strings.FieldsFunc(decodeEscapes(u.Path), func(r rune) bool { return r == '/' || r == '\\' }) {
		if e == "." || e == ".." {
			return true
		}
	}
	return false
}
