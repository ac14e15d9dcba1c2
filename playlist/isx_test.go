package playlist_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// iisSample returns a file of the documentation of IIS.
func iisSample(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "iis-docs", name))
	require.NoError(tb, err)
	return data
}

// isxOf returns an .isx file with something in its head and in its seq, which is on line 5.
func isxOf(head, seq string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<smil xmlns="http://www.w3.org/2005/SMIL21/Language">
<head>` + head + `</head>
<body><seq>
` + seq + `
</seq></body>
</smil>`
}

func helloPlaylist() *playlist.Playlist {
	return &playlist.Playlist{
		Title:       "Hello Playlist!",
		Description: "This is just a description",
		ExtraParam:  "<AUTHOR>IIS Team</AUTHOR>",
		Entries: []playlist.Entry{
			{
				Src: "ad.wmv", SrcType: playlist.RelativeURI, Title: "Advertisement", NoSkipForward: true,
				ExtraParam: `<DURATION VALUE="00:00:05" />`, Duration: 5 * time.Second,
			},
			{
				Src: `C:\inetpub\wwwroot\DieHard.wmv`, SrcType: playlist.PhysicalPath, Title: "Die Hard Preview",
				ExtraParam: "<COPYRIGHT>IIS Media Services</COPYRIGHT>",
			},
			{Src: "George.wmv", SrcType: playlist.RelativeURI, Title: "George Preview"},
			{Src: "http://iismp-demo/George.wmv", SrcType: playlist.RemoteURL, Title: "Remote Preview"},
		},
	}
}

func TestISXOfIIS(t *testing.T) {
	data := iisSample(t, "hello-playlist.isx")
	p, err := playlist.ParseISX(data)
	require.NoError(t, err)
	assert.Equal(t, helloPlaylist(), p)

	written, err := p.AppendISX([]byte("before "))
	require.NoError(t, err)
	assert.Equal(t, "before "+string(data), string(written))
}

func TestISXEncodings(t *testing.T) {
	text := strings.Replace(string(iisSample(t, "hello-playlist.isx")), "Hello Playlist!", "Grüße 😀", 1)
	units := utf16.Encode([]rune(strings.Replace(text, "UTF-8", "utf-16", 1)))
	var little, big []byte
	for _, u := range units {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
	}
	for name, data := range map[string]string{
		"UTF-8": text, "mark": "\ufeff" + text, "UTF-16LE": "\xff\xfe" + string(little), "UTF-16BE": "\xfe\xff" + string(big),
		"UTF-16LE without mark": string(little),
	} {
		p, err := playlist.ParseISX([]byte(data))
		require.NoError(t, err, name)
		assert.Equal(t, "Grüße 😀", p.Title, name)
		assert.Len(t, p.Entries, 4, name)
		same, err := playlist.Parse([]byte(data))
		require.NoError(t, err, name)
		assert.Equal(t, p, same, name)
	}
}

func TestISXMeta(t *testing.T) {
	p, err := playlist.ParseISX([]byte(isxOf(`
		<meta name="InactivityTIMEOUT" content=" 15 "/><meta name="timeToLive" content="525600"/>
		<meta name="title" content="a &amp; &quot;b&quot;&#10;ü"/>`, "")))
	require.NoError(t, err)
	assert.Equal(t, &playlist.Playlist{
		Title: "a & \"b\"\nü", InactivityTimeout: 15 * time.Minute, TimeToLive: 525600 * time.Minute,
	}, p)
}

func TestISXStructure(t *testing.T) {
	ref := func(src string) string { return `<ref src="` + src + `"/>` }
	for name, c := range map[string]struct{ seq, want, warning string }{
		"elements":       {`<ref src="a"/><audio src="b"/><video src="c"></video>`, "a b c", ""},
		"nested":         {ref("a") + "<seq>" + ref("b") + "<seq>" + ref("c") + "</seq></seq>" + ref("d"), "a b c d", ""},
		"empty seq":      {"<seq/><seq></seq>", "", ""},
		"spaces":         {`<ref src=" a&#10;"/>`, "a", ""},
		"par":            {"<par>" + ref("a") + ref("b") + "</par>", "a b", "5, 1: par is not supported: what is in it plays in order"},
		"excl":           {"<excl>" + ref("a") + "</excl>", "a", "5, 1: excl is not supported: what is in it plays in order"},
		"switch":         {"<switch><seq/>" + ref("a") + ref("b") + "</switch>" + ref("c"), "a c", "5, 1: switch is not supported: the first choice plays"},
		"switch of seq":  {"<switch><seq>" + ref("a") + ref("b") + "</seq>" + ref("c") + "</switch>", "a b", "5, 1: switch is not supported: the first choice plays"},
		"unknown":        {"\n <window>" + ref("a") + "</window>", "a", "6, 2: element window is not known: what is in it plays"},
		"case":           {"<SEQ>" + ref("a") + "</SEQ>", "a", "5, 1: element SEQ has no effect, seq is meant"},
		"image":          {`<img src="a"><ref src="b"/></img>` + ref("c"), "c", "5, 1: img is not supported and left out"},
		"no src":         {"<ref/>" + ref("a"), "a", "5, 1: ref without src is left out"},
		"empty src":      {`<ref src=" "/>`, "", "5, 1: ref without src is left out"},
		"clip":           {`<ref src="a" clipBegin="2s"/>`, "a", "5, 14: attribute clipBegin of ref has no effect"},
		"duration":       {"<ref id='x' src='a'\n\tdur='2s'/>", "a", "6, 2: attribute dur of ref has no effect"},
		"seq attribute":  {`<seq repeatCount="2">` + ref("a") + "</seq>", "a", "5, 6: attribute repeatCount of seq has no effect"},
		"text":           {"a\n " + ref("b"), "b", `5, 1: text "a" in seq is ignored`},
		"in entry":       {`<ref src="a"><area/></ref>`, "a", "5, 14: element area in an entry is ignored"},
		"meta":           {`<meta name="title" content="x"/>`, "", "5, 1: meta is ignored here"},
		"param no name":  {`<ref src="a"><param value="x"/></ref>`, "a", "5, 14: param without name is ignored"},
		"param no value": {`<ref src="a"><param name="canSeek"/></ref>`, "a", "5, 14: param canSeek without value is ignored"},
		"URL":            {`<ref src="http://a/b"/>`, "http://a/b", `5, 6: src "http://a/b" is a URL, but its srcType is relativeURI`},
		"dynamic":        {`<ref src="httpd://{SERVER_NAME}/c"/>`, "httpd://{SERVER_NAME}/c", ""},
		"comment":        {"<!-- <ref src='a'/> --><?x y?>" + ref("b"), "b", ""},
	} {
		p, err := playlist.ParseISX([]byte(isxOf("", c.seq)))
		require.NoError(t, err, name)
		var got []string
		for _, e := range p.Entries {
			assert.Equal(t, playlist.RelativeURI, e.SrcType, name)
			assert.False(t, e.Locked(), name)
			got = append(got, e.Src)
		}
		assert.Equal(t, c.want, strings.Join(got, " "), name)
		assert.Equal(t, c.warning, warningsOf(p), name)
	}
}

// warningsOf returns the warnings in a short form.
func warningsOf(p *playlist.Playlist) string {
	var list []string
	for _, w := range p.Warnings {
		list = append(list, fmt.Sprintf("%d, %d: %s", w.Line, w.Column, w.Text))
	}
	return strings.Join(list, "; ")
}

func TestISXOutsideOfSeq(t *testing.T) {
	for name, doc := range map[string]string{
		"body":   `<smil><body><ref src="a"/></body></smil>`,
		"no":     `<smil><seq><ref src="a"/></seq></smil>`,
		"direct": `<smil><ref src="a"/></smil>`,
		"prefix": `<s:smil xmlns:s="x"><s:body><s:seq><s:ref src="a"></s:ref></s:seq></s:body></s:smil>`,
	} {
		p, err := playlist.ParseISX([]byte(doc))
		require.NoError(t, err, name)
		assert.Len(t, p.Entries, 1, name)
		assert.Empty(t, p.Warnings, name)
	}
	p, err := playlist.ParseISX([]byte(`<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head><layout><x/></layout></head></smil>`))
	require.NoError(t, err)
	assert.Equal(t, `1, 7: namespace "http://www.w3.org/2001/SMIL20/Language" is not that of SMIL 2.1; `+
		"1, 60: element layout in head is ignored", warningsOf(p))
}

func TestISXParams(t *testing.T) {
	entry := func(e playlist.Entry) playlist.Entry {
		e.Src = "a"
		return e
	}
	relative := playlist.RelativeURI
	for params, c := range map[string]struct {
		want    playlist.Entry
		warning string
	}{
		"canSeek=False":              {playlist.Entry{SrcType: relative, NoSeek: true}, ""},
		"canSkipForward= FALSE ":     {playlist.Entry{SrcType: relative, NoSkipForward: true}, ""},
		"canSkipBack=false":          {playlist.Entry{SrcType: relative, NoSkipBack: true}, ""},
		"canSeek=TRUE":               {playlist.Entry{SrcType: relative}, ""},
		"srcType=physicalPath":       {playlist.Entry{SrcType: playlist.PhysicalPath}, ""},
		"srcType=REMOTEurl":          {playlist.Entry{SrcType: playlist.RemoteURL}, ""},
		"role=advertisement":         {playlist.Entry{SrcType: relative, Role: "advertisement"}, ""},
		"title= T ":                  {playlist.Entry{SrcType: relative, Title: " T "}, ""},
		"CanSeek=False":              {playlist.Entry{SrcType: relative}, `6, 8: param "CanSeek" has no effect, canSeek is meant`},
		"SrcType=remoteURL":          {playlist.Entry{SrcType: relative}, `6, 8: param "SrcType" has no effect, srcType is meant`},
		" title=x":                   {playlist.Entry{SrcType: relative}, `6, 8: param " title" has no effect, title is meant`},
		"volume=x":                   {playlist.Entry{SrcType: relative}, `6, 8: param "volume" is not known`},
		"canSeek=False|canSeek=True": {playlist.Entry{SrcType: relative}, "7, 8: param canSeek is there on line 6 already, the last one counts"},
		"extraParam=&lt;DURATION>":   {playlist.Entry{SrcType: relative, ExtraParam: "<DURATION>"}, "6, 26: extraParam is left out of ASX: byte 10: a tag is not closed"},
		"extraParam=&lt;AUTHOR/>":    {playlist.Entry{SrcType: relative, ExtraParam: "<AUTHOR/>"}, ""},
		"extraParam=&lt;X>&lt;DURATION VALUE='1'/>&lt;/X>": {playlist.Entry{SrcType: relative, ExtraParam: "<X><DURATION VALUE='1'/></X>"}, ""},
	} {
		text := ""
		for param := range strings.SplitSeq(params, "|") {
			name, value, _ := strings.Cut(param, "=")
			text += "\n<param name=\"" + name + `" value="` + value + `"/>`
		}
		p, err := playlist.ParseISX([]byte(isxOf("", `<ref src="a">`+text+"</ref>")))
		require.NoError(t, err, params)
		require.Len(t, p.Entries, 1, params)
		assert.Equal(t, entry(c.want), p.Entries[0], params)
		assert.Equal(t, c.warning, warningsOf(p), params)
	}
}

