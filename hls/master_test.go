package hls_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// ac3 is the dac3 box content of 48 kHz stereo at 192 kbit/s: ETSI TS 102 366 annex F.4.
var ac3 = []byte{0x10, 0x11, 0x40}

// soundStream is an audio stream of 30 seconds.
func soundStream(name, language, fourCC string, bitrates ...uint64) smoothtest.Stream {
	s := smoothtest.Stream{Type: smooth.Audio, Name: name, Language: language, Durations: smoothtest.Repeat(15, 2*second)}
	for _, rate := range bitrates {
		l := smoothtest.Level{Bitrate: rate, FourCC: fourCC}
		if fourCC == "ac-3" {
			l.PrivateData = ac3
		}
		s.Levels = append(s.Levels, l)
	}
	return s
}

func pictureStream(name string, bitrates ...uint64) smoothtest.Stream {
	s := smoothtest.Stream{Type: smooth.Video, Name: name, Durations: smoothtest.Repeat(15, 2*second)}
	for _, rate := range bitrates {
		s.Levels = append(s.Levels, smoothtest.Level{Bitrate: rate})
	}
	return s
}

// summary returns a master playlist without rates: its renditions, variants and key frame lists.
func (m *masterList) summary() (list []string) {
	short := func(v *tagged, names ...string) string {
		words := []string{strings.TrimPrefix(v.url, "/a.ism/")}
		for _, name := range names {
			if a := v.attr(name); a != "" {
				words = append(words, a)
			}
		}
		return strings.Join(words, " ")
	}
	for i := range m.renditions {
		list = append(list, "M "+short(&m.renditions[i], "GROUP-ID", "NAME", "LANGUAGE", "DEFAULT"))
	}
	for i := range m.variants {
		list = append(list, "V "+short(&m.variants[i], "CODECS", "RESOLUTION", "AUDIO", "SUBTITLES"))
	}
	for i := range m.keys {
		list = append(list, "I "+short(&m.keys[i], "CODECS", "RESOLUTION"))
	}
	for i := range list {
		list[i] = strings.NewReplacer("QualityLevels", "", "/Manifest(", " ", ",format=m3u8-aapl).m3u8", "", ",format=m3u8-aapl-v3", "", ").m3u8", "").Replace(list[i])
	}
	return list
}

func TestMasterOf(t *testing.T) {
	text := smoothtest.Stream{Type: smooth.Text, Name: "text", Language: "eng", Durations: smoothtest.Repeat(15, 2*second), Levels: []smoothtest.Level{{Bitrate: 1000}}}
	odd := text
	odd.Name, odd.Levels = "odd", []smoothtest.Level{{Bitrate: 2000, FourCC: "XXXX"}}
	sparse := text
	sparse.Name, sparse.Parent = "sparse", "video"
	for _, tt := range []struct {
		name    string
		streams []smoothtest.Stream
		format  string
		want    []string
	}{
		{"video only", []smoothtest.Stream{pictureStream("video", 100_000)}, "m3u8-aapl", []string{
			"V (100000) video avc1.42c01f 320x180", "I (100000) video,format=m3u8-aapl,type=keyframes avc1.42c01f 320x180",
		}},
		{"audio only, one stream", []smoothtest.Stream{soundStream("audio", "", "AACL", 48_000, 96_000)}, "m3u8-aapl", []string{
			"V (48000) audio mp4a.40.2", "V (96000) audio mp4a.40.2",
		}},
		{"audio only, two streams", []smoothtest.Stream{soundStream("a", "eng", "AACL", 48_000), soundStream("b", "fra", "AACL", 48_001)}, "m3u8-aapl", []string{
			"M (48000) a audio a en YES", "M (48001) b audio b fr NO", "V (48000) a mp4a.40.2 audio",
		}},
		{"two codecs of sound", []smoothtest.Stream{
			pictureStream("video", 100_000), soundStream("aac", "eng", "AACL", 96_000), soundStream("dolby", "eng", "ac-3", 192_000), soundStream("fr", "fra", "AACL", 64_000),
		}, "m3u8-aapl", nil},
		{"best level of several", []smoothtest.Stream{pictureStream("video", 100_000), soundStream("audio", "", "AACL", 64_000, 128_000, 96_000)}, "m3u8-aapl", []string{
			"M (128000) audio audio audio YES", "V (100000) video avc1.42c01f,mp4a.40.2 320x180 audio", "V (128000) audio mp4a.40.2 audio",
			"I (100000) video,format=m3u8-aapl,type=keyframes avc1.42c01f 320x180",
		}},
		{"levels in order: the middle one first", []smoothtest.Stream{pictureStream("video", 1000, 2000, 3000, 4000)}, "m3u8-aapl-v3", []string{
			"V (3000) video avc1.42c01f 320x180", "V (1000) video avc1.42c01f 320x180", "V (2000) video avc1.42c01f 320x180", "V (4000) video avc1.42c01f 320x180",
		}},
		{"levels in an order of their own", []smoothtest.Stream{pictureStream("video", 2000, 1000, 4000)}, "m3u8-aapl-v3", []string{
			"V (2000) video avc1.42c01f 320x180", "V (1000) video avc1.42c01f 320x180", "V (4000) video avc1.42c01f 320x180",
		}},
		{"second camera, odd text, sparse stream", []smoothtest.Stream{pictureStream("video", 1000), pictureStream("other", 2000), odd, text, sparse}, "m3u8-aapl", []string{
			"M (1000) text text text en NO", "V (1000) video avc1.42c01f 320x180 text", "I (1000) video,format=m3u8-aapl,type=keyframes avc1.42c01f 320x180",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := smoothHandler(sourceOf(smoothtest.New(smoothtest.Config{Streams: tt.streams})), nil)
			m := readMaster(t, h, "/a.ism/Manifest(format="+tt.format+").m3u8")
			if tt.want != nil {
				assert.Equal(t, tt.want, m.summary())
			}
			for _, list := range [][]tagged{m.variants, m.renditions, m.keys} {
				for _, v := range list {
					assert.NotEmpty(t, readMedia(t, h, v.url).entries, v.url)
				}
			}
		})
	}
}

