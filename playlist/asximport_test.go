package playlist_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/playlist"
)

// parseASX reads a metafile that has an ASX element.
func parseASX(tb testing.TB, doc string) *playlist.Playlist {
	tb.Helper()
	p, err := playlist.ParseASX([]byte(doc))
	require.NoError(tb, err, doc)
	return p
}

// asxFile is a metafile with something in its ASX element, on line 2.
func asxFile(inside string) string { return "<ASX VERSION=\"3.0\">\n" + inside + "\n</ASX>" }

// sources returns the sources of all entries.
func sources(p *playlist.Playlist) string {
	var list []string
	for _, e := range p.Entries {
		list = append(list, e.Src)
	}
	return strings.Join(list, " ")
}

func TestParseASXOfIIS(t *testing.T) {
	const url = "http://iismp-demo/file.isx?sessionId=261276a9-99c2-4af6-b81d-47e88b7ce18c;entryId="
	p := parseASX(t, string(iisSample(t, "hello-playlist-answer.asx")))
	want := helloPlaylist()
	want.Description, want.Modified = "", time.Date(2008, 9, 9, 16, 24, 37, 0, time.UTC)
	for i := range want.Entries {
		want.Entries[i].Src, want.Entries[i].SrcType = fmt.Sprint(url, i+1), playlist.RemoteURL
	}
	assert.Equal(t, want, p)
}

// TestParseASXFiles reads the real files. None of them must fail: whatever is wrong in them, they have an ASX element.
// Those that are not in the table have one entry.
func TestParseASXFiles(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/playlists/asx")
	entries := map[string]int{
		"iis-docs-hello-playlist-answer.asx":     4,
		"moon-empty.asx":                         0, // nothing in it
		"moon-entry-with-text.asx":               0, // no REF
		"moon-ref-without-href.asx":              0,
		"moon-entry-in-event.asx":                0, // events do not play
		"moon-event-with-entry.asx":              0,
		"moon-entryref-in-event.asx":             1,
		"moon-deleted-entry.asx":                 1, // a REF without an ENTRY
		"moon-multiple-refs.asx":                 1, // mirrors
		"moon-ref-with-ref.asx":                  1,
		"moon-entryref-in-asx.asx":               2,
		"moon-entryref-in-entryref.asx":          3,
		"moon-entryref-with-clientbind-no.asx":   2,
		"moon-startmarker-in-entryref.asx":       2,
		"moon-repeat-with-entry.asx":             2,
		"moon-repeat-with-invalid-attribute.asx": 2,
		"moon-repeat-with-number.asx":            2, // COUNT without quotes
		"moon-repeat-with-repeat.asx":            1, // only the first counts, once
		"moon-entry-in-repeat.asx":               1, // without end
		"moon-test-double-stop.asx":              2,
		"moon-test-events-with-playlist.asx":     2,
		"moon-test-playlist-events.asx":          2,
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.asx"))
	require.NoError(t, err)
	require.Len(t, files, 111)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		name := filepath.Base(file)
		p, err := playlist.ParseASX(data)
		require.NoError(t, err, name)
		want, listed := entries[name]
		if !listed {
			want = 1
		}
		assert.Len(t, p.Entries, want, name)
		if want == 0 {
			assert.Contains(t, warningsOf(p), "there is no entry", name)
		}
		same, err := playlist.Parse(data)
		require.NoError(t, err, name)
		assert.Equal(t, p, same, name)
		requireRoundTrip(t, p)
	}
}

// requireRoundTrip writes a playlist as .isx and reads it again.
func requireRoundTrip(tb testing.TB, p *playlist.Playlist) {
	tb.Helper()
	data, err := p.AppendISX(nil)
	require.NoError(tb, err)
	again, err := playlist.ParseISX(data)
	require.NoError(tb, err, "%s", data)
	assert.Empty(tb, again.Warnings, "%s", data)
	again.Modified, again.Warnings = p.Modified, p.Warnings
	assert.Equal(tb, p, again, "%s", data)
}