func TestISXDuration(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"00:00:05":             5 * time.Second,
		"1:01.5":               61500 * time.Millisecond,
		"01:02:03.25":          time.Hour + 2*time.Minute + 3250*time.Millisecond,
		"7":                    7 * time.Second,
		" 90:00 ":              90 * time.Minute,
		"0:0:0.1234567899":     123456789,
		"1234567:0:0.0":        1234567 * time.Hour,
		"2562047:00:00":        2562047 * time.Hour,
		"2562048:00:00":        -1,
		"9999999999999":        -1,
		"99999999999:00:00":    -1,
		"":                     -1,
		"::.":                  -1,
		"1:":                   -1,
		"aB:00:01":             -1,
		"-1":                   -1,
		"0.2000asdglkn":        -1,
		"1.00000000000000000x": -1,
		"1.":                   -1,
		"0:0:0:1":              -1,
	} {
		p, err := playlist.ParseISX([]byte(isxOf("",
			`<ref src="a"><param name="extraParam" value="&lt;duration Value='`+value+`'/>"/></ref>`)))
		require.NoError(t, err, value)
		require.Len(t, p.Entries, 1)
		if want < 0 {
			assert.Zero(t, p.Entries[0].Duration, value)
			assert.Contains(t, warningsOf(p), "is not a time like 00:01:30.5", value)
			continue
		}
		assert.Equal(t, want, p.Entries[0].Duration, value)
		assert.Empty(t, p.Warnings, value)
	}
}

