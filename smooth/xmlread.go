package smooth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/internal/textenc"
)

// Limits of what [ParseManifest] and [ParseServerManifest] accept. Beyond them they return an error that wraps
// [ErrTooLarge].
const (
	// MaxManifestBytes is the size of a document in bytes, in whatever encoding it is in.
	MaxManifestBytes = 32 << 20
	// MaxManifestDepth is the number of nested elements.
	MaxManifestDepth = 32
	// MaxManifestAttributes is the number of attributes of one element, and of Attribute elements or param
	// elements in one parent.
	MaxManifestAttributes = 128
	// MaxManifestStreams is the number of streams, in all clips together for a composite manifest.
	MaxManifestStreams = 4096
	// MaxManifestClips is the number of clips of a composite manifest.
	MaxManifestClips = 4096
	// MaxManifestLevels is the number of quality levels in all streams together, and of tracks and of meta
	// elements in a server manifest.
	MaxManifestLevels = 8192
	// MaxManifestChunks is the number of fragments in all streams together, after repeats have been expanded. A media
	// file may have as many per track.
	MaxManifestChunks = 1 << 21
	// MaxManifestEmbedded is the number of f elements with data in all streams together.
	MaxManifestEmbedded = 1 << 18
)

// xmlReader is a bounded pull parser for small vocabularies without regard to namespaces. Every element that a
// callback of children receives must be consumed by exactly one of children, text, skip or innerXML.
type xmlReader struct {
	dec    *xml.Decoder
	data   []byte // UTF-8 without byte order mark
	file   string // for errors
	stack  []xmlFrame
	line   int   // where the last token began
	offset int64 // of the last token in data
	err    error // the first error of the attribute readers
}

// xmlFrame is an open element. Number counts it among its siblings from 1; 0 means it is not counted.
type xmlFrame struct {
	name   xml.Name
	number int
}

// newXMLReader prepares data, which may be UTF-8 or UTF-16, for reading.
func newXMLReader(file string, data []byte) (*xmlReader, error) {
	x := &xmlReader{file: file}
	if len(data) > MaxManifestBytes {
		return nil, x.fail(ErrTooLarge, "%d bytes, limit %d", len(data), MaxManifestBytes)
	}
	text, err := textenc.UTF8(data)
	if err != nil {
		return nil, x.fail(ErrCorrupt, "%v", err)
	}
	x.data = text
	x.dec = xml.NewDecoder(bytes.NewReader(text))
	// The bytes are UTF-8 by now, whatever the declaration says; many files say utf-16 over UTF-8 bytes.
	x.dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return x, nil
}

// fail returns an error at the place where the last token began.
func (x *xmlReader) fail(sentinel error, format string, args ...any) error {
	return x.failAt(x.line, sentinel, format, args...)
}

func (x *xmlReader) failAt(line int, sentinel error, format string, args ...any) error {
	return &FileError{
		File: x.file, Path: x.path(), Offset: -1, Line: line, Reason: fmt.Sprintf(format, args...), Err: sentinel,
	}
}

// path returns the open elements, such as SmoothStreamingMedia/StreamIndex[2]/c[17].
func (x *xmlReader) path() string {
	var b strings.Builder
	for i, f := range x.stack {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(f.name.Local)
		if f.number > 0 {
			fmt.Fprintf(&b, "[%d]", f.number)
		}
	}
	return b.String()
}

// token returns the next token. At the end of input it returns nil and no error.
func (x *xmlReader) token() (xml.Token, error) {
	x.line, _ = x.dec.InputPos()
	x.offset = x.dec.InputOffset()
	tok, err := x.dec.RawToken()
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			return nil, x.failAt(syntax.Line, ErrCorrupt, "%s", syntax.Msg)
		}
		return nil, x.fail(ErrCorrupt, "%v", err)
	}
	switch t := tok.(type) {
	case xml.Directive:
		return nil, x.fail(ErrCorrupt, "document type declarations are not allowed")
	case xml.ProcInst:
		if t.Target == "xml" && len(x.stack) > 0 {
			return nil, x.fail(ErrCorrupt, "XML declaration inside an element")
		}
	}
	return tok, nil
}

// document reads prolog, root element and what follows it. The root has one of the names.
func (x *xmlReader) document(name string, root func(el xml.StartElement) error) error {
	seen := false
	for {
		tok, err := x.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case nil:
			if !seen {
				return x.fail(ErrCorrupt, "no %s element", name)
			}
			return nil
		case xml.StartElement:
			if seen {
				return x.fail(ErrCorrupt, "second root element %s", t.Name.Local)
			}
			seen = true
			if !equalFoldASCII(t.Name.Local, name) {
				return x.fail(ErrCorrupt, "root element %s, want %s", t.Name.Local, name)
			}
			if err := x.enter(t, root); err != nil {
				return err
			}
		case xml.EndElement:
			return x.fail(ErrCorrupt, "unexpected </%s>", t.Name.Local)
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return x.fail(ErrCorrupt, "text outside the root element")
			}
		}
	}
}

func (x *xmlReader) enter(el xml.StartElement, child func(el xml.StartElement) error) error {
	x.stack = append(x.stack, xmlFrame{name: el.Name})
	if len(x.stack) > MaxManifestDepth {
		return x.fail(ErrTooLarge, "more than %d nested elements", MaxManifestDepth)
	}
	if len(el.Attr) > MaxManifestAttributes {
		return x.fail(ErrTooLarge, "%d attributes, limit %d", len(el.Attr), MaxManifestAttributes)
	}
	return child(el)
}

