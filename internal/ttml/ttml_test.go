package ttml_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/ttml"
)

// head is the start of a document with styles and regions.
const head = `<tt xmlns="http://www.w3.org/ns/ttml" xmlns:tts="http://www.w3.org/ns/ttml#styling" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" tts:extent="640px 480px">
<head><styling>
<style xml:id="loop" style="loop" tts:color="red"/>
<style xml:id="late" style="base" tts:fontWeight="bold"/><style xml:id="base" tts:fontStyle="italic" tts:fontWeight="normal"/>
</styling><layout>
<region xml:id="low" tts:origin="10% 80%" tts:extent="80% 20%" tts:displayAlign="after" tts:textAlign="center"/>
<region xml:id="high" style="base"><style tts:origin="64px 48px"/><style tts:extent="16c 3c" tts:displayAlign="center"/></region>
<region xml:id="odd" tts:origin="auto" tts:extent="200% 1em" tts:displayAlign="sideways" tts:textAlign="justify"/>
</layout></head>`

// times formats ticks as seconds.
func times(begin, end int64) string {
	if end == ttml.Forever {
		return fmt.Sprintf("%g-", float64(begin)/ttml.Second)
	}
	return fmt.Sprintf("%g-%g", float64(begin)/ttml.Second, float64(end)/ttml.Second)
}

// dump formats captions: times, text with marks of style, layout.
func dump(list []ttml.Caption) (lines []string) {
	for _, c := range list {
		var b strings.Builder
		b.WriteString(times(c.Begin, c.End) + " ")
		for _, r := range c.Runs {
			mark := ""
			for _, m := range []struct {
				set  bool
				name string
			}{{r.Italic, "/"}, {r.Bold, "*"}, {r.Underline, "_"}, {r.Color != "", r.Color + ":"}} {
				if m.set {
					mark += m.name
				}
			}
			if mark != "" {
				b.WriteString("[" + mark + r.Text + "]")
			} else {
				b.WriteString(r.Text)
			}
		}
		l := c.Layout
		if l.TextAlign+l.DisplayAlign != "" {
			b.WriteString(" {" + l.TextAlign + "," + l.DisplayAlign + "}")
		}
		if l.HasOrigin {
			fmt.Fprint(&b, " at ", l.Origin)
		}
		if l.HasExtent {
			fmt.Fprint(&b, " size ", l.Extent)
		}
		lines = append(lines, b.String())
	}
	return lines
}

