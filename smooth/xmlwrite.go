package smooth

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const xmlDeclaration = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// xmlWriter appends XML. The first thing that XML cannot carry becomes err.
type xmlWriter struct {
	b    []byte
	file string // for errors
	err  error
}

func (w *xmlWriter) fail(sentinel error, format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("smooth: %s: %s: %w", w.file, fmt.Sprintf(format, args...), sentinel)
	}
}

func (w *xmlWriter) raw(s string) { w.b = append(w.b, s...) }

// name appends ` name="`.
func (w *xmlWriter) name(name string) {
	w.b = append(w.b, ' ')
	w.b = append(w.b, name...)
	w.b = append(w.b, '=', '"')
}

func (w *xmlWriter) attr(name, value string) {
	w.name(name)
	w.escape(name, value)
	w.b = append(w.b, '"')
}

func (w *xmlWriter) attrIf(name, value string) {
	if value != "" {
		w.attr(name, value)
	}
}

func (w *xmlWriter) uint(name string, v uint64) {
	w.name(name)
	w.b = strconv.AppendUint(w.b, v, 10)
	w.b = append(w.b, '"')
}

func (w *xmlWriter) uintIf(name string, v uint64) {
	if v != 0 {
		w.uint(name, v)
	}
}

// trueIf appends name="TRUE", the spelling of IIS, if v is set.
func (w *xmlWriter) trueIf(name string, v bool) {
	if v {
		w.attr(name, "TRUE")
	}
}

func (w *xmlWriter) hex(name string, data []byte) {
	w.name(name)
	for _, c := range data {
		w.b = append(w.b, hexDigits[c>>4], hexDigits[c&15])
	}
	w.b = append(w.b, '"')
}

func (w *xmlWriter) base64(data []byte) { w.b = base64.StdEncoding.AppendEncode(w.b, data) }

// extra appends attributes of foreign origin. Their names must be XML names, differ from each other, and differ
// from known, which lists the attributes of the element in lower case, separated by spaces.
func (w *xmlWriter) extra(list []Attribute, known string) {
	for i, a := range list {
		if !isXMLName(a.Name) {
			w.fail(ErrUnsupported, "%q is not an attribute name", abbreviate(a.Name))
			return
		}
		if hasWord(known, strings.ToLower(a.Name)) {
			w.fail(ErrUnsupported, "extra attribute %s has a field of its own", a.Name)
		}
		for _, b := range list[:i] {
			if equalFoldASCII(a.Name, b.Name) {
				w.fail(ErrUnsupported, "attribute %s twice", a.Name)
			}
		}
		w.attr(a.Name, a.Value)
	}
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// customAttributes appends a CustomAttributes element unless list is empty.
func (w *xmlWriter) customAttributes(list []Attribute) {
	if len(list) == 0 {
		return
	}
	w.raw("<CustomAttributes>\n")
	for _, a := range list {
		w.raw("<Attribute")
		w.attr("Name", a.Name)
		w.attr("Value", a.Value)
		w.raw("/>\n")
	}
	w.raw("</CustomAttributes>\n")
}

// escape appends the value of attribute name.
func (w *xmlWriter) escape(name, s string) {
	done := 0
	for i := 0; i < len(s); {
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s[i:])
		}
		var esc string
		switch {
		case c == '&':
			esc = "&amp;"
		case c == '<':
			esc = "&lt;"
		case c == '>':
			esc = "&gt;"
		case c == '"':
			esc = "&quot;"
		case c == '\t':
			esc = "&#x9;"
		case c == '\n':
			esc = "&#xA;"
		case c == '\r':
			esc = "&#xD;"
		case c < ' ', c == 0xFFFE, c == 0xFFFF, c == utf8.RuneError && size == 1:
			w.fail(ErrUnsupported, "attribute %s: XML cannot carry byte %#02x", name, s[i])
			return
		}
		if esc != "" {
			w.b = append(w.b, s[done:i]...)
			w.b = append(w.b, esc...)
			done = i + size
		}
		i += size
	}
	w.b = append(w.b, s[done:]...)
}

// isXMLName checks the characters that could break the document out of an attribute name; it is laxer than the
// Name production of XML 1.0 beyond ASCII.
func isXMLName(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for i, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':', c >= utf8.RuneSelf && c != 0xFFFE && c != 0xFFFF:
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}
