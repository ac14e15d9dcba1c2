package smooth_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func TestParseTrackExpr(t *testing.T) {
	tests := []struct{ in, canonical, want string }{
		{``, ``, `error`},
		{`true`, `true`, `video(3000,1200,400) audio_eng(96) audio_fra(96) text_eng(1) `},
		{`false`, `false`, ``},
		{`type=="video"`, `type=="video"`, `video(3000,1200,400) `},
		{`(type=="audio"&&systemBitrate<100000)||(type=="video"&&systemBitrate<1024000)`,
			`(systemBitrate<100000&&type=="audio")||(systemBitrate<1024000&&type=="video")`, `video(400) audio_eng(96) audio_fra(96) `},
		{`(type=="audio")||(type=="textstream")||(type=="video"&&MaxHeight<=480)`,
			`(MaxHeight<=480&&type=="video")||type=="audio"||type=="text"`, `video(1200,400) audio_eng(96) audio_fra(96) text_eng(1) `},
		{`!(type == "audio" && systemLanguage != 'eng')`, `systemLanguage=="en"||type!="audio"`, `video(3000,1200,400) audio_eng(96) text_eng(1) `},
		{`systemLanguage=="FRE"`, `systemLanguage=="fr"`, `audio_fra(96) `},
		{`1000000 >= SYSTEMBITRATE`, `systemBitrate<=1000000`, `video(400) audio_eng(96) audio_fra(96) text_eng(1) `},
		{`trackname=="audio_fra"`, `trackName=="audio_fra"`, `audio_fra(96) `},
		{`FourCC=="AVC1"`, `FourCC=="H264"`, `video(3000,1200,400) `},
		{`AudioTag==255&&Channels==2&&SamplingRate==48000&&BitsPerSample==16`, `AudioTag==255&&BitsPerSample==16&&Channels==2&&SamplingRate==48000`, `audio_eng(96) audio_fra(96) `},
		{`MaxWidth>640||DisplayHeight>700`, `DisplayHeight>700||MaxWidth>640`, `video(3000,1200,400) `},
		{`TimeScale!=10000000`, `TimeScale!=10000000`, ``},
		{`!!true && type=="video" && type=="video"`, `type=="video"`, `video(3000,1200,400) `},
		{`type=="video"&&false`, `false`, ``},
		{`type="video"`, ``, `error`},
		{`type==video`, ``, `error`},
		{`type=="video`, ``, `error`},
		{`type<"video"`, ``, `error`},
		{`type==5`, ``, `error`},
		{`systemBitrate=="5"`, ``, `error`},
		{`systemBitrate<99999999999999999999`, ``, `error`},
		{`systemBitrate<5)`, ``, `error`},
		{`(systemBitrate<5`, ``, `error`},
		{`trackID==2`, ``, `error`},
		{`5==5`, ``, `error`},
		{`type=="video"&`, ``, `error`},
		{`type=="video"&&`, ``, `error`},
		{`é`, ``, `error`},
		{strings.Repeat("(", 40) + "true" + strings.Repeat(")", 40), ``, `error`},
		{strings.Repeat("!", 40) + "true", ``, `error`},
		{strings.Repeat("true||", 200) + "true", ``, `error`},
		{`type=="` + strings.Repeat("x", 3000) + `"`, ``, `error`},
	}
	for _, tt := range tests {
		e, err := smooth.ParseTrackExpr(tt.in)
		if tt.want == "error" {
			assert.ErrorIs(t, err, smooth.ErrBadRequest, tt.in)
			continue
		}
		require.NoError(t, err, tt.in)
		assert.Equal(t, tt.canonical, e.String())
		got := ""
		p, err := smooth.NewFiltered(t.Context(), smoothtest.New(smoothtest.Default()), smooth.Filter{Tracks: e})
		if err == nil {
			s, err := p.Snapshot(t.Context())
			require.NoError(t, err)
			got = strings.ReplaceAll(shown(s.Manifest), "0-30", "")
		}
		assert.Equal(t, tt.want, got, tt.in)
	}
}

