package packager_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
)

// documents packages texts alone and returns the documents of the first, one per fragment.
func documents(t testing.TB, name, content string, d time.Duration) (docs []string, res *packager.Result) {
	t.Helper()
	dir := t.TempDir()
	in := packager.Input{Path: name, Reader: strings.NewReader(content), Size: int64(len(content))}
	res = pack(t, packager.Job{Inputs: []packager.Input{in}, Dir: dir, Name: "x", Options: packager.Options{FragmentDuration: d}})
	return readDocuments(t, filepath.Join(dir, res.Files[0])), res
}

func readDocuments(t testing.TB, path string) (docs []string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := mp4.DecodeFile(bytes.NewReader(raw))
	require.NoError(t, err)
	assert.Equal(t, "subt", f.Moov.Trak.Mdia.Hdlr.HandlerType)
	for _, s := range f.Segments {
		for _, fr := range s.Fragments {
			require.Len(t, fr.Moof.Traf.Trun.Samples, 1)
			require.EqualValues(t, len(fr.Mdat.Data), fr.Moof.Traf.Trun.Samples[0].Size)
			docs = append(docs, string(fr.Mdat.Data))
		}
	}
	return docs
}

// cues returns the start tags and texts of the p elements of a document, which must be well-formed.
func cues(t testing.TB, doc string) (list []string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(doc))
	var b strings.Builder
	depth, inside := 0, 0
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err, doc)
		switch x := tok.(type) {
		case xml.StartElement:
			depth++
			if x.Name.Local == "p" {
				inside = depth
			}
			if inside > 0 {
				b.WriteString("<" + x.Name.Local)
				for _, a := range x.Attr {
					if inside < depth || a.Name.Local == "begin" || a.Name.Local == "end" {
						b.WriteString(" " + a.Name.Local + "=" + strings.TrimPrefix(a.Value, "00:00:"))
					}
				}
				b.WriteString(">")
			}
		case xml.EndElement:
			if depth--; inside > depth {
				list, inside = append(list, b.String()), 0
				b.Reset()
			}
		case xml.CharData:
			if inside > 0 {
				b.Write(x)
			}
		}
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		name, file, content string
		want                [][]string // per fragment of two seconds
	}{
		{"WebVTT", "a.vtt", "\ufeffWEBVTT - title\nKind: captions\n\nNOTE\nno cue\n\nSTYLE\n::cue { color: red }\n\nid\n00:00.500 --> 00:01.000 line:0\none & <b>two</b> &lt;3\nthree\n\n" +
			"00:00:01.500-->00:00:04.250 align:start\n<v Bob>long<00:00:02.000> <i.yellow.x>open\n\n00:05.000 --> 00:05.000\nnever\n",
			[][]string{{"<p begin=00.500 end=01.000>one & <span fontWeight=bold>two <3<br>three", "<p begin=01.500 end=02.000>long <span fontStyle=italic color=yellow>open"},
				{"<p begin=00.000 end=02.000>long <span fontStyle=italic color=yellow>open"}, {"<p begin=00.000 end=00.250>long <span fontStyle=italic color=yellow>open"}}},
		{"CRLF and no blank line at the end", "a.vtt", "WEBVTT\r\n\r\n00:00.000 --> 00:01.000\r\nx\r\n00:01.000 --> 00:02.000\r\ny",
			[][]string{{"<p begin=00.000 end=01.000>x", "<p begin=01.000 end=02.000>y"}}},
		{"TTML", "a.ttml", `<?xml version="1.0" encoding="UTF-8"?><tt xmlns="http://www.w3.org/ns/ttml" xml:lang="de"><head><x y="1"/></head>` +
			`<body><div><p begin="0.5s" end="1s">one<br/>two</p><p begin="00:00:01.5" dur="1s" style="s">three</p></div></body></tt>`,
			[][]string{{"<p begin=00.500 end=01.000>one<br>two", "<p begin=01.500 end=02.000>three"}, {"<p begin=00.000 end=00.500>three"}}},
		{"times in all forms", "a.dfxp", `<t:tt xmlns:t="http://www.w3.org/2006/10/ttaf1" xmlns:p="http://www.w3.org/2006/10/ttaf1#parameter" p:frameRate="25" p:tickRate="10000000">` +
			`<t:body begin="1s"><t:div begin="100ms"><t:p begin="0:00:00:10" end="15f">a</t:p><t:p begin="5000000t" end="0.01m">b</t:p></t:div><t:div><t:p begin="0h">c</t:p></t:div></t:body></t:tt>`,
			[][]string{{"<p begin=01.500 end=01.700>a", "<p begin=01.600 end=01.700>b", "<p begin=01.000 end=01.700>c"}}},
		{"times inside", "a.ttml", `<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="1s" end="5s">x<span begin="0.5s" end="3s">y<set begin="1s" dur="1s"/></span></p></div></body></tt>`,
			[][]string{
				{"<p begin=01.000 end=02.000>x<span begin=00.500 end=03.000>y<set begin=01.000 end=02.000>"},
				{"<p begin=00.000 end=02.000>x<span begin=00.000 end=02.000>y<set begin=00.500 end=01.500>"},
				{"<p begin=00.000 end=01.000>x<span begin=00.000 end=00.000>y<set begin=00.000 end=00.000>"}}},
		{"sequence", "a.ttml", `<tt xmlns="http://www.w3.org/ns/ttml"><body timeContainer="seq"><div timeContainer="seq" dur="3s"><p dur="1s">a</p><p begin="0.5s">b</p></div></body></tt>`,
			[][]string{{"<p begin=00.000 end=01.000>a", "<p begin=01.500 end=02.000>b"}, {"<p begin=00.000 end=01.000>b"}}},
		{"UTF-16", "a.ttml", "\xff\xfe" + utf16(`<?xml version="1.0" encoding="utf-16"?><tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="0s" end="1s">ü</p></div></body></tt>`),
			[][]string{{"<p begin=00.000 end=01.000>ü"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs, _ := documents(t, tt.file, tt.content, 2*time.Second)
			require.Len(t, docs, len(tt.want))
			for i, doc := range docs {
				assert.Equal(t, tt.want[i], cues(t, doc), doc)
			}
		})
	}
}

