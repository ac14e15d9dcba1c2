package hls

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/internal/ttml"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// This test is an internal one, because the functions it tests have no public face but the segments they go into.

// sec is a second of cues.
const sec = cueScale

// textFragment returns a fragment at a time in seconds with samples of equal duration, in seconds.
func textFragment(t testing.TB, fourCC string, start, each uint64, samples ...string) *smooth.Fragment {
	t.Helper()
	fr, err := mp4.CreateFragment(1, 1)
	require.NoError(t, err)
	for _, s := range samples {
		fr.AddFullSample(mp4.FullSample{Sample: mp4.Sample{Flags: mp4.SyncSampleFlags, Dur: uint32(each * smooth.DefaultTimescale), Size: uint32(len(s))}, Data: []byte(s)})
	}
	var b bytes.Buffer
	require.NoError(t, fr.Encode(&b))
	head := int(fr.Moof.Size()) + 8
	return smooth.NewFragment(smooth.FragmentInit{
		Key:       smooth.FragmentKey{Stream: "subs", Bitrate: 1000, Time: start * smooth.DefaultTimescale},
		Timescale: smooth.DefaultTimescale, Duration: each * uint64(len(samples)) * smooth.DefaultTimescale,
		Codec: &smooth.Codec{Type: smooth.Text, FourCC: fourCC}, Memory: b.Bytes(), HeadLen: head,
	})
}

// cueTexts formats cues with times in seconds.
func cueTexts(cues []cue) (list []string) {
	for _, c := range cues {
		shown := strings.TrimSpace(c.settings + " " + c.text)
		list = append(list, fmt.Sprintf("%.10g-%.10g %s", float64(c.begin)/sec, float64(c.end)/sec, shown))
	}
	return list
}

func TestAppendWebVTT(t *testing.T) {
	const header = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n"
	tests := []struct {
		name string
		cues []cue
		want string
	}{
		{"empty", nil, ""},
		{"order", []cue{{2 * sec, 3 * sec, "", "b"}, {sec, 2 * sec, "line:0%", "a"}, {sec, 9 * sec, "", "a2"}},
			"\n00:00:01.000 --> 00:00:02.000 line:0%\na\n\n00:00:01.000 --> 00:00:09.000\na2\n\n00:00:02.000 --> 00:00:03.000\nb\n"},
		{"repeated and cut", []cue{{sec, 2 * sec, "", "a"}, {sec, 2 * sec, "", "a"}, {2*sec + 45, 4 * sec, "", "a"}, {4 * sec, 5 * sec, "line:0%", "a"}, {6 * sec, 7 * sec, "", "a"}},
			"\n00:00:01.000 --> 00:00:04.000\na\n\n00:00:04.000 --> 00:00:05.000 line:0%\na\n\n00:00:06.000 --> 00:00:07.000\na\n"},
		{"rounding", []cue{{45, 46, "", "a"}, {44, 134, "", "b"}, {5, 5, "", "never"}}, "\n00:00:00.000 --> 00:00:00.001\nb\n\n00:00:00.001 --> 00:00:00.002\na\n"},
		{"hours", []cue{{1000 * 3600 * sec, 1000*3600*sec + 61*sec, "", "a"}}, "\n1000:00:00.000 --> 1000:01:01.000\na\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := append([]cue(nil), tt.cues...)
			assert.Equal(t, "x"+header+tt.want, string(appendWebVTT([]byte("x"), tt.cues, 10*sec)))
			assert.Equal(t, before, tt.cues, "the cues of others stay as they are")
		})
	}
	assert.Contains(t, string(appendWebVTT(nil, nil, 1<<33+7)), "MPEGTS:7,", "times of MPEG-2 TS have 33 bits")
	assert.NotEmpty(t, appendWebVTT(nil, []cue{{math.MaxUint64 - 1, math.MaxUint64, "", "a"}}, math.MaxUint64))
}

func TestOverlapping(t *testing.T) {
	cues := []cue{{0, 2 * sec, "", "a"}, {sec, 4*sec + 30, "", "b"}, {2 * sec, 2 * sec, "", "never"}, {2 * sec, 6 * sec, "", "c"}, {4*sec - 30, 4 * sec, "", "d"}, {4*sec - 30, 5 * sec, "", "e"}}
	for i, want := range []string{"a b", "b c d e", "c e", ""} {
		var got []string
		for _, c := range overlapping(cues, uint64(i)*2*sec, uint64(i+1)*2*sec) {
			got = append(got, c.text)
		}
		assert.Equal(t, want, strings.Join(got, " "), "segment %d", i)
	}
}