func TestParseASXDetails(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/playlists/asx")
	const short, long = "../video/timecode-short.wmv", "../video/timecode-long.wmv"
	for name, c := range map[string]struct{ src, title, extra, warning string }{
		"moon-base-casemismatched-href":   {src: "http://moonlightmedia:81/source/matrix.wmv"},
		"moon-base-in-base":               {src: "http://example.com/timecode-short.wmv", warning: "BASE is left out: there is one before"},
		"moon-base-in-entry":              {src: short},
		"moon-test-playlist-with-base-01": {src: "timecode-short.wmv", warning: "is not a base for URLs"},
		"moon-test-playlist-with-base-03": {src: "media/video/timecode-short.wmv"},
		"moon-test-playlist-with-base-07": {src: "http://moon-perf:80/media/video/timecode-short.wmv"},
		"moon-test-playlist-with-base-08": {src: "http://moon-perf/media/video/timecode-short.wmv"},
		"moon-test-playlist-with-base-12": {src: "http://moon-perf:80/media/video/timecode-short.wmv"},
		"moon-very-long-unescaped":        {src: short + "?dummy&unescaped"},
		"moon-multiple-refs":              {src: short, warning: `line 8, column 5: REF is left out: another source of the same, "` + long + `"`},
		"moon-title-with-tag":             {src: short, title: "My Test Playlist"},
		"moon-title-in-asx-twice":         {src: short, title: "My First Test Playlist"},
		"moon-invalid-tag":                {src: short, warning: "TITLEZ is left out"},
		"moon-asx-nested-with-version":    {src: short, title: "My Test Playlist", warning: "ASX is in ASX"},
		"moon-asx-no-end-tag":             {src: short, title: "My Test Playlist", warning: "ASX is not closed"},
		"moon-asx-no-version":             {src: short, warning: "ASX has no VERSION"},
		"moon-initial-whitespace":         {src: short, warning: "only if <ASX is what it begins with"},
		"moon-aBsTrAct-cased-in-asx":      {src: short, extra: "<ABSTRACT>An abstract in the ASX tag</ABSTRACT>"},
		"moon-copyright-in-asx-twice":     {src: short, extra: "<COPYRIGHT>(c) 2008 Novell, Inc (first)</COPYRIGHT>"},
		"moon-moreinfo-in-asx":            {src: short, warning: "MOREINFO is left out: it has no HREF"},
		"moon-param-with-text":            {src: short, warning: `PARAM "param name" is left out`},
		"moon-duration-in-asx":            {src: short, warning: "DURATION is left out: it is in ASX"},
		"tika-testWindowsMediaMeta":       {src: "mms://media1.fresno.gov/CouncilVideoArchive/20090407.wmv", warning: "of a protocol that today's players do not have"},
	} {
		data, err := os.ReadFile(filepath.Join(dir, name+".asx"))
		require.NoError(t, err)
		p, err := playlist.ParseASX(data)
		require.NoError(t, err, name)
		assert.Equal(t, c.src, sources(p), name)
		if c.title != "" {
			assert.Equal(t, c.title, p.Title, name)
		}
		assert.Equal(t, c.extra, p.ExtraParam, name)
		var all strings.Builder
		for _, w := range p.Warnings {
			all.WriteString(w.String() + "\n")
		}
		assert.Contains(t, all.String(), c.warning, name)
	}
}

