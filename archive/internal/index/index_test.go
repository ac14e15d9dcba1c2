package index_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/smooth"
)

const second = index.Scale

// video and audio are tracks in file 0 and 1.
func video(bitrate uint64) index.Track {
	return index.Track{
		Key:    smooth.FragmentKey{Stream: "video", Bitrate: bitrate},
		Stream: &smooth.Stream{Type: smooth.Video, Name: "video", URL: "QualityLevels({bitrate})/Fragments(video={start time})"},
		Level:  &smooth.QualityLevel{Bitrate: bitrate, FourCC: "H264"},
		Codec:  &smooth.Codec{Type: smooth.Video, FourCC: "H264", PrivateData: []byte{1, 2, 3}},
	}
}

func audio() index.Track {
	return index.Track{
		Key:    smooth.FragmentKey{Stream: "audio", Bitrate: 96_000},
		Stream: &smooth.Stream{Type: smooth.Audio, Name: "audio"},
		Level:  &smooth.QualityLevel{Bitrate: 96_000, FourCC: "AACL"},
		Codec:  &smooth.Codec{Type: smooth.Audio, FourCC: "AACL"},
		File:   1,
	}
}

// entry is the nth fragment of two seconds.
func entry(n int) index.Entry {
	return index.Entry{Time: uint64(n) * 2 * second, Duration: 2 * second, Offset: int64(n) * 1000, Head: 100, Payload: 900}
}

func entries(x *index.Index, track int) []index.Entry { return slices.Collect(x.Entries(track)) }

func times(tl smooth.Timeline) []uint64 {
	var list []uint64
	for _, c := range tl {
		list = append(list, c.Time/second)
	}
	return list
}

func TestAddAndFind(t *testing.T) {
	x := index.New("p-")
	v := x.Declare(video(1_000_000))
	require.Equal(t, 0, v)
	for n := range 2000 {
		require.True(t, x.Add(v, entry(n)))
	}
	assert.False(t, x.Add(v, entry(7)), "there is one")
	assert.False(t, x.Add(1, entry(7)), "no such track")
	assert.False(t, x.Add(-1, entry(7)), "no such track")
	assert.Equal(t, 2000, x.Len(v))

	e, ok := x.Find(v, 14*second)
	assert.True(t, ok)
	assert.Equal(t, entry(7), e)
	assert.Equal(t, int64(8000), e.End())
	for _, at := range []uint64{1, 14*second + 1, 4000 * second, math.MaxUint64} {
		_, ok = x.Find(v, at)
		assert.False(t, ok, at)
	}
	last, ok := x.Last(v)
	assert.True(t, ok)
	assert.Equal(t, entry(1999), last)

	all := entries(x, v)
	require.Len(t, all, 2000)
	for n, e := range all {
		require.Equal(t, entry(n), e)
	}
	for e := range x.Entries(v) {
		assert.Equal(t, entry(0), e)
		break
	}
}

func TestEmpty(t *testing.T) {
	x := index.New("")
	_, ok := x.Find(0, 0)
	assert.False(t, ok)
	_, ok = x.Last(0)
	assert.False(t, ok)
	assert.Zero(t, x.Len(0))
	assert.Empty(t, entries(x, 0))
	assert.Zero(t, x.Track(3))
	assert.Zero(t, x.Tracks())
	assert.Empty(t, x.Live().Manifest.Streams)
	assert.Zero(t, x.OnDemand().Manifest.Duration)
}

func TestDeclare(t *testing.T) {
	x := index.New("")
	v := x.Declare(video(1_000_000))
	a := x.Declare(audio())
	assert.Equal(t, 1, a)
	again := video(1_000_000)
	again.File, again.ID, again.Key.Time = 4, 9, 77
	assert.Equal(t, v, x.Declare(again), "the number stays")
	assert.Equal(t, 4, x.Track(v).File)
	assert.Equal(t, uint32(9), x.Track(v).ID)
	assert.Equal(t, 2, x.Tracks())
	n, ok := x.Number(smooth.FragmentKey{Stream: "audio", Bitrate: 96_000, Time: 5})
	assert.True(t, ok)
	assert.Equal(t, a, n)
	_, ok = x.Number(smooth.FragmentKey{Stream: "audio", Bitrate: 96_001})
	assert.False(t, ok)
}

