package xslt_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/playlist/xslt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func needXsltproc(tb testing.TB) {
	tb.Helper()
	if _, err := exec.LookPath("xsltproc"); err != nil {
		tb.Skip("xsltproc is not installed; .ci/run installs it on Debian")
	}
}

// TestVendorStylesheet: the stylesheet of IIS's documentation makes of each document what a reference processor made.
func TestVendorStylesheet(t *testing.T) {
	needXsltproc(t)
	dir := testmedia.Shared(t, "testdata/playlists/xslt")
	stylesheet, err := os.ReadFile(filepath.Join(dir, "iis-docs-atom.xslt"))
	require.NoError(t, err)
	expected, err := filepath.Glob(filepath.Join(dir, "expected", "*.atom.xml"))
	require.NoError(t, err)
	require.NotEmpty(t, expected)
	for _, name := range expected {
		input := strings.TrimSuffix(filepath.Base(name), ".atom.xml")
		t.Run(input, func(t *testing.T) {
			document, err := os.ReadFile(testmedia.Shared(t, "testdata/playlists/asx/"+input))
			require.NoError(t, err)
			want, err := os.ReadFile(name)
			require.NoError(t, err)
			f := newTransform(t, stylesheet, xslt.Options{Input: fixed(document)})
			got := appended(t, f, listing())
			assert.Equal(t, tokens(t, string(want)), tokens(t, got))
			assert.Equal(t, string(want), got)
		})
	}
}

// tokens returns what an XML document consists of, with the exact texts.
func tokens(t *testing.T, s string) (list []xml.Token) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		list = append(list, xml.CopyToken(tok))
	}
}

// TestXsltproc goes from a listing to its URLs as a stylesheet sees them, the session's IDs left out and put back.
func TestXsltproc(t *testing.T) {
	needXsltproc(t)
	stylesheet := sheet(`<xsl:output method="text"/><xsl:template match="/"><xsl:value-of select="/ASX/TITLE"/>` +
		`<xsl:for-each select="/ASX/ENTRY/REF"><xsl:text>&#10;</xsl:text><xsl:value-of select="substring-after(@HREF, '?')"/>` +
		`</xsl:for-each></xsl:template>`)
	f := newTransform(t, stylesheet, xslt.Options{Volatile: func(l *playlist.Listing) []string { return []string{l.ExtraParam} }})
	for _, id := range []string{"261276a9-99c2-4af6-b81d-47e88b7ce18c", "361276a9-99c2-4af6-b81d-47e88b7ce18c"} {
		l := listing("http://h/ä.isx?sessionId="+id+";entryId=1", "http://h/l.isx?sessionId="+id+";a=<&>")
		l.Title = "Grüße & <b>"
		l.ExtraParam = id // stands for where an application has it from
		assert.Equal(t, "Grüße & <b>\nsessionId="+id+";entryId=1\nsessionId="+id+";a=<&>", appended(t, f, l))
	}
	assert.Equal(t, "text/plain; charset=utf-8", f.ContentType())
}

func process(t *testing.T, x xslt.Xsltproc, stylesheet []byte, document string, limit int) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return x.Process(ctx, stylesheet, []byte(document), limit)
}

func TestXsltprocErrors(t *testing.T) {
	needXsltproc(t)
	var x xslt.Xsltproc
	stops := sheet(`<xsl:template match="/"><xsl:message terminate="yes">enough</xsl:message></xsl:template>`)
	recursive := sheet(`<xsl:template match="/"><xsl:call-template name="a"/></xsl:template>` +
		`<xsl:template name="a"><x><xsl:call-template name="a"/></x></xsl:template>`)
	for name, c := range map[string]struct {
		stylesheet []byte
		document   string
		err        error
		words      string
	}{
		"not XML":      {[]byte("<a"), "<ASX/>", xslt.ErrStylesheet, "stylesheet.xsl:1"},
		"not XSLT":     {[]byte("<a/>"), "<ASX/>", xslt.ErrStylesheet, "not a stylesheet"},
		"bad document": {sheet(""), "<ASX", xslt.ErrFailed, "parser error"},
		"entity":       {sheet(""), "<ASX>&x;</ASX>", xslt.ErrFailed, "Entity 'x' not defined"},
		"stops itself": {stops, "<ASX/>", xslt.ErrFailed, "enough"},
		"recursion":    {recursive, "<ASX/>", xslt.ErrFailed, "recursion"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := process(t, x, c.stylesheet, c.document, 1<<20)
			require.ErrorIs(t, err, c.err)
			assert.ErrorContains(t, err, c.words)
			assert.Less(t, len(err.Error()), 1500)
		})
	}
	_, err := process(t, xslt.Xsltproc{Path: filepath.Join(t.TempDir(), "none")}, sheet(""), "<ASX/>", 1<<20)
	assert.ErrorIs(t, err, xslt.ErrNotInstalled)
}

