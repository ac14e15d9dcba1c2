package asset_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestFinish: every key of what was recorded is found afterwards, with the bytes that were stored, at the absolute time.
func TestFinish(t *testing.T) {
	r := record(t, live(), 20*time.Second, nil)
	files := mapFiles{"e/1/in put%41.ismv": r.file, "e/1/Demo.ismc": []byte("stale")}
	finish(t, files, "e/1/Demo.ism", r.tracksOf("in put%41.ismv"))
	p, s, log := opened(t, files, "e/1/Demo.ism")
	assert.Empty(t, log.String())
	require.Len(t, s.Manifest.Streams, 2)
	assert.EqualValues(t, 20*second, s.Manifest.Duration, "not counted from the year 1500")
	for _, in := range r.tracks {
		st := s.Manifest.Stream(in.Key.Stream)
		require.NotNil(t, st)
		assert.Equal(t, in.Stream.Language, st.Language)
		lv := st.Level(in.Key.Bitrate, in.Key.Attrs)
		require.NotNil(t, lv)
		assert.Equal(t, in.Level.CodecPrivateData, lv.CodecPrivateData)
		require.Len(t, st.Timeline, 10)
		for i, c := range st.Timeline {
			assert.Equal(t, smooth.Chunk{Time: start + uint64(i)*2*second, Duration: 2 * second}, c)
			k := in.Key
			k.Time = c.Time
			f, err := p.Fragment(t.Context(), k)
			require.NoError(t, err)
			head, err := f.Header(smooth.Smooth)
			require.NoError(t, err)
			assert.Contains(t, string(r.file), string(head), "as stored")
			f.Close()
		}
	}
	assert.Equal(t, "video", s.Manifest.Streams[0].Name)
	assert.EqualValues(t, 1_500_001, s.Manifest.Streams[0].Levels[0].Bitrate, "from high to low")
}

func TestServerManifest(t *testing.T) {
	r := record(t, live(), 2*time.Second, nil)
	tracks := r.tracksOf("a.ismv")
	tracks[0].Known.Params = append(tracks[0].Known.Params, smooth.Param{Name: "Vendor", Value: "x", ValueType: "data"},
		smooth.Param{Name: "trackid", Value: "99"})
	data, err := asset.ServerManifest("a.ismc", []asset.Track{tracks[2], tracks[1], tracks[0]})
	require.NoError(t, err)
	m, err := smooth.ParseServerManifest(data)
	require.NoError(t, err)
	assert.Equal(t, []smooth.Attribute{{Name: "clientManifestRelativePath", Value: "a.ismc"}, {Name: "creator", Value: "smoothkit"}}, m.Meta)
	require.Len(t, m.Tracks, 3)
	high := &m.Tracks[0]
	id, _ := high.TrackID()
	assert.EqualValues(t, 1, id, "ours, whatever the encoder says")
	assert.EqualValues(t, 1_500_001, high.Bitrate)
	v, _ := high.Param("vendor")
	assert.Equal(t, "x", v)
	name, _ := high.Param("trackName")
	assert.Equal(t, "video", name, "written though it is the default")
	rate, _ := high.Param("systemBitrate")
	assert.Equal(t, "1500001", rate)
	assert.EqualValues(t, second, high.Timescale())
	assert.Equal(t, "eng", m.Tracks[2].Language)
	tracks[1].Known = nil
	data, err = asset.ServerManifest("a.ismc", tracks)
	require.NoError(t, err)
	m, err = smooth.ParseServerManifest(data)
	require.NoError(t, err)
	assert.Equal(t, r.tracks[1].Level.CodecPrivateData, m.Tracks[1].QualityLevel().CodecPrivateData)
	assert.Equal(t, r.tracks[1].Level.FourCC, m.Tracks[1].QualityLevel().FourCC)

	_, err = asset.ServerManifest("a.ismc", append(tracks, tracks[0]))
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.EqualError(t, err, "asset: video at 1500001 bits/s is track 1 of a.ismv and track 1 of a.ismv: unsupported content")
	tracks[0].Input.Stream = nil
	_, err = asset.ServerManifest("a.ismc", tracks)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	tracks[2].Known.Params[0].Value = "\x01"
	_, err = asset.ServerManifest("a.ismc", tracks[1:2])
	require.NoError(t, err)
}

// TestServerManifestMany: an encoder that states as much as a manifest may have is still read.
func TestServerManifestMany(t *testing.T) {
	r := record(t, live(), 2*time.Second, nil)
	tracks := r.tracksOf("a.ismv")
	for len(tracks[0].Known.Params) < smooth.MaxManifestAttributes {
		tracks[0].Known.Params = append(tracks[0].Known.Params, smooth.Param{Name: "p" + strings.Repeat("x", len(tracks[0].Known.Params)), Value: "1"})
	}
	files := mapFiles{"a.ismv": r.file}
	finish(t, files, "a.ism", tracks)
	_, s, _ := opened(t, files, "a.ism")
	assert.NotNil(t, s.Manifest.Stream("video").Level(1_500_001, ""))
}

