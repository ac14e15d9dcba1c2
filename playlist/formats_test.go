package playlist_test

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// evening is a listing with an advertisement that nothing may be done with.
func evening() *playlist.Listing {
	const url = "http://example.com/tv/evening.isx"
	return &playlist.Listing{
		URL: url, Title: `Evening & "night" <1>`, Modified: time.Date(2008, 9, 9, 18, 24, 37, 0, time.FixedZone("", 7200)),
		ExtraParam: "<AUTHOR>IIS Team</AUTHOR>",
		Items: []playlist.Item{
			{
				ID: "1", URL: url + "?sessionId=0f;entryId=1", Title: "Soap", Duration: 5500 * time.Millisecond,
				NoSeek: true, NoSkipForward: true, NoSkipBack: true, Role: "advertisement", MediaType: "video/mp4",
				ExtraParam: `<DURATION VALUE="00:00:05.5"/>`,
			},
			{ID: "2", URL: "http://media.example.net/a.wmv?x=1&y=2", Title: "Grüße, <b>Welt</b>", NoSkipBack: true, MediaType: "video/x-ms-wmv"},
			{ID: "3.1", URL: url + "?sessionId=0f;entryId=3.1", Duration: 90 * time.Minute},
		},
		Stitched: "http://example.com/tv/evening.isx/0f/main.m3u8",
	}
}

// nasty is a listing whose texts would leave their place in any format that does not escape them.
func nasty() *playlist.Listing {
	const title = "a\r\nhttp://evil.example/\u2028#EXTINF:1,b\x00\t\u0085\x1b[31m]]>--></script><script>alert(1)</script>\xff\"'&amp;"
	return &playlist.Listing{
		URL: "http://h/l.isx?a=\"<>'&\n", Title: title, Stitched: "http://h/\"><script>x</script>",
		Items: []playlist.Item{
			{ID: "1\n2", URL: "http://h/x y\r\nFile2=http://evil.example/", Title: title, Role: "\"><b>\n", MediaType: "a\"b\nc"},
			{ID: "2", URL: "#EXTM3U\"'<>&", Title: "[playlist]\nNumberOfEntries=99", Duration: -time.Second},
			{ID: "3", URL: "http://h/ü", Title: " \t ", Duration: time.Millisecond},
		},
	}
}

func appended(t *testing.T, f playlist.Format, l *playlist.Listing) string {
	t.Helper()
	b, err := f.Append(t.Context(), []byte("before "), l)
	require.NoError(t, err)
	s, ok := strings.CutPrefix(string(b), "before ")
	require.True(t, ok, "what was there before has gone: %q", b)
	return s
}

func TestContentTypes(t *testing.T) {
	for want, f := range map[string]playlist.Format{
		"application/xspf+xml":     playlist.XSPF{},
		"audio/x-mpegurl":          playlist.M3U8{},
		"audio/x-scpls":            playlist.PLS{},
		"application/json":         playlist.JSON{},
		"application/rss+xml":      playlist.MediaRSS{},
		"text/html; charset=utf-8": playlist.HTML{},
	} {
		assert.Equal(t, want, f.ContentType())
	}
}

