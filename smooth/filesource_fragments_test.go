package smooth_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestFragmentForms changes the fragments of a file in every way that still leaves a valid file, and requires the same
// samples on the same timeline.
func TestFragmentForms(t *testing.T) {
	reference := testmedia.File(t, "av.ismv")
	video, audio := trackSamples(t, reference, 1), trackSamples(t, reference, 2)
	tests := []struct {
		name  string
		edit  func(*frag)
		index func(uint32, []fmp4.TfraEntry) []fmp4.TfraEntry
		log   string
	}{
		{"as it is", func(*frag) {}, whole, ""},
		{"no mfra", func(*frag) {}, nil, ""},
		{"no tfxd", func(f *frag) { f.moof = editTraf(t, f.moof, 0, without(isTfxd)) }, whole, ""},
		{"tfxd before trun", func(f *frag) {
			f.moof = editTraf(t, f.moof, 0, func(l []bx) []bx {
				return append([]bx{l[0], l[len(l)-1]}, l[1:len(l)-1]...)
			})
		}, whole, ""},
		{"tfxd first of all", func(f *frag) {
			f.moof = editTraf(t, f.moof, 0, func(l []bx) []bx { return append([]bx{l[len(l)-1]}, l[:len(l)-1]...) })
		}, whole, ""},
		{"wrong tfxd", func(f *frag) {
			f.moof = editTraf(t, f.moof, 0, func(l []bx) []bx {
				x := bytes.Clone(l[len(l)-1].raw)
				x[len(x)-9]++
				return append(l[:len(l)-1:len(l)-1], bx{"uuid", x})
			})
		}, whole, ""},
		{"boxes between fragments", func(f *frag) {
			f.before = append(mkbox("styp", []byte("msdh\x00\x00\x00\x00")), mkbox("sidx", make([]byte, 40))...)
		}, nil, ""},
		{"boxes between fragments, with mfra", func(f *frag) { f.before = mkbox("free", make([]byte, 100)) }, whole, ""},
		{"mdat with a 64-bit size", func(f *frag) {
			f.moof = editTraf(t, f.moof, 8, func(l []bx) []bx { return l })
			size := binary.BigEndian.AppendUint64(nil, uint64(len(f.mdat)+8))
			f.mdat = append(append([]byte{0, 0, 0, 1, 'm', 'd', 'a', 't'}, size...), f.mdat[8:]...)
		}, whole, ""},
		{"a box between moof and mdat", func(f *frag) {
			f.moof = editTraf(t, f.moof, 16, func(l []bx) []bx { return l })
			f.mdat = append(mkbox("free", make([]byte, 8)), f.mdat...)
		}, whole, ""},
		{"mfra: offsets off", func(*frag) {}, shifted(0, -8), "no whole moof box"},
		{"mfra: offsets behind the end", func(*frag) {}, shifted(0, 1<<40), "behind the fragments"},
		{"mfra: times descend", func(*frag) {}, func(_ uint32, e []fmp4.TfraEntry) []fmp4.TfraEntry {
			e[2].Time = e[1].Time - 1
			return e
		}, "after"},
		{"mfra: tracks confused", func(*frag) {}, swap(reference, t), "another track"},
		{"mfra: only one track", func(*frag) {}, func(id uint32, e []fmp4.TfraEntry) []fmp4.TfraEntry {
			if id == 2 {
				return nil
			}
			return e
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := parseISMV(t, reference).each(tt.edit).bytes(tt.index)
			files := map[string][]byte{"av.ismv": data,
				"x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1"), track("audio", "av.ismv", 16000, "trackID", "2"))}
			src, log := source(t, tree(files), nil)
			s, got := fetchAll(t, src, "x.ism")
			assert.True(t, bytes.Equal(video, got["video/40000/"].samples))
			assert.True(t, bytes.Equal(audio, got["audio/16000/"].samples))
			require.Len(t, s.Manifest.Streams[0].Timeline, 6)
			assert.Equal(t, smooth.Chunk{Time: 10_000_000, Duration: 10_000_000}, s.Manifest.Streams[0].Timeline[1])
			if tt.log == "" {
				assert.Empty(t, log.String())
				return
			}
			assert.Contains(t, log.String(), "fragment index is not used")
			assert.Contains(t, log.String(), "av.ismv")
			assert.Contains(t, log.String(), tt.log)
		})
	}
}

