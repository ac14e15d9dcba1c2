package xmltree_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

var limits = xmltree.Limits{Bytes: 1000, Depth: 4, Attrs: 3, Value: 10, Elements: 6}

// read returns the trees of a document, but for elements called skip, as one line.
func read(doc string) (string, error) {
	r, err := xmltree.New([]byte(doc), limits)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	r.Text = func(element string, at xmltree.Position, text string) {
		fmt.Fprintf(&b, "%s:%d:%d:%q ", element, at.Line, at.Column, text)
	}
	var write func(el *xmltree.Element)
	write = func(el *xmltree.Element) {
		fmt.Fprintf(&b, "<%s %d:%d", el.Name, el.At.Line, el.At.Column)
		for _, a := range el.Attrs {
			fmt.Fprintf(&b, " %s=%q %d:%d", a.Name, a.Value, a.At.Line, a.At.Column)
		}
		for _, child := range el.Children {
			write(child)
		}
		b.WriteString(">")
	}
	err = r.Document(func(el *xmltree.Element) error {
		if el.Is("SKIP") {
			return r.Skip(el)
		}
		err := r.Tree(el)
		write(el)
		return err
	})
	return b.String(), err
}

func TestPositions(t *testing.T) {
	for doc, want := range map[string]string{
		"":                                    "",
		"<a/>":                                "<a 1:1>",
		"\ufeff<?x?>\n <a><!-- x --><b/></a>": "<a 2:2<b 2:15>>",
		"<a\n\tb='c'\r\nd = \"'\" >\n</a >":   `<a 1:1 b="c" 2:2 d="'" 3:1>`,
		"<x:a ü='>' y:z='/'/>":                `<x:a 1:1 ü=">" 1:6 y:z="/" 1:13>`,
		"<a>\n  t\n<b/>ü u</a>":               `a:2:3:"t" a:3:5:"ü u" <a 1:1<b 3:1>>`,
		"<skip><a b='c'>x</a></skip>\n<a/>":   "<a 2:1>",
		"<a b='&lt;'/>":                       `<a 1:1 b="<" 1:4>`,
		"\xff\xfe<\x00a\x00/\x00>\x00":        "<a 1:1>",
	} {
		got, err := read(doc)
		require.NoError(t, err, doc)
		assert.Equal(t, want, got, doc)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		doc, want string
		err       error
	}{
		{"x", `line 1: text "x" outside of elements`, xmltree.ErrSyntax},
		{"<a>\n</b>", "line 2: a: closed by </b>", xmltree.ErrSyntax},
		{"<skip>\n</b>", "line 2: skip: closed by </b>", xmltree.ErrSyntax},
		{"<a>\n", "line 2: a: unexpected end of input", xmltree.ErrSyntax},
		{"<skip>\n", "line 2: skip: unexpected end of input", xmltree.ErrSyntax},
		{"\n</a>", "line 2: </a> closes nothing", xmltree.ErrSyntax},
		{"<!DOCTYPE a>", "line 1: document types are not allowed", xmltree.ErrSyntax},
		{"<a><!DOCTYPE a></a>", "line 1: a: document types are not allowed", xmltree.ErrSyntax},
		{"<skip><!DOCTYPE a></skip>", "line 1: skip: document types are not allowed", xmltree.ErrSyntax},
		{"<a b='' b=''/>", "line 1: attribute b twice", xmltree.ErrSyntax},
		{"<a b=''\nc='&x;'/>", "line 2: invalid character entity &x;", xmltree.ErrSyntax},
		{"\xff\xfe<", "line 0: UTF-16 of 3 bytes, an odd number", xmltree.ErrSyntax},
		{strings.Repeat(" ", 1001), "line 0: 1001 bytes, limit 1000", xmltree.ErrTooLarge},
		{"<a><b><c><d><e>", "line 1: e: more than 4 nested elements", xmltree.ErrTooLarge},
		{"<skip><b><c><d><e>", "line 1: e: more than 4 nested elements", xmltree.ErrTooLarge},
		{"<a b='' c='' d='' e=''/>", "line 1: 4 attributes, limit 3", xmltree.ErrTooLarge},
		{"<skip><a b='12345678901'/></skip>", "line 1: skip: attribute b of 11 bytes, limit 10", xmltree.ErrTooLarge},
		{"<a>12345678901</a>", "line 1: a: text of 11 bytes, limit 10", xmltree.ErrTooLarge},
		{"<a><b/><b/><b/><b/><b/><b/></a>", "line 1: b: more than 6 elements", xmltree.ErrTooLarge},
	} {
		_, err := read(c.doc)
		require.EqualError(t, err, c.want, c.doc)
		require.ErrorIs(t, err, c.err, c.doc)
	}
	_, err := read("<a>" + strings.Repeat(" ", 100) + "<skip>" + strings.Repeat("<b/>", 100) + "</skip></a>")
	require.ErrorIs(t, err, xmltree.ErrTooLarge)
	_, err = read("<a>" + strings.Repeat(" ", 100) + "</a><skip>" + strings.Repeat("<b/>", 100) + "</skip>")
	require.NoError(t, err)
}