func TestXSPF(t *testing.T) {
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<playlist version="1" xmlns="http://xspf.org/ns/0/">
  <title>Evening &amp; &#34;night&#34; &lt;1&gt;</title>
  <location>http://example.com/tv/evening.isx</location>
  <date>2008-09-09T16:24:37Z</date>
  <trackList>
    <track>
      <location>http://example.com/tv/evening.isx?sessionId=0f;entryId=1</location>
      <title>Soap</title>
      <duration>5500</duration>
      <extension application="https://github.com/smoothkit/smoothkit/playlist">
        <rules xmlns="https://github.com/smoothkit/smoothkit/playlist" role="advertisement" canSeek="false" canSkipForward="false" canSkipBack="false"/>
      </extension>
    </track>
    <track>
      <location>http://media.example.net/a.wmv?x=1&amp;y=2</location>
      <title>Grüße, &lt;b&gt;Welt&lt;/b&gt;</title>
      <extension application="https://github.com/smoothkit/smoothkit/playlist">
        <rules xmlns="https://github.com/smoothkit/smoothkit/playlist" canSkipBack="false"/>
      </extension>
    </track>
    <track>
      <location>http://example.com/tv/evening.isx?sessionId=0f;entryId=3.1</location>
      <duration>5400000</duration>
    </track>
  </trackList>
</playlist>
`
	assert.Equal(t, want, appended(t, playlist.XSPF{}, evening()))
}

// xspf is what a reader of the format takes from it.
type xspf struct {
	XMLName xml.Name `xml:"http://xspf.org/ns/0/ playlist"`
	Title   string   `xml:"title"`
	Tracks  []struct {
		Location  []string `xml:"location"`
		Title     string   `xml:"title"`
		Duration  int      `xml:"duration"`
		Extension struct {
			Application string     `xml:"application,attr"`
			Rules       []xmlRules `xml:"https://github.com/smoothkit/smoothkit/playlist rules"`
		} `xml:"extension"`
	} `xml:"trackList>track"`
}

type xmlRules struct {
	Role           string `xml:"role,attr"`
	CanSeek        string `xml:"canSeek,attr"`
	CanSkipForward string `xml:"canSkipForward,attr"`
	CanSkipBack    string `xml:"canSkipBack,attr"`
}

// valid is a text as XML and JSON can carry it.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func xmlText(s string) string {
	return strings.NewReplacer("\x00", "\uFFFD", "\x1b", "\uFFFD").Replace(valid(s))
}

func TestXSPFReadBack(t *testing.T) {
	var got xspf
	require.NoError(t, xml.Unmarshal([]byte(appended(t, playlist.XSPF{}, evening())), &got))
	require.Len(t, got.Tracks, 3)
	assert.Equal(t, playlist.RulesNamespace, got.Tracks[0].Extension.Application)
	assert.Equal(t, []xmlRules{{"advertisement", "false", "false", "false"}}, got.Tracks[0].Extension.Rules)
	assert.Empty(t, got.Tracks[2].Extension.Rules)

	l := nasty()
	got = xspf{}
	require.NoError(t, xml.Unmarshal([]byte(appended(t, playlist.XSPF{}, l)), &got))
	assert.Equal(t, xmlText(l.Title), got.Title)
	require.Len(t, got.Tracks, len(l.Items))
	for i, it := range l.Items {
		assert.Equal(t, []string{it.URL}, got.Tracks[i].Location)
		assert.Equal(t, xmlText(it.Title), got.Tracks[i].Title)
	}
	assert.Equal(t, l.Items[0].Role, got.Tracks[0].Extension.Rules[0].Role)
	assert.Equal(t, []int{0, 0, 1}, []int{got.Tracks[0].Duration, got.Tracks[1].Duration, got.Tracks[2].Duration})
}

func TestM3U8(t *testing.T) {
	const want = `#EXTM3U
#PLAYLIST:Evening & "night" <1>
#EXTINF:6,Soap
http://example.com/tv/evening.isx?sessionId=0f;entryId=1
#EXTINF:-1,Grüße, <b>Welt</b>
http://media.example.net/a.wmv?x=1&y=2
#EXTINF:5400,
http://example.com/tv/evening.isx?sessionId=0f;entryId=3.1
`
	assert.Equal(t, want, appended(t, playlist.M3U8{}, evening()))
}

// TestM3U8Lines reads by lines as players do: two lines per item whatever its title and URL are.
func TestM3U8Lines(t *testing.T) {
	s := appended(t, playlist.M3U8{}, nasty())
	assert.Equal(t, valid(s), s)
	var urls, infos []string
	lines := bufio.NewScanner(strings.NewReader(s))
	for lines.Scan() {
		assert.NotContains(t, lines.Text(), "\r")
		assert.NotContains(t, lines.Text(), "\u2028")
		assert.NotContains(t, lines.Text(), "\x1b")
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "#EXTINF:"):
			infos = append(infos, line)
		case !strings.HasPrefix(line, "#"):
			urls = append(urls, line)
		}
	}
	assert.Equal(t, []string{"http://h/x%20y%0D%0AFile2=http://evil.example/", "%23EXTM3U\"'<>&", "http://h/%C3%BC"}, urls)
	require.Len(t, infos, 3)
	assert.True(t, strings.HasPrefix(infos[0], "#EXTINF:-1,a http://evil.example/ #EXTINF:1,b [31m]]>"), infos[0])
	assert.Equal(t, []string{"#EXTINF:-1,[playlist] NumberOfEntries=99", "#EXTINF:1,"}, infos[1:])
}

func TestPLS(t *testing.T) {
	const want = `[playlist]
File1=http://example.com/tv/evening.isx?sessionId=0f;entryId=1
Title1=Soap
Length1=6
File2=http://media.example.net/a.wmv?x=1&y=2
Title2=Grüße, <b>Welt</b>
Length2=-1
File3=http://example.com/tv/evening.isx?sessionId=0f;entryId=3.1
Length3=5400
NumberOfEntries=3
Version=2
`
	assert.Equal(t, want, appended(t, playlist.PLS{}, evening()))
}

// TestPLSLines reads by lines as players do: no key is there twice or without a value of its own.
func TestPLSLines(t *testing.T) {
	keys := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(appended(t, playlist.PLS{}, nasty()), "\n"), "\n")
	require.Equal(t, "[playlist]", lines[0])
	for _, line := range lines[1:] {
		k, v, ok := strings.Cut(line, "=")
		require.True(t, ok, "%q", line)
		require.NotContains(t, keys, k)
		keys[k] = v
	}
	assert.Equal(t, "3", keys["NumberOfEntries"])
	assert.Equal(t, "http://h/x%20y%0D%0AFile2=http://evil.example/", keys["File1"])
	assert.Equal(t, "[playlist] NumberOfEntries=99", keys["Title2"])
	assert.NotContains(t, keys, "Title3")
	for n := 1; n <= 3; n++ {
		assert.Contains(t, keys, "File"+strconv.Itoa(n))
		assert.Contains(t, keys, "Length"+strconv.Itoa(n))
	}
}

func TestJSON(t *testing.T) {
	const want = `{"version":1,"url":"http://example.com/tv/evening.isx","title":"Evening \u0026 \"night\" \u003c1\u003e",` +
		`"modified":"2008-09-09T16:24:37Z","stitched":"http://example.com/tv/evening.isx/0f/main.m3u8","entries":[` +
		`{"id":"1","url":"http://example.com/tv/evening.isx?sessionId=0f;entryId=1","title":"Soap","type":"video/mp4",` +
		`"duration":5.5,"role":"advertisement","canSeek":false,"canSkipForward":false,"canSkipBack":false},` +
		`{"id":"2","url":"http://media.example.net/a.wmv?x=1\u0026y=2","title":"Grüße, \u003cb\u003eWelt\u003c/b\u003e",` +
		`"type":"video/x-ms-wmv","canSeek":true,"canSkipForward":true,"canSkipBack":false},` +
		`{"id":"3.1","url":"http://example.com/tv/evening.isx?sessionId=0f;entryId=3.1","title":"","duration":5400,` +
		`"canSeek":true,"canSkipForward":true,"canSkipBack":true}]}` + "\n"
	assert.Equal(t, want, appended(t, playlist.JSON{}, evening()))
	assert.Equal(t, `{"version":1,"url":"","title":"","entries":[]}`+"\n", appended(t, playlist.JSON{}, &playlist.Listing{}))
}

func TestJSONReadBack(t *testing.T) {
	l := nasty()
	s := appended(t, playlist.JSON{}, l)
	assert.NotContains(t, s, "<")
	var got struct {
		Title, Stitched string
		Entries         []struct {
			ID, URL, Title, Type, Role string
			Duration                   float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(s), &got))
	assert.Equal(t, valid(l.Title), got.Title)
	assert.Equal(t, l.Stitched, got.Stitched)
	require.Len(t, got.Entries, len(l.Items))
	for i, it := range l.Items {
		assert.Equal(t, []string{it.ID, it.URL, valid(it.Title), it.MediaType, it.Role},
			[]string{got.Entries[i].ID, got.Entries[i].URL, got.Entries[i].Title, got.Entries[i].Type, got.Entries[i].Role})
	}
	assert.Zero(t, got.Entries[1].Duration)
}

func TestMediaRSS(t *testing.T) {
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/">
  <channel>
    <title>Evening &amp; &#34;night&#34; &lt;1&gt;</title>
    <link>http://example.com/tv/evening.isx</link>
    <description>Evening &amp; &#34;night&#34; &lt;1&gt;</description>
    <lastBuildDate>Tue, 09 Sep 2008 16:24:37 +0000</lastBuildDate>
    <item>
      <title>Soap</title>
      <guid isPermaLink="false">http://example.com/tv/evening.isx#1</guid>
      <enclosure url="http://example.com/tv/evening.isx?sessionId=0f;entryId=1" length="0" type="video/mp4"/>
      <media:content url="http://example.com/tv/evening.isx?sessionId=0f;entryId=1" type="video/mp4" duration="6"/>
      <rules xmlns="https://github.com/smoothkit/smoothkit/playlist" role="advertisement" canSeek="false" canSkipForward="false" canSkipBack="false"/>
    </item>
    <item>
      <title>Grüße, &lt;b&gt;Welt&lt;/b&gt;</title>
      <guid isPermaLink="false">http://example.com/tv/evening.isx#2</guid>
      <enclosure url="http://media.example.net/a.wmv?x=1&amp;y=2" length="0" type="video/x-ms-wmv"/>
      <media:content url="http://media.example.net/a.wmv?x=1&amp;y=2" type="video/x-ms-wmv"/>
      <rules xmlns="https://github.com/smoothkit/smoothkit/playlist" canSkipBack="false"/>
    </item>
    <item>
      <title>Entry 3.1</title>
      <guid isPermaLink="false">http://example.com/tv/evening.isx#3.1</guid>
      <enclosure url="http://example.com/tv/evening.isx?sessionId=0f;entryId=3.1" length="0" type="application/octet-stream"/>
      <media:content url="http://example.com/tv/evening.isx?sessionId=0f;entryId=3.1" duration="5400"/>
    </item>
  </channel>
</rss>
`
	assert.Equal(t, want, appended(t, playlist.MediaRSS{}, evening()))
	assert.Contains(t, appended(t, playlist.MediaRSS{}, &playlist.Listing{}), "<title>Playlist</title>")
}

