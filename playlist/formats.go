package playlist

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// RulesNamespace is the XML namespace in which [XSPF] and [MediaRSS] say what their own vocabulary has no words for: an
// element called rules with the attributes role, canSeek, canSkipForward and canSkipBack, only for entries that have a
// role or a rule. An attribute that is absent means no role, and true.
const RulesNamespace = "https://github.com/smoothkit/smoothkit/playlist"

// appendXML appends s as character data or as a value in double quotes. Tabs and line breaks become references, so
// that a reader gets them back; what XML 1.0 has no form for becomes U+FFFD.
func appendXML(dst []byte, s string) []byte {
	w := sliceWriter{dst}
	_ = xml.EscapeText(&w, []byte(s)) // fails only if its writer does
	return w.b
}

// sliceWriter is an io.Writer that cannot fail.
type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// appendElement appends an element with only text, or nothing if there is none.
func appendElement(dst []byte, indent, name, text string) []byte {
	if text == "" {
		return dst
	}
	dst = append(dst, indent+"<"+name+">"...)
	dst = appendXML(dst, text)
	return append(dst, "</"+name+">\n"...)
}

// appendAttribute appends a space and an attribute, or nothing if its value is empty.
func appendAttribute(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, " "+name+`="`...)
	dst = appendXML(dst, value)
	return append(dst, '"')
}

// appendRules appends the element rules, see [RulesNamespace], or nothing for an entry without role and rules.
func appendRules(dst []byte, indent string, it *Item) []byte {
	if it.Role == "" && !it.locked() {
		return dst
	}
	dst = append(dst, indent+`<rules xmlns="`+RulesNamespace+`"`...)
	dst = appendAttribute(dst, "role", it.Role)
	for _, r := range []struct {
		name string
		off  bool
	}{{"canSeek", it.NoSeek}, {"canSkipForward", it.NoSkipForward}, {"canSkipBack", it.NoSkipBack}} {
		if r.off {
			dst = appendAttribute(dst, r.name, "false")
		}
	}
	return append(dst, "/>\n"...)
}

// locked reports whether the item has any rule.
func (it *Item) locked() bool { return it.NoSeek || it.NoSkipForward || it.NoSkipBack }

// lineText makes a text fit for one line of a format that is read by lines: line breaks, tabs and other control
// characters become spaces, runs of which become one.
func lineText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == '\uFEFF' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
}

// lineURL makes a URL fit for one line: what cannot be in a URL, and a leading # that would make it a comment, is
// percent-encoded. A proper URL is left as it is.
func lineURL(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c <= ' ' || c == 0x7F || c == '#' && i == 0 || c >= utf8.RuneSelf {
			const hex = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// lineSeconds returns a duration in whole seconds as lists have it: rounded, at least 1 for what is not zero, and -1 for
// what is unknown.
func lineSeconds(d time.Duration) string {
	if d <= 0 {
		return "-1"
	}
	return strconv.FormatInt(max(1, int64(d.Round(time.Second)/time.Second)), 10)
}

// isoTime returns a time in UTC as in xsd:dateTime, empty for the zero time.
func isoTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