func TestParseASXTimes(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/playlists/asx")
	const who = "<AUTHOR>Novell, Inc</AUTHOR><COPYRIGHT>(c) 2008 Novell, Inc</COPYRIGHT>"
	for name, c := range map[string]struct {
		extra    string
		duration time.Duration
	}{
		"ref-with-duration":                 {`<DURATION VALUE="00:00:15" />`, 15 * time.Second},
		"ref-with-starttime":                {`<STARTTIME VALUE="00:00:01" />`, 0},
		"test-playlist-with-duration":       {`<DURATION VALUE="00:00:01" />`, time.Second},
		"test-playlist-live-with-duration":  {`<DURATION VALUE="00:00:1" />`, time.Second},
		"test-playlist-with-zero-duration":  {`<DURATION VALUE="00:00:00" />`, 0},
		"duration-in-duration":              {`<DURATION VALUE="00:00:01" />` + who, time.Second},
		"duration-in-entry-invalid":         {who, 0},
		"starttime-in-twice":                {`<STARTTIME VALUE="0:0:1" />` + who, 0},
		"starttime-value-with-many-hours":   {`<STARTTIME VALUE="1234567:0:0.0" />` + who, 0},
		"starttime-with-no-numbers":         {who, 0},
		"starttime-text-at-end-4":           {who, 0},
		"starttime-with-single-digit-value": {`<STARTTIME VALUE="3" />` + who, 0},
		"moreinfo-with-href-twice":          {`<MOREINFO HREF="www.example.com" />` + who, 0},
		"copyright-in-copyright":            {who, 0},
		"author-with-tag":                   {"<COPYRIGHT>(c) 2008 Novell, Inc</COPYRIGHT>", 0},
	} {
		data, err := os.ReadFile(filepath.Join(dir, "moon-"+name+".asx"))
		require.NoError(t, err)
		p, err := playlist.ParseASX(data)
		require.NoError(t, err, name)
		require.Len(t, p.Entries, 1, name)
		assert.Equal(t, c.extra, p.Entries[0].ExtraParam, name)
		assert.Equal(t, c.duration, p.Entries[0].Duration, name)
	}
}