func TestParseFilters(t *testing.T) {
	named := func(name string) (smooth.Filter, bool) {
		f, ok := map[string]smooth.Filter{
			"mobile": {Video: smooth.BitrateRange{Max: 1_500_000}},
			"french": {Languages: []string{"fra"}},
		}[name]
		return f, ok
	}
	v := func(expr string) string { return "filter=" + url.QueryEscape(expr) }
	tests := []struct{ options, query, want string }{
		{"", "", ""},
		{"encryption=cbc,audio-only=false,type=keyframes", "token=abc&t=1700000000", ""},
		{"filter=mobile", "", ";v0-1500000"},
		{"filter=mobile;french", "", `;v0-1500000;xsystemLanguage=="fr"||type=="video"`},
		{"filter=mobile,filter=french", "", `;v0-1500000;xsystemLanguage=="fr"||type=="video"`},
		{"filter=nobody", "", "not found"},
		{"filter=", "", "malformed"},
		{"filter=" + strings.Repeat("mobile;", 9) + "mobile", "", "malformed"},
		{"startTime=50000000,endTime=90000000", "", ";s50000000/0;e90000000/0"},
		{"starttime=PT5S,ENDTIME=PT1M30.5S", "", ";s5/1;e181/2"},
		{"startTime=P1DT2H", "", ";s93600/1"},
		{"startTime=2020-05-12T23:32:39Z", "", ";sw1589326359000000000"},
		{"startTime=2020-05-13T01:32:39+02:00", "", ";sw1589326359000000000"},
		{"startTime=2020-05-12T23:32:39.5", "", ";sw1589326359500000000"},
		{"startTime=", "", "malformed"},
		{"startTime=x", "", "malformed"},
		{"startTime=-5", "", "malformed"},
		{"startTime=2020-05-12T99:32:39Z", "", "malformed"},
		{"startTime=0001-05-12T11:32:39Z", "", "malformed"},
		{"startTime=P", "", "malformed"},
		{"startTime=PT", "", "malformed"},
		{"startTime=PT1S2H", "", "malformed"},
		{"startTime=P9999999999D", "", "malformed"},
		{"audioTrack=a;b", "", `;xtrackName=="a"||trackName=="b"||type!="audio"`},
		{"audiotrack=a;;b", "", "malformed"},
		{"audio-only", "", `;xtype=="audio"`},
		{"audio-only=maybe", "", "malformed"},
		{"videoOnly=true", "", `;xtype=="video"`},
		{"minBitrate=100,maxBitrate=200", "", ";v100-200"},
		{"maxBitrate=0", "", "malformed"},
		{"maxBitrate=1.5M", "", "malformed"},
		{"maxWidth=640,maxHeight=360,firstQuality=5", "", ";W640;H360;q5"},
		{"maxWidth=99999999999", "", "malformed"},
		{"lang=eng", "", `;xsystemLanguage=="en"||type=="video"`},
		{"trackName=video", "", `;xtrackName=="video"`},
		{"", v(`type=="audio"||systemBitrate<=1500000`), `;xsystemBitrate<=1500000||type=="audio"`},
		{"", v(`type==`), "malformed"},
		{"", "filter=%zz", "malformed"},
		{"", "filter=mobile", ";v0-1500000"},
		{"", v("mobile;french"), `;v0-1500000;xsystemLanguage=="fr"||type=="video"`},
		{"", "filter=nobody", "not found"},
		{"", "filter=true", ""},
		{"", "vbegin=5&vend=10", ";s5/1;e10/1"},
		{"", "vbegin=2020-05-13T01%3A32%3A39%2B02%3A00", ";sw1589326359000000000"},
		{"", "vbegin=2020-05-13T01:32:39+02:00", ";sw1589326359000000000"},
		{"", "vbegin=0:01:05.25", ";s261/4"},
		{"", "vbegin=soon", "malformed"},
		{"", "t=5-10", ";s5/1;e10/1"},
		{"", "t=100;450", ";s100/1;e450/1"},
		{"", "t=5-", ";s5/1"},
		{"", "t=-10", ";e10/1"},
		{"", "t=2020-05-12T23:32:39-2020-05-12T23:32:40", ";sw1589326359000000000;ew1589326360000000000"},
		{"", "t=a-b", ""},
		{"", "t=-", ""},
		{"", "min_bitrate=1&max_bitrate=2&tracks=video,audio_eng", `;v1-2;xtrackName=="audio_eng"||trackName=="video"`},
		{strings.Repeat("maxWidth=1,", 40), "", "malformed"},
		{"maxWidth=" + strings.Repeat("1", 3000), "", "malformed"},
		{"", "filter=" + strings.Repeat("1", 9000), "malformed"},
	}
	for _, tt := range tests {
		list, err := smooth.ParseFilters(tt.options, tt.query, named)
		got := ""
		switch {
		case err == nil:
			got = smooth.FiltersKey(list)
		case assert.ObjectsAreEqual(tt.want, "not found"):
			require.ErrorIs(t, err, smooth.ErrNotFound)
			got = "not found"
		default:
			require.ErrorIs(t, err, smooth.ErrBadRequest, "%s %s", tt.options, tt.query)
			got = "malformed"
		}
		assert.Equal(t, tt.want, got, "%s ? %s", tt.options, tt.query)
	}
	_, err := smooth.ParseFilters("filter=mobile", "", nil)
	assert.ErrorIs(t, err, smooth.ErrNotFound)
}

