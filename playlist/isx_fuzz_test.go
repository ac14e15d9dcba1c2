package playlist_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// requireWithin asserts what holds for every playlist that a parser returns.
func requireWithin(tb testing.TB, p *playlist.Playlist) {
	tb.Helper()
	require.LessOrEqual(tb, len(p.Entries), playlist.MaxEntries)
	require.LessOrEqual(tb, len(p.Warnings), 257)
	for _, e := range p.Entries { // without testify, there are up to ten thousand
		longest := max(len(e.Src), len(e.Title), len(e.ExtraParam), len(e.Role))
		if e.Src == "" || e.SrcType < playlist.PhysicalPath || e.SrcType > playlist.RemoteURL || e.Duration < 0 || longest > playlist.MaxValue {
			tb.Fatalf("entry %+v", e)
		}
	}
	for _, w := range p.Warnings {
		require.Positive(tb, w.Line)
		require.Positive(tb, w.Column)
		require.Less(tb, len(w.Text), 1024)
	}
}

// requireSyntaxError asserts what holds for every error of a parser.
func requireSyntaxError(tb testing.TB, err error) {
	tb.Helper()
	var e *playlist.SyntaxError
	require.ErrorAs(tb, err, &e)
	require.Positive(tb, e.Line)
	require.Positive(tb, e.Column)
	require.Contains(tb, []error{playlist.ErrNotPlaylist, playlist.ErrSyntax, playlist.ErrTooLarge}, e.Err)
	require.Less(tb, len(e.Detail), 1024)
}

// FuzzParseISX: what is read is within the limits, and is read as equal when it is written.
func FuzzParseISX(f *testing.F) {
	for _, doc := range []string{
		string(iisSample(f, "hello-playlist.isx")), string(iisSample(f, "hello-playlist-answer.asx")), isxOf("", ""),
		isxOf("<meta name='timeToLive' content='5'/>", "<par><switch><x><ref src='a&#9;'/></x></switch></par><img/>"),
		isxOf("", "<ref src='a'><param name='extraParam' value='&lt;DURATION VALUE=&quot;1:01.5&quot;/>'/><param name='canseek' value='x'/></ref>"),
		"<!DOCTYPE smil [<!ENTITY a 'b'>]><smil/>", "<smil><!DOCTYPE a></smil>", "\xff\xfe<\x00s\x00", "<smil><ref src='\xff'/></smil>", "<s:smil/>", "<smil", "x",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := playlist.ParseISX(data)
		if err != nil {
			requireSyntaxError(t, err)
			return
		}
		requireWithin(t, p)
		written, err := p.AppendISX(nil)
		if err != nil { // what was short in UTF-16, or unescaped, may be too long
			require.ErrorIs(t, err, playlist.ErrTooLarge)
			return
		}
		again, err := playlist.ParseISX(written)
		require.NoError(t, err, "%s", written)
		again.Warnings = p.Warnings
		assert.Equal(t, p, again, "%s", written)
	})
}

// FuzzParseASX: what is read is within the limits, in proportion to the document, and can be an .isx file whose
// ExtraParam does not break a list.
func FuzzParseASX(f *testing.F) {
	for _, doc := range []string{
		string(iisSample(f, "hello-playlist-answer.asx")), "[Reference]\nRef1=http://a/b\nRef2=c", "[", "<ASX",
		asxFile("<TITLE>a & <b> < c<ENTRY CLIENTSKIP=no><REF HREF=\"a /><BASE HREF='http://b'></ENTRY><ENTRYREF HREF=c:\\d>"),
		asxFile("<REPEAT COUNT=9><ENTRYREF HREF='file:///C:/%41'/></REPEAT><EVENT/>"), "<asx/>\x00\xfc",
		asxFile("<ENTRY><REF HREF='a'><DURATION VALUE='1:01.5'></REF><BANNER HREF='b'><ABSTRACT><![CDATA[<]]></ABSTRACT></BANNER></ENTRY>"),
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := playlist.ParseASX(data)
		if err != nil {
			requireSyntaxError(t, err)
			return
		}
		requireWithin(t, p)
		require.NoError(t, playlist.CheckMarkup(p.ExtraParam))
		for _, e := range p.Entries {
			require.NoError(t, playlist.CheckMarkup(e.ExtraParam))
		}
		same, err := playlist.Parse(data)
		require.NoError(t, err)
		require.Equal(t, p, same)
		if _, err := p.AppendISX(nil); err != nil {
			require.ErrorIs(t, err, playlist.ErrTooLarge)
			return
		}
		requireRoundTrip(t, p)
	})
}

// FuzzCheckMarkup: an XML parser reads every document that has markup which was accepted, and markup of a listing
// never leaves its element.
func FuzzCheckMarkup(f *testing.F) {
	for markup := range markups() {
		f.Add(markup, "title")
	}
	f.Add("<a b='&#x10FFFF;'/>", "\x00&<\xff")
	f.Fuzz(func(t *testing.T, markup, title string) {
		if playlist.CheckMarkup(markup) == nil {
			canonicalXML(t, "<a>"+markup+"</a>")
		}
		doc := asxOf(t, &playlist.Listing{Title: title, ExtraParam: markup, Items: []playlist.Item{{Title: title, URL: title, ExtraParam: markup}}})
		require.Contains(t, doc, "<ENTRY>")
		canonicalXML(t, doc)
	})
}

// FuzzParseConfig: what is read has values within the bounds of the schema.
func FuzzParseConfig(f *testing.F) {
	for _, doc := range []string{
		everySetting, "<playlist/>", section(" enabled='x'", "<sessionOptions/><sessionOptions/>"), "<location path='a/b'/><location/>",
		"<configuration><location path='a'><system.webServer><media><playlist><outputFormats><clear/><remove format='x'/></outputFormats></playlist></media></system.webServer></location></configuration>",
		"<media>\n<a b></media>", "<!DOCTYPE a>", "\xff\xfe<\x00a\x00/\x00>\x00",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := playlist.ParseConfig(data)
		if err != nil {
			var e *playlist.ConfigError
			require.ErrorAs(t, err, &e)
			return
		}
		require.LessOrEqual(t, len(c.Warnings), 257)
		for _, l := range append([]playlist.ConfigLocation{{Config: c}}, c.Locations...) {
			require.Same(t, l.Config, c.For(l.Path))
			require.NotEmpty(t, l.Config.QueryStringDelimiter)
			require.True(t, l.Config.MaximumPlaylistDepth >= 1 && l.Config.MaximumPlaylistDepth <= 1024)
			require.True(t, l.Config.SessionOptions.AllowSkipAfterMinPercent >= 0 && l.Config.SessionOptions.AllowSkipAfterMinPercent <= 100)
			entries := len(l.Config.SessionProviders) + len(l.Config.AccessOptions) + len(l.Config.PlaylistProviders) + len(l.Config.OutputFormats)
			require.LessOrEqual(t, entries, 2+len(data)/4)
			for _, p := range l.Config.SessionProviders {
				require.Positive(t, min(p.InactivityTimeout, p.TimeToLive))
			}
		}
		// A file that says nothing changes nothing.
		same, err := playlist.ParseConfigOver(c, []byte("<playlist/>"))
		require.NoError(t, err)
		same.Locations, same.Warnings = c.Locations, c.Warnings
		assert.Equal(t, c, same)
	})
}