// TestFragmentOfNoDuration joins a fragment that lasts no time with the one that follows at the same time, as ffmpeg
// writes them with frag_every_frame.
func TestFragmentOfNoDuration(t *testing.T) {
	data := audioFile(t, 0, []piece{{0, 4800, "one"}, {4800, 0, "two "}, {4800, 0, "three "}, {4800, 4800, "four"}, {9600, 4800, "five"}})
	src, _ := source(t, tree(map[string][]byte{"a.isma": data}), nil)
	s, got := fetchAll(t, src, "a.isma")
	assert.Equal(t, smooth.Timeline{{Time: 0, Duration: 1_000_000}, {Time: 1_000_000, Duration: 1_000_000},
		{Time: 2_000_000, Duration: 1_000_000}}, s.Manifest.Streams[0].Timeline)
	for _, f := range got {
		assert.Equal(t, "onetwo three fourfive", string(f.samples))
	}
	require.Len(t, got, 1)
}

// piece is a fragment of one sample.
type piece struct {
	time uint64
	dur  uint32
	data string
}

// audioFile makes a fragmented file of 48000 ticks a second with decode times, whose edit list starts at hidden ticks.
func audioFile(t testing.TB, hidden int64, list []piece) []byte {
	t.Helper()
	init := mp4.CreateEmptyInit()
	trak := init.AddEmptyTrack(48000, "audio", "en")
	require.NoError(t, trak.SetAACDescriptor(aac.AAClc, 48000))
	if hidden > 0 {
		edts := new(mp4.EdtsBox)
		edts.AddChild(&mp4.ElstBox{Entries: []mp4.ElstEntry{{MediaTime: hidden, MediaRateInteger: 1}}})
		trak.AddChild(edts)
	}
	var b bytes.Buffer
	require.NoError(t, init.Encode(&b))
	for i, s := range list {
		f, err := mp4.CreateFragment(uint32(i+1), 1)
		require.NoError(t, err)
		f.AddFullSample(mp4.FullSample{DecodeTime: s.time, Data: []byte(s.data),
			Sample: mp4.Sample{Flags: mp4.SyncSampleFlags, Dur: s.dur, Size: uint32(len(s.data))}})
		require.NoError(t, f.Encode(&b))
	}
	return b.Bytes()
}

// TestProgressiveBesideFragments moves the tracks of both kinds of files together. The video of av.mp4 is decoded 80 ms
// before it is shown.
func TestProgressiveBesideFragments(t *testing.T) {
	for _, tt := range []struct {
		hidden       int64
		video, audio uint64
	}{
		{0, 0, 800_000},
		{1920, 0, 400_000},
		{4800, 200_000, 0}, // the audio needs more room than the video
	} {
		src, _ := source(t, tree(map[string][]byte{"av.mp4": testmedia.File(t, "av.mp4"),
			"a.mp4": audioFile(t, tt.hidden, []piece{{0, 48000, "one"}, {48000, 48000, "two"}}),
			"x.ism": ism("", track("video", "av.mp4", 40000, "trackID", "1"), track("audio", "a.mp4", 16000, "trackID", "1"))}), nil)
		s, got := fetchAll(t, src, "x.ism")
		v, a := s.Manifest.Streams[0].Timeline, s.Manifest.Streams[1].Timeline
		assert.Equal(t, tt.video, v[0].Time, "hidden %d", tt.hidden)
		assert.Equal(t, smooth.Timeline{{Time: tt.audio, Duration: 10_000_000}, {Time: tt.audio + 10_000_000, Duration: 10_000_000}}, a, "hidden %d", tt.hidden)
		assert.Equal(t, "onetwo", string(got["audio/16000/"].samples))
		assert.True(t, bytes.Equal(trackSamples(t, testmedia.File(t, "av.mp4"), 1), got["video/40000/"].samples))
	}
}