// TestXsltprocEntities: nothing comes in through entities of a document, however it is written.
func TestXsltprocEntities(t *testing.T) {
	needXsltproc(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("very secret"), 0o600))
	stylesheet := sheet(`<xsl:output encoding="UTF-8"/><xsl:template match="/"><a><xsl:value-of select="."/></a></xsl:template>`)
	utf16 := func(s string) string { return "\xff\xfe" + strings.Join(strings.Split(s, ""), "\x00") + "\x00" }
	external := `<!DOCTYPE ASX [<!ENTITY x SYSTEM "file://` + filepath.ToSlash(secret) + `">]><ASX>&x;</ASX>`
	for name, document := range map[string]string{
		"DTD": `<!DOCTYPE ASX SYSTEM "http://127.0.0.1:1/x.dtd"><ASX>fine</ASX>`, "external": external,
		"UTF-16": utf16(external), "UTF-16 without mark": utf16(external)[2:],
		"UTF-7": `<?xml version="1.0" encoding="UTF-7"?>` + strings.ReplaceAll(external, "!", "+ACE-"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := process(t, xslt.Xsltproc{}, stylesheet, document, 1<<20)
			assert.ErrorIs(t, err, xslt.ErrFailed)
		})
	}
	b, err := process(t, xslt.Xsltproc{}, stylesheet, `<?xml version="1.0" encoding="ISO-8859-1"?><ASX>ü</ASX>`, 1<<20)
	require.NoError(t, err)
	assert.Contains(t, string(b), "<a>ü</a>", "the encoding is UTF-8 whatever the document says")
}

// TestXsltprocBounds: output, time and memory end, and nothing is left behind.
func TestXsltprocBounds(t *testing.T) {
	needXsltproc(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	items := "<ASX>" + strings.Repeat("<ENTRY/>", 400) + "</ASX>"
	all := func(body string, times int) []byte {
		return sheet(`<xsl:template match="/"><a>` + strings.Repeat(`<xsl:for-each select="//ENTRY">`, times) + body +
			strings.Repeat(`</xsl:for-each>`, times) + `</a></xsl:template>`)
	}

	doubling := sheet(`<xsl:output method="text"/><xsl:template match="/"><xsl:call-template name="a"/></xsl:template>` +
		`<xsl:template name="a"><xsl:param name="s" select="'xxxxxxxx'"/><xsl:choose>` +
		`<xsl:when test="string-length($s) &gt; 100000000">done</xsl:when><xsl:otherwise><xsl:call-template name="a">` +
		`<xsl:with-param name="s" select="concat($s, $s)"/></xsl:call-template></xsl:otherwise></xsl:choose></xsl:template>`)

	_, err := process(t, xslt.Xsltproc{}, all("x", 2), items, 10_000)
	assert.ErrorIs(t, err, xslt.ErrTooLarge)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = xslt.Xsltproc{}.Process(ctx, all(`<xsl:if test="count(//ENTRY[@x])"/>`, 4), []byte(items), 1<<20)
	assert.ErrorIs(t, err, context.DeadlineExceeded)

	if runtime.GOOS == "linux" {
		_, err = process(t, xslt.Xsltproc{Memory: 100 << 20}, doubling, items, 1<<20)
		assert.ErrorIs(t, err, xslt.ErrFailed)
	}
	b, err := process(t, xslt.Xsltproc{Memory: -1}, doubling, items, 1<<20)
	require.NoError(t, err)
	assert.Equal(t, "done", string(b))
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// TestXsltprocLarge: a list of the largest number of entries goes through the pipes without a halt.
func TestXsltprocLarge(t *testing.T) {
	needXsltproc(t)
	copies := sheet(`<xsl:template match="/"><xsl:copy-of select="."/></xsl:template>`)
	document := "<ASX>" + strings.Repeat(`<ENTRY><REF HREF="http://h/x"/></ENTRY>`, playlist.MaxEntries) + "</ASX>"
	b, err := process(t, xslt.Xsltproc{}, copies, document, 1<<20)
	require.NoError(t, err)
	assert.Equal(t, playlist.MaxEntries, bytes.Count(b, []byte("<ENTRY>")))
}