func TestParseASXLenient(t *testing.T) {
	for name, c := range map[string]struct{ doc, want, warning string }{
		"lower case":      {"<asx version='3'><entry><ref href='a'></entry></asx>", "a", "1, 39: REF is not closed before </ENTRY>"},
		"no quotes":       {"<ASX VERSION=3.0><ENTRY><REF HREF=http://a/b/></ENTRY></ASX>", "http://a/b", ""},
		"spaces":          {"<ASX VERSION = \"3.0\" ><ENTRY ><REF HREF\n=\n'a'\n/></ENTRY ></ASX >", "a", ""},
		"ampersand":       {asxFile("<ENTRY><REF HREF='a?b=1&c=2&amp;d=3&copy;&#65;'/></ENTRY>"), "a?b=1&c=2&d=3&copy;A", ""},
		"unclosed entry":  {asxFile("<ENTRY><REF HREF='a'/><ENTRY><REF HREF='b'/>"), "a b", "2, 23: ENTRY is not closed before ENTRY; 3, 1: ENTRY is not closed before </ASX>"},
		"unclosed quote":  {asxFile(`<ENTRY><REF HREF="a /></ENTRY><ENTRY><REF HREF="b"/></ENTRY>`), "a b", "2, 8: REF: a quote is not closed"},
		"unclosed tag":    {asxFile("<ENTRY><REF HREF='a'</ENTRY>"), "a", "2, 8: the tag of REF has no end; 2, 21: REF is not closed before </ENTRY>"},
		"cut":             {"<ASX VERSION='3'><ENTRY><REF HREF='a", "a", "1, 25: REF: a quote is not closed; 1, 25: the tag of REF has no end; 1, 37: REF is not closed"},
		"comment":         {asxFile("<!-- <ENTRY><REF HREF='x'/></ENTRY> --><ENTRY><REF HREF='a'/></ENTRY><!-- "), "a", "3, 7: ASX is not closed"},
		"declaration":     {"<?xml version='1.0'?><!DOCTYPE ASX><ASX VERSION='3'><ENTRY><REF HREF='a'/></ENTRY></ASX>", "a", "1, 36: Windows Media Player takes a file only if <ASX is what it begins with"},
		"mark":            {"\ufeff" + asxFile("<ENTRY><REF HREF='a'/></ENTRY>"), "a", ""},
		"title not ended": {asxFile("<TITLE>Tom < Jerry & Co<ENTRY><REF HREF='a'/></ENTRY>"), "a", "2, 24: TITLE is not closed before ENTRY"},
		"behind":          {asxFile("<ENTRY><REF HREF='a'/></ENTRY>") + "<ASX><ENTRY><REF HREF='b'/></ENTRY></ASX>", "a", "3, 7: what follows </ASX> is ignored"},
		"stray bytes":     {asxFile("<ENTRY x ' \" = =><REF HREF='a' / 'b'/></ENTRY></>"), "a", "2, 1: attribute X of ENTRY is left out; 2, 18: attribute B of REF is left out; 2, 47: text \"</>\" in ASX is left out"},
		"unknown around":  {asxFile("<BODY><ENTRY><REF HREF='a'/></ENTRY></BODY>"), "a", "2, 1: BODY is left out: it is in ASX; 2, 7: BODY is not closed before ENTRY; 2, 37: </BODY> closes nothing"},
		"end tags":        {"<ASX VERSION='3'><ENTRY><REF HREF='a'></REF</ENTRY<ENTRY><REF HREF='b'/></ENTRY></ASX", "a b", ""},
		"references":      {asxFile("<ENTRY><REF HREF='&gt;&lt;&quot;&apos;&#x41;&#66;&#x;&#0;&'/></ENTRY>"), `><"'AB&#x;&#0;&`, ""},
		"in repeat":       {asxFile("<REPEAT COUNT=1><TITLE>x</TITLE><ENTRYREF HREF='a'/><X/></REPEAT>"), "a", "2, 17: TITLE is left out: it is in REPEAT; 2, 53: X is left out: it is in REPEAT"},
		"second ASX":      {asxFile("<TITLE>x</TITLE><ASX><ENTRYREF HREF='a'/><TITLE>y</TITLE></ASX>"), "a", "2, 17: ASX is in ASX: what is in it plays"},
		"empty ASX":       {"<ASX VERSION='3'/>", "", "1, 1: ASX has nothing in it; 1, 1: there is no entry; 1, 19: ASX is not closed"},
		"version 2":       {"<ASX VERSION='2.0'><ENTRY><REF HREF='a'/></ENTRY></ASX>", "a", `1, 1: VERSION "2.0" is not 3.0`},
	} {
		p := parseASX(t, c.doc)
		assert.Equal(t, c.want, sources(p), name)
		assert.Equal(t, c.warning, warningsOf(p), name)
		requireRoundTrip(t, p)
	}
	assert.Equal(t, "Tom < Jerry & Co", parseASX(t, asxFile("<TITLE> Tom < Jerry &\n Co<BASE>")).Title)
	assert.Equal(t, "a<b>&amp;", parseASX(t, asxFile("<TITLE><![CDATA[a<b>&amp;]]></TITLE>")).Title)
	assert.Equal(t, "x y z", parseASX(t, asxFile("<TITLE>x <b>y</b> z</TITLE>")).Title)
}