// shifted returns an index whose entries are off.
func shifted(time, moof int64) func(uint32, []fmp4.TfraEntry) []fmp4.TfraEntry {
	return func(_ uint32, e []fmp4.TfraEntry) []fmp4.TfraEntry {
		for i := range e {
			e[i].Time += uint64(time)
			e[i].Moof += uint64(moof)
		}
		return e
	}
}

// swap returns an index whose last entries lead to a fragment of the other track.
func swap(reference []byte, t *testing.T) func(uint32, []fmp4.TfraEntry) []fmp4.TfraEntry {
	offsets := map[uint32]uint64{}
	f := parseISMV(t, reference)
	f.bytes(func(id uint32, e []fmp4.TfraEntry) []fmp4.TfraEntry {
		offsets[id] = e[len(e)-1].Moof
		return e
	})
	return func(id uint32, e []fmp4.TfraEntry) []fmp4.TfraEntry {
		e[len(e)-1].Moof = offsets[3-id]
		return e
	}
}

// TestFragmentEncrypted passes the boxes of PIFF encryption on: what saio names stays what it is when tfxd is added, and
// bytes of samples are untouched.
func TestFragmentEncrypted(t *testing.T) {
	reference := testmedia.File(t, "av.ismv")
	vectors := func(f *frag) []byte {
		m, err := fmp4.ParseMoof(f.moof, 0)
		require.NoError(t, err)
		n := m.Trafs[0].SampleCount()
		b := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(n))
		for i := range n {
			b = binary.BigEndian.AppendUint64(b, uint64(i)<<32|f.time)
		}
		return b
	}
	data := parseISMV(t, reference).each(func(f *frag) {
		enc := vectors(f)
		f.moof = editTraf(t, f.moof, 0, func(l []bx) []bx {
			l = without(isTfxd)(l)
			senc := mkbox("uuid", fmp4.UUIDSampleEncryption[:], enc)
			saio := mkbox("saio", make([]byte, 4), []byte{0, 0, 0, 1, 0, 0, 0, 0})
			return append([]bx{{"uuid", senc}, {"saio", saio}}, l...)
		})
		at := bytes.Index(f.moof, enc)
		binary.BigEndian.PutUint32(f.moof[bytes.Index(f.moof, []byte("saio"))+12:], uint32(at+8))
	}).bytes(whole)
	files := map[string][]byte{"av.ismv": data, "x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1"))}
	src, _ := source(t, tree(files), nil)
	_, got := fetchAll(t, src, "x.ism")
	assert.True(t, bytes.Equal(trackSamples(t, reference, 1), got["video/40000/"].samples))
	raw := get(t, src, "x.ism", smooth.FragmentKey{Stream: "video", Bitrate: 40000, Time: 0})
	saio := binary.BigEndian.Uint32(raw[bytes.Index(raw, []byte("saio"))+12:])
	senc := bytes.Index(raw, fmp4.UUIDSampleEncryption[:])
	assert.Equal(t, uint32(senc+16+8), saio, "the offset leads to the first vector")
	assert.Contains(t, string(raw[:fmp4.MoofSize(raw)]), string(fmp4.UUIDTfxd[:]))
}