// ttmlBody returns a document with p elements.
func ttmlBody(p string) string {
	return `<tt xmlns="http://www.w3.org/ns/ttml" xmlns:tts="http://www.w3.org/ns/ttml#styling"><head><layout>` +
		`<region xml:id="top" tts:origin="10% 10%" tts:extent="80% 20%" tts:displayAlign="before"/></layout></head><body><div>` + p + `</div></body></tt>`
}

// TestTimeBase: documents count from the fragment, the sample or zero.
func TestTimeBase(t *testing.T) {
	var programme strings.Builder
	for i := range 100 {
		fmt.Fprintf(&programme, `<p begin="%ds" end="%ds">%d</p>`, 2*i, 2*i+1, i)
	}
	tests := []struct {
		name    string
		start   uint64
		samples []string // of 10 seconds
		want    []string
	}{
		{"relative", 20, []string{ttmlBody(`<p begin="1s" end="3s">a</p>`)}, []string{"21-23 a"}},
		{"absolute", 20, []string{ttmlBody(`<p begin="21s" end="23s">a</p>`)}, []string{"21-23 a"}},
		{"near zero", 0, []string{ttmlBody(`<p begin="1s" end="3s">a</p>`)}, []string{"1-3 a"}},
		{"relative, whole fragment", 10, []string{ttmlBody(`<p begin="0s" end="10s">a</p>`)}, []string{"10-20 a"}},
		{"absolute, begins before", 20, []string{ttmlBody(`<p begin="19s" end="23s">a</p><p begin="24s" end="25s">b</p>`)}, []string{"19-23 a", "24-25 b"}},
		{"absolute, ends behind", 20, []string{ttmlBody(`<p begin="29s" end="33s">a</p>`)}, []string{"29-33 a"}},
		{"either, so the first", 4, []string{ttmlBody(`<p begin="4s" end="6s">a</p>`)}, []string{"8-10 a"}},
		{"absolute, just behind", 20, []string{ttmlBody(`<p begin="30s" end="31s">a</p>`)}, []string{"30-31 a"}},
		{"relative, just behind", 20, []string{ttmlBody(`<p begin="11s" end="12s">a</p>`)}, []string{"31-32 a"}},
		{"absolute since 1970", 1_700_000_000, []string{ttmlBody(`<p begin="1700000001s" end="1700000002s">a</p>`)}, []string{"1700000001-1700000002 a"}},
		{"no times", 20, []string{ttmlBody(`<p>a</p>`)}, []string{"20-30 a"}},
		{"no times beside absolute ones", 20, []string{ttmlBody(`<p>a</p><p begin="21s" end="22s">b</p>`)}, []string{"20-30 a", "21-22 b"}},
		{"no end", 20, []string{ttmlBody(`<p begin="3s">a</p>`)}, []string{"23-30 a"}},
		{"no end, absolute", 20, []string{ttmlBody(`<p begin="18s">a</p>`)}, []string{"20-30 a"}},
		{"samples, each relative", 20, []string{ttmlBody(`<p begin="1s" end="3s">a</p>`), ttmlBody(`<p begin="1s" end="3s">b</p>`)}, []string{"21-23 a", "31-33 b"}},
		{"samples, relative to the fragment", 50, []string{ttmlBody(`<p begin="1s" end="3s">a</p>`), ttmlBody(`<p begin="11s" end="13s">b</p>`)}, []string{"51-53 a", "61-63 b"}},
		{"samples, absolute", 20, []string{ttmlBody(`<p begin="21s" end="23s">a</p>`), "", " \n", ttmlBody(`<p begin="51s" end="53s">b</p>`)}, []string{"21-23 a", "51-53 b"}},
		{"never shown", 20, []string{ttmlBody(`<p begin="3s" end="3s">a</p><p end="1s"> <br/></p>`)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := textFragment(t, "TTML", tt.start, 10, tt.samples...)
			defer f.Close()
			got, err := cuesOf(t.Context(), f)
			require.NoError(t, err)
			assert.Equal(t, tt.want, cueTexts(got))
		})
	}
	t.Run("whole programme", func(t *testing.T) {
		f := textFragment(t, "TTML", 100, 10, ttmlBody(programme.String()))
		defer f.Close()
		got, err := cuesOf(t.Context(), f)
		require.NoError(t, err)
		assert.Equal(t, []string{"100-101 50", "102-103 51", "104-105 52", "106-107 53", "108-109 54"}, cueTexts(overlapping(got, 100*sec, 110*sec)))
	})
}