func utf16(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

// TestTextWithVideo: texts are cut where the video is, and shifted like it.
func TestTextWithVideo(t *testing.T) {
	dir := t.TempDir()
	english := write(t, t.TempDir(), "x.en.vtt", "WEBVTT\n\n00:01.900 --> 00:02.100\nHello\n")
	ttml := write(t, t.TempDir(), "y.ttml", `<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="de-AT"><body/></tt>`)
	res := pack(t, packager.Job{Inputs: inputs(english, testmedia.Media(t, "low.mp4"), ttml), Dir: dir, Name: "x"})
	s := res.Manifest.Stream("textstream_eng")
	require.NotNil(t, s)
	assert.Equal(t, "eng", s.Language)
	assert.Equal(t, smooth.Text, s.Type)
	assert.Equal(t, "CAPT", s.Subtype)
	assert.Equal(t, res.Manifest.Stream("video").Timeline, s.Timeline)
	docs := readDocuments(t, trackFile(t, res, dir, "textstream_eng", s.Levels[0].Bitrate))
	require.Len(t, docs, 3)
	assert.Equal(t, []string{"<p begin=01.980 end=02.000>Hello"}, cues(t, docs[0]))
	assert.Equal(t, []string{"<p begin=00.000 end=00.180>Hello"}, cues(t, docs[1]))
	assert.Empty(t, cues(t, docs[2]))
	s = res.Manifest.Stream("textstream_deu")
	require.NotNil(t, s)
	for _, doc := range readDocuments(t, trackFile(t, res, dir, "textstream_deu", s.Levels[0].Bitrate)) {
		assert.Empty(t, cues(t, doc))
		assert.Contains(t, doc, `xml:lang="de-AT"`)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"WEBVTT\n\n00:00.500 --> 00:01.000 line:0\none & <b>two</b>\n", "WEBVTT\n\n00:00.500 --> 99:59:59.999\n<c.red><i></c></i>&#0;\n",
		`<tt xmlns="http://www.w3.org/ns/ttml" xmlns:p="p" p:tickRate="3"><head/><body begin="1s"><div><p begin="1t" end="5f">x<span dur="1s"/></p></div></body></tt>`,
		"\xfe\xff\x00<\x00t\x00t",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		name := "x.ttml"
		if strings.HasPrefix(content, "WEBVTT") {
			name = "x.vtt"
		}
		docs, err := packager.Documents(name, []byte(content), 0, 20_000_000, 40_000_000, 1<<62)
		if err != nil {
			return
		}
		for _, doc := range docs {
			require.Less(t, len(doc), 2000+100*len(content))
			if utf8.ValidString(content) {
				cues(t, string(doc)) // well-formed
			}
		}
	})
}