// TestAudioGroups: each codec has a group, and each group variants.
func TestAudioGroups(t *testing.T) {
	p := smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
		pictureStream("video", 100_000, 200_000), soundStream("aac", "eng", "AACL", 96_000),
		soundStream("dolby", "eng", "ac-3", 192_000), soundStream("fr", "fra", "AACL", 64_000),
	}})
	m := readMaster(t, smoothHandler(sourceOf(p), nil), "/a.ism/Manifest(format=m3u8-aapl).m3u8")
	groups := make(map[string][]string)
	for _, r := range m.renditions {
		groups[r.attr("GROUP-ID")] = append(groups[r.attr("GROUP-ID")], r.attr("DEFAULT"))
	}
	require.Len(t, groups, 2, m.text)
	for id, list := range groups {
		assert.Equal(t, "YES", list[0], id)
		assert.NotContains(t, list[1:], "YES", id)
	}
	codecs := make(map[string][]string)
	for _, v := range m.variants {
		codecs[v.attr("CODECS")] = append(codecs[v.attr("CODECS")], v.attr("AUDIO"))
	}
	assert.Len(t, codecs, 4)
	for c, ids := range codecs {
		slices.Sort(ids)
		assert.Len(t, slices.Compact(ids), 1, "%s goes with one group", c)
	}
}

// TestOptionsAreApart: outputs that write other playlists do not share them.
func TestOptionsAreApart(t *testing.T) {
	same := []string{"Logger", "SegmentMaxAge", "PlaylistMaxAge", "Immutable", "CacheBytes", "CacheDir", "SendTimeout"}
	plain := hls.Fingerprint(hls.NewOutput(nil))
	kind := reflect.TypeFor[hls.Options]()
	for i := range kind.NumField() {
		f := kind.Field(i)
		var o hls.Options
		v := reflect.ValueOf(&o).Elem().Field(i)
		switch v.Interface().(type) {
		case bool:
			v.SetBool(true)
		case time.Duration, int64:
			v.SetInt(int64(time.Second))
		case uint64:
			v.SetUint(1000)
		case *hls.Encryption:
			v.Set(reflect.ValueOf(&hls.Encryption{Keys: hls.StaticKey{1}}))
		}
		if !slices.Contains(same, f.Name) {
			assert.NotEqual(t, plain, hls.Fingerprint(hls.NewOutput(&o)), f.Name)
		}
	}
	seen := make(map[string]bool)
	for _, e := range []hls.Encryption{{}, {Rotate: 5}, {IV: make([]byte, 16)}, {Method: hls.SampleAES}, {URI: "https://keys.example/{period}"}} {
		e.Keys = hls.StaticKey{1}
		seen[hls.Fingerprint(hls.NewOutput(&hls.Options{Encryption: &e}))] = true
	}
	assert.Len(t, seen, 5)
	assert.Equal(t, plain, hls.Fingerprint(hls.NewOutput(&hls.Options{SegmentDuration: 6 * time.Second})))
}