// TestSampleWithoutDuration: the sample is shown as long as the fragment lasts.
func TestSampleWithoutDuration(t *testing.T) {
	f := textFragment(t, "DFXP", 20, 0, ttmlBody(`<p>a</p>`))
	defer f.Close()
	f.Duration = 5 * smooth.DefaultTimescale
	got, err := cuesOf(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, []string{"20-25 a"}, cueTexts(got))
}

func TestCueMarkup(t *testing.T) {
	tests := []struct{ name, p, want string }{
		{"escapes", `<p end="1s">1 &lt; 2 &amp; 4 --&gt; 3</p>`, "1 &lt; 2 &amp; 4 --&gt; 3"},
		{"lines", `<p end="1s"><br/>a<br/><br/><br/>b<br/></p>`, "a\n&nbsp;\n&nbsp;\nb"},
		{"preserved lines", "<p end=\"1s\" xml:space=\"preserve\">\n\na\n\n b\n</p>", "a\n&nbsp;\n b"},
		{"styles", `<p end="1s" tts:fontStyle="italic">a<span tts:fontWeight="bold" tts:textDecoration="underline" tts:color="#FFFF00FF">b &amp; c</span><span tts:color="white" tts:fontStyle="normal">d</span></p>`,
			"<i>a</i><c.yellow><b><i><u>b &amp; c</u></i></b></c>d"},
		{"region", `<p end="1s" region="top" tts:textAlign="left">a</p>`, "line:10% position:10% size:80% align:left a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := textFragment(t, "TTML", 0, 2, ttmlBody(tt.p))
			defer f.Close()
			got, err := cuesOf(t.Context(), f)
			require.NoError(t, err)
			assert.Equal(t, []string{"0-1 " + tt.want}, cueTexts(got))
		})
	}
}

func TestSettings(t *testing.T) {
	tests := []struct {
		l    ttml.Layout
		want string
	}{
		{ttml.Layout{}, ""},
		{ttml.Layout{TextAlign: "center", DisplayAlign: "after"}, ""},
		{ttml.Layout{TextAlign: "end", DisplayAlign: "before"}, "line:0% align:end"},
		{ttml.Layout{HasOrigin: true, Origin: [2]int{1000, 1055}}, "line:10.55%"},
		{ttml.Layout{HasOrigin: true, HasExtent: true, Origin: [2]int{2000, 8600}, Extent: [2]int{6000, 900}, DisplayAlign: "after", TextAlign: "center"}, "size:60%"},
		{ttml.Layout{HasOrigin: true, HasExtent: true, Origin: [2]int{0, 2000}, Extent: [2]int{5050, 2000}, DisplayAlign: "center"}, "line:30%,center position:25.25% size:50.5%"},
		{ttml.Layout{HasOrigin: true, HasExtent: true, Origin: [2]int{0, 2000}, Extent: [2]int{5000, 2000}, DisplayAlign: "after", TextAlign: "start"}, "line:40%,end size:50% align:start"},
		{ttml.Layout{HasOrigin: true, HasExtent: true, Origin: [2]int{5000, 9000}, Extent: [2]int{9000, 9000}, DisplayAlign: "after", TextAlign: "right"}, "size:50% align:right"},
		{ttml.Layout{HasOrigin: true, HasExtent: true, Origin: [2]int{10000, 9000}, Extent: [2]int{9000, 9000}, DisplayAlign: "after"}, ""},
		{ttml.Layout{HasOrigin: true, HasExtent: true, Origin: [2]int{1001, 0}, Extent: [2]int{8000, 10000}, TextAlign: "right"}, "line:0% position:90.01% size:80% align:right"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, settingsOf(&tt.l), "%+v", tt.l)
	}
}

// vttBox returns a box.
func vttBox(name string, parts ...string) string {
	content := strings.Join(parts, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(content)))) + name + content
}