func TestParseASXSources(t *testing.T) {
	for href, c := range map[string]struct {
		src     string
		srcType playlist.SrcType
		warning string
	}{
		"a b.wmv":                    {"a b.wmv", playlist.RelativeURI, ""},
		" ../a.wmv ":                 {"../a.wmv", playlist.RelativeURI, ""},
		"/a.wmv":                     {"/a.wmv", playlist.RelativeURI, ""},
		"http://a/b":                 {"http://a/b", playlist.RemoteURL, ""},
		"HTTPS://a/b":                {"HTTPS://a/b", playlist.RemoteURL, ""},
		"rtspt://a/b":                {"rtspt://a/b", playlist.RemoteURL, `"rtspt://a/b" is of a protocol that today's players do not have`},
		`C:\a\b.wmv`:                 {`C:\a\b.wmv`, playlist.PhysicalPath, `"C:\\a\\b.wmv" is a path of the server, which must be allowed`},
		`\\s\a.wmv`:                  {`\\s\a.wmv`, playlist.PhysicalPath, `"\\\\s\\a.wmv" is a path of the server, which must be allowed`},
		"file:///C:/a%20b.wmv":       {`C:\a b.wmv`, playlist.PhysicalPath, `"C:\\a b.wmv" is a path of the server, which must be allowed`},
		`file://d:\a.wmv`:            {`d:\a.wmv`, playlist.PhysicalPath, `"d:\\a.wmv" is a path of the server, which must be allowed`},
		"file://server/share/a.wmv":  {`\\server\share\a.wmv`, playlist.PhysicalPath, `"\\\\server\\share\\a.wmv" is a path of the server, which must be allowed`},
		"file:///srv/a.wmv":          {"/srv/a.wmv", playlist.PhysicalPath, `"/srv/a.wmv" is a path of the server, which must be allowed`},
		"httpd://{SERVER_NAME}/pick": {"", 0, "httpd is for playlists of this server"},
		"javascript:alert(1)":        {"", 0, "scheme javascript is not known"},
		"file:":                      {"", 0, "a file without a name"},
		"file:%20":                   {"", 0, "a file without a name"},
		"file: a":                    {"a", playlist.PhysicalPath, `"a" is a path of the server, which must be allowed`},
		"server:8080/a.wmv":          {"", 0, "a host without a scheme"},
		"file:///C:/a%00":            {"", 0, "its HREF cannot be written"},
	} {
		p := parseASX(t, asxFile("<ENTRYREF HREF='"+href+"'/>"))
		if c.src == "" {
			assert.Empty(t, p.Entries, href)
			assert.Contains(t, warningsOf(p), "2, 1: ENTRYREF is left out: "+c.warning, href)
			continue
		}
		require.Len(t, p.Entries, 1, href)
		assert.Equal(t, playlist.Entry{Src: c.src, SrcType: c.srcType}, p.Entries[0], href)
		assert.Equal(t, c.warning, strings.TrimPrefix(warningsOf(p), "2, 1: "), href)
	}
}

func TestParseASXBase(t *testing.T) {
	for _, c := range []struct{ base, href, want string }{
		{"http://a/b", "c", "http://a/b/c"},
		{"http://a/b/", "../c?d&e", "http://a/c?d&e"},
		{"http://a/b/", "http://x/y", "http://x/y"},
		{"../b", "c", "../b/c"},
		{"/b/", "c", "/b/c"},
		{"b/", "/c", "/c"},
		{"b/", `C:\c`, `C:\c`},
		{"http://a/", "%zz", "http://a/%zz"},
		{"http://[a/", "c", "http://[a/c"},
	} {
		p := parseASX(t, asxFile("<ENTRY><REF HREF='"+c.href+"'/></ENTRY><BASE HREF='"+c.base+"'/>"))
		assert.Equal(t, c.want, sources(p), c)
	}
	p := parseASX(t, asxFile("<BASE HREF='http://a/'/><ENTRY><BASE HREF='http://b/'/><REF HREF='c'/><MOREINFO HREF='d'/></ENTRY><ENTRYREF HREF='e'/>"))
	assert.Equal(t, "http://b/c http://a/e", sources(p))
	assert.Equal(t, `<MOREINFO HREF="http://b/d" />`, p.Entries[0].ExtraParam)
}