func TestCaptions(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []string
	}{
		{"white space and line breaks", `<tt><body><div><p begin="1s" end="2s">
			one <br/> two  three<br/><br/>
			four <metadata>not <span>this</span></metadata> <foreign:x><br/>nor this</foreign:x> end<br/>
		</p></div></body></tt>`, []string{"1-2 one\ntwo three\n\nfour end"}},
		{"white space across spans", `<tt><body><p end="1s">a <span> b</span><span xml:id="x"> </span> c<br/> <span> d </span></p></body></tt>`, []string{"0-1 a b c\nd"}},
		{"white space preserved", "<tt xml:space=\"preserve\"><body><p end=\"1s\">  a  b\n\tc<span xml:space=\"default\">  d  e </span></p></body></tt>", []string{"0-1   a  b\n\tc d e"}},
		{"entities and CDATA", `<tt><body><p end="1s">&lt;a&gt; &amp; <![CDATA[<b> & c]]>&#x263A;<!-- no --></p></body></tt>`, []string{"0-1 <a> & <b> & c☺"}},
		{"no text", `<tt><body><p end="1s"> <br/> </p><p end="1s"/><p>x</p></body></tt>`, []string{"0- x"}},
		{"nothing", `<tt><body/></tt>`, nil},
		{"styles", head + `<body><div><p end="1s" style="late">a<span tts:fontStyle="normal">b</span><span style="none base">c</span>` +
			`<span tts:textDecoration="overline underline" tts:color="yellow">d</span><span style="loop">e</span><span tts:display="none">f</span>` +
			`<span style="late base">g</span></p></div></body></tt>`,
			[]string{"0-1 [/*a][*b][/c][/*_yellow:d][/*red:e][/g]"}},
		{"regions", head + `<body region="low"><div><p end="1s">a</p><p end="1s" region="high" tts:textAlign="start">b</p>` +
			`<p end="1s" region="odd">c</p><p end="1s" region="nowhere" tts:origin="1.5% 0%">d</p></div></body></tt>`,
			[]string{"0-1 a {center,after} at [1000 8000] size [8000 2000]", "0-1 [/b] {start,center} at [1000 1000] size [5000 2000]", "0-1 c", "0-1 d at [150 0]"}},
		{"times of body and div", `<tt><body begin="1s" end="20s"><div begin="2s"><p begin="1s" dur="1s">a</p><p begin="1s">b</p></div></body></tt>`, []string{"4-5 a", "4-20 b"}},
		{"times in all forms", `<tt xmlns:p="p" p:frameRate="25" p:frameRateMultiplier="1000 1001" p:tickRate="10000000"><body>` +
			`<p begin="00:00:01:05" end="15000000t">a</p><p begin="0.001h" dur="0.5m">b</p><p begin="1:0:0.5" end="3601000ms">c</p><p begin="0f" end="25f">d</p></body></tt>`,
			[]string{"1.2002-1.5 a", "3.6-33.6 b", "3600.5-3601 c", "0-1.001 d"}},
		{"sequence of cues", `<tt><body timeContainer="seq"><div><p begin="1s" dur="2s">a</p><p dur="9s">b</p></div><div begin="1s" timeContainer="seq" dur="9s"><p dur="1s">c</p><p begin="0.5s" dur="1s">d</p><p end="1s">e</p></div></body></tt>`,
			[]string{"1-3 a", "0-9 b"}}, // the first div has no end
		{"sequence inside a sequence", `<tt><body timeContainer="seq"><div dur="9s"><p begin="1s" dur="2s">a</p></div><div begin="1s" timeContainer="seq" dur="9s"><p dur="1s">c</p><p begin="0.5s" dur="1s">d</p><p end="1s">e</p></div></body></tt>`,
			[]string{"1-3 a", "10-11 c", "11.5-12.5 d", "12.5-13.5 e"}},
		{"sequence of spans", `<tt><body><p begin="10s" end="14s" timeContainer="seq">never<br/><span dur="1s">a</span><span begin="1s" dur="1s">b</span><span>c</span></p></body></tt>`,
			[]string{"10-11 a", "12-13 b", "13-14 c"}},
		{"timed spans", `<tt><body><p begin="10s" end="14s">x <span begin="1s" end="2s">y</span> <span begin="1s" end="9s">z</span><span begin="3s" end="3s">w</span></p></body></tt>`,
			[]string{"10-11 x", "11-12 x y z", "12-14 x z"}},
		{"timed spans alone", `<tt><body><p><span begin="1s" end="2s">y</span><br/><span begin="3s" end="4s" tts:fontStyle="italic">z</span></p></body></tt>`,
			[]string{"1-2 y", "3-4 [/z]"}},
		{"DFXP with prefixes", `<x:tt xmlns:x="http://www.w3.org/2006/10/ttaf1" xmlns:s="http://www.w3.org/2006/10/ttaf1#style"><x:head><x:styling><x:style id="a" s:fontStyle="oblique"/></x:styling></x:head>` +
			`<x:body><x:div><x:p begin="1s" end="2s" style="a">a<x:br/>b</x:p></x:div></x:body></x:tt>`, []string{"1-2 [/a\nb]"}},
		{"UTF-16", "\xff\xfe" + utf16(`<?xml version="1.0" encoding="utf-16"?><tt><body><p end="1s">ü</p></body></tt>`), []string{"0-1 ü"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ttml.Parse([]byte(tt.doc))
			require.NoError(t, err)
			list, err := d.Captions()
			require.NoError(t, err)
			assert.Equal(t, tt.want, dump(list))
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

// TestPieces expects the other view: markup with the times taken out.
func TestPieces(t *testing.T) {
	d, err := ttml.Parse([]byte(`<tt xml:lang="de"><head><x y="1"/></head><body begin="1s" a="b"><div end="9s" c="d"><p begin="1s" end="3s" e="f">x<span begin="0.5s">y<br/></span>` +
		`<set dur="1s" g="h"/></p></div><p>z</p></body></tt>`))
	require.NoError(t, err)
	assert.Equal(t, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<tt xml:lang=\"de\">\n<head><x y=\"1\"/></head>\n<body a=\"b\">\n", string(d.Open))
	assert.Equal(t, "</body></tt>\n", string(d.Close))
	assert.Equal(t, "de", d.Language)
	assert.Equal(t, []ttml.Div{{"<div c=\"d\">\n", "</div>\n"}, {}}, d.Divs)
	require.Len(t, d.Cues, 2)
	c := d.Cues[0]
	assert.Equal(t, "2-4", times(c.Begin, c.End))
	assert.Equal(t, "p", c.Tag)
	assert.Equal(t, ` e="f"`, c.Attributes)
	assert.Equal(t, []ttml.Piece{
		{XML: `x<span begin="`}, {Time: ttml.Second / 2, IsTime: true}, {XML: `" end="`}, {Time: 2 * ttml.Second, IsTime: true}, {XML: `">`},
		{XML: `y<br/></span><set g="h" begin="`}, {IsTime: true}, {XML: `" end="`}, {Time: ttml.Second, IsTime: true}, {XML: `"/>`}, {},
	}, c.Inner)
	assert.Equal(t, 1, d.Cues[1].Div)
	assert.Equal(t, "1-", times(d.Cues[1].Begin, d.Cues[1].End))
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name, doc, want string
		tooLarge        bool
	}{
		{"empty", "", "line 1: no tt element", false},
		{"other root", "<a/>", "line 1: root element a, want tt", false},
		{"two roots", "<tt/><tt/>", "two root elements", false},
		{"unclosed", "<tt>\n<body>", "line 2: document ends inside body", false},
		{"crossed", "<tt>\n\n<body></tt>", "line 3: unexpected </tt>", false},
		{"two bodies", "<tt><body/><body/></tt>", "two body elements", false},
		{"head after body", "<tt><body/><head/></tt>", "head after body", false},
		{"entity bomb", "<!DOCTYPE tt [<!ENTITY a \"aaaa\">]><tt/>", "document type declaration", false},
		{"unknown entity", "<tt><body><p>&a;</p></body></tt>", "invalid character entity", false},
		{"time", "<tt><body>\n<p begin=\"soon\"/></body></tt>", `line 2: time begin="soon"`, false},
		{"negative time", `<tt><body><p begin="-1s"/></body></tt>`, `time begin="-1s"`, false},
		{"huge time", `<tt><body><p begin="99999999999h"/></body></tt>`, `time begin="99999999999h"`, false},
		{"clock time base", `<tt xmlns:t="x" t:timeBase="clock"/>`, `attribute t:timeBase="clock" is not supported`, false},
		{"frame rate", `<tt xmlns:t="x" t:frameRate="0"/>`, `t:frameRate="0"`, false},
		{"multiplier", `<tt xmlns:t="x" t:frameRateMultiplier="1"/>`, `t:frameRateMultiplier="1"`, false},
		{"not UTF-8", "<tt>\n\xff</tt>", "line 2: text is neither UTF-8 nor UTF-16", false},
		{"half UTF-16", "\xff\xfe<", "line 1: UTF-16 of 3 bytes", false},
		{"deep", strings.Repeat("<tt>", ttml.MaxDepth+1), "nested deeper than 64", true},
		{"deep in p", "<tt><body><p>" + strings.Repeat("<span>", ttml.MaxDepth), "nested deeper than 64", true},
		{"many cues", "<tt><body>" + strings.Repeat("<p/>", ttml.MaxCues+1) + "</body></tt>", "more than 200000 p elements", true},
		{"long tags", `<tt><body><div a="` + strings.Repeat("x", 1<<16) + `">` + strings.Repeat("<div><p/></div>", 1<<16), "too many div elements within long ones", true},
		{"large", "<tt/>" + strings.Repeat(" ", ttml.MaxDocument), "the limit is 16777216", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ttml.Parse([]byte(tt.doc))
			var at *ttml.Error
			require.ErrorAs(t, err, &at)
			assert.Positive(t, at.Line)
			assert.ErrorContains(t, err, tt.want)
			assert.Equal(t, tt.tooLarge, at.TooLarge)
		})
	}
}

// TestTruncated cuts a document at every byte.
func TestTruncated(t *testing.T) {
	doc := strings.TrimSpace(head + `<body><div><p begin="1s" end="2s">a<span begin="0s">b</span><br/></p></div></body></tt>`)
	for i := range doc {
		_, err := ttml.Parse([]byte(doc[:i]))
		require.Error(t, err, doc[:i])
	}
}

// TestCaptionsBound: timed spans must not multiply a text without limit.
func TestCaptionsBound(t *testing.T) {
	var b strings.Builder
	b.WriteString("<tt><body><p>\n<span>" + strings.Repeat("x", 1<<16) + "</span>")
	for i := range 1000 {
		fmt.Fprintf(&b, `<span begin="%ds" dur="1s">y</span>`, i)
	}
	b.WriteString("</p></body></tt>")
	d, err := ttml.Parse([]byte(b.String()))
	require.NoError(t, err)
	_, err = d.Captions()
	require.EqualError(t, err, "ttml: line 1: the text changes too often within its p elements")
	var at *ttml.Error
	require.ErrorAs(t, err, &at)
	assert.True(t, at.TooLarge)
}

// TestManyRuns: text in many spans of one style is joined in linear time.
func TestManyRuns(t *testing.T) {
	const n = 100_000
	d, err := ttml.Parse([]byte("<tt><body><p end=\"1s\">" + strings.Repeat("<span>a</span>", n) + "</p></body></tt>"))
	require.NoError(t, err)
	list, err := d.Captions()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Len(t, list[0].Runs, 1)
	assert.Len(t, list[0].Runs[0].Text, n)
}

// TestStyleChain: references are followed for some steps only.
func TestStyleChain(t *testing.T) {
	var b strings.Builder
	b.WriteString(`<tt><head xmlns:tts="x">`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `<style xml:id="s%d" style="s%d s%d" tts:color="c%d"/>`, i, i+1, i+2, i)
	}
	b.WriteString(`</head><body><p style="s0" end="1s">x</p></body></tt>`)
	d, err := ttml.Parse([]byte(b.String()))
	require.NoError(t, err)
	list, err := d.Captions()
	require.NoError(t, err)
	assert.Equal(t, []string{"0-1 [c0:x]"}, dump(list))
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		head + `<body region="low"><div begin="1s" timeContainer="seq"><p dur="1s">a<br/><span begin="0.5s" style="late">b</span></p><p xml:space="preserve" end="2s"> c </p></div></body></tt>`,
		`<tt xmlns:p="p" p:tickRate="3" p:frameRate="25" p:cellResolution="4 0"><head/><body begin="1s"><div><p begin="1t" end="5f">x<span dur="1s"/><metadata><br/></metadata></p></div></body></tt>`,
		`<tt><head><region id="r"><style s:origin="1px 2c"/></region></head><body><p region="r">&#x41;<![CDATA[<]]></p></body></tt>`,
		"\xfe\xff\x00<\x00t\x00t\x00/\x00>", "<tt>", "<!DOCTYPE tt><tt/>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ttml.Parse(data)
		if err != nil {
			var at *ttml.Error
			require.ErrorAs(t, err, &at)
			require.Positive(t, at.Line)
			return
		}
		for i := range d.Cues {
			c := &d.Cues[i]
			require.True(t, 0 <= c.Begin && c.Begin < c.End && c.End <= ttml.Forever, "%d to %d", c.Begin, c.End)
			require.Less(t, c.Div, len(d.Divs))
		}
		list, err := d.Captions()
		if err != nil {
			return
		}
		size := 0
		for _, c := range list {
			require.True(t, 0 <= c.Begin && c.Begin < c.End && c.End <= ttml.Forever, "%d to %d", c.Begin, c.End)
			require.NotEmpty(t, c.Runs)
			require.False(t, strings.HasPrefix(c.Runs[0].Text, "\n") || strings.HasSuffix(c.Runs[len(c.Runs)-1].Text, "\n"))
			for _, r := range c.Runs {
				require.NotEmpty(t, r.Text)
				size += len(r.Text)
			}
			for _, v := range append(c.Layout.Origin[:], c.Layout.Extent[:]...) {
				require.True(t, 0 <= v && v <= 10_001)
			}
		}
		require.LessOrEqual(t, size, 1<<20+16*min(2*len(data), math.MaxInt32))
		require.False(t, bytes.Contains(d.Open, []byte("<!DOCTYPE")))
	})
}