func TestWebVTTSamples(t *testing.T) {
	one := vttBox("vttc", vttBox("vsid", "\x00\x00\x00\x01"), vttBox("iden", "7"), vttBox("sttg", "line:0 \n -->x align:start"), vttBox("payl", "<i>a</i> &amp; <00:01.000>b --> \r\n\r\nc\n\n"))
	f := textFragment(t, "WVTT", 10, 2, one+vttBox("vttc", vttBox("payl", "d")), one, vttBox("vtte"), "", vttBox("vtta", "note")+vttBox("vttc", vttBox("payl", "\xff\x00"))+vttBox("vttc", vttBox("payl", " \n"))+vttBox("vttc"))
	defer f.Close()
	got, err := cuesOf(t.Context(), f)
	require.NoError(t, err)
	a := "line:0 align:start <i>a</i> &amp; b --&gt; \n&nbsp;\nc"
	assert.Equal(t, []string{"10-12 " + a, "10-12 d", "12-14 " + a, "18-20 \uFFFD\uFFFD"}, cueTexts(got))
	assert.Equal(t, []string{"10-14 " + a, "10-12 d", "18-20 \uFFFD\uFFFD"}, cueTexts(arrange(got)))
}

// TestRealWebVTTSamples reads a WebVTT track of a real file.
func TestRealWebVTTSamples(t *testing.T) {
	file, err := mp4.DecodeFile(bytes.NewReader(testmedia.SharedFile(t, "smooth/piff/mp4ff-sample_short.ismt")))
	require.NoError(t, err)
	var all []cue
	for i, s := range file.Segments {
		for _, fr := range s.Fragments {
			var samples []string
			list, err := fr.GetFullSamples(file.Moov.Mvex.Trex)
			require.NoError(t, err)
			for _, s := range list {
				samples = append(samples, string(s.Data))
			}
			f := textFragment(t, "WVTT", uint64(i)*100, 2, samples...)
			cues, err := cuesOf(t.Context(), f)
			require.NoError(t, err)
			all = append(all, cues...)
			f.Close()
		}
	}
	require.Len(t, all, 5)
	assert.Equal(t, cue{0, 2 * sec, "align:left", "<c.magenta>...</c>"}, all[0])
	assert.Equal(t, "<c.magenta>-Tout, tout, tout pourri,</c>\n<c.magenta>tout, tout, tout plaplat,</c>", all[1].text)
}

func TestCueErrors(t *testing.T) {
	good := ttmlBody(`<p end="1s">a</p>`)
	tests := []struct {
		name, fourCC string
		samples      []string
		want         error
		reason       string
	}{
		{"XML", "TTML", []string{good, "<tt>\n<body></tt>"}, smooth.ErrCorrupt, "hls: fragment subs 20000000, sample 2: ttml: line 2: unexpected </tt>"},
		{"no TTML", "TTML", []string{"\x00"}, smooth.ErrCorrupt, "sample 1: ttml: line 1"},
		{"deep", "TTML", []string{strings.Repeat("<tt>", 100)}, smooth.ErrTooLarge, "nested deeper than 64"},
		{"large", "TTML", []string{strings.Repeat(" ", maxTextPayload+1)}, smooth.ErrTooLarge, "text of 4194305 bytes, the limit is 4194304"},
		{"box size", "WVTT", []string{vttBox("vtte") + "\x00\x00\x00\x09vttc"}, smooth.ErrCorrupt, `sample 1: "vttc" at byte 8: size 9, 8 bytes left`},
		{"box header", "WVTT", []string{vttBox("vtte") + "xyz"}, smooth.ErrCorrupt, "box at byte 8: 3 bytes left"},
		{"inner box", "WVTT", []string{vttBox("vttc", vttBox("payl", "a"), "\x00\x00\x00\x07payl")}, smooth.ErrCorrupt, `vttc/"payl" at byte 17: size 7`},
		{"other codec", "CTRL", []string{"x"}, smooth.ErrUnsupported, "CTRL is no text that becomes WebVTT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := textFragment(t, tt.fourCC, 2, 2, tt.samples...)
			defer f.Close()
			_, err := cuesOf(t.Context(), f)
			require.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, tt.reason)
		})
	}
	f := textFragment(t, "TTML", 2, 2, good)
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := cuesOf(ctx, f)
	require.ErrorIs(t, err, context.Canceled)
	f.Codec = &smooth.Codec{Type: smooth.Text, FourCC: "TTML", Encrypted: true}
	_, err = cuesOf(t.Context(), f)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	f.Codec = nil
	_, err = cuesOf(t.Context(), f)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
}

// allCues returns the cues of all fragments of the text stream of a presentation.
func allCues(t *testing.T, src smooth.Source, name string) (list []cue) {
	t.Helper()
	p, err := src.Open(t.Context(), name)
	require.NoError(t, err)
	defer p.Close()
	snap, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, st := range snap.Manifest.Streams {
		if st.Type != smooth.Text {
			continue
		}
		for _, c := range st.Timeline {
			f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: st.Name, Bitrate: st.Levels[0].Bitrate, Time: c.Time})
			require.NoError(t, err)
			cues, err := cuesOf(t.Context(), f)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			list = append(list, cues...)
		}
	}
	return list
}

