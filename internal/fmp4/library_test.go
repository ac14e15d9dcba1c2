package fmp4_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// TestLibraryInit parses an init segment that the library wrote.
func TestLibraryInit(t *testing.T) {
	init := mp4.CreateEmptyInit()
	init.AddEmptyTrack(10_000_000, "video", "fra")
	init.AddEmptyTrack(48_000, "audio", "und")
	init.Moov.Mvex.Trexs[1].DefaultSampleDuration = 1024
	m, err := fmp4.ParseMovie(encode(t, init.Moov), 0)
	require.NoError(t, err)
	require.True(t, m.Fragmented)
	require.Len(t, m.Tracks, 2)
	v, a := m.Track(1), m.Track(2)
	require.Equal(t, []fmp4.Type{fmp4.HandlerVideo, fmp4.HandlerAudio}, []fmp4.Type{v.Handler, a.Handler})
	require.Equal(t, []uint32{10_000_000, 48_000}, []uint32{v.Timescale, a.Timescale})
	require.Equal(t, []string{"fra", "und"}, []string{v.Language, a.Language})
	require.EqualValues(t, 1024, a.Defaults.Duration)
	require.Zero(t, v.Samples.Len())
}

// TestLibraryFragments parses fragments of several tracks that the library wrote, random samples from a fixed seed.
func TestLibraryFragments(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		ids := []uint32{1, 7, 9}[:1+r.IntN(3)]
		f, err := mp4.CreateMultiTrackFragment(uint32(seed), ids)
		require.NoError(t, err)
		want := make(map[uint32][]fmp4.RunSample)
		data := make(map[uint32][]byte)
		for range r.IntN(60) {
			id := ids[r.IntN(len(ids))]
			s := fmp4.RunSample{Duration: r.Uint32N(1000), Size: r.Uint32N(50), Flags: fmp4.FlagsDelta, CTS: r.Int32N(200) - 100}
			if r.IntN(5) == 0 {
				s.Flags = fmp4.FlagsSync
			}
			b := bytes.Repeat([]byte{byte(r.Uint32())}, int(s.Size))
			want[id], data[id] = append(want[id], s), append(data[id], b...)
			require.NoError(t, f.AddFullSampleToTrack(mp4.FullSample{Data: b, DecodeTime: 1 << 33,
				Sample: mp4.Sample{Flags: s.Flags, Dur: s.Duration, Size: s.Size, CompositionTimeOffset: s.CTS}}, id))
		}
		var buf bytes.Buffer
		require.NoError(t, f.Encode(&buf))
		raw := buf.Bytes()
		b, off := find(t, raw, fmp4.TypeMoof)
		useMoof(t, b)
		m, err := fmp4.ParseMoof(b, off)
		require.NoError(t, err)
		require.EqualValues(t, seed, m.Sequence)
		require.Len(t, m.Trafs, len(ids))
		for i := range m.Trafs {
			id := m.Trafs[i].TrackID
			require.Equal(t, want[id], samplesOf(&m.Trafs[i], fmp4.Defaults{}))
			spans, err := m.Spans(nil, i, noDefaults)
			require.NoError(t, err)
			var got []byte
			for _, s := range spans {
				got = append(got, raw[s.Offset:s.Offset+s.Size]...)
			}
			require.Equal(t, data[id], got)
		}
	}
}

// TestLibrarySmooth: the library reads the samples and the tfxd of a fragment after AppendSmooth.
func TestLibrarySmooth(t *testing.T) {
	f := audioHead(20)
	raw, err := f.AppendTo(nil)
	require.NoError(t, err)
	out, err := fmp4.AppendSmooth(nil, raw[:len(raw)-8], 7, 8)
	require.NoError(t, err)
	lib := decode(t, out).(*mp4.MoofBox)
	lib.Traf.Trun.AddSampleDefaultValues(lib.Traf.Tfhd, nil)
	require.Len(t, lib.Traf.Trun.GetSamples(), 20)
	require.EqualValues(t, len(out)+8, lib.Traf.Trun.DataOffset)
	u := lib.Traf.Children[2].(*mp4.UUIDBox)
	require.EqualValues(t, []uint64{7, 8}, []uint64{u.Tfxd.FragmentAbsoluteTime, u.Tfxd.FragmentAbsoluteDuration})
}
