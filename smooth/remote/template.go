package remote

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// template is the template of the fragment URLs of a stream, cut at its placeholders. See [MS-SSTR] 2.2.2.4.
type template struct{ parts []templatePart }

// templatePart is literal text, encoded as it is sent, or a placeholder.
type templatePart struct {
	text  string
	place placeholder
}

type placeholder uint8

const (
	literal placeholder = iota
	bitratePlace
	timePlace
	attributesPlace
)

// placeholders are the spellings that manifests have, in lower case.
var placeholders = map[string]placeholder{
	"bitrate": bitratePlace, "start time": timePlace, "start_time": timePlace, "starttime": timePlace,
	"customattributes": attributesPlace,
}

// parseTemplate parses a template. Braces around anything else are literal text. The error says that no fragment could
// be asked for.
func parseTemplate(s string) (*template, error) {
	t := new(template)
	timed := false
	rest := s
	for from := 0; ; {
		open := strings.IndexByte(rest[from:], '{')
		if open < 0 {
			break
		}
		open += from
		end := strings.IndexByte(rest[open:], '}')
		if end < 0 {
			break
		}
		place, ok := placeholders[strings.ToLower(rest[open+1:open+end])]
		if !ok {
			from = open + 1
			continue
		}
		timed = timed || place == timePlace
		t.parts = append(t.parts, templatePart{text: escapeURL(rest[:open])}, templatePart{place: place})
		rest, from = rest[open+end+1:], 0
	}
	t.parts = append(t.parts, templatePart{text: escapeURL(rest)})
	if !timed {
		return nil, fmt.Errorf("URL template %.80q has no start time", s)
	}
	if _, err := t.reference(&smooth.QualityLevel{}, 0); err != nil {
		return nil, err
	}
	return t, nil
}

// has reports whether the template has a placeholder.
func (t *template) has(place placeholder) bool {
	for _, p := range t.parts {
		if p.place == place {
			return true
		}
	}
	return false
}

// reference returns the URL of a fragment, relative to the manifest.
func (t *template) reference(l *smooth.QualityLevel, time uint64) (*url.URL, error) {
	var b []byte
	for _, p := range t.parts {
		switch p.place {
		case literal:
			b = append(b, p.text...)
		case bitratePlace:
			b = strconv.AppendUint(b, l.Bitrate, 10)
		case timePlace:
			b = strconv.AppendUint(b, time, 10)
		case attributesPlace:
			b = appendAttributes(b, l.CustomAttributes)
		}
	}
	s := string(b)
	if i := strings.IndexAny(s, ":/?"); i >= 0 && s[i] == ':' && !strings.HasPrefix(s[i:], "://") {
		s = "./" + s // a colon in the first segment is no scheme; RFC 3986 4.2
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("URL template: %w", withoutURL(err))
	}
	if u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("URL template of scheme %q", u.Scheme)
	}
	return u, nil
}

// resolve returns the absolute URL of a fragment. base is the URL of the manifest that has the template.
func (t *template) resolve(base *url.URL, l *smooth.QualityLevel, time uint64) (*url.URL, error) {
	ref, err := t.reference(l, time)
	if err != nil {
		return nil, err
	}
	return base.ResolveReference(ref), nil
}

// appendAttributes appends custom attributes as "key=value" pairs in the order of the manifest, joined by commas. See
// [MS-SSTR] 2.2.3.
func appendAttributes(b []byte, list []smooth.Attribute) []byte {
	for i, a := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendEscaped(append(appendEscaped(b, a.Name, ""), '='), a.Value, "")
	}
	return b
}

// escapeURL encodes what cannot stand in a URL reference and leaves the rest as it is: separators, and what is encoded
// already.
func escapeURL(s string) string {
	return string(appendEscaped(nil, s, ":/?#[]@!$&'()*+,;=%"))
}

// appendEscaped appends s percent-encoded. Letters, digits, "-._~" and the bytes in keep stay; a percent sign stays
// only if it begins an encoded byte.
func appendEscaped(dst []byte, s, keep string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		plain := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 ||
			strings.IndexByte(keep, c) >= 0
		if c == '%' && !(i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])) {
			plain = false
		}
		if plain {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// servedTemplate returns the template of a stream's fragment URLs for the viewers of a [smooth.Handler], whatever that
// of the origin is.
func servedTemplate(name string, attributes bool) string {
	if attributes {
		return "QualityLevels({bitrate},{CustomAttributes})/Fragments(" + name + "={start time})"
	}
	return "QualityLevels({bitrate})/Fragments(" + name + "={start time})"
}
