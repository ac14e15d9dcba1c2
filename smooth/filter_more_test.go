package smooth_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// static is a presentation of one snapshot, with the fragments of another.
type static struct {
	smooth.Presentation
	snap *smooth.Snapshot
	err  error
}

func (s static) Snapshot(context.Context) (*smooth.Snapshot, error) { return s.snap, s.err }
func (s static) Close() error                                       { return nil }

// changed returns a presentation whose snapshot was edited.
func changed(t *testing.T, c smoothtest.Config, edit func(*smooth.Snapshot)) static {
	t.Helper()
	p := smoothtest.New(c)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	n := smooth.NewSnapshot(s.Manifest.Clone(), s.Validator)
	n.Periods, n.Edges, n.Gaps, n.Ended = s.Periods, s.Edges, s.Gaps, s.Ended
	edit(n)
	return static{Presentation: p, snap: n}
}

func filtered(t *testing.T, p smooth.Presentation, f ...smooth.Filter) *smooth.Snapshot {
	t.Helper()
	fp, err := smooth.NewFiltered(t.Context(), p, f...)
	require.NoError(t, err)
	s, err := fp.Snapshot(t.Context())
	require.NoError(t, err)
	return s
}

func TestFilterPeriodsAndGaps(t *testing.T) {
	day := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	p := changed(t, smoothtest.Default(), func(s *smooth.Snapshot) {
		tracks := s.Periods[0].Tracks
		s.Periods = []smooth.Period{ // an encoder that was away for an hour
			{Start: 0, Wall: day, Tracks: tracks},
			{Start: 10 * second, Discontinuity: 1, Tracks: tracks},
			{Start: 20 * second, Wall: day.Add(time.Hour), Discontinuity: 2, Tracks: tracks},
		}
		s.Gaps = []smooth.Gap{
			{Stream: "video", Time: 2 * second, Duration: 2 * second},
			{Stream: "audio_fra", Time: 6 * second, Duration: 2 * second},
			{Stream: "video", Time: 22 * second, Duration: 2 * second},
		}
	})
	f := smooth.Filter{AudioNames: []string{"audio_eng"}, Video: smooth.BitrateRange{Max: 500_000}}
	tests := []struct {
		name           string
		start, end     smooth.Instant
		want           string
		discontinuity  []uint64
		gapsInFirstOne []uint64
	}{
		{"all", smooth.Instant{}, smooth.Instant{}, "video(400)0-30 audio_eng(96)0-30 text_eng(1)0-30 ", []uint64{0, 1, 2}, []uint64{2, 22}},
		{"in the first period", smooth.AtWall(day.Add(4 * time.Second)), smooth.AtWall(day.Add(8 * time.Second)), "video(400)4-8 audio_eng(96)4-8 text_eng(1)0-10 ", []uint64{0}, nil},
		{"the first period counts on until the next", smooth.AtWall(day.Add(9 * time.Second)), smooth.AtWall(day.Add(10 * time.Minute)), "video(400)8-10 audio_eng(96)8-10 text_eng(1)0-10 ", []uint64{0}, nil},
		{"in the last period", smooth.AtWall(day.Add(time.Hour + 3*time.Second)), smooth.Instant{}, "video(400)22-30 audio_eng(96)22-30 text_eng(1)20-30 ", []uint64{2}, []uint64{22}},
		{"wall and ticks", smooth.AtWall(day.Add(time.Second)), smooth.AtTicks(12, 1), "video(400)0-12 audio_eng(96)0-12 text_eng(1)0-20 ", []uint64{0, 1}, []uint64{2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := f
			f.Start, f.End = tt.start, tt.end
			assert.Equal(t, tt.start == smooth.Instant{}, f.Start.IsZero())
			s := filtered(t, p, f)
			assert.Equal(t, tt.want, shown(s.Manifest))
			var discontinuity, gaps []uint64
			for _, p := range s.Periods {
				discontinuity = append(discontinuity, p.Discontinuity)
				assert.Len(t, p.Tracks, 3)
			}
			for _, g := range s.Gaps {
				assert.Equal(t, "video", g.Stream)
				gaps = append(gaps, g.Time/second)
			}
			assert.Equal(t, tt.discontinuity, discontinuity)
			assert.Equal(t, tt.gapsInFirstOne, gaps)
		})
	}
}