func TestParseASXRules(t *testing.T) {
	rule := func(name, value string) string { return fmt.Sprintf("<PARAM NAME='%s' VALUE='%s'/>", name, value) }
	p := parseASX(t, asxFile(rule("CanSkipBack", "no")+"<ENTRYREF HREF='a'/>"+
		"<ENTRY CLIENTSKIP='NO'><REF HREF='b'/></ENTRY>"+
		"<ENTRY clientskip='yes'>"+rule("CANSEEK", "No")+rule("canskipback", "Yes")+"<REF HREF='c'/></ENTRY>"+
		"<ENTRY>"+rule("CanSkipForward", "False")+"<REF HREF='d'/></ENTRY>"))
	assert.Equal(t, []playlist.Entry{
		{Src: "a", SrcType: playlist.RelativeURI, NoSkipBack: true},
		{Src: "b", SrcType: playlist.RelativeURI, NoSeek: true, NoSkipForward: true, NoSkipBack: true},
		{Src: "c", SrcType: playlist.RelativeURI, NoSeek: true},
		{Src: "d", SrcType: playlist.RelativeURI, NoSkipForward: true, NoSkipBack: true},
	}, p.Entries)
	assert.Empty(t, p.Warnings)
	p = parseASX(t, asxFile("<ENTRY CLIENTSKIP='x'>"+rule("CanSeek", "maybe")+rule("LastModified", "y")+rule("Prebuffer", "z")+"<REF HREF='a'/></ENTRY>"))
	assert.Equal(t, "2, 1: CLIENTSKIP \"x\" is neither YES nor NO; 2, 23: CanSeek \"maybe\" is neither YES nor NO; "+
		`2, 60: PARAM is left out: not a time like 2008-09-09T16:24:37Z; 2, 98: PARAM "Prebuffer" is left out`, warningsOf(p))
}

func TestParseASXExtra(t *testing.T) {
	p := parseASX(t, asxFile(`<ENTRY><REF HREF='a'><DURATION VALUE='5'/></REF><DURATION VALUE='6'/>
<BANNER HREF='b.gif?x&y'><ABSTRACT>"A" & <B></ABSTRACT><MOREINFO HREF='m'/><X/></BANNER>
<LOGURL HREF='http://log/'/><MOREINFO HREF='javascript:x'/><BANNER/><AUTHOR/><AUTHOR>N</AUTHOR></ENTRY>`))
	require.Len(t, p.Entries, 1)
	assert.Equal(t, `<DURATION VALUE="5" /><BANNER HREF="b.gif?x&amp;y"><ABSTRACT>&quot;A&quot; &amp;</ABSTRACT><MOREINFO HREF="m" /></BANNER>`+
		`<LOGURL HREF="http://log/" /><AUTHOR>N</AUTHOR>`, p.Entries[0].ExtraParam)
	assert.Equal(t, 5*time.Second, p.Entries[0].Duration)
	require.NoError(t, playlist.CheckMarkup(p.Entries[0].ExtraParam))
	for _, want := range []string{
		"2, 49: DURATION is left out: REF has one", "MOREINFO is left out: scheme javascript is not for links",
		"3, 76: X is left out: it is in BANNER", "4, 60: BANNER is left out: there is one before; 4, 69: AUTHOR is left out: it is empty",
	} {
		assert.Contains(t, warningsOf(p), want)
	}
}

