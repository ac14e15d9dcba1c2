package playlist_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// asxOf returns the document of a listing.
func asxOf(tb testing.TB, l *playlist.Listing) string {
	tb.Helper()
	data, err := playlist.ASX{}.Append(context.Background(), nil, l)
	require.NoError(tb, err)
	return string(data)
}

// canonicalXML returns the elements of a document, one on each line, without what XML does not care about, and
// attribute names in upper case, as ASX does not care either.
func canonicalXML(tb testing.TB, doc string) string {
	tb.Helper()
	var b strings.Builder
	for dec := xml.NewDecoder(strings.NewReader(doc)); ; {
		tok, err := dec.Token()
		if err == io.EOF {
			return b.String()
		}
		require.NoError(tb, err, doc)
		switch t := tok.(type) {
		case xml.StartElement:
			b.WriteString("<" + t.Name.Local)
			for _, a := range t.Attr {
				fmt.Fprintf(&b, " %s=%q", strings.ToUpper(a.Name.Local), a.Value)
			}
			b.WriteString(">\n")
		case xml.EndElement:
			b.WriteString("</>\n")
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" {
				b.WriteString(text + "\n")
			}
		}
	}
}

// TestASXOfIIS compares with what IIS answers for the same playlist. IIS writes TITLE behind PARAM in an entry.
func TestASXOfIIS(t *testing.T) {
	p, err := playlist.ParseISX(iisSample(t, "hello-playlist.isx"))
	require.NoError(t, err)
	l := &playlist.Listing{
		URL: "http://iismp-demo/file.isx", Title: p.Title, ExtraParam: p.ExtraParam,
		Modified: time.Date(2008, 9, 9, 18, 24, 37, 5, time.FixedZone("", 2*3600)),
	}
	for i, e := range p.Entries {
		l.Items = append(l.Items, playlist.Item{
			URL:   fmt.Sprintf("%s?sessionId=0f0e0d0c-0b0a-4908-8706-050403020100;entryId=%d", l.URL, i+1),
			Title: e.Title, ExtraParam: e.ExtraParam, NoSeek: e.NoSeek, NoSkipForward: e.NoSkipForward, NoSkipBack: e.NoSkipBack,
		})
	}
	session := regexp.MustCompile(`sessionId=[-0-9a-f]{36}`)
	want := session.ReplaceAllString(canonicalXML(t, string(iisSample(t, "hello-playlist-answer.asx"))), "sessionId=G")
	got := asxOf(t, l)
	assert.Equal(t, want, session.ReplaceAllString(canonicalXML(t, got), "sessionId=G"))
	assert.True(t, strings.HasPrefix(got, "<ASX"))
	assert.Contains(t, got, " HREF=")
	assert.Equal(t, "video/x-ms-asf", playlist.ASX{}.ContentType())
}

func TestASXRules(t *testing.T) {
	const none = "<ENTRY>\n"
	for rules, want := range map[[3]bool]string{
		{}:                   none,
		{true, false, false}: none + `<PARAM NAME="CANSEEK" VALUE="NO" />`,
		{false, true, false}: none + `<PARAM NAME="CANSKIPFORWARD" VALUE="NO" />`,
		{false, false, true}: none + `<PARAM NAME="CANSKIPBACK" VALUE="NO" />`,
		{true, false, true}:  none + `<PARAM NAME="CANSKIPBACK" VALUE="NO" /><PARAM NAME="CANSEEK" VALUE="NO" />`,
		{true, true, false}:  none + `<PARAM NAME="CANSKIPFORWARD" VALUE="NO" /><PARAM NAME="CANSEEK" VALUE="NO" />`,
		{true, true, true}:   `<ENTRY CLIENTSKIP="NO">`,
	} {
		doc := asxOf(t, &playlist.Listing{Items: []playlist.Item{
			{URL: "http://a/b", NoSeek: rules[0], NoSkipForward: rules[1], NoSkipBack: rules[2], Duration: time.Hour, Role: "x"},
		}})
		want = "<ASX VERSION=\"3.0\">" + want + "<REF HREF=\"http://a/b\" /></ENTRY></ASX>"
		assert.Equal(t, canonicalXML(t, want), canonicalXML(t, doc), "%v", rules)
	}
}

