package cut_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/fmp4"
)

const ms = 10_000 // ticks

// gathered is a track put together again from its fragments.
type gathered struct {
	dts, pts []int64
	sync     []bool
	sizes    []uint32
}

// gather takes a track apart by its cuts and checks what holds for every fragment.
func gather(t *testing.T, track cut.Track, cuts []cut.Cut, ts, shift uint64) gathered {
	t.Helper()
	var g gathered
	for i := range len(cuts) - 1 {
		require.Less(t, cuts[i].Time, cuts[i+1].Time)
		require.Less(t, cuts[i].Sample, cuts[i+1].Sample)
		samples, spans, err := track.Gather(nil, nil, cuts[i], cuts[i+1], ts, shift)
		require.NoError(t, err)
		require.Len(t, samples, int(cuts[i+1].Sample-cuts[i].Sample))
		dts, bytes := int64(cuts[i].Time), int64(0)
		for _, s := range samples {
			assert.GreaterOrEqual(t, s.CTS, int32(0))
			g.dts, g.pts = append(g.dts, dts), append(g.pts, dts+int64(s.CTS))
			g.sync, g.sizes = append(g.sync, s.Flags&fmp4.FlagNonSync == 0), append(g.sizes, s.Size)
			dts += int64(s.Duration)
			bytes += int64(s.Size)
		}
		require.EqualValues(t, cuts[i+1].Time, dts, "durations of fragment %d", i)
		for _, s := range spans {
			bytes -= s.Size
		}
		require.Zero(t, bytes)
	}
	return g
}

// check compares what gather returns with the input: nothing lost, doubled or moved in time.
func check(t *testing.T, track cut.Track, cuts []cut.Cut, ts, shift uint64) {
	t.Helper()
	g := gather(t, track, cuts, ts, shift)
	c := track.Table.At(cuts[0].Sample)
	i := 0
	for s, ok := c.Next(); ok; s, ok = c.Next() {
		want := track.Ticks(int64(s.DTS)+int64(s.CTS), ts) + int64(shift)
		require.Equal(t, want, g.pts[i], "presentation time of sample %d", i)
		require.Equal(t, s.Sync, g.sync[i])
		require.Equal(t, s.Size, g.sizes[i])
		i++
	}
	require.Len(t, g.pts, i)
}

func times(cuts []cut.Cut) (ms []float64) {
	for _, c := range cuts {
		ms = append(ms, float64(c.Time)/10_000)
	}
	return ms
}