func TestISXErrors(t *testing.T) {
	for name, c := range map[string]struct {
		doc          string
		line, column int
		err          error
		detail       string
	}{
		"nothing":       {"", 1, 1, playlist.ErrNotPlaylist, "does not begin with an element"},
		"text":          {"hello", 1, 1, playlist.ErrNotPlaylist, "does not begin with an element"},
		"binary":        {"\x00\x01\x02\x03", 1, 1, playlist.ErrNotPlaylist, "does not begin with an element"},
		"comment":       {"<!-- x -->", 1, 11, playlist.ErrNotPlaylist, "no smil element"},
		"other":         {"<?xml version='1.0'?>\n  <html/>", 2, 3, playlist.ErrNotPlaylist, "the root element is html, not smil"},
		"case":          {"<SMIL/>", 1, 1, playlist.ErrNotPlaylist, "the root element is SMIL, not smil"},
		"two roots":     {"<smil/>\n<smil/>", 2, 1, playlist.ErrSyntax, "a second root element smil"},
		"behind":        {"<smil/>\nx", 1, 8, playlist.ErrSyntax, `text "x" outside of elements`},
		"not closed":    {"<smil>\n<body>", 2, 7, playlist.ErrSyntax, "body: unexpected end of input"},
		"crossed":       {"<smil>\n<body></smil>", 2, 7, playlist.ErrSyntax, "body: closed by </smil>"},
		"ampersand":     {"<smil>\n<ref src='a?b&c'/></smil>", 2, 16, playlist.ErrSyntax, "smil: invalid character entity &c (no semicolon)"},
		"no quotes":     {"<smil>\n<ref src=a/></smil>", 2, 11, playlist.ErrSyntax, "smil: unquoted or missing attribute value in element"},
		"attribute":     {"<smil>\n <ref src='a' src='b'/></smil>", 2, 2, playlist.ErrSyntax, "smil: attribute src twice"},
		"not UTF-8":     {"<smil>\n\xfc</smil>", 2, 2, playlist.ErrSyntax, "smil: invalid UTF-8"},
		"half a unit":   {"\xff\xfe<\x00a", 1, 1, playlist.ErrSyntax, "UTF-16 of 5 bytes, an odd number"},
		"entities":      {"<!DOCTYPE smil [<!ENTITY a 'b'>]>\n<smil/>", 1, 1, playlist.ErrSyntax, "entity declarations are not allowed"},
		"parameters":    {"<!DOCTYPE smil [\n<!entity % a 'b'> %a;]><smil/>", 1, 1, playlist.ErrSyntax, "entity declarations are not allowed"},
		"entity":        {isxOf("", "<ref src='&a;'/>"), 5, 14, playlist.ErrSyntax, "seq: invalid character entity &a;"},
		"late doctype":  {"<smil>\n<!DOCTYPE smil></smil>", 2, 1, playlist.ErrSyntax, "smil: document types are not allowed"},
		"boolean":       {isxOf("", "<ref src='a'>\n<param name='canSkipForward' value='flase'/></ref>"), 6, 30, playlist.ErrSyntax, `canSkipForward "flase" is neither True nor False`},
		"empty boolean": {isxOf("", "<ref src='a'>\n<param value='' name='canSeek'/></ref>"), 6, 8, playlist.ErrSyntax, `canSeek "" is neither True nor False`},
		"source type":   {isxOf("", "<ref src='a'><param name='srcType' value='x'/></ref>"), 5, 36, playlist.ErrSyntax, `srcType "x" is none of relativeURI, physicalPath, remoteURL`},
		"no minutes":    {isxOf("<meta name='timeToLive' content='0'/>", ""), 3, 31, playlist.ErrSyntax, `timeToLive "0" is not a number of minutes from 1 to 525600`},
		"many minutes":  {isxOf("<meta name='inactivitytimeout' content='525601'/>", ""), 3, 38, playlist.ErrSyntax, `inactivityTimeout "525601" is not a number of minutes from 1 to 525600`},
	} {
		_, err := playlist.ParseISX([]byte(c.doc))
		var e *playlist.SyntaxError
		require.ErrorAs(t, err, &e, name)
		require.ErrorIs(t, err, c.err, name)
		assert.Equal(t, playlist.SyntaxError{Line: c.line, Column: c.column, Detail: c.detail, Err: c.err}, *e, name)
	}
}

