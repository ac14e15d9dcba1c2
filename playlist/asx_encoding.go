package playlist

import (
	"strings"
	"unicode/utf8"

	"github.com/smoothkit/smoothkit/internal/textenc"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// asxString returns a metafile as a string of UTF-8. What is neither UTF-8 nor UTF-16 was written in the code page of
// somebody's Windows, which the file does not tell: that of Western Europe is assumed.
func asxString(data []byte, warn *warnings) (string, error) {
	if len(data) > MaxDocument {
		return "", asxSyntax(xmltree.Position{Line: 1, Column: 1}, ErrTooLarge, "%d bytes, limit %d", len(data), MaxDocument)
	}
	text, err := textenc.UTF8(data)
	if err != nil {
		return "", asxSyntax(xmltree.Position{Line: 1, Column: 1}, ErrSyntax, "%v", err)
	}
	if utf8.Valid(text) {
		return xmlString(string(text), warn), nil
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/8)
	for _, c := range text {
		b.WriteRune(windows1252(c))
	}
	warn.add(xmltree.Position{Line: 1, Column: 1}, "neither UTF-8 nor UTF-16: read as Windows-1252")
	return xmlString(b.String(), warn), nil
}

// xmlString makes spaces of characters that XML has no form for, so that what is read can be written.
func xmlString(s string, warn *warnings) string {
	i := invalidXML(s)
	if i < 0 {
		return s
	}
	warn.add(xmltree.Position{Line: 1, Column: 1}.After(s[:i]), "control characters are taken for spaces")
	return strings.Map(func(r rune) rune {
		if isXMLChar(r) {
			return r
		}
		return ' '
	}, s)
}

// windows1252 returns the character of a byte. The five bytes that have none become control characters, as they do in
// Windows.
func windows1252(c byte) rune {
	const high = "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
		"\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178"
	if c < 0x80 || c >= 0xA0 {
		return rune(c)
	}
	n := c - 0x80
	for _, r := range high {
		if n == 0 {
			return r
		}
		n--
	}
	return utf8.RuneError
}
