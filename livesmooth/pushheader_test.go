package livesmooth

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// pushOneHeader reads a body that has one header and nothing else.
func pushOneHeader(t testing.TB, parts ...[]byte) *pushHeader {
	t.Helper()
	s := pushReadAll(t, bytes.NewReader(bytes.Join(parts, nil)), pushReaderConfig{})
	require.Equal(t, io.EOF, s.err)
	require.Len(t, s.headers, 1)
	return s.headers[0]
}

// pushHeaderError returns the error of a body.
func pushHeaderError(t testing.TB, l Limits, parts ...[]byte) error {
	t.Helper()
	s := pushReadAll(t, bytes.NewReader(bytes.Join(parts, nil)), pushReaderConfig{limits: l})
	require.NotEqual(t, io.EOF, s.err)
	return s.err
}

// requireSameHeader requires that another server understands what is passed on as we understood what we got.
func requireSameHeader(t testing.TB, h *pushHeader) {
	t.Helper()
	o := pushOneHeader(t, h.raw)
	require.True(t, o.described)
	require.Equal(t, h.required, o.required)
	require.Equal(t, h.protection, o.protection)
	require.Len(t, o.tracks, len(h.tracks))
	for i := range h.tracks {
		want, got := h.tracks[i], o.tracks[i]
		require.EqualValues(t, scale, got.timescale)
		require.Zero(t, got.shift)
		require.Zero(t, got.delay)
		require.Zero(t, got.defaults)
		want.timescale, want.shift, want.delay, want.defaults = got.timescale, 0, 0, got.defaults
		want.server, got.server = nil, nil
		require.Equal(t, want, got)
	}
	require.Equal(t, h.raw, o.raw, "the second server passes on what it got")
	require.Len(t, h.manifest.Tracks, len(h.tracks))
}

func TestPushHeaderRecordings(t *testing.T) {
	h := pushOneHeader(t, pushRecording(t, "ffmpeg-all.ismv")[:pushHeaderSize(t, "ffmpeg-all.ismv")])
	require.Len(t, h.tracks, 2)
	v, a := h.tracks[0], h.tracks[1]
	require.EqualValues(t, []uint64{24000, 24000}, []uint64{v.bitrate, a.bitrate})
	require.Equal(t, smooth.Video, v.stream.Type)
	require.Equal(t, "und", v.stream.Language)
	require.Equal(t, "eng", a.stream.Language)
	require.EqualValues(t, []uint32{96, 64, 96, 64}, []uint32{v.stream.MaxWidth, v.stream.MaxHeight, v.stream.DisplayWidth, v.stream.DisplayHeight})
	require.Equal(t, "H264", v.codec.FourCC)
	require.Equal(t, "AACL", a.codec.FourCC)
	require.EqualValues(t, 48000, a.codec.SamplingRate)
	require.NotEmpty(t, a.codec.SampleEntry)
	for _, file := range []string{"ffmpeg-all.ismv", "gstreamer-0.isml", "gstreamer-10000000.isml", "ffmpeg-cmaf.mp4", "dash-video.m4s", "dash-audio.m4s"} {
		h := pushOneHeader(t, pushRecording(t, file)[:pushHeaderSize(t, file)])
		requireSameHeader(t, h)
		for i := range h.tracks {
			require.Equal(t, strings.HasPrefix(file, "gst"), h.tracks[i].bitrate == 0, "%s states bit rates", file)
		}
	}
}

// pushHeaderSize returns the size of what stands before the first styp or moof.
func pushHeaderSize(t testing.TB, file string) int {
	t.Helper()
	r := fmp4.NewStreamReader(bytes.NewReader(pushRecording(t, file)))
	for {
		h, err := r.Next()
		require.NoError(t, err)
		if h.Type == fmp4.TypeMoof || h.Type == fmp4.TypeStyp {
			return int(h.Offset)
		}
	}
}

func TestPushHeaderBitrates(t *testing.T) {
	h := pushOneHeader(t, pushRecording(t, "gstreamer-0.isml")[:pushHeaderSize(t, "gstreamer-0.isml")])
	named, err := h.withBitrates([]uint64{700_000, 0})
	require.NoError(t, err)
	require.EqualValues(t, []uint64{700_000, 0}, []uint64{named.tracks[0].bitrate, named.tracks[1].bitrate})
	require.Zero(t, h.tracks[0].bitrate, "the old header is as it was")
	requireSameHeader(t, named)
}