func TestISXDoctype(t *testing.T) {
	p, err := playlist.ParseISX([]byte("\n<!DOCTYPE smil [ <!ATTLIST ref canSeek CDATA 'False'> ]><smil/>"))
	require.NoError(t, err)
	assert.Equal(t, "2, 1: declarations in the document type are ignored", warningsOf(p))

	// What a parser that expands entities takes for gigabytes is refused before anything is expanded.
	laughs := "<!DOCTYPE smil [<!ENTITY a0 'ha'>"
	for i := 1; i < 30; i++ {
		laughs += fmt.Sprintf("<!ENTITY a%d '&a%d;&a%d;'>", i, i-1, i-1)
	}
	_, err = playlist.ParseISX([]byte(laughs + "]><smil><ref src='&a29;'/></smil>"))
	require.ErrorIs(t, err, playlist.ErrSyntax)
	_, err = playlist.ParseISX([]byte(`<!DOCTYPE smil SYSTEM "file:///etc/passwd"><smil><ref src="&x;"/></smil>`))
	require.ErrorIs(t, err, playlist.ErrSyntax)
}

func TestISXLimits(t *testing.T) {
	refs := strings.Repeat(`<ref src="a"/>`, playlist.MaxEntries)
	long := strings.Repeat("x", playlist.MaxValue)
	deep := playlist.MaxDepth - 4 // besides smil, body, seq and ref
	for name, c := range map[string]struct{ fits, over string }{
		"entries":   {isxOf("", refs), isxOf("", refs+`<ref src="b"/>`)},
		"attribute": {isxOf("", `<ref src="`+long+`"/>`), isxOf("", `<ref src="`+long+`x"/>`)},
		"ignored":   {isxOf("", `<img src="`+long+`"/>`), isxOf("", `<img src="`+long+`x"/>`)},
		"text":      {isxOf("", long), isxOf("", long+"x")},
		"depth": {
			isxOf("", strings.Repeat("<seq>", deep)+"<ref src='a'/>"+strings.Repeat("</seq>", deep)),
			isxOf("", strings.Repeat("<seq>", deep+1)+"<ref src='a'/>"+strings.Repeat("</seq>", deep+1)),
		},
		"depth of what is ignored": {
			isxOf("", strings.Repeat("<img>", deep+1)+strings.Repeat("</img>", deep+1)),
			isxOf("", strings.Repeat("<img>", deep+2)+strings.Repeat("</img>", deep+2)),
		},
		"document": {
			isxOf("", "") + strings.Repeat(" ", playlist.MaxDocument-len(isxOf("", ""))),
			isxOf("", "") + strings.Repeat(" ", playlist.MaxDocument-len(isxOf("", ""))+1),
		},
		"elements": {
			isxOf("", strings.Repeat("<seq/>", 16*playlist.MaxEntries-4)),
			isxOf("", strings.Repeat("<seq/>", 16*playlist.MaxEntries-3)),
		},
	} {
		_, err := playlist.ParseISX([]byte(c.fits))
		require.NoError(t, err, name)
		_, err = playlist.ParseISX([]byte(c.over))
		var e *playlist.SyntaxError
		require.ErrorAs(t, err, &e, name)
		require.ErrorIs(t, err, playlist.ErrTooLarge, name)
	}
	p, err := playlist.ParseISX([]byte(isxOf("", strings.Repeat("<ref/>", 10_000))))
	require.NoError(t, err)
	require.Len(t, p.Warnings, 257)
	assert.Equal(t, "9744 more warnings up to here", p.Warnings[256].Text)
}