func TestDoctype(t *testing.T) {
	r, err := xmltree.New([]byte("\n<!DOCTYPE a [<!ENTITY b 'c'>]>\n<a>&b;</a>"), limits)
	require.NoError(t, err)
	var got string
	r.Doctype = func(at xmltree.Position, text string) error {
		got = fmt.Sprint(at, " ", text)
		return nil
	}
	require.ErrorContains(t, r.Document(r.Skip), "invalid character entity &b;")
	assert.Equal(t, "line 2 DOCTYPE a [<!ENTITY b 'c'>]", got)

	r, err = xmltree.New([]byte("<!DOCTYPE a>"), limits)
	require.NoError(t, err)
	refused := errors.New("refused")
	r.Doctype = func(xmltree.Position, string) error { return refused }
	require.ErrorIs(t, r.Document(r.Skip), refused)
}

func TestElement(t *testing.T) {
	el := &xmltree.Element{Name: "a:Bc", Attrs: []xmltree.Attr{{Name: "X", Value: "1"}, {Name: "x", Value: "2"}}}
	assert.Equal(t, "Bc", el.Local())
	assert.True(t, el.Is("A:bC"))
	a, ok := el.Get("x")
	assert.True(t, ok)
	assert.Equal(t, "2", a.Value)
	a, ok = el.GetFold("x")
	assert.True(t, ok)
	assert.Equal(t, "1", a.Value)
	_, ok = el.Get("y")
	assert.False(t, ok)
	_, ok = el.GetFold("y")
	assert.False(t, ok)
	assert.Equal(t, strings.Repeat("x", 63)+"...", xmltree.Shorten(strings.Repeat("x", 63)+"üü"))
}

// FuzzReader: positions of elements and attributes are where their names are.
func FuzzReader(f *testing.F) {
	f.Add("<a\nb='c' d = \"'\"><e:f ü='/>'/>x</a>")
	f.Add("<a b='c'/><d/>")
	f.Add("<?x <a?><!-- <b> --><![CDATA[<c>]]>")
	f.Fuzz(func(t *testing.T, doc string) {
		r, err := xmltree.New([]byte(doc), xmltree.Limits{Bytes: 1 << 16, Depth: 50, Attrs: 50, Value: 1000, Elements: 1000})
		if err != nil || strings.ContainsAny(doc, "\r\x00\ufeff") {
			return
		}
		lines := strings.Split(doc, "\n")
		there := func(name string, at xmltree.Position) {
			require.LessOrEqual(t, at.Line, len(lines))
			require.True(t, strings.HasPrefix(lines[at.Line-1][at.Column-1:], name), "%q at %v in %q", name, at, doc)
		}
		var check func(el *xmltree.Element)
		check = func(el *xmltree.Element) {
			there("<"+el.Name, el.At)
			for _, a := range el.Attrs {
				there(a.Name, a.At)
			}
			for _, child := range el.Children {
				check(child)
			}
		}
		err = r.Document(func(el *xmltree.Element) error {
			err := r.Tree(el)
			check(el)
			return err
		})
		var e *xmltree.Error
		require.True(t, err == nil || errors.As(err, &e), "%v", err)
	})
}

func TestRepeatedAttributes(t *testing.T) {
	r, err := xmltree.New([]byte("<a b='1' b='2'/>"), limits)
	require.NoError(t, err)
	r.Repeated = true
	require.NoError(t, r.Document(func(el *xmltree.Element) error {
		assert.Equal(t, []xmltree.Attr{
			{Name: "b", Value: "1", At: xmltree.Position{Line: 1, Column: 4}},
			{Name: "b", Value: "2", At: xmltree.Position{Line: 1, Column: 10}},
		}, el.Attrs)
		return r.Tree(el)
	}))
}

// TestErrorPositions: only the decoder's own errors are inside of something.
func TestErrorPositions(t *testing.T) {
	for doc, want := range map[string]xmltree.Error{
		"<a>\n<b c></a>": {At: xmltree.Position{Line: 2, Column: 6}, Inside: true, Element: "a"},
		"<a>\n<b></a>":   {At: xmltree.Position{Line: 2, Column: 4}, Element: "b"},
		"<a>\n":          {At: xmltree.Position{Line: 2, Column: 1}, Element: "a"},
	} {
		_, err := read(doc)
		var e *xmltree.Error
		require.ErrorAs(t, err, &e, doc)
		assert.Equal(t, want, xmltree.Error{At: e.At, Inside: e.Inside, Element: e.Element}, doc)
	}
}

func TestErrorsAreShort(t *testing.T) {
	name := strings.Repeat("x", 900)
	for _, doc := range []string{
		"<" + name + "></y>", "<a>&" + name + ";</a>", "<a></" + name + ">", "<a " + name + "='12345678901'/>",
	} {
		_, err := read(doc)
		require.Error(t, err)
		assert.Less(t, len(err.Error()), 300, doc)
	}
}