// number tells the position of the innermost element among its siblings, from 1, for error messages.
func (x *xmlReader) number(n int) { x.stack[len(x.stack)-1].number = n }

// each reads up to the end of the innermost element and calls child for each element and text for each piece of
// text in it.
func (x *xmlReader) each(child func(el xml.StartElement) error, text func([]byte)) error {
	for {
		tok, err := x.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case nil:
			return x.fail(ErrCorrupt, "unexpected end of input")
		case xml.StartElement:
			if err := x.enter(t, child); err != nil {
				return err
			}
		case xml.EndElement:
			if top := x.stack[len(x.stack)-1]; top.name != t.Name {
				return x.fail(ErrCorrupt, "element <%s> closed by </%s>", top.name.Local, t.Name.Local)
			}
			x.stack = x.stack[:len(x.stack)-1]
			return nil
		case xml.CharData:
			if text != nil {
				text(t)
			}
		}
	}
}

// children consumes the innermost element and calls child for each element in it.
func (x *xmlReader) children(child func(el xml.StartElement) error) error { return x.each(child, nil) }

// skip consumes the innermost element.
func (x *xmlReader) skip(xml.StartElement) error { return x.each(x.skip, nil) }

// text consumes the innermost element and returns the text directly in it.
func (x *xmlReader) text() ([]byte, error) {
	var b []byte
	err := x.each(x.skip, func(t []byte) { b = append(b, t...) })
	return b, err
}

// innerXML consumes the innermost element and returns a copy of what is between its tags.
func (x *xmlReader) innerXML() ([]byte, error) {
	from := x.dec.InputOffset()
	if err := x.skip(xml.StartElement{}); err != nil {
		return nil, err
	}
	if from >= x.offset {
		return nil, nil
	}
	return bytes.Clone(x.data[from:x.offset]), nil
}

// attributes calls set for each attribute without prefix, its name in lower case. What set does not know, and
// what has a prefix, is returned. Names must be unique without regard to case.
func (x *xmlReader) attributes(el xml.StartElement, set func(key string, a xml.Attr) bool) ([]Attribute, error) {
	var extra []Attribute
	for i, a := range el.Attr {
		for _, b := range el.Attr[:i] {
			if equalFoldASCII(a.Name.Local, b.Name.Local) && equalFoldASCII(a.Name.Space, b.Name.Space) {
				return nil, x.fail(ErrCorrupt, "attribute %s twice", a.Name.Local)
			}
		}
		switch {
		case a.Name.Space != "":
			extra = append(extra, Attribute{Name: a.Name.Space + ":" + a.Name.Local, Value: a.Value})
		case a.Name.Local == "xmlns":
		case !set(strings.ToLower(a.Name.Local), a):
			extra = append(extra, Attribute{Name: a.Name.Local, Value: a.Value})
		}
	}
	return extra, x.takeErr()
}

// pair reads an element with the attributes name and, under the given name in lower case, its value.
func (x *xmlReader) pair(el xml.StartElement, value string) (pair Attribute, err error) {
	_, err = x.attributes(el, func(key string, a xml.Attr) bool {
		switch key {
		case "name":
			pair.Name = a.Value
		case value:
			pair.Value = a.Value
		}
		return true
	})
	return pair, err
}

func (x *xmlReader) takeErr() error {
	err := x.err
	x.err = nil
	return err
}

func (x *xmlReader) failAttr(a xml.Attr, format string, args ...any) {
	if x.err == nil {
		x.err = x.fail(ErrCorrupt, a.Name.Local+" "+format, args...)
	}
}

// number64 reads a decimal number of at most size bits; an empty value counts as 0.
func (x *xmlReader) number64(a xml.Attr, size int) uint64 {
	s := strings.TrimSpace(a.Value)
	if s == "" {
		return 0
	}
	v, err := strconv.ParseUint(s, 10, size)
	if err != nil {
		x.failAttr(a, "%q is not a decimal number of %d bits", abbreviate(s), size)
	}
	return v
}

func (x *xmlReader) uint64(a xml.Attr) uint64 { return x.number64(a, 64) }
func (x *xmlReader) uint32(a xml.Attr) uint32 { return uint32(x.number64(a, 32)) }

// bool reads true and false or 1 and 0 in any case; an empty value counts as false.
func (x *xmlReader) bool(a xml.Attr) bool {
	v, ok := parseBool(a.Value)
	if !ok && strings.TrimSpace(a.Value) != "" {
		x.failAttr(a, "%q is not a boolean", abbreviate(a.Value))
	}
	return v
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// hex reads hexadecimal bytes; an empty value gives nil.
func (x *xmlReader) hex(a xml.Attr) []byte {
	s := strings.TrimSpace(a.Value)
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		x.failAttr(a, "is not hexadecimal: %v", strings.TrimPrefix(err.Error(), "encoding/hex: "))
	}
	return b
}

// decodeBase64 ignores white space and missing padding.
func decodeBase64(text []byte) ([]byte, error) {
	compact := text[:0]
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			compact = append(compact, c)
		}
	}
	compact = bytes.TrimRight(compact, "=")
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(compact)))
	n, err := base64.RawStdEncoding.Decode(out, compact)
	return out[:n], err
}

// abbreviate keeps error messages short.
func abbreviate(s string) string {
	const limit = 40
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