func TestISXTruncated(t *testing.T) {
	data := iisSample(t, "hello-playlist.isx")
	for n := range data {
		_, err := playlist.ParseISX(data[:n])
		var e *playlist.SyntaxError
		require.ErrorAs(t, err, &e, "%d bytes", n)
		require.Positive(t, e.Line)
		require.Positive(t, e.Column)
	}
}

func TestAppendISX(t *testing.T) {
	p := &playlist.Playlist{
		Title: "<&>\"'\t\r\nü😀", InactivityTimeout: time.Minute, TimeToLive: 24 * time.Hour,
		Entries: []playlist.Entry{{
			Src: `\\server\share\a & b's.wmv`, SrcType: playlist.PhysicalPath, Title: "]]>", ExtraParam: "<A B='\"'/>\r\n",
			NoSeek: true, NoSkipBack: true, Role: "advertisement",
		}},
	}
	data, err := p.AppendISX(nil)
	require.NoError(t, err)
	again, err := playlist.ParseISX(data)
	require.NoError(t, err)
	assert.Equal(t, p, again)
	empty, err := new(playlist.Playlist).AppendISX(nil)
	require.NoError(t, err)
	again, err = playlist.ParseISX(empty)
	require.NoError(t, err)
	assert.Equal(t, new(playlist.Playlist), again)
}

