package iisconfig_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// partial is a form whose parts may stand alone.
var partial = iisconfig.Form{
	Name: "x", Parts: []string{"aa", "bb"},
	PartOf: func(add *xmltree.Element) string {
		a, _ := add.GetFold("of")
		return a.Value
	},
}

// outline writes the names of elements.
func outline(b *strings.Builder, el *xmltree.Element) {
	b.WriteString(el.Name)
	if len(el.Children) == 0 {
		return
	}
	b.WriteString("(")
	for i, child := range el.Children {
		if i > 0 {
			b.WriteString(" ")
		}
		outline(b, child)
	}
	b.WriteString(")")
}

func TestParts(t *testing.T) {
	const elsewhere = "<location path='p'><system.webServer><media><x><z/></x></media></system.webServer></location>"
	for doc, want := range map[string]string{
		"<aa><y/></aa>":                         "x(aa(y))",
		"<AA/><bb/>":                            "x(AA bb)",
		"<add of='aa'><y/></add><ADD of='aa'/>": "x(aa(add(y) ADD))",
		"<bb/><add of='bb'/>":                   "x(bb(add))",
		"<aa/>" + elsewhere:                     "p:x(z) x(aa)",
		elsewhere + "<aa/>":                     "p:x(z) x(aa)",
	} {
		var log iisconfig.Log
		var b strings.Builder
		for i, s := range iisconfig.Sections([]byte(doc), partial, &log) {
			if i > 0 {
				b.WriteString(" ")
			}
			if s.Path != "" {
				b.WriteString(s.Path + ":")
			}
			outline(&b, s.Element)
		}
		require.Empty(t, log.Errors(), doc)
		assert.Equal(t, want, b.String(), doc)
	}
}

func TestSectionErrors(t *testing.T) {
	plain := iisconfig.Form{Name: "x"}
	for _, c := range []struct {
		form         iisconfig.Form
		doc, want    string
		line, column int
	}{
		{partial, "<x/>\n<aa/>", "config line 2: aa: a second root element, the first is x of line 1", 2, 1},
		{partial, "<aa/>\n<x/>", "config line 2: x: a second root element, the first is aa of line 1", 2, 1},
		{partial, "\n <add/>", "config line 2: add outside of a collection could be of several of them", 2, 2},
		{partial, "<aa/>\n<add of='bb'/>",
			"config line 2: add outside of a collection seems to be of bb, which aa of line 1 is not", 2, 1},
		{partial, "<aa/><aa/>\n<add of='aa'/>",
			"config line 2: add outside of a collection seems to be of aa, which aa of line 1 is not", 2, 1},
		{plain, "<aa/>", "config line 1: aa: no section x", 1, 1},
		{plain, "<add of='aa'/>", "config line 1: add: no section x", 1, 1},
		{plain, "<add/>\n<add/>", "config line 2: add: a second root element, the first is add of line 1", 2, 1},
		{plain, "<x>\n <a b></x>", "config line 2: x: attribute name without = in element", 2, 0},
		{plain, "<x>\n</y>", "config line 2: x: closed by </y>", 2, 1},
		{plain, "\n", "config line 2: no element", 2, 1},
		{plain, "<x>\n" + strings.Repeat("<y/>", iisconfig.MaxEntries) + "</x>",
			"config line 2: y: more than 131072 elements in sections", 2, 4*(iisconfig.MaxEntries-1) + 1},
		{plain, "<x>" + strings.Repeat("\n<y"+strings.Repeat(" a=''", 256)+"/>", 2049) + "</x>",
			"config line 2050: y: more than 524288 attributes in sections", 2050, 1},
		{plain, strings.Repeat(" ", iisconfig.MaxBytes+1), "config: 8388609 bytes, limit 8388608", 0, 0},
	} {
		var log iisconfig.Log
		require.Nil(t, iisconfig.Sections([]byte(c.doc), c.form, &log), c.want)
		require.Len(t, log.Errors(), 1, c.want)
		e := log.Errors()[0]
		require.EqualError(t, e, c.want)
		assert.Equal(t, xmltree.Position{Line: c.line, Column: c.column}, e.At, c.want)
	}
}

// TestForeignSections: what is in other sections has no limits of its own, and no warnings.
func TestForeignSections(t *testing.T) {
	foreign := "<y a='1' a='2' b='" + strings.Repeat("x", 1<<20) + "'>text" + strings.Repeat("<z/>", iisconfig.MaxEntries) + "</y>"
	doc := "<configuration>" + foreign + "text<system.webServer><media>text<x>\n  text<add k='v'>more</add></x></media>" +
		"</system.webServer></configuration>"
	log := iisconfig.Log{Keys: []string{"k"}}
	require.Len(t, iisconfig.Sections([]byte(doc), iisconfig.Form{Name: "x"}, &log), 1)
	require.Empty(t, log.Errors())
	assert.Equal(t, []iisconfig.Warning{
		{At: xmltree.Position{Line: 2, Column: 3}, Text: `x: text "text" is ignored`},
		{At: xmltree.Position{Line: 2, Column: 18}, Text: `add v: text "more" is ignored`},
	}, log.Warnings())
}