// TestPushHeaderEncoder: the header of the synthetic encoder, also with timescales of its own.
func TestPushHeaderEncoder(t *testing.T) {
	c := smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 900_000}, {Bitrate: 300_000, Width: 160, Height: 90}}},
		{Type: smooth.Audio, Name: "audio_deu", Language: "deu", Timescale: 48000, Levels: []smoothtest.Level{{Bitrate: 64000}}},
		{Type: smooth.Text, Name: "ad breaks", Parent: "video", Subtype: "DATA", Timescale: 1000, Levels: []smoothtest.Level{{Bitrate: 100}}},
	}}
	raw := smoothtest.NewEncoder(c).Header()
	h := pushOneHeader(t, raw)
	require.Len(t, h.tracks, 4)
	require.Equal(t, []uint64{scale, scale, 48000, 1000}, []uint64{h.tracks[0].timescale, h.tracks[1].timescale, h.tracks[2].timescale, h.tracks[3].timescale})
	require.Equal(t, "ad_breaks", h.tracks[3].stream.Name)
	require.Equal(t, "video", h.tracks[3].stream.Parent)
	require.True(t, h.tracks[3].sparse)
	require.False(t, h.tracks[2].sparse)
	require.NotEqual(t, raw, h.raw, "what is converted is described anew")
	requireSameHeader(t, h)
	c.Streams = c.Streams[:1]
	raw = smoothtest.NewEncoder(c).Header()
	require.Equal(t, raw, pushOneHeader(t, raw).raw, "what is not, as received")
}

const pushVideoSMIL = `<video src="Streams" systemBitrate="500000"><param name="trackID" value="1" valuetype="data"/></video>`

// TestPushHeaderForms: encodings, versions and orders of the boxes that encoders use.
func TestPushHeaderForms(t *testing.T) {
	moov := pushMoov(t, pushVideo(t, 1))
	plain := pushSMIL(pushVideoSMIL)
	text := string(plain[28:])
	wide := func(order func(uint16) []byte, bom bool) []byte {
		var b []byte
		units := utf16.Encode([]rune(text))
		if bom {
			units = append([]uint16{0xfeff}, units...)
		}
		for _, u := range units {
			b = append(b, order(u)...)
		}
		return b
	}
	le := func(u uint16) []byte { return []byte{byte(u), byte(u >> 8)} }
	be := func(u uint16) []byte { return []byte{byte(u >> 8), byte(u)} }
	lie := `<?xml version="1.0" encoding="utf-16"?>` + text
	free := pushBox("free", make([]byte, 100))
	for name, body := range map[string][][]byte{
		"version 1":               {pushFtyp(), plain, moov},
		"version 0":               {pushFtyp(), pushUUID(fmp4.UUIDLiveServerManifest, 0, []byte(text)), moov},
		"byte order mark":         {pushFtyp(), pushUUID(fmp4.UUIDLiveServerManifest, 0, []byte("\ufeff"+text)), moov},
		"UTF-16LE with mark":      {pushFtyp(), pushUUID(fmp4.UUIDLiveServerManifest, 0, wide(le, true)), moov},
		"UTF-16BE with mark":      {pushFtyp(), pushUUID(fmp4.UUIDLiveServerManifest, 0, wide(be, true)), moov},
		"UTF-16LE without mark":   {pushFtyp(), pushUUID(fmp4.UUIDLiveServerManifest, 0, wide(le, false)), moov},
		"lying declaration":       {pushFtyp(), pushUUID(fmp4.UUIDLiveServerManifest, 0, []byte(lie)), moov},
		"manifest after moov":     {pushFtyp(), moov, plain},
		"other boxes between":     {free, pushFtyp(), free, plain, free, moov, free},
		"without ftyp":            {plain, moov},
		"CMAF brands":             {pushBox("ftyp", []byte("cmf2\x00\x00\x00\x00iso6cmfc")), plain, moov},
		"moov of 64-bit size":     {pushFtyp(), plain, push32(1), []byte("moov"), push64(uint64(len(moov) + 8)), moov[8:]},
		"stream manifest":         {pushFtyp(), pushStreams(`Streams(a)`), plain, moov},
		"stream manifest after":   {pushFtyp(), plain, pushStreams(`Streams(a)`), moov},
		"stream manifest in last": {pushFtyp(), moov, pushStreams(`Streams(a)`), plain},
	} {
		t.Run(name, func(t *testing.T) {
			h := pushOneHeader(t, body...)
			require.True(t, h.described)
			require.Len(t, h.tracks, 1)
			require.EqualValues(t, 500_000, h.tracks[0].bitrate)
			require.Equal(t, "video", h.tracks[0].stream.Name)
			require.Equal(t, strings.HasPrefix(name, "stream manifest"), len(h.required) == 1)
			requireSameHeader(t, h)
		})
	}
}