func TestParseASXRepeat(t *testing.T) {
	ref := func(name string) string { return "<ENTRYREF HREF='" + name + "'/>" }
	for _, c := range []struct{ doc, want, warning string }{
		{"<REPEAT COUNT='2'>" + ref("a") + ref("b") + "</REPEAT>" + ref("c"), "a b a b c", ""},
		{"<REPEAT COUNT='0'>" + ref("a") + "</REPEAT>", "a", ""},
		{"<REPEAT>" + ref("a") + "</REPEAT>", "a", "2, 1: REPEAT without COUNT has no end: what is in it plays once"},
		{"<REPEAT COUNT='x'>" + ref("a") + "</REPEAT>", "a", `2, 1: COUNT "x" is not a number: what is in REPEAT plays once`},
		{"<REPEAT COUNT='1'/><REPEAT COUNT='3'>" + ref("a") + "</REPEAT>", "a", "2, 20: only the first REPEAT counts: what is in it plays once"},
		{"<REPEAT COUNT='2'>" + ref("a") + "<REPEAT COUNT='3'>" + ref("b") + "</REPEAT></REPEAT>", "a b a b", "2, 39: only the first REPEAT counts: what is in it plays once"},
	} {
		p := parseASX(t, asxFile(c.doc))
		assert.Equal(t, c.want, sources(p), c.doc)
		assert.Equal(t, c.warning, warningsOf(p), c.doc)
	}
	p := parseASX(t, asxFile(ref("x")+"<REPEAT COUNT='4294967295'>"+ref("a")+ref("b")+ref("c")+"</REPEAT>"))
	assert.Len(t, p.Entries, playlist.MaxEntries)
	assert.Contains(t, warningsOf(p), "COUNT 4294967295 would make more than 10000 entries: what is in REPEAT plays 3333 times")
}

func TestParseASXReference(t *testing.T) {
	p := parseASX(t, "\r\n[Address]\r\nName=x\r\n[reference]\r\n\r\nRef1 = http://media.example.com/live?MSWMExt=.asf\r\nRef2=http://192.0.2.1/live\r\nBase=x\r\n")
	assert.Equal(t, []playlist.Entry{{Src: "http://media.example.com/live?MSWMExt=.asf", SrcType: playlist.RemoteURL}}, p.Entries)
	assert.Equal(t, "7, 1: Ref2 is left out: another source of the same; 8, 1: Base is left out: it is not a Ref", warningsOf(p))
	same, err := playlist.Parse([]byte("[Reference]\nRef1=mms://a/b"))
	require.NoError(t, err)
	assert.Equal(t, "mms://a/b", sources(same))
	empty := parseASX(t, "[Reference]\nRef1=")
	assert.Equal(t, "1, 1: there is no entry; 2, 1: Ref1 is left out: it has no HREF", warningsOf(empty))
}

func TestParseASXEncodings(t *testing.T) {
	p := parseASX(t, asxFile("<TITLE>Gr\xfc\xdfe \x80\x92\x81</TITLE>"))
	assert.Equal(t, "Grüße €’\u0081", p.Title)
	assert.Contains(t, warningsOf(p), "1, 1: neither UTF-8 nor UTF-16: read as Windows-1252")
	assert.Equal(t, "Grüße", parseASX(t, asxFile("<PARAM NAME='Encoding' VALUE='utf-8'><TITLE>Grüße</TITLE>")).Title)
	var wide []byte
	for _, c := range []byte(asxFile("<TITLE>x</TITLE>")) {
		wide = append(wide, c, 0)
	}
	assert.Equal(t, "x", parseASX(t, string(wide)).Title)
	p = parseASX(t, asxFile("<TITLE>a\x00b\x1fc</TITLE>"))
	assert.Equal(t, "a b c", p.Title)
	assert.Contains(t, warningsOf(p), "2, 9: control characters are taken for spaces")
}