func TestExactValues(t *testing.T) {
	x := index.New("")
	a, b := x.Declare(video(1)), x.Declare(video(2))
	odd := []index.Entry{
		{Time: 0, Duration: 20, Offset: 1<<48 - 1, Head: math.MaxUint16 - 1, Payload: math.MaxUint32},
		{Time: 20, Duration: 20, Offset: 1 << 48, Head: math.MaxUint16, Payload: 0},
		{Time: 40, Duration: 0, Offset: math.MaxInt64, Head: math.MaxUint32, Payload: 1},
		{Time: 60, Duration: math.MaxUint64, Offset: 1<<32 + 5, Head: 0, Payload: 7},
		{Time: math.MaxUint64, Duration: 3, Head: 8},
	}
	for _, e := range odd {
		require.True(t, x.Add(a, e))
		e.Duration++ // another than that of the chunk
		require.True(t, x.Add(b, e))
	}
	assert.Equal(t, odd, entries(x, a))
	for _, e := range odd {
		e.Duration++
		got, ok := x.Find(b, e.Time)
		assert.True(t, ok)
		assert.Equal(t, e, got)
	}
	x.End()
	_, err := x.Live().Manifest.AppendXML(nil, nil)
	assert.NoError(t, err, "no chunk ends beyond 64 bits")
}

func TestTracksThatComeAndGo(t *testing.T) {
	x := index.New("")
	a, b, c := x.Declare(video(1)), x.Declare(video(2)), x.Declare(video(3))
	for n := range 100 {
		x.Add(a, entry(n))
		if n >= 50 {
			x.Add(b, entry(n))
		}
		if n < 30 {
			x.Add(c, entry(n))
		}
	}
	for track, want := range map[int][2]int{a: {0, 100}, b: {50, 100}, c: {0, 30}} {
		list := entries(x, track)
		require.Len(t, list, want[1]-want[0])
		assert.Equal(t, entry(want[0]), list[0])
		last, _ := x.Last(track)
		assert.Equal(t, entry(want[1]-1), last)
	}
	require.True(t, x.Add(b, entry(3)), "long before all that the track has")
	e, ok := x.Find(b, entry(3).Time)
	assert.True(t, ok)
	assert.Equal(t, entry(3), e)
	_, ok = x.Find(b, entry(4).Time)
	assert.False(t, ok)
	assert.Equal(t, 51, x.Len(b))
	assert.Equal(t, []index.Entry{entry(3), entry(50), entry(51)}, entries(x, b)[:3])
}

func TestLateFragments(t *testing.T) {
	x := index.New("")
	a, b := x.Declare(video(1)), x.Declare(video(2))
	for n := 0; n < 40; n += 2 {
		x.Add(a, entry(n))
		if n >= 10 {
			x.Add(b, entry(n))
		}
	}
	held := x.Live()
	before := slices.Clone(held.Manifest.Streams[0].Timeline)
	for n := 1; n < 40; n += 2 {
		require.True(t, x.Add(a, entry(n)), n)
		require.False(t, x.Add(a, entry(n)))
	}
	require.True(t, x.Add(b, entry(11)))
	require.Len(t, entries(x, a), 40)
	for n, e := range entries(x, a) {
		assert.Equal(t, entry(n), e)
	}
	for n := 10; n < 40; n += 2 {
		e, ok := x.Find(b, entry(n).Time)
		assert.True(t, ok)
		assert.Equal(t, entry(n), e)
	}
	assert.Equal(t, 16, x.Len(b))
	assert.Equal(t, before, held.Manifest.Streams[0].Timeline, "a snapshot does not change")
	select {
	case <-held.Superseded():
	default:
		t.Error("the snapshot is not superseded")
	}
	assert.Len(t, x.OnDemand().Manifest.Streams[0].Timeline, 39, "the other track does not have the last one yet")
	x.End()
	assert.Len(t, x.OnDemand().Manifest.Streams[0].Timeline, 40)
}