func TestMediaRSSReadBack(t *testing.T) {
	l := nasty()
	var got struct {
		Title string `xml:"channel>title"`
		Items []struct {
			Title     string `xml:"title"`
			Enclosure struct {
				URL  string `xml:"url,attr"`
				Type string `xml:"type,attr"`
			} `xml:"enclosure"`
			Content struct {
				URL  string `xml:"url,attr"`
				Type string `xml:"type,attr"`
			} `xml:"http://search.yahoo.com/mrss/ content"`
			Rules []xmlRules `xml:"https://github.com/smoothkit/smoothkit/playlist rules"`
		} `xml:"channel>item"`
	}
	require.NoError(t, xml.Unmarshal([]byte(appended(t, playlist.MediaRSS{}, l)), &got))
	assert.Equal(t, xmlText(l.Title), got.Title)
	require.Len(t, got.Items, len(l.Items))
	for i, it := range l.Items {
		assert.Equal(t, xmlText(it.Title), got.Items[i].Title)
		assert.Equal(t, it.URL, got.Items[i].Enclosure.URL)
		assert.Equal(t, it.URL, got.Items[i].Content.URL)
		assert.Equal(t, it.MediaType, got.Items[i].Content.Type)
	}
	assert.Equal(t, []xmlRules{{Role: l.Items[0].Role}}, got.Items[0].Rules)
}

// TestFormatsGiveNoMarkup: ExtraParam is markup of ASX, which no other format has a place for.
func TestFormatsGiveNoMarkup(t *testing.T) {
	for _, f := range []playlist.Format{
		playlist.XSPF{}, playlist.M3U8{}, playlist.PLS{}, playlist.JSON{}, playlist.MediaRSS{}, playlist.HTML{},
	} {
		s := appended(t, f, evening())
		assert.NotContains(t, s, "IIS Team", f.ContentType())
		assert.NotContains(t, s, "DURATION", f.ContentType())
	}
}