func TestFilterSet(t *testing.T) {
	base := smoothtest.New(smoothtest.Default())
	set := smooth.NewFilterSet(nil, 0)
	p, err := set.Apply(t.Context(), base, &smooth.Request{Options: "encryption=cbc", RawQuery: "token=1"})
	require.NoError(t, err)
	assert.Same(t, base, p)

	snap := func(options, query string) *smooth.Snapshot {
		p, err := set.Apply(t.Context(), base, &smooth.Request{Options: options, RawQuery: query})
		require.NoError(t, err)
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		return s
	}
	assert.Same(t, snap("audio-only", ""), snap("", "filter="+url.QueryEscape(`type == 'audio'`)), "equal filters share")
	assert.NotSame(t, snap("audio-only", ""), snap("video-only", ""))

	_, err = set.Apply(t.Context(), base, &smooth.Request{Options: "trackName=nobody"})
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	_, err = set.Apply(t.Context(), base, &smooth.Request{Options: "startTime=x"})
	assert.ErrorIs(t, err, smooth.ErrBadRequest)
}

// TestFilterSetIsBounded asks for more filters than are remembered, each of which derives much.
func TestFilterSetIsBounded(t *testing.T) {
	base := smoothtest.New(smoothtest.Default())
	set := smooth.NewFilterSet(nil, 0)
	for i := range 1000 {
		p, err := set.Apply(t.Context(), base, &smooth.Request{Options: fmt.Sprintf("maxBitrate=%d", i+1)})
		require.NoError(t, err)
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		if i < 200 {
			_, err = s.Memo("xml", func() ([]byte, error) { return make([]byte, 4<<20), nil })
			require.NoError(t, err)
			entries, bytes := set.Remembered()
			require.LessOrEqual(t, bytes, smooth.RememberedFilterBytes+smooth.MemoBytes)
			require.LessOrEqual(t, entries, 18)
		}
	}
	entries, _ := set.Remembered()
	assert.LessOrEqual(t, entries, smooth.DefaultRememberedFilters)
	assert.Greater(t, entries, smooth.DefaultRememberedFilters/2)
}

func TestFilterSetForgetsSuperseded(t *testing.T) {
	base := smoothtest.New(liveConfig())
	set := smooth.NewFilterSet(nil, 0)
	for range 20 {
		_, err := set.Apply(t.Context(), base, &smooth.Request{Options: "audio-only"})
		require.NoError(t, err)
		base.Append(1)
	}
	entries, _ := set.Remembered()
	assert.Equal(t, 1, entries)
}

func FuzzFilter(f *testing.F) {
	f.Add("filter=a;b,startTime=PT5S", "filter=%28type%3D%3D%22audio%22%29&t=5-10")
	f.Add("audioTrack=x,language=en,maxBitrate=5", "vbegin=2020-05-12T23:32:39Z&vend=1:00")
	f.Add("endTime=P1DT1.5S", "filter=!(FourCC!=%22avc1%22||MaxWidth<=5%26%26true)&tracks=a,b")
	named := func(string) (smooth.Filter, bool) { return smooth.Filter{MaxHeight: 3}, true }
	base := smoothtest.New(smoothtest.Default())
	f.Fuzz(func(t *testing.T, options, query string) {
		list, err := smooth.ParseFilters(options, query, named)
		if err != nil {
			require.ErrorIs(t, err, smooth.ErrBadRequest)
			return
		}
		for i := range list {
			text := list[i].Tracks.String()
			e, err := smooth.ParseTrackExpr(text)
			if len(text) <= 2048 {
				require.NoError(t, err, text)
				require.Equal(t, text, e.String(), "canonical form is stable")
			}
		}
		p, err := smooth.NewFiltered(t.Context(), base, list...)
		if err != nil {
			return
		}
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, s.Manifest.Streams)
		require.NotEmpty(t, s.Periods)
	})
}

func BenchmarkFilterSetApply(b *testing.B) {
	base := smoothtest.New(smoothtest.Default())
	set := smooth.NewFilterSet(nil, 0)
	req := &smooth.Request{Options: "maxBitrate=1500000,startTime=50000000"}
	b.ReportAllocs()
	for b.Loop() {
		p, err := set.Apply(b.Context(), base, req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Snapshot(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