func TestSampleCues(t *testing.T) {
	src := smooth.FS(smoothtest.Sample(), nil)
	defer src.Close()
	cues := allCues(t, src, "sample.ism")
	require.Len(t, cues, 16)
	for i, c := range cues {
		at := uint64(2*i) * sec
		assert.Equal(t, cue{at + sec*28/100, at + sec*198/100, "size:60%", fmt.Sprintf("Fragment %d: seconds %d to %d", i+1, 2*i, 2*i+2)}, c)
	}
}

// TestRoundTrip packages a WebVTT text, which cuts its cues into TTML documents of two seconds, and expects it back.
func TestRoundTrip(t *testing.T) {
	const text = "\n00:00:00.500 --> 00:00:01.000 line:10% size:80%\none &amp; <b>two</b> &lt;3\nthree\n" +
		"\n00:00:01.500 --> 00:00:04.250 position:10% size:80% align:start\nlong <c.yellow><i>open</i></c>\n" +
		"\n00:00:05.000 --> 00:00:06.000 size:80%\nlast\n"
	dir := t.TempDir()
	in := packager.Input{Path: "a.vtt", Reader: strings.NewReader("WEBVTT\n" + text), Size: int64(len("WEBVTT\n" + text))}
	_, err := packager.Package(t.Context(), packager.Job{Inputs: []packager.Input{in}, Dir: dir, Name: "x", Options: packager.Options{FragmentDuration: 2 * time.Second}})
	require.NoError(t, err)
	src := smooth.Dir(dir, nil)
	defer src.Close()
	cues := allCues(t, src, "x.ism")
	assert.Len(t, cues, 5)
	assert.Equal(t, "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"+text, string(appendWebVTT(nil, cues, 0)))
}

// requireReadable checks that a WebVTT segment has as many cues as went in: no text may end its cue or begin one.
func requireReadable(t *testing.T, cues []cue) {
	t.Helper()
	cues = arrange(cues)
	out := string(appendWebVTT(nil, cues, 0))
	require.NotContains(t, out, "\n\n\n")
	blocks := strings.Split(strings.TrimSuffix(out, "\n"), "\n\n")
	require.Len(t, blocks, len(cues)+1, "%q", out)
	for i, b := range blocks[1:] {
		first, rest, _ := strings.Cut(b, "\n")
		require.Equal(t, 1, strings.Count(b, "-->"), "%q", b)
		require.Contains(t, first, "-->")
		require.Equal(t, cues[i].text, rest)
		require.Less(t, cues[i].begin, cues[i].end)
	}
}

func FuzzTTMLCues(f *testing.F) {
	for _, s := range []string{
		ttmlBody(`<p begin="1s" end="3s" region="top">a<br/><br/>b<span begin="1s" tts:fontStyle="italic"> --&gt; c</span></p><p>d</p>`),
		ttmlBody(`<p begin="21s" end="23s" xml:space="preserve">a&#10;&#10;&#13;&#13;b</p>`), "\xff\xfe<\x00t\x00t\x00/\x00>\x00", "",
	} {
		f.Add([]byte(s), uint64(20), uint64(10))
	}
	f.Fuzz(func(t *testing.T, data []byte, start, length uint64) {
		start, length = min(start, maxCueTime), min(length, maxCueTime)
		s := textSample{data: data, cueSpan: cueSpan{start, start + length + 1}, fragment: start}
		cues, err := appendTTMLCues(nil, s)
		if err == nil {
			requireReadable(t, cues)
		}
	})
}

func FuzzWVTTCues(f *testing.F) {
	f.Add([]byte(vttBox("vttc", vttBox("sttg", "line:0"), vttBox("payl", "a\r\n\r\nb --> c"))))
	f.Add([]byte(vttBox("vtte") + vttBox("vttc", vttBox("iden", "x"), vttBox("payl", "<00:00:01.000>a\x00"))))
	f.Add([]byte("\x00\x00\x00\x01vttc\x00\x00\x00\x00\x00\x00\x00\x10"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cues, err := appendWVTTCues(nil, textSample{data: data, cueSpan: cueSpan{0, 1}})
		if err == nil {
			requireReadable(t, cues)
		}
	})
}