// TestAttributes: custom attributes of the key are found, whether they tell tracks apart or not.
func TestAttributes(t *testing.T) {
	c := live()
	c.Streams[0].Levels = []smoothtest.Level{
		{Bitrate: 300_000, Attributes: []smooth.Attribute{{Name: "ns_angle", Value: "a"}}},
		{Bitrate: 300_000, Attributes: []smooth.Attribute{{Name: "ns_angle", Value: "b"}}},
	}
	c.Streams[1].Levels[0].Attributes = []smooth.Attribute{{Name: "Scheme", Value: "urn:x=1"}, {Name: "hardwareProfile", Value: "7"}}
	r := record(t, c, 10*time.Second, nil)
	files := mapFiles{"a.ismv": r.file}
	finish(t, files, "a.ism", r.tracksOf("a.ismv"))
	p, s, log := opened(t, files, "a.ism")
	assert.Empty(t, log.String())
	for _, in := range r.tracks {
		k := in.Key
		require.NotEmpty(t, k.Attrs)
		require.NotNil(t, s.Manifest.Stream(k.Stream).Level(k.Bitrate, k.Attrs), k.Attrs)
		k.Time = start + 4*second
		f, err := p.Fragment(t.Context(), k)
		require.NoError(t, err, k.Attrs)
		f.Close()
	}
	assert.Contains(t, s.Manifest.Stream("video").URL, "{CustomAttributes}")
}

// TestGap: what was not recorded is a gap, not a fragment that lasts longer.
func TestGap(t *testing.T) {
	r := record(t, live(), 40*time.Second, func(_ uint32, time uint64) bool { return time > start+10*second && time < start+20*second })
	files := mapFiles{"a.ismv": r.file}
	finish(t, files, "a.ism", r.tracksOf("a.ismv"))
	_, s, log := opened(t, files, "a.ism")
	assert.Empty(t, log.String())
	for _, st := range s.Manifest.Streams {
		require.Len(t, st.Timeline, 16)
		i, ok := st.Timeline.Find(start + 10*second)
		require.True(t, ok)
		assert.EqualValues(t, 2*second, st.Timeline[i].Duration)
		assert.EqualValues(t, start+20*second, st.Timeline[i+1].Time)
	}
}

// TestUneven: a level that lacks a little has holes, a level that lacks much is left out, and its fragments are served. Of the end that
// not all have nothing is listed.
func TestUneven(t *testing.T) {
	c := live()
	c.Streams[0].Levels = append(c.Streams[0].Levels, smoothtest.Level{Bitrate: 100_000})
	c.Streams[1].Levels = append(c.Streams[1].Levels, smoothtest.Level{Bitrate: 32_000})
	lost := func(track uint32, time uint64) bool {
		switch track {
		case 2: // one in the middle, and the last one
			return time == start+100*second || time == start+398*second
		case 3: // its encoder died early
			return time >= start+200*second
		case 5: // the second sound
			return time == start+50*second
		}
		return false
	}
	r := record(t, c, 400*time.Second, lost)
	files := mapFiles{"a.ismv": r.file}
	finish(t, files, "a.ism", r.tracksOf("a.ismv"))
	p, s, log := opened(t, files, "a.ism")
	assert.Empty(t, log.String())
	require.Len(t, s.Manifest.Streams, 2)
	video, audio := s.Manifest.Stream("video"), s.Manifest.Stream("audio_eng")
	require.Len(t, video.Levels, 2)
	require.Len(t, video.Timeline, 199)
	i, _ := video.Timeline.Find(start + 98*second)
	assert.EqualValues(t, 2*second, video.Timeline[i].Duration)
	require.Len(t, audio.Levels, 2)
	require.Len(t, audio.Timeline, 200)
	_, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "audio_eng", Bitrate: 32_000, Time: start + 50*second})
	require.ErrorIs(t, err, smooth.ErrNotFound)
	f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 100_000, Time: start})
	require.NoError(t, err, "of the level that is not listed")
	f.Close()
	f, err = p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 1_500_001, Time: start + 100*second})
	require.NoError(t, err, "that one level has")
	f.Close()
}