func TestPlan(t *testing.T) {
	pal := media{timescale: 12800, frames: 250, duration: constant(512), sync: every(50)}
	palB := media{timescale: 12800, shift: -512, frames: 250, duration: constant(512), sync: every(50), cts: bframes(50, 512)}
	aac := media{timescale: 48000, shift: -1024, frames: 469, duration: constant(1024)}
	with := func(m media, change func(*media)) media { change(&m); return m }
	tests := []struct {
		name         string
		video, audio []media
		target       uint64
		shift        uint64
		want         []float64 // video cuts, ms
		wantAudio    []float64
	}{
		{name: "constant groups", video: []media{pal}, want: []float64{0, 2000, 4000, 6000, 8000, 10000}},
		{name: "decode before zero shifts all", video: []media{palB}, audio: []media{aac}, shift: 40 * ms,
			want: []float64{0, 2000, 4000, 6000, 8000, 10000}, wantAudio: []float64{18.6667, 2002.6667, 4008, 5992, 7997.3333, 10024}},
		{name: "negative composition offsets", video: []media{with(palB, func(m *media) {
			m.shift, m.cts = 0, func(i int) int32 { return bframes(50, 512)(i) - 512 }
		}), pal}, shift: 400_001, want: []float64{0, 2000, 4000, 6000, 8000, 10000}},
		{name: "renditions that reorder differently", video: []media{palB, pal}, shift: 40 * ms,
			want: []float64{0, 2000, 4000, 6000, 8000, 10000}},
		{name: "timescales", video: []media{
			{timescale: 30000, frames: 300, duration: constant(1001), sync: every(60)},
			{timescale: 90000, frames: 300, duration: constant(3003), sync: every(60)},
			{timescale: 1000, frames: 300, duration: func(i int) uint32 { return uint32((i+1)*1001/30 - i*1001/30) }, sync: every(60)},
		}, want: []float64{0, 2002, 4004, 6006, 8008, 10010}},
		{name: "frame rates", video: []media{pal, {timescale: 25, frames: 126, duration: constant(2), sync: every(25)}},
			want: []float64{0, 2000, 4000, 6000, 8000, 10080}},
		{name: "short groups", video: []media{with(pal, func(m *media) { m.sync = every(12) })},
			want: []float64{0, 1920, 3840, 5760, 7680, 10000}},
		{name: "only every second group in common", video: []media{with(pal, func(m *media) { m.sync = every(75) }), with(pal, func(m *media) { m.sync = every(50) })},
			want: []float64{0, 6000, 10000}},
		{name: "long groups", video: []media{with(pal, func(m *media) { m.sync = every(200) })}, want: []float64{0, 8000, 10000}},
		{name: "the end is the nearest cut", video: []media{with(pal, func(m *media) { m.frames, m.sync = 150, every(25) })},
			want: []float64{0, 2000, 4000, 6000}},
		{name: "all intra", video: []media{with(pal, func(m *media) { m.sync = nil })}, want: []float64{0, 2000, 4000, 6000, 8000, 10000}},
		{name: "target", video: []media{with(pal, func(m *media) { m.sync = nil })}, target: 50_000_000, want: []float64{0, 5000, 10000}},
		{name: "audio alone", audio: []media{aac}, shift: 213333,
			wantAudio: []float64{0, 2005.3333, 4010.6667, 5994.6667, 8000, 10005.3333}},
		{name: "audio that starts late and ends late", video: []media{pal},
			audio:     []media{{timescale: 1000, shift: 2500, frames: 1000, duration: constant(10)}},
			want:      []float64{0, 2000, 4000, 6000, 8000, 10000},
			wantAudio: []float64{2500, 4000, 6000, 8000, 10000, 12000, 12500}},
		{name: "edit that hides a group", video: []media{with(pal, func(m *media) { m.shift = -70 * 512 })},
			audio: []media{{timescale: 1000, shift: -2800, frames: 1280, duration: constant(10)}}, shift: 800 * ms,
			want: []float64{0, 2000, 4000, 6000, 8000}, wantAudio: []float64{0, 2000, 4000, 6000, 8000, 10000, 10800}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var video, audio []cut.Track
			for _, m := range tt.video {
				video = append(video, m.track(t))
			}
			for _, m := range tt.audio {
				audio = append(audio, m.track(t))
			}
			vc, ac, shift, err := cut.Plan(video, audio, cut.Options{Target: tt.target})
			require.NoError(t, err)
			for i := range video {
				assert.InDeltaSlice(t, tt.want, times(vc[i]), 0.001)
				assert.Equal(t, times(vc[0]), times(vc[i]))
				check(t, video[i], vc[i], cut.DefaultTimescale, shift)
			}
			for i := range audio {
				assert.InDeltaSlice(t, tt.wantAudio, times(ac[i]), 0.001, "%v", times(ac[i]))
				check(t, audio[i], ac[i], cut.DefaultTimescale, shift)
			}
			assert.EqualValues(t, tt.shift, shift)
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	pal := media{timescale: 25, frames: 250, duration: constant(1), sync: every(50)}
	with := func(change func(*media)) media { m := pal; change(&m); return m }
	tests := []struct {
		name   string
		video  []media
		tracks [2]int
		reason string
	}{
		{"no sample in common", []media{pal, pal, with(func(m *media) { m.sync = func(i int) bool { return i == 0 || i%50 == 20 } })},
			[2]int{0, 2}, "no common sync sample"},
		{"nothing in common", []media{pal, with(func(m *media) { m.shift = 1 })}, [2]int{0, 1}, "no common sync sample"},
		{"common late", []media{pal, with(func(m *media) { m.sync = func(i int) bool { return i%50 == 10 && i < 100 || i%50 == 0 && i > 99 } })},
			[2]int{0, 1}, "the first common sync sample comes late"},
		{"lengths", []media{pal, with(func(m *media) { m.frames = 120 })}, [2]int{1, 0}, "one ends 5.200 s before the other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var video []cut.Track
			for _, m := range tt.video {
				video = append(video, m.track(t))
			}
			_, _, _, err := cut.Plan(video, nil, cut.Options{})
			var align *cut.AlignError
			require.ErrorAs(t, err, &align)
			assert.Equal(t, tt.tracks, align.Tracks)
			assert.Equal(t, tt.reason, align.Reason)
		})
	}
	_, _, _, err := cut.Plan(nil, []cut.Track{{Table: new(fmp4.Table), Timescale: 1}}, cut.Options{})
	require.ErrorIs(t, err, cut.ErrEmpty)
	_, _, _, err = cut.Plan([]cut.Track{with(func(m *media) { m.sync = func(int) bool { return false } }).track(t)}, nil, cut.Options{})
	require.ErrorIs(t, err, cut.ErrEmpty)
}

// TestLongSamples: samples that last years are cut in no time, and cannot be written.
func TestLongSamples(t *testing.T) {
	track := media{timescale: 1, frames: 3, duration: constant(1 << 28)}.track(t)
	_, cuts, shift, err := cut.Plan(nil, []cut.Track{track}, cut.Options{})
	require.NoError(t, err)
	assert.Equal(t, []float64{0, 1 << 28 * 1000, 1 << 29 * 1000, 3 << 28 * 1000}, times(cuts[0]))
	_, _, err = track.Gather(nil, nil, cuts[0][0], cuts[0][1], cut.DefaultTimescale, shift)
	require.ErrorIs(t, err, cut.ErrTimes)
}

// TestPlanRandom: for any mix of frame rates, timescales, reordering and edit lists, nothing is lost, doubled or moved,
// and the fragments of all renditions have equal times.
func TestPlanRandom(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(1, seed))
		rates := [][2]uint32{{25, 1}, {30000, 1001}, {24, 1}, {50, 1}, {60000, 1001}}
		rate := rates[r.IntN(len(rates))]
		gop, frames := 1+r.IntN(120), 1+r.IntN(900)
		var video, audio []cut.Track
		for range 1 + r.IntN(4) {
			scale := []uint32{1, 2, 3, 512}[r.IntN(4)]
			d := rate[1] * scale
			m := media{timescale: rate[0] * scale, frames: frames, duration: constant(d), sync: every(gop)}
			if r.IntN(2) == 0 {
				m.cts, m.shift = bframes(gop, int32(d)), -int64(d)
			}
			video = append(video, m.track(t))
		}
		for range r.IntN(3) {
			rate := []uint32{48000, 44100, 8000}[r.IntN(3)]
			audio = append(audio, media{timescale: rate, shift: int64(r.IntN(9000)) - 1024, frames: 1 + r.IntN(1500), duration: constant(1024)}.track(t))
		}
		target := uint64(1+r.IntN(50)) * 1_000_000
		vc, ac, shift, err := cut.Plan(video, audio, cut.Options{Target: target})
		require.NoError(t, err, "seed %d", seed)
		for i := range video {
			require.Equal(t, times(vc[0]), times(vc[i]), "seed %d", seed)
			check(t, video[i], vc[i], cut.DefaultTimescale, shift)
		}
		for i := range audio {
			check(t, audio[i], ac[i], cut.DefaultTimescale, shift)
		}
	}
}