func pushStreams(refs ...string) []byte {
	text := "<smil><body><par>"
	for _, r := range refs {
		text += `<ref src="` + r + `"/>`
	}
	return pushUUID(fmp4.UUIDStreamManifest, 0, []byte(text+"</par></body></smil>"))
}

func TestPushHeaderRequired(t *testing.T) {
	moov := pushMoov(t, pushVideo(t, 1))
	h := pushOneHeader(t, pushFtyp(), pushStreams("Streams(720p)", "Events(e 1)/Streams(b(2))", "events(x)/STREAMS(c)", "Streams(720p)"), moov)
	require.Equal(t, []string{"720p", "b(2)", "c"}, h.required)
	requireSameHeader(t, h)
	for _, bad := range [][]byte{
		pushStreams("video.ismv"), pushStreams("Streams()"), pushStreams("Streams(a\x07)"),
		pushUUID(fmp4.UUIDStreamManifest, 0, []byte("<smil><ref src='Streams(a)'></par")), pushBox("uuid", fmp4.UUIDStreamManifest[:]),
	} {
		require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp(), bad, moov), ErrMalformed)
	}
	require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp(), pushUUID(fmp4.UUIDStreamManifest, 0, bytes.Repeat([]byte("<a/>"), maxSMILTokens)), moov), ErrLimit)
}