func TestCut(t *testing.T) {
	x := index.New("")
	v, a := x.Declare(video(1)), x.Declare(audio())
	w := video(2)
	w.File = 2
	b := x.Declare(w)
	for n := range 10 {
		x.Add(v, entry(n))
		x.Add(a, entry(n))
		if n < 8 {
			x.Add(b, entry(n))
		}
	}
	held := x.Live()
	x.Cut(0, 5000)
	assert.Equal(t, 5, x.Len(v))
	assert.Equal(t, 10, x.Len(a), "another file")
	assert.Equal(t, 8, x.Len(b), "another file")
	m := x.OnDemand().Manifest
	assert.Equal(t, []uint64{0, 2, 4, 6, 8, 10, 12, 14}, times(m.Stream("video").Timeline))
	assert.Len(t, held.Manifest.Stream("video").Timeline, 8)
	for n := range 10 {
		_, ok := x.Find(v, entry(n).Time)
		assert.Equal(t, n < 5, ok)
		e, ok := x.Find(b, entry(n).Time)
		assert.Equal(t, n < 8, ok)
		if ok {
			assert.Equal(t, entry(n), e)
		}
	}
	require.True(t, x.Add(v, entry(5)), "it goes on")
	x.Cut(0, 999)
	assert.Zero(t, x.Len(v))
	_, ok := x.Last(v)
	assert.False(t, ok)
	require.True(t, x.Add(v, entry(1)))
	assert.Equal(t, []index.Entry{entry(1)}, entries(x, v))
	x.Cut(7, 0)
	assert.Equal(t, 10, x.Len(a))
}

func TestCutBringsBackTheSameContent(t *testing.T) {
	whole, torn := index.New("p"), index.New("p")
	for _, x := range []*index.Index{whole, torn} {
		x.Declare(video(1))
		x.Declare(audio())
	}
	for n := range 20 {
		torn.Add(0, entry(n))
		torn.Add(1, entry(n))
	}
	torn.Cut(0, 7000)
	torn.Cut(1, 6500)
	for n := range 7 {
		whole.Add(0, entry(n))
	}
	for n := range 6 {
		whole.Add(1, entry(n))
	}
	assert.Equal(t, whole.Live().Validator, torn.Live().Validator)
	assert.Equal(t, whole.OnDemand().Manifest, torn.OnDemand().Manifest)
}

func TestGaps(t *testing.T) {
	x := index.New("")
	x.Declare(audio())
	v := x.Declare(video(1))
	gap := func(stream string, from, to uint64) smooth.Gap {
		return smooth.Gap{Stream: stream, Time: from, Duration: to - from}
	}
	for _, g := range []smooth.Gap{
		gap("video", 100, 200), gap("other", 5, 6), gap("video", 10, 20), gap("audio", 1, 2), gap("video", 20, 30),
		gap("video", 300, 400), gap("video", 150, 320), gap("video", 5, 5), {Stream: "audio", Time: math.MaxUint64 - 1, Duration: 9},
	} {
		x.AddGap(g)
	}
	want := []smooth.Gap{
		gap("audio", 1, 2), gap("audio", math.MaxUint64-1, math.MaxUint64), gap("video", 10, 30), gap("video", 100, 400), gap("other", 5, 6),
	}
	assert.Equal(t, want, x.Gaps())
	assert.Equal(t, want, x.Live().Gaps)

	x.Add(v, index.Entry{Time: 90, Duration: 10, Head: 8})
	x.Add(v, index.Entry{Time: 400, Duration: 10, Head: 8})
	held := x.OnDemand()
	x.Add(v, index.Entry{Time: 200, Duration: 100, Head: 8}) // late
	assert.Equal(t, want, held.Gaps)
	assert.Equal(t, []smooth.Gap{gap("video", 100, 200), gap("video", 300, 400)}, x.OnDemand().Gaps[3:5])
}

func TestConfigurationOfSnapshots(t *testing.T) {
	x := index.New("")
	v := x.Declare(video(1))
	x.Add(v, entry(0))
	headers := []smooth.ProtectionHeader{{SystemID: "9a04f079-9840-4286-ab92-e65be0885f95", Data: []byte{1}}}
	x.Protect(headers)
	wall := time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)
	before := x.Live().Validator
	x.SetClock(4*second, wall, 3)
	s := x.Live()
	assert.Equal(t, headers, s.Manifest.Protection)
	assert.Equal(t, wall, s.Periods[0].Wall)
	assert.Equal(t, uint64(4*second), s.Periods[0].Start)
	assert.Equal(t, uint64(3), s.Periods[0].Discontinuity)
	assert.NotEqual(t, before, s.Validator)
}