func TestASXText(t *testing.T) {
	text := "<&>\"'\t\n\r]]>ü😀"
	doc := asxOf(t, &playlist.Listing{
		Title: text, Items: []playlist.Item{{Title: text + "\x00\xff\ufffe", URL: "http://a/?b=<&>\"'"}},
	})
	var got struct {
		Title string `xml:"TITLE"`
		Param struct {
			Name  string `xml:"NAME,attr"`
			Value string `xml:"VALUE,attr"`
		} `xml:"PARAM"`
		Entry struct {
			Title string `xml:"TITLE"`
			Ref   struct {
				HRef string `xml:"HREF,attr"`
			} `xml:"REF"`
		} `xml:"ENTRY"`
	}
	require.NoError(t, xml.Unmarshal([]byte(doc), &got), doc)
	assert.Equal(t, text, got.Title)
	assert.Equal(t, text+"\ufffd\ufffd\ufffd", got.Entry.Title)
	assert.Equal(t, "http://a/?b=<&>\"'", got.Entry.Ref.HRef)
	assert.Equal(t, "Encoding utf-8", got.Param.Name+" "+got.Param.Value)
	assert.Less(t, strings.Index(doc, "Encoding"), strings.Index(doc, "ü"))

	for name, l := range map[string]playlist.Listing{
		"title": {Title: "ü"}, "extra": {ExtraParam: "<A>ü</A>"}, "entry": {Items: []playlist.Item{{Title: "ü"}}},
		"URL": {Items: []playlist.Item{{URL: "ü"}}}, "entry extra": {Items: []playlist.Item{{ExtraParam: "<A>ü</A>"}}},
	} {
		assert.Contains(t, asxOf(t, &l), `<PARAM NAME="Encoding" VALUE="utf-8" />`, name)
	}
	assert.NotContains(t, asxOf(t, &playlist.Listing{Title: "u~\n", ExtraParam: "<A/>"}), "Encoding")
	assert.Equal(t, "<ASX VERSION=\"3.0\">\n</ASX>\n", asxOf(t, &playlist.Listing{}))
}

func TestASXMarkup(t *testing.T) {
	doc := asxOf(t, &playlist.Listing{
		ExtraParam: "</ASX>", Items: []playlist.Item{
			{URL: "a", ExtraParam: "<DURATION VALUE='1'>"}, {URL: "b", ExtraParam: "<X y = 'z' /> &amp; <!-- c -->"}, {URL: "c", ExtraParam: "</ENTRY><ENTRY>"},
		},
	})
	assert.Equal(t, `<ASX VERSION="3.0">
    <ENTRY>
        <REF HREF="a" />
    </ENTRY>
    <ENTRY>
        <REF HREF="b" />
        <X y = 'z' /> &amp; <!-- c -->
    </ENTRY>
    <ENTRY>
        <REF HREF="c" />
    </ENTRY>
</ASX>
`, doc)
}

