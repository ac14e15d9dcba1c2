package smooth

import (
	"slices"
	"strconv"
	"strings"
)

// String returns the URL of the request relative to the handler's root, path and query, such as
// "sport/final.ism/QualityLevels(1200000)/Fragments(video=0)". [ParseRequest] is its inverse.
func (q *Request) String() string {
	return string(q.appendQuery(q.AppendPath(nil)))
}

// AppendPath appends the path of the request relative to the handler's root, percent-encoded, without query.
func (q *Request) AppendPath(dst []byte) []byte {
	dst = appendEscaped(dst, q.Presentation)
	if q.Kind == CompositeRequest {
		return dst
	}
	return q.appendBelow(append(dst, '/'))
}

// Child returns a request for the same presentation that inherits what must ride along: the options (such as
// filter) and the query parameters that the handler lets through, see [HandlerOptions].ChildQuery. The caller sets
// Kind and Key, usually Format, and formats it with [Request.AppendChild].
func (q *Request) Child() Request {
	return Request{Presentation: q.Presentation, Kind: q.Kind, Options: q.Options, RawQuery: q.childQuery}
}

// ChildQuery returns the part of the query that rides along in child URLs, without question mark. An output that
// caches a body builds it without this part and adds it per request.
func (q *Request) ChildQuery() string { return q.childQuery }

// AppendChild appends the URL of child, a request for the same presentation, relative to the URL of q.
func (q *Request) AppendChild(dst []byte, child *Request) []byte {
	inLevel := q.Kind == FragmentRequest || q.Kind == TrackManifestRequest
	belowLevel := child.Kind == FragmentRequest || child.Kind == TrackManifestRequest
	switch {
	case q.Kind == CompositeRequest:
		_, last := cutLast(q.Presentation)
		dst = append(appendEscaped(dst, last), '/')
	case inLevel && belowLevel && q.Key.Bitrate == child.Key.Bitrate && q.Key.Attrs == child.Key.Attrs:
		return child.appendQuery(child.appendCall(dst))
	case inLevel:
		dst = append(dst, "../"...)
	}
	return child.appendQuery(child.appendBelow(dst))
}

// appendBelow appends the path below the presentation.
func (q *Request) appendBelow(dst []byte) []byte {
	if q.Kind == FragmentRequest || q.Kind == TrackManifestRequest {
		dst = append(dst, "QualityLevels("...)
		dst = strconv.AppendUint(dst, q.Key.Bitrate, 10)
		if q.Key.Attrs != "" {
			dst = appendEscaped(append(dst, ','), q.Key.Attrs)
		}
		dst = append(dst, ")/"...)
	}
	return q.appendCall(dst)
}

// appendCall appends the last segment.
func (q *Request) appendCall(dst []byte) []byte {
	word := "Manifest"
	if q.Kind == FragmentRequest {
		word = q.Noun.String()
	}
	dst = append(dst, word...)
	open := len(dst)
	dst = append(dst, '(')
	switch q.Kind {
	case FragmentRequest:
		dst = append(appendEscaped(dst, q.Key.Stream), '=')
		dst = append(strconv.AppendUint(dst, q.Key.Time, 10), ',')
	case TrackManifestRequest:
		dst = append(appendEscaped(dst, q.Key.Stream), ',')
	}
	if q.Format != "" {
		dst = append(appendEscaped(append(dst, "format="...), q.Format), ',')
	}
	if q.Options != "" {
		dst = append(appendEscaped(dst, q.Options), ',')
	}
	if len(dst) == open+1 {
		dst = dst[:open]
	} else {
		dst[len(dst)-1] = ')' // over the last comma
	}
	return append(dst, q.Suffix...)
}

func (q *Request) appendQuery(dst []byte) []byte {
	if q.RawQuery == "" {
		return dst
	}
	return append(append(dst, '?'), q.RawQuery...)
}

// appendEscaped appends s percent-encoded for a path. Parentheses, commas and the equals sign stay, as clients and
// IIS write them; the colon does not, so that a relative URL never looks like a scheme. See RFC 3986 3.3 and 4.2.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if isWordByte(c) || c < 0x80 && strings.IndexByte("-.~!$&()*+,;=@/", c) >= 0 {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// childQueryOf returns the parameters of a raw query whose names are in names, in their order and as written.
func childQueryOf(raw string, names []string) string {
	if raw == "" || len(names) == 0 {
		return ""
	}
	kept := 0
	var b strings.Builder
	for rest, more := raw, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, "&")
		key, _, _ := strings.Cut(item, "=")
		if item == "" || !slices.Contains(names, key) || !safeQuery(item) {
			continue
		}
		if kept++; kept > 1 {
			b.WriteByte('&')
		}
		b.WriteString(item)
	}
	return b.String()
}

// safeQuery reports whether s consists of characters that RFC 3986 3.4 allows in a query, so that it can stand in a
// playlist, too.
func safeQuery(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^{|}#`+"`", c) >= 0 {
			return false
		}
	}
	return true
}