// TestDurationsDoNotDrift: the durations of a playlist sum up to that of the stream, whatever its timescale.
func TestDurationsDoNotDrift(t *testing.T) {
	for _, scale := range []uint64{1000, 24_000, 30_000, 44_100, 48_000, 90_000, second} {
		durations := make([]uint64, 2000)
		total := uint64(0)
		for i := range durations {
			durations[i] = scale*2002/1000 + uint64(i%2)
			total += durations[i]
		}
		p := smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
			{Type: smooth.Video, Timescale: scale, Durations: durations, Levels: []smoothtest.Level{{Bitrate: 1000}}},
		}})
		h := smoothHandler(sourceOf(p), nil)
		for _, kind := range []string{"", ",type=keyframes"} {
			list := readMedia(t, h, "/a.ism/QualityLevels(1000)/Manifest(video,format=m3u8-aapl"+kind+")")
			assert.Equal(t, smooth.Rescale(total, scale, 1_000_000), list.total(), "timescale %d", scale)
		}
	}
}

// TestVersions: a playlist claims no more than what it uses.
func TestVersions(t *testing.T) {
	p := &edited{Presentation: smoothtest.New(smoothtest.Default()), edit: func(*smooth.Snapshot) {}}
	gap := &edited{Presentation: smoothtest.New(smoothtest.Default()), edit: func(s *smooth.Snapshot) { without(s, 8, 22) }}
	key := &hls.Encryption{Keys: hls.StaticKey{1}}
	sample := &hls.Encryption{Method: hls.SampleAES, Keys: hls.StaticKey{1}}
	for _, tt := range []struct {
		p       smooth.Presentation
		key     *hls.Encryption
		target  string
		version int
	}{
		{p, nil, "QualityLevels(400000)/Manifest(video,format=m3u8-aapl)", 3},
		{p, key, "QualityLevels(400000)/Manifest(video,format=m3u8-aapl)", 3},
		{p, sample, "QualityLevels(400000)/Manifest(video,format=m3u8-aapl)", 5},
		{p, nil, "QualityLevels(400000)/Manifest(video,format=m3u8-aapl-v3)", 3},
		{p, nil, "QualityLevels(400000)/Manifest(video,format=m3u8-aapl,type=keyframes)", 4},
		{p, nil, "QualityLevels(400000)/Manifest(video,format=m3u8-cmaf)", 6},
		{p, nil, "QualityLevels(400000)/Manifest(video,format=m3u8-cmaf,type=keyframes)", 5},
		{p, nil, "QualityLevels(96000)/Manifest(audio_eng,format=m3u8-cmaf)", 6},
		{p, nil, "QualityLevels(1000)/Manifest(text_eng,format=m3u8-cmaf)", 3},
		{gap, nil, "QualityLevels(400000)/Manifest(video,format=m3u8-aapl)", 8},
		{gap, nil, "QualityLevels(400000)/Manifest(video,format=m3u8-aapl,type=keyframes)", 4},
	} {
		list := readMedia(t, smoothHandler(sourceOf(tt.p), &hls.Options{Encryption: tt.key}), "/a.ism/"+tt.target)
		assert.Equal(t, tt.version, list.version, tt.target)
		assert.Equal(t, strings.Contains(list.text, "EXT-X-GAP"), list.version == 8)
		assert.Equal(t, strings.Contains(list.text, "EXT-X-MAP"), strings.Contains(tt.target, "cmaf") && !strings.Contains(tt.target, "text"))
	}
}

// TestSpecialPlaylists shows gaps, discontinuities, dates and keys.
func TestSpecialPlaylists(t *testing.T) {
	cfg := liveConfig(40 * time.Second)
	p := &edited{Presentation: smoothtest.New(cfg), edit: func(s *smooth.Snapshot) {
		liveCases["gaps"](s)
		liveCases["restarts"](s)
	}}
	p.Append(46)
	p.Trim(10)
	h := smoothHandler(sourceOf(p), &hls.Options{Encryption: &hls.Encryption{Keys: hls.StaticKey{1}, Rotate: 4}})
	golden(t, "live.m3u8", get(t, h, "/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-cmaf).m3u8"))
	p.End()
	golden(t, "ended.m3u8", get(t, h, "/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-cmaf).m3u8"))
}
