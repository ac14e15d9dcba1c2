package xslt_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/smoothkit/smoothkit/playlist/xslt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	common  = `xmlns:exsl="http://exslt.org/common"`
	dynamic = `xmlns:dyn="http://exslt.org/dynamic"`
)

// refused are stylesheets that do what is not allowed, by words of the error.
func refused() map[string][][]byte {
	value := func(expr string) string { return `<xsl:value-of select="` + expr + `"/>` }
	return map[string][][]byte{
		"the function document is not allowed": {
			sheet(value("document('/etc/passwd')")),
			sheet(value("document&#10; ('a')")),
			sheet(value("&#100;ocument('a')")),
			sheet(value("'document(' and document('a')")),
			sheet(value("&quot;it's&quot; | document('a')/x[position() = 1]")),
			sheet(value("-document('a')")),
			sheet(`<xsl:if test="document('a')"/>`),
			sheet(`<xsl:key name="k" match="x" use="document('a')"/>`),
			sheet(`<xsl:number value="document('a')"/>`),
			sheet(`<a href="{{{document('a')}}}"/>`),
			sheet(`<a href="it's {document('a')}"/>`),
			sheet(`<a href="{'}'}{document('a')}"/>`),
			sheet(`<a href="{document('a')"/>`),
			sheet(`<xsl:element name="it's{document('a')}"/>`),
			sheet(`<xsl:attribute name="x" namespace="{document('a')}"/>`),
			[]byte(`<a xsl:version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" b="{document('a')}"/>`),
		},
		"xsl:import is not allowed":   {sheet(`<xsl:import href="a"/>`)},
		"xsl:include is not allowed":  {sheet(`<xsl:include href="a"/>`)},
		"xsl:document is not allowed": {sheet(`<xsl:template match="/"><xsl:document href="a"/></xsl:template>`)},
		"extension elements are not allowed": {
			sheet("", common, `extension-element-prefixes="exsl"`),
			sheet(`<a xsl:extension-element-prefixes="exsl"/>`, common),
		},
		"the extension function": {
			sheet(value("dyn:evaluate('docu')"), dynamic),
			sheet(value("exsl:node-set(1)")),
			sheet(`<a xmlns:exsl="http://exslt.org/dynamic">`+value("exsl:evaluate('x')")+`</a>`, common),
			sheet(`<a xmlns:exsl="http://exslt.org/common"/>` + value("exsl:node-set(1)")),
			sheet(value("xsl:x(1)")),
		},
		"document type declaration": {
			[]byte(`<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`),
			[]byte(`<!DOCTYPE a [<!ENTITY d "document">]><a/>`),
		},
		"line 2, column 5":   {[]byte("<a>\n</b></a>")},
		"nested deeper than": {sheet(strings.Repeat("<a>", 300) + strings.Repeat("</a>", 300))},
		"encoding":           {[]byte(`<?xml version="1.0" encoding="UTF-7"?><a/>`)},
		"UTF-8":              {[]byte("<a>\xff</a>")},
		"unexpected EOF":     {[]byte(`<a>`)},
	}
}

// accepted are stylesheets that look like those but do nothing of the kind.
func accepted() [][]byte {
	return [][]byte{
		sheet(`<xsl:value-of select="'document(1)'"/>`),
		sheet(`<xsl:value-of select="document"/><xsl:value-of select="my-document.x(1)"/>`),
		sheet(`<a title="document(1), {{document(1)}}">document('a')</a>`),
		sheet(`<xsl:copy-of select="exsl:node-set($x)/child::exsl:a (1)"/>`, common),
		sheet(`<xsl:value-of select="count(//text()|//comment()) &gt; 1"/>`, dynamic),
		sheet(`<xsl:apply-templates select="child::document/self::node()"/>`),
		append([]byte("\uFEFF"), sheet("")...),
		append([]byte(`<?xml version="1.0" encoding="utf-8"?>`), sheet("")...),
	}
}

func TestRefused(t *testing.T) {
	for words, list := range refused() {
		for _, s := range list {
			_, err := xslt.New(s, &xslt.Options{Processor: &fake{}})
			require.ErrorIs(t, err, xslt.ErrStylesheet, "%s", s)
			assert.ErrorContains(t, err, words, "%s", s)
		}
	}
}

func TestAccepted(t *testing.T) {
	for _, s := range accepted() {
		p := &fake{}
		_, err := xslt.New(s, &xslt.Options{Processor: p})
		assert.NoError(t, err, "%s", s)
	}
}

// FuzzCheck: no stylesheet makes the check panic, and nothing before a call of document hides it.
func FuzzCheck(f *testing.F) {
	for _, list := range refused() {
		for _, s := range list {
			f.Add(s, "a | b")
		}
	}
	for _, s := range accepted() {
		f.Add(s, "child::a[position() = last()]")
	}
	f.Add([]byte("<"), "$x:y::z(")
	f.Fuzz(func(t *testing.T, stylesheet []byte, expr string) {
		if _, err := xslt.New(stylesheet, &xslt.Options{Processor: &fake{}}); err != nil {
			require.True(t, errors.Is(err, xslt.ErrStylesheet) || errors.Is(err, xslt.ErrTooLarge), "%v", err)
		}
		if strings.ContainsAny(expr, `'"`) {
			return // the call could be in a literal
		}
		var escaped bytes.Buffer
		require.NoError(t, xml.EscapeText(&escaped, []byte(expr)))
		_, err := xslt.New(sheet(`<xsl:value-of select="`+escaped.String()+` document('a')"/>`), &xslt.Options{Processor: &fake{}})
		require.ErrorIs(t, err, xslt.ErrStylesheet)
	})
}