// TestPushHeaderTracks: what becomes of the tracks that a manifest and a moov box describe.
func TestPushHeaderTracks(t *testing.T) {
	scte := pushTrak{id: 3, media: "meta", timescale: 90000, entry: pushBox("scte", make([]byte, 8))}
	stpp, err := (&smooth.Codec{Type: smooth.Text, FourCC: "TTML"}).BuildSampleEntry()
	require.NoError(t, err)
	text := pushTrak{id: 4, media: "subtitle", language: "fra", entry: stpp}
	alien := pushTrak{id: 5, media: "audio", entry: pushBox("Opus", make([]byte, 28))}
	hint := pushTrak{id: 6, media: "hint", entry: pushBox("rtp ", make([]byte, 16))}
	param := func(name, value string) string { return `<param name="` + name + `" value="` + value + `"/>` }

	t.Run("sparse", func(t *testing.T) {
		h := pushOneHeader(t, pushFtyp(), pushSMIL(`<textstream src="Streams" systemBitrate="0">`+param("trackID", "3")+param("trackName", "scte35")+
			param("parentTrackName", "video")+param("manifestOutput", "true")+param("Subtype", "DATA")+param("Scheme", "urn:scte:scte35:2013:bin")+
			param("timescale", "90000")+`</textstream>`), pushMoov(t, scte))
		tr := h.tracks[0]
		require.True(t, tr.sparse && tr.stated && tr.stream.ManifestOutput)
		require.Zero(t, tr.bitrate)
		require.Equal(t, "DATA", tr.stream.Subtype)
		require.Equal(t, []smooth.Attribute{{Name: "Scheme", Value: "urn:scte:scte35:2013:bin"}}, tr.custom)
		requireSameHeader(t, h)
		v, _ := h.manifest.Tracks[0].Param("timescale")
		require.Equal(t, "10000000", v)
	})
	t.Run("no manifest", func(t *testing.T) {
		a := pushAudio(t, 2)
		a.language = "spa"
		h := pushOneHeader(t, pushFtyp(), pushMoov(t, pushVideo(t, 1), a, scte, text, alien, hint))
		var names []string
		for _, tr := range h.tracks {
			names = append(names, tr.stream.Name+":"+tr.stream.Language+":"+tr.stream.Subtype)
		}
		require.Equal(t, []string{"video::", "audio:spa:", "text::DATA", "text:fra:CAPT"}, names)
		require.Positive(t, h.tracks[0].bitrate, "of btrt")
		require.True(t, h.tracks[2].sparse)
		require.False(t, h.tracks[3].sparse || h.tracks[2].stated)
		require.Len(t, h.ignored, 2)
		require.ErrorIs(t, h.ignored[0].err, ErrMedia)
		require.ErrorContains(t, h.ignored[0].err, "Opus")
		requireSameHeader(t, h)
	})
	t.Run("without track IDs", func(t *testing.T) {
		h := pushOneHeader(t, pushFtyp(), pushSMIL(`<audio systemBitrate="64000"/><video systemBitrate="2"/><video systemBitrate="1"/>`),
			pushMoov(t, pushVideo(t, 7), pushAudio(t, 8), pushVideo(t, 9)))
		require.Equal(t, []uint64{2, 64000, 1}, []uint64{h.tracks[0].bitrate, h.tracks[1].bitrate, h.tracks[2].bitrate})
		requireSameHeader(t, h)
	})
	t.Run("manifest of all, moov of one", func(t *testing.T) {
		h := pushOneHeader(t, pushFtyp(), pushSMIL(pushVideoSMIL+`<audio systemBitrate="64000">`+param("trackID", "2")+`</audio>`), pushMoov(t, pushAudio(t, 2)))
		require.Len(t, h.tracks, 1)
		require.EqualValues(t, 64000, h.tracks[0].bitrate)
	})
	t.Run("attributes", func(t *testing.T) {
		track := func(id, angle string) string {
			return `<video systemBitrate="5">` + param("trackID", id) + param("ns_angle", angle) + `</video>`
		}
		one := pushOneHeader(t, pushFtyp(), pushSMIL(track("1", "a")), pushMoov(t, pushVideo(t, 1)))
		require.Empty(t, one.tracks[0].attrs, "nothing to tell apart")
		two := pushOneHeader(t, pushFtyp(), pushSMIL(track("1", "a")+track("2", "b")+track("3", "b")), pushMoov(t, pushVideo(t, 1), pushVideo(t, 2), pushVideo(t, 3)))
		require.Len(t, two.tracks, 2)
		require.Equal(t, []smooth.Attribute{{Name: "ns_angle", Value: "a"}}, two.tracks[0].attrs)
		require.Equal(t, []smooth.Attribute{{Name: "ns_angle", Value: "b"}}, two.tracks[1].attrs)
		require.ErrorIs(t, two.ignored[0].err, ErrConflict)
		requireSameHeader(t, one)
	})
	t.Run("names", func(t *testing.T) {
		h := pushOneHeader(t, pushFtyp(), pushSMIL(`<audio systemBitrate="5" systemLanguage="de">`+param("trackName", "Ton/Deutsch (5.1)")+`</audio>`), pushMoov(t, pushAudio(t, 2)))
		require.Equal(t, "Ton_Deutsch__5_1_", h.tracks[0].stream.Name)
		require.Equal(t, "de", h.tracks[0].stream.Language)
	})
	t.Run("codec of the manifest", func(t *testing.T) {
		unknown := pushTrak{id: 1, media: "video", entry: pushBox("dvh9", make([]byte, 78))}
		h := pushOneHeader(t, pushFtyp(), pushSMIL(`<video systemBitrate="5">`+param("FourCC", "WVC1")+param("CodecPrivateData", "250000010F")+
			param("width", "640")+param("height", "360")+`</video>`), pushMoov(t, unknown))
		c := h.tracks[0].codec
		require.Equal(t, "WVC1", c.FourCC)
		require.EqualValues(t, []uint32{640, 360}, []uint32{c.Width, c.Height})
		h = pushOneHeader(t, pushFtyp(), pushSMIL(`<video systemBitrate="5">`+param("FourCC", "NEW1")+param("MaxWidth", "640")+`</video>`), pushMoov(t, unknown))
		require.Equal(t, "NEW1", h.tracks[0].codec.FourCC)
		require.EqualValues(t, 640, h.tracks[0].codec.Width)
		h = pushOneHeader(t, pushFtyp(), pushSMIL(`<audio systemBitrate="5">`+param("WaveFormatEx", "6201020044AC0000803E00000008100012001000030000000000000000000000E00042C0")+
			`</audio>`), pushMoov(t, alien))
		a := h.tracks[0].codec
		require.Equal(t, "WMAP", a.FourCC)
		require.EqualValues(t, []uint32{44100, 2, 16, 2048}, []uint32{a.SamplingRate, a.Channels, a.BitsPerSample, a.PacketSize})
		require.Len(t, a.PrivateData, 18)
	})
	t.Run("HE-AAC that only the manifest tells of", func(t *testing.T) {
		h := pushOneHeader(t, pushFtyp(), pushSMIL(`<audio systemBitrate="5">`+param("FourCC", "AACH")+param("CodecPrivateData", "1388")+
			param("SamplingRate", "44100")+param("Channels", "1")+`</audio>`), pushMoov(t, pushAudio(t, 2)))
		require.Equal(t, "AACH", h.tracks[0].codec.FourCC)
		require.EqualValues(t, 44100, h.tracks[0].codec.SamplingRate)
		require.NotEmpty(t, h.tracks[0].codec.SampleEntry)
	})
	t.Run("protection", func(t *testing.T) {
		moov := pushMoov(t, pushVideo(t, 1))
		moov = append(moov, pushBox("pssh", push32(0), make([]byte, 16), push32(3), []byte("abc"))...)
		moov = append(moov, pushUUID(fmp4.UUIDProtectionHeader, 0, bytes.Repeat([]byte{0x9a}, 16), push32(2), []byte("de"))...)
		copy(moov, push32(uint32(len(moov))))
		h := pushOneHeader(t, pushFtyp(), moov)
		require.Equal(t, []smooth.ProtectionHeader{
			{SystemID: "00000000-0000-0000-0000-000000000000", Data: []byte("abc")},
			{SystemID: "9a9a9a9a-9a9a-9a9a-9a9a-9a9a9a9a9a9a", Data: []byte("de")},
		}, h.protection)
		requireSameHeader(t, h)
	})
	t.Run("edit lists", func(t *testing.T) {
		v, a := pushVideo(t, 1), pushAudio(t, 2)
		v.edit, a.edit = 800, 1024
		v.timescale, a.timescale = 12000, 48000
		late := pushVideo(t, 3)
		late.edit, late.timescale = 50_000, 12000
		h := pushOneHeader(t, pushFtyp(), pushMoov(t, v, a, late))
		require.Equal(t, [][2]int64{{0, -800}, {-1024, 0}, {-50_000, 0}},
			[][2]int64{{h.tracks[0].shift, h.tracks[0].delay}, {h.tracks[1].shift, h.tracks[1].delay}, {h.tracks[2].shift, h.tracks[2].delay}})
		requireSameHeader(t, h)
	})
	t.Run("errors", func(t *testing.T) {
		video := pushMoov(t, pushVideo(t, 1))
		require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp(), pushMoov(t, alien, hint)), ErrMedia)
		require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp(), pushMoov(t)), ErrMedia)
		require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp(), pushSMIL(`<audio systemBitrate="1">`+param("trackID", "1")+`</audio>`), video), ErrMalformed)
		require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp(), pushUUID(fmp4.UUIDLiveServerManifest, 0, []byte("<smil>")), video), ErrMalformed)
		require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp(), pushBox("uuid", fmp4.UUIDLiveServerManifest[:]), video), ErrMalformed)
		require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp()), ErrMalformed)
		require.ErrorIs(t, pushHeaderError(t, Limits{}, pushFtyp(), pushSMIL(pushVideoSMIL)), ErrMalformed)
		require.ErrorIs(t, pushHeaderError(t, Limits{Tracks: 1}, pushFtyp(), pushMoov(t, pushVideo(t, 1), pushVideo(t, 2))), ErrLimit)
		require.ErrorIs(t, pushHeaderError(t, Limits{HeaderBytes: 500}, pushFtyp(), video), ErrLimit)
		require.ErrorIs(t, pushHeaderError(t, Limits{HeaderBytes: 5000}, pushFtyp(), bytes.Repeat(pushBox("free", make([]byte, 1000)), 6)), ErrLimit)
		var place *fmp4.Error
		require.ErrorAs(t, pushHeaderError(t, Limits{}, pushFtyp(), pushBox("moov", pushBox("trak", pushBox("tkhd")))), &place)
		require.Equal(t, "moov/trak/tkhd", place.Path)
		require.EqualValues(t, 24+8+8, place.Offset)
	})
}