func TestFilterFourCC(t *testing.T) {
	for have, wanted := range map[string][]string{
		"H264": {"h264", "avc1", "AVC3", "DAVC", "X264"}, "hev1": {"HVC1", "hevc"}, "AACL": {"aac", "mp4a"}, "AACH": {"AACP", "mp4a"},
		"EC-3": {"ec-3", "dec3"}, "ac-3": {"AC-3", "dac3"}, "WMAP": {"WmaPro"}, "WMA2": {"WMA"}, "DFXP": {"TTML", "stpp"}, "WVC1": {"wvc1"},
	} {
		p := smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{{
			Type: smooth.Video, Durations: smoothtest.Repeat(1, second), Levels: []smoothtest.Level{{Bitrate: 1, FourCC: have}}}}})
		for _, w := range wanted {
			_, err := smooth.NewFiltered(t.Context(), p, smooth.Filter{FourCCs: []string{w}})
			assert.NoError(t, err, "%s is %s", w, have)
		}
		_, err := smooth.NewFiltered(t.Context(), p, smooth.Filter{FourCCs: []string{"XXXX"}})
		assert.ErrorIs(t, err, smooth.ErrNotFound)
	}
	p := changed(t, smoothtest.Default(), func(s *smooth.Snapshot) { // legacy manifests have it on the stream
		s.Manifest.Streams[0].FourCC = "WVC1"
		for _, l := range s.Manifest.Streams[0].Levels {
			l.FourCC = ""
		}
	})
	assert.Equal(t, "video(3000,1200,400)0-30 ", shown(filtered(t, p, smooth.Filter{FourCCs: []string{"wvc1"}}).Manifest))
}

func TestTrackExprRelations(t *testing.T) {
	for expr, want := range map[string]string{
		"systemBitrate==400000": "400", "400000==systemBitrate": "400", "systemBitrate!=400000": "3000,1200",
		"systemBitrate<1200000": "400", "1200000>systemBitrate": "400", "systemBitrate<=1200000": "1200,400", "1200000>=systemBitrate": "1200,400",
		"systemBitrate>1200000": "3000", "1200000<systemBitrate": "3000", "systemBitrate>=1200000": "3000,1200", "1200000<=systemBitrate": "3000,1200",
		"!(systemBitrate>1200000)": "1200,400", "!(systemBitrate<1200000)": "3000,1200", "!(systemBitrate==1200000)": "3000,400",
		"!(systemBitrate<=400000||systemBitrate>2000000)": "1200", "!true||systemBitrate<500000": "400", "DisplayWidth==1280": "3000,1200,400",
	} {
		e, err := smooth.ParseTrackExpr(expr)
		require.NoError(t, err, expr)
		s := filtered(t, smoothtest.New(smoothtest.Default()), smooth.Filter{Tracks: e, Types: []smooth.StreamType{smooth.Video}})
		assert.Equal(t, "video("+want+")0-30 ", shown(s.Manifest), expr)
	}
}