// TestFragmentControl embeds the samples of a control track in the manifest, and attaches a sparse track to its parent.
func TestFragmentControl(t *testing.T) {
	files := map[string][]byte{
		"av.mp4": testmedia.File(t, "av.mp4"), "ads.ismt": textFile(t, "<ad id='1'/>", "<ad id='2'/>"),
		"x.ism": ism("", track("video", "av.mp4", 40000),
			track("textstream", "ads.ismt", 0, "systemBitrate", "0", "trackID", "1", "trackName", "ads", "parentTrackName", "video", "manifestOutput", "TRUE"),
			track("textstream", "ads.ismt", 1000, "trackID", "1", "trackName", "subs"),
			track("textstream", "ads.ismt", 2000, "trackID", "1")),
	}
	src, log := source(t, tree(files), nil)
	s, got := fetchAll(t, src, "x.ism")
	assert.Empty(t, log.String())
	ads := s.Manifest.Stream("ads")
	require.NotNil(t, ads)
	assert.Equal(t, "video", ads.Parent)
	assert.Equal(t, "DATA", ads.Subtype)
	assert.True(t, ads.ManifestOutput)
	require.Len(t, ads.Embedded, 2)
	assert.Equal(t, "<ad id='2'/>", string(ads.Embedded[1][0].Data))
	assert.Equal(t, "CAPT", s.Manifest.Stream("subs").Subtype)
	assert.Equal(t, "<ad id='1'/><ad id='2'/>", string(got["subs/1000/"].samples))
	assert.Contains(t, got, "text/2000/")
	xml, err := s.Manifest.AppendXML(nil, nil)
	require.NoError(t, err)
	assert.Contains(t, string(xml), "PGFkIGlkPScxJy8+", "base64 of the first sample")
	assert.True(t, strings.Contains(string(xml), `ParentStreamIndex="video"`))
}

// TestFragmentLong serves fragments that are too long for memory: as they are, with a new head, and joined.
func TestFragmentLong(t *testing.T) {
	reference := testmedia.File(t, "av.ismv")
	pad := bytes.Repeat([]byte{0xaa}, 200<<10)
	long := func(f *frag) { // the last sample grows by the padding
		m, err := fmp4.ParseMoof(f.moof, 0)
		require.NoError(t, err)
		n := m.Trafs[0].SampleCount()
		f.moof = bytes.Clone(f.moof)
		i := bytes.Index(f.moof, []byte("trun"))
		flags := binary.BigEndian.Uint32(f.moof[i+4:]) & 0xffffff
		entry, at := 0, i+16
		if flags&4 != 0 {
			at += 4
		}
		for b := uint32(0x100); b <= 0x800; b <<= 1 {
			if flags&b != 0 {
				entry += 4
			}
		}
		at += (n - 1) * entry
		if flags&0x100 != 0 {
			at += 4
		}
		binary.BigEndian.PutUint32(f.moof[at:], binary.BigEndian.Uint32(f.moof[at:])+uint32(len(pad)))
		f.mdat = mkbox("mdat", f.mdat[8:], pad)
	}
	for _, tt := range []struct {
		name string
		more func(*frag)
	}{
		{"as stored", func(*frag) {}},
		{"new head", func(f *frag) { f.moof = editTraf(t, f.moof, 0, without(isTfxd)) }},
		{"joined", func(f *frag) {
			f.moof = editTraf(t, f.moof, 16, func(l []bx) []bx { return l })
			f.mdat = append(mkbox("free", make([]byte, 8)), f.mdat...)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			padded := parseISMV(t, reference).each(long).bytes(nil)
			data := parseISMV(t, reference).each(long).each(tt.more).bytes(whole)
			dir := writeTree(t, map[string][]byte{"av.ismv": data,
				"x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1"), track("audio", "av.ismv", 16000, "trackID", "2"))})
			src := smooth.Dir(dir, nil)
			defer src.Close()
			for range 3 { // the reference counts must come out even
				_, got := fetchAll(t, src, "x.ism")
				assert.True(t, bytes.Equal(trackSamples(t, padded, 1), got["video/40000/"].samples))
				assert.True(t, bytes.Equal(trackSamples(t, padded, 2), got["audio/16000/"].samples))
			}
		})
	}
}