// markups are accepted by CheckMarkup, or refused for a reason.
func markups() map[string]string {
	deep := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	return map[string]string{
		"":                                       "",
		"text > ü":                               "",
		`<A b='"' c="'">x</A ><B/><C />`:         "",
		"<a-b.c_1/>":                             "",
		"<!-- - > < & --><![CDATA[ <&]]>":        "",
		"&amp;&lt;&gt;&quot;&apos;&#9;&#x1F600;": "",
		"<A\n\tb = 'c'\r\n>\n</A>":               "",
		deep(playlist.MaxDepth):                  "",
		deep(playlist.MaxDepth + 1):              "byte 99: too many nested elements",
		"<A>":                                    "byte 3: a tag is not closed",
		"</A>":                                   "byte 4: an end tag closes nothing",
		"<A></B>":                                "byte 7: an end tag closes another element",
		"<A></a>":                                "byte 7: an end tag closes another element",
		"<A":                                     "byte 2: a tag is not ended",
		"<A /":                                   "byte 3: a tag is not ended",
		"<A / >":                                 "byte 3: a tag is not ended",
		"</A x>":                                 "byte 4: < that begins no tag",
		"< A/>":                                  "byte 1: < that begins no tag",
		"<":                                      "byte 1: < that begins no tag",
		"<1/>":                                   "byte 1: < that begins no tag",
		"<a:b/>":                                 "byte 2: a tag is not ended",
		"<A b/>":                                 "byte 4: an attribute without a quoted value",
		"<A b=c/>":                               "byte 5: an attribute without a quoted value",
		"<A b='c/>":                              "byte 9: an attribute is not closed",
		"<A b='c'd='e'/>":                        "byte 8: a tag is not ended",
		"<A b='c' b='d'/>":                       "byte 10: an attribute is repeated",
		"<A b='<'/>":                             "byte 6: < in an attribute",
		"<A b='&'/>":                             "byte 6: & that begins no reference",
		"a & b":                                  "byte 2: & that begins no reference",
		"&nbsp;":                                 "byte 0: & that begins no reference",
		"&#0;":                                   "byte 0: & that begins no reference",
		"&#xD800;":                               "byte 0: & that begins no reference",
		"&#+9;":                                  "byte 0: & that begins no reference",
		"&#1_0;":                                 "byte 0: & that begins no reference",
		"&#;":                                    "byte 0: & that begins no reference",
		"&#99999999;":                            "byte 0: & that begins no reference",
		"x]]>":                                   "byte 1: ]]> in text",
		"<!DOCTYPE a>":                           "byte 0: a declaration or instruction",
		"<?a?>":                                  "byte 0: a declaration or instruction",
		"<!-->":                                  "byte 4: a comment is not closed",
		"<!-- -- -->":                            "byte 5: a comment is not closed",
		"<![CDATA[ ]]":                           "byte 9: CDATA is not closed",
		"a\x00":                                  "byte 1: not a character of XML",
		"a\xff":                                  "byte 1: not a character of XML",
		"<A" + manyAttributes(64) + "/>":         "",
		"<A" + manyAttributes(65) + "/>":         "byte 518: too many attributes",
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%02d='x'", i)
	}
	return b.String()
}

func TestCheckMarkup(t *testing.T) {
	for markup, reason := range markups() {
		err := playlist.CheckMarkup(markup)
		if reason == "" {
			require.NoError(t, err, markup)
			canonicalXML(t, "<a>"+markup+"</a>")
			continue
		}
		require.ErrorIs(t, err, playlist.ErrSyntax, markup)
		assert.EqualError(t, err, "playlist: markup: "+reason+": syntax error", markup)
	}
	require.NoError(t, playlist.CheckMarkup(strings.Repeat("x", playlist.MaxValue)))
	err := playlist.CheckMarkup(strings.Repeat("x", playlist.MaxValue+1))
	require.ErrorIs(t, err, playlist.ErrTooLarge)
	require.EqualError(t, err, "playlist: markup: 65537 bytes, limit 65536: above the limit")
}

// TestASXAllocations: a list is made for every session, so that only its buffer should cost.
func TestASXAllocations(t *testing.T) {
	l, buf := listingOf20(), make([]byte, 0, 64<<10)
	format, ctx := playlist.ASX{}, context.Background()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = format.Append(ctx, buf, l)
	}))
}

func listingOf20() *playlist.Listing {
	l := &playlist.Listing{Title: "Evening & Night", ExtraParam: "<AUTHOR>A</AUTHOR>", Modified: time.Unix(1e9, 0)}
	for i := range 20 {
		l.Items = append(l.Items, playlist.Item{
			URL:   fmt.Sprintf("http://example.com/lists/evening.isx?sessionId=0f0e0d0c-0b0a-4908-8706-050403020100;entryId=%d", i+1),
			Title: "Programme", ExtraParam: `<DURATION VALUE="00:00:05" />`, NoSkipForward: i%2 == 0,
		})
	}
	return l
}

func BenchmarkASX(b *testing.B) {
	l, buf := listingOf20(), make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		data, _ := playlist.ASX{}.Append(context.Background(), buf, l)
		b.SetBytes(int64(len(data)))
	}
}