func TestFilteredPassesErrorsOn(t *testing.T) {
	_, err := smooth.NewFiltered(t.Context(), static{err: smooth.ErrClosed}, smooth.Filter{MaxHeight: 1})
	assert.ErrorIs(t, err, smooth.ErrClosed)
	ctx, cancel := context.WithCancel(t.Context())
	p, err := smooth.NewFiltered(ctx, smoothtest.New(smoothtest.Default()), smooth.Filter{MaxHeight: 1})
	require.NoError(t, err)
	cancel()
	_, err = p.Snapshot(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = p.Fragment(ctx, smooth.FragmentKey{Stream: "video", Bitrate: 400_000})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestFilterConcurrently(t *testing.T) {
	base := smoothtest.New(liveConfig())
	src := smoothtest.NewSource()
	cut := compositeOf(t, src, nil, [2]uint64{5, 9}, [2]uint64{20, 23})
	set := smooth.NewFilterSet(nil, 4)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 100 {
				p := []smooth.Presentation{base, cut}[i%2]
				f, err := set.Apply(t.Context(), p, &smooth.Request{Options: fmt.Sprintf("maxBitrate=%d", i*n+1)})
				if !assert.NoError(t, err) {
					return
				}
				s, err := f.Snapshot(t.Context())
				if !assert.NoError(t, err) {
					return
				}
				k := smooth.FragmentKey{Stream: "video", Bitrate: s.Manifest.Streams[0].Levels[0].Bitrate, Time: 4 * second}
				g, err := f.Fragment(t.Context(), k)
				if !assert.NoError(t, err) {
					return
				}
				g.Close()
				switch {
				case n == 0 && i%10 == 0:
					base.Append(1)
				case n == 1 && i%10 == 0:
					src.Add("sample/sample.ism", smoothtest.New(smoothtest.Default()))
				}
			}
		})
	}
	wg.Wait()
	entries, _ := set.Remembered()
	assert.LessOrEqual(t, entries, 4)
	assert.Zero(t, base.OpenFragments())
}

func TestCompositeRefusesOtherKeys(t *testing.T) {
	src := smoothtest.NewSource()
	protect := func(data string) smooth.Presentation {
		return changed(t, smoothtest.Default(), func(s *smooth.Snapshot) {
			s.Manifest.Protection = []smooth.ProtectionHeader{{SystemID: "9a04f079-9840-4286-ab92-e65be0885f95", Data: []byte(data)}}
		})
	}
	src.Add("a.ism", protect("key"))
	src.Add("b.ism", protect("key"))
	src.Add("c.ism", protect("other"))
	open := func(names ...string) (smooth.Presentation, error) {
		m := &smooth.Manifest{}
		for _, n := range names {
			m.Clips = append(m.Clips, &smooth.Clip{URL: n, End: 4 * second})
		}
		return smooth.OpenComposite(t.Context(), src, "x.csm", m)
	}
	p, err := open("a.ism", "b.ism")
	require.NoError(t, err)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Len(t, s.Manifest.Protection, 1)
	for _, other := range []string{"c.ism", "sample/sample.ism"} {
		_, err = open("a.ism", other)
		assert.ErrorIs(t, err, smooth.ErrUnsupported)
		assert.ErrorContains(t, err, "clip 2 ("+other+"): other protection headers")
	}
}

func TestCompositeDropsStreams(t *testing.T) {
	src := smoothtest.NewSource()
	c := smoothtest.Default()
	c.Streams[1].Timescale, c.Streams[1].Durations = 48000, smoothtest.Repeat(15, 96000)
	src.Add("other.ism", smoothtest.New(c))
	c = smoothtest.Default()
	c.Streams = c.Streams[:1]
	src.Add("silent.ism", smoothtest.New(c))
	for _, second := range []string{"other.ism", "silent.ism"} {
		for _, order := range [][]string{{"sample/sample.ism", second}, {second, "sample/sample.ism"}} {
			m := &smooth.Manifest{Clips: []*smooth.Clip{{URL: order[0], End: 40_000_000}, {URL: order[1], End: 40_000_000}}}
			p, err := smooth.OpenComposite(t.Context(), src, "x.csm", m)
			require.NoError(t, err)
			s, err := p.Snapshot(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "video(3000,1200,400)0-8 ", shown(s.Manifest), "audio cannot go on in another timescale, or is missing")
			requireFragments(t, p, s)
		}
	}
}

func BenchmarkFilterSnapshot(b *testing.B) {
	c := smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(2000, 2*second)},
		{Type: smooth.Audio, Durations: smoothtest.Repeat(2000, 2*second), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
	}}
	for i := range uint64(8) {
		c.Streams[0].Levels = append(c.Streams[0].Levels, smoothtest.Level{Bitrate: (i + 1) * 400_000})
	}
	base := smoothtest.New(c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := smooth.NewFiltered(b.Context(), base, smooth.Filter{MaxHeight: 360, Start: smooth.AtTicks(100, 1)}); err != nil {
			b.Fatal(err)
		}
	}
}