func TestAppendISXErrors(t *testing.T) {
	one := func(e playlist.Entry) *playlist.Playlist {
		return &playlist.Playlist{Entries: []playlist.Entry{{Src: "a"}, e}}
	}
	long := strings.Repeat("x", playlist.MaxValue+1)
	big := make([]playlist.Entry, 70)
	for i := range big {
		big[i] = playlist.Entry{Src: "a", Title: long[1:]}
	}
	for want, p := range map[string]*playlist.Playlist{
		"playlist: isx: entry 2: src: empty: syntax error":                                                one(playlist.Entry{Src: " "}),
		"playlist: isx: entry 2: srcType: 3 is no type of source: syntax error":                           one(playlist.Entry{Src: "a", SrcType: 3}),
		"playlist: isx: entry 2: title: character at byte 1 has no form in XML: syntax error":             one(playlist.Entry{Src: "a", Title: "x\x00"}),
		"playlist: isx: entry 2: role: character at byte 0 has no form in XML: syntax error":              one(playlist.Entry{Src: "a", Role: "\xff"}),
		"playlist: isx: entry 2: extraParam: 65537 bytes, limit 65536: above the limit":                   one(playlist.Entry{Src: "a", ExtraParam: long}),
		"playlist: isx: title: character at byte 0 has no form in XML: syntax error":                      {Title: "\ufffe"},
		"playlist: isx: timeToLive: 1m30s is not from 1 to 525600 whole minutes: syntax error":            {TimeToLive: 90 * time.Second},
		"playlist: isx: inactivityTimeout: 8760h1m0s is not from 1 to 525600 whole minutes: syntax error": {InactivityTimeout: 525601 * time.Minute},
		"playlist: isx: 10001 entries, limit 10000: above the limit":                                      {Entries: make([]playlist.Entry, 10_001)},
		"playlist: isx: more than 4194304 bytes at entry 64: above the limit":                             {Entries: big},
	} {
		_, err := p.AppendISX(nil)
		require.EqualError(t, err, want)
	}
}