func TestParseASXErrors(t *testing.T) {
	many := strings.Repeat("<ENTRYREF HREF='a'/>", playlist.MaxEntries)
	long := strings.Repeat("x", playlist.MaxValue)
	deep := playlist.MaxDepth - 1
	for name, c := range map[string]struct {
		fits, over string
		err        error
	}{
		"nothing":        {"", "", playlist.ErrNotPlaylist},
		"text":           {"", "hello", playlist.ErrNotPlaylist},
		"html":           {"", "<!DOCTYPE html><html><asx>", playlist.ErrNotPlaylist},
		"end tag":        {"", "</ASX>", playlist.ErrNotPlaylist},
		"text first":     {"", "x <ASX></ASX>", playlist.ErrNotPlaylist},
		"subset":         {"", "<!DOCTYPE a [<!ENTITY b 'c'>]><ASX>&b;</ASX>", playlist.ErrNotPlaylist},
		"section":        {"", "[playlist]\nFile1=a", playlist.ErrNotPlaylist},
		"UTF-16":         {"", "\xff\xfex", playlist.ErrSyntax},
		"document":       {asxFile("") + strings.Repeat(" ", playlist.MaxDocument-len(asxFile(""))), asxFile("") + strings.Repeat(" ", playlist.MaxDocument), playlist.ErrTooLarge},
		"entries":        {asxFile(many), asxFile(many + "<ENTRYREF HREF='a'/>"), playlist.ErrTooLarge},
		"repeated":       {asxFile("<REPEAT COUNT='2'>" + many + "</REPEAT>"), asxFile("<REPEAT COUNT='1'>" + many + "<ENTRYREF HREF='a'/></REPEAT>"), playlist.ErrTooLarge},
		"attribute":      {asxFile("<ENTRYREF HREF='" + long + "'/>"), asxFile("<ENTRYREF HREF='" + long + "x'/>"), playlist.ErrTooLarge},
		"unquoted":       {asxFile("<ENTRYREF HREF=" + long + ">"), asxFile("<ENTRYREF HREF=" + long + "x>"), playlist.ErrTooLarge},
		"attributes":     {asxFile("<ENTRY" + manyAttributes(64) + "/>"), asxFile("<ENTRY" + manyAttributes(65) + "/>"), playlist.ErrTooLarge},
		"text inside":    {asxFile("<TITLE>" + long + "</TITLE>"), asxFile("<TITLE>" + long + "x</TITLE>"), playlist.ErrTooLarge},
		"text in pieces": {asxFile("<TITLE>" + long[1:] + "<b>x</TITLE>"), asxFile("<TITLE>" + long + "<b>x</TITLE>"), playlist.ErrTooLarge},
		"CDATA":          {asxFile("<TITLE><![CDATA[" + long + "]]></TITLE>"), asxFile("<TITLE><![CDATA[" + long + "x]]></TITLE>"), playlist.ErrTooLarge},
		"depth":          {asxFile(strings.Repeat("<a>", deep)), asxFile(strings.Repeat("<a>", deep+1)), playlist.ErrTooLarge},
		"elements":       {asxFile(strings.Repeat("<a/>", 16*playlist.MaxEntries)), asxFile(strings.Repeat("<a/>", 16*playlist.MaxEntries+1)), playlist.ErrTooLarge},
		"line":           {"[Reference]\n" + long[1:], "[Reference]\nRef1=" + long + "x", playlist.ErrTooLarge},
	} {
		for _, parse := range []func([]byte) (*playlist.Playlist, error){playlist.ParseASX, playlist.Parse} {
			if c.fits != "" {
				_, err := parse([]byte(c.fits))
				require.NoError(t, err, name)
			}
			_, err := parse([]byte(c.over))
			var e *playlist.SyntaxError
			require.ErrorAs(t, err, &e, name)
			require.ErrorIs(t, err, c.err, name)
			require.Positive(t, e.Line, name)
			require.Positive(t, e.Column, name)
		}
	}
}

// TestParseMalformed reads documents of other kinds, none of which is a playlist but a manifest of Smooth Streaming,
// which is SMIL too.
func TestParseMalformed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testmedia.Shared(t, "testdata/malformed/xml"), "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for name, parse := range map[string]func([]byte) (*playlist.Playlist, error){
			"Parse": playlist.Parse, "ParseASX": playlist.ParseASX, "ParseISX": playlist.ParseISX,
		} {
			_, err = parse(data)
			var e *playlist.SyntaxError
			require.ErrorAs(t, err, &e, "%s of %s", name, file)
		}
		_, err = playlist.ParseConfig(data)
		var e *playlist.ConfigError
		require.ErrorAs(t, err, &e, file)
	}
}