// TestControl: a control stream whose sample entry nobody knows keeps its data in the manifest.
func TestControl(t *testing.T) {
	const name = "scte35"
	entry := append([]byte{0, 0, 0, 24, 'u', 'r', 'i', 'm', 0, 0, 0, 0, 0, 0, 0, 1}, "urn:test"...)
	init := fmp4.InitSegment{Brand: "isml", Minor: 1, Compatible: []string{"piff"}, TrackID: 7, Timescale: second, Kind: "subtitle", Language: "und", Entry: entry}
	file, err := init.Encode()
	require.NoError(t, err)
	var entries []fmp4.TfraEntry
	for i, text := range []string{"out", "in"} {
		at := start + 100*second*uint64(i)
		entries = append(entries, fmp4.TfraEntry{Time: at, Moof: uint64(len(file))})
		head := fmp4.FragmentHead{Sequence: uint32(i + 1), TrackID: 7, Tfxd: true, Time: at, Duration: 5 * second,
			Samples: []fmp4.RunSample{{Duration: 5 * second, Size: uint32(len(text)), Flags: fmp4.FlagsSync}}}
		file, err = head.AppendTo(file)
		require.NoError(t, err)
		file = append(file, text...)
	}
	file = fmp4.AppendMfra(file, []uint32{7}, [][]fmp4.TfraEntry{entries})
	r := record(t, live(), 200*time.Second, nil)
	tracks := append(r.tracksOf("a.ismv"), asset.Track{File: "c.ismt", Input: smooth.InputTrack{ID: 7, Key: smooth.FragmentKey{Stream: name, Attrs: "Scheme=urn:scte"},
		Stream: &smooth.Stream{Type: smooth.Text, Name: name, Subtype: "DATA", Parent: "video", ManifestOutput: true},
		Level:  &smooth.QualityLevel{CustomAttributes: []smooth.Attribute{{Name: "Scheme", Value: "urn:scte"}}}}})
	files := mapFiles{"a.ismv": r.file, "c.ismt": file}
	finish(t, files, "a.ism", tracks)
	p, s, log := opened(t, files, "a.ism")
	assert.Empty(t, log.String())
	st := s.Manifest.Stream(name)
	require.NotNil(t, st)
	assert.True(t, st.ManifestOutput)
	assert.Equal(t, []string{"video", "DATA"}, []string{st.Parent, st.Subtype})
	require.Len(t, st.Timeline, 2)
	assert.Equal(t, smooth.Chunk{Time: start, Duration: 5 * second}, st.Timeline[0])
	require.Len(t, st.Embedded, 2)
	require.Len(t, st.Embedded[0], 1)
	assert.Equal(t, "out", string(st.Embedded[0][0].Data))
	assert.Equal(t, "in", string(st.Embedded[1][0].Data))
	f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: name, Attrs: "Scheme=urn:scte", Time: start + 100*second})
	require.NoError(t, err)
	f.Close()
}

func TestClientManifestErrors(t *testing.T) {
	_, err := asset.ClientManifest(t.Context(), mapFiles{}, "a.ism")
	require.ErrorContains(t, err, "a.ism")
	_, err = asset.ClientManifest(t.Context(), mapFiles{"a.ism": []byte("<x/>")}, "a.ism")
	require.ErrorIs(t, err, smooth.ErrCorrupt)
	r := record(t, live(), 0, nil)
	server, err := asset.ServerManifest("a.ismc", r.tracksOf("a.ismv"))
	require.NoError(t, err)
	_, err = asset.ClientManifest(t.Context(), mapFiles{"a.ism": server}, "a.ism")
	require.ErrorIs(t, err, smooth.ErrUnsupported, "no media")
	_, err = asset.ClientManifest(t.Context(), mapFiles{"a.ism": server, "a.ismv": r.file}, "a.ism")
	require.ErrorIs(t, err, smooth.ErrCorrupt, "no fragments")
}

func TestMediaName(t *testing.T) {
	of := func(types ...smooth.StreamType) string {
		var list []smooth.InputTrack
		for _, k := range types {
			list = append(list, smooth.InputTrack{Stream: &smooth.Stream{Type: k}})
		}
		return asset.MediaName("x", list)
	}
	assert.Equal(t, "x.ismv", of(smooth.Text, smooth.Audio, smooth.Video))
	assert.Equal(t, "x.isma", of(smooth.Text, smooth.Audio))
	assert.Equal(t, "x.ismt", of(smooth.Text))
	assert.Equal(t, "x.ismt", of())
}

// BenchmarkClientManifest is the part of finishing an event of six hours with eight tracks that makes the client manifest.
func BenchmarkClientManifest(b *testing.B) {
	c := live()
	c.MaxPayload = 16
	for i := range 5 {
		c.Streams[0].Levels = append(c.Streams[0].Levels, smoothtest.Level{Bitrate: uint64(100_000 + i)})
	}
	r := record(b, c, 6*time.Hour, nil)
	files := mapFiles{"a.ismv": r.file}
	server, err := asset.ServerManifest("a.ismc", r.tracksOf("a.ismv"))
	require.NoError(b, err)
	files["a.ism"] = server
	b.ReportAllocs()
	for b.Loop() {
		if _, err := asset.ClientManifest(b.Context(), files, "a.ism"); err != nil {
			b.Fatal(err)
		}
	}
}
