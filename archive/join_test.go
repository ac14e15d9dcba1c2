package archive_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

var (
	noLog    = slog.New(slog.DiscardHandler)
	videoKey = smooth.FragmentKey{Stream: "video", Bitrate: 1_000_000}
	audioKey = smooth.FragmentKey{Stream: "audio", Bitrate: 96_000}
)

func at(k smooth.FragmentKey, second uint64) smooth.FragmentKey {
	k.Time = second * tick
	return k
}

// segmentsOf returns recorders of a picture and sound, whose fragments of two seconds begin at the given times, in seconds.
func segmentsOf(t *testing.T, n int, starts ...uint64) []*recorder {
	var list []*recorder
	for _, start := range starts {
		list = append(list, newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{
			streamOf(smooth.Video, start*tick, n, 1_000_000), streamOf(smooth.Audio, start*tick, n, 96_000),
		}}))
	}
	return list
}

// withPictures returns a recorder of a picture with private data for each level.
func withPictures(t *testing.T, start uint64, n int, levels ...smoothtest.Level) *recorder {
	s := streamOf(smooth.Video, start*tick, n)
	s.Levels = levels
	return newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{s}})
}

func TestJoinedOnDemand(t *testing.T) {
	rs := segmentsOf(t, 5, 0, 10, 20)
	j := archive.NewJoined(false, smooth.Period{})
	_, err := j.Fragment(t.Context(), videoKey)
	require.ErrorIs(t, err, smooth.ErrNotFound)
	var parts []archive.Shared
	for _, r := range rs {
		r.until(1000 * tick)
		parts = append(parts, r.growing(false))
	}
	rs[1].index.AddGap(smooth.Gap{Stream: "audio", Time: 15 * tick, Duration: 5 * tick})
	rs[2].index.AddGap(smooth.Gap{Stream: "audio", Time: 20 * tick, Duration: tick})
	rs[0].index.AddGap(smooth.Gap{Stream: "video", Time: 1, Duration: 1})
	j.Set(parts, true)
	s := snapshotOf(t, j)
	assert.Same(t, s, snapshotOf(t, j))
	assert.True(t, s.Ended)
	assert.Equal(t, uint64(30*tick), s.Manifest.Duration)
	assert.Equal(t, []int{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28}, listed(t, j, "video"))
	assert.Len(t, s.Periods, 1)
	assert.Equal(t, []smooth.Gap{
		{Stream: "video", Time: 1, Duration: 1}, {Stream: "audio", Time: 15 * tick, Duration: 6 * tick},
	}, s.Gaps)
	for _, c := range s.Manifest.Stream("audio").Timeline {
		k := audioKey
		k.Time = c.Time
		f, err := j.Fragment(t.Context(), k)
		require.NoError(t, err)
		want, err := rs[c.Time/(10*tick)].from.Fragment(t.Context(), k)
		require.NoError(t, err)
		assert.Equal(t, bytesOf(t, want), bytesOf(t, f))
		size, err := j.FragmentSize(k)
		require.NoError(t, err)
		assert.Equal(t, want.PayloadSize(), size)
		want.Close()
		f.Close()
	}
	for _, k := range []smooth.FragmentKey{at(videoKey, 11), at(videoKey, 30), {Stream: "other"}, {Stream: "video", Bitrate: 5}} {
		_, err = j.Fragment(t.Context(), k)
		assert.ErrorIs(t, err, smooth.ErrNotFound)
	}
	valid(t, j, "SF153") // the sequence numbers of each part begin with 1 here, which those of a publishing point do not

	rs[0].tapes[0].fails = assert.AnError
	_, err = j.Fragment(t.Context(), at(videoKey, 2))
	assert.ErrorIs(t, err, assert.AnError)
	require.True(t, j.Retain())
	j.Close()
	j.Close()
	for _, r := range rs {
		assert.Equal(t, 1, r.closed)
	}
	_, err = j.Snapshot(t.Context())
	assert.ErrorIs(t, err, smooth.ErrClosed)
	late := segmentsOf(t, 1, 0)[0]
	j.Set([]archive.Shared{late.growing(true)}, false)
	assert.Equal(t, 1, late.closed, "what comes too late is closed")
}

func TestJoinedWhileItGrows(t *testing.T) {
	rs := segmentsOf(t, 5, 0, 10, 20)
	wall := time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)
	j := archive.NewJoined(true, smooth.Period{Wall: wall})
	v := archive.NewLiveView(j)
	defer v.Close()
	assert.ErrorIs(t, snapshotOf(t, v).NotSmooth, smooth.ErrNotYet)

	var parts []archive.Shared
	var want []int
	tfrf := map[uint64][]byte{}
	check := func(ended bool) {
		t.Helper()
		s := snapshotOf(t, v)
		st := s.Manifest.Stream("video")
		assert.Equal(t, want[:max(len(want)-2, 0)], seconds(st.Timeline))
		assert.Equal(t, ended, s.Ended)
		for _, c := range st.Timeline {
			k := videoKey
			k.Time = c.Time
			f, err := v.Fragment(t.Context(), k)
			require.NoError(t, err)
			assert.Len(t, announced(t, f), 2)
			if tfrf[k.Time] == nil {
				tfrf[k.Time] = bytesOf(t, f)
			}
			assert.Equal(t, tfrf[k.Time], bytesOf(t, f), "the same bytes as ever")
			f.Close()
		}
	}
	for i, r := range rs {
		part := r.growing(true)
		parts = append(parts, part)
		before := snapshotOf(t, v)
		j.Set(parts, false)
		assert.True(t, isOld(before))
		for n := range uint64(5) {
			before = snapshotOf(t, v)
			r.until(uint64(i)*10*tick + (n+1)*2*tick)
			assert.True(t, isOld(before))
			want = append(want, i*10+int(n)*2)
			if len(want) > 2 {
				check(false)
			}
		}
		valid(t, v)
		// The segment is complete, and what takes its place is the same.
		r.index.End()
		check(false)
		done := r.growing(false)
		parts[i] = done
		j.Set(parts, false)
		assert.Equal(t, 1, r.closed, "the old part is closed")
		check(false)
		assert.False(t, snapshotOf(t, j).Ended, "there may be another one")
		_, err := j.Fragment(t.Context(), at(videoKey, uint64(i+1)*10))
		assert.ErrorIs(t, err, smooth.ErrNotYet)
	}
	assert.Len(t, snapshotOf(t, j).Periods, 1)
	assert.Equal(t, wall, snapshotOf(t, j).Periods[0].Wall)
	j.Set(parts, true)
	s := snapshotOf(t, v)
	assert.True(t, s.Ended)
	assert.Equal(t, want, listed(t, v, "video"))
	assert.Equal(t, uint64(30*tick), s.Manifest.Duration)
	f, err := v.Fragment(t.Context(), at(videoKey, 8))
	require.NoError(t, err)
	assert.Equal(t, []int{10, 12}, announced(t, f), "across the boundary")
	assert.Equal(t, tfrf[8*tick], bytesOf(t, f))
	f.Close()
	valid(t, v)
}

func TestJoinedSharesTheTimelineOfOnePart(t *testing.T) {
	r := segmentsOf(t, 5, 0)[0]
	r.until(1000 * tick)
	j := archive.NewJoined(true, smooth.Period{})
	j.Set([]archive.Shared{r.growing(true)}, false)
	own, of := snapshotOf(t, j).Manifest.Streams[0].Timeline, r.index.Live().Manifest.Streams[0].Timeline
	assert.Equal(t, of, own)
	assert.Same(t, &of[0], &own[0])
	assert.Len(t, snapshotOf(t, j).Manifest.Streams[0].Timeline, cap(own), "nobody appends to it")
}

func TestJoinedAppendsWhatIsNew(t *testing.T) {
	rs := segmentsOf(t, 50, 0, 100)
	rs[0].until(1000 * tick)
	rs[0].index.End()
	j := archive.NewJoined(true, smooth.Period{})
	j.Set([]archive.Shared{rs[0].growing(true), rs[1].growing(true)}, false)
	copies := 0
	var last *smooth.Chunk
	for n := range uint64(50) {
		held := snapshotOf(t, j).Manifest.Stream("video").Timeline
		length, end := len(held), held[len(held)-1]
		rs[1].until(100*tick + (n+1)*2*tick)
		tl := snapshotOf(t, j).Manifest.Stream("video").Timeline
		require.Len(t, tl, 51+int(n))
		assert.Equal(t, end, held[length-1])
		if &tl[0] != last {
			copies++
		}
		last = &tl[0]
	}
	assert.Less(t, copies, 12, "the timeline is not copied for each fragment")
}

func TestJoinedStreamsAndLevelsThatSomePartsLack(t *testing.T) {
	video := streamOf(smooth.Video, 0, 5, 1_000_000, 400_000)
	one := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{video}})
	video = streamOf(smooth.Video, 10*tick, 5, 2_000_000, 1_000_000)
	two := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{video, streamOf(smooth.Audio, 10*tick, 5, 96_000)}})
	three := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{streamOf(smooth.Audio, 20*tick, 5, 96_000)}})
	var parts []archive.Shared
	for _, r := range []*recorder{one, two, three} {
		r.until(1000 * tick)
		r.index.End()
		parts = append(parts, r.growing(false))
	}
	j := archive.NewJoined(false, smooth.Period{})
	j.Set(parts, true)
	s := snapshotOf(t, j)
	require.Len(t, s.Manifest.Streams, 2)
	var rates []uint64
	for i, l := range s.Manifest.Stream("video").Levels {
		assert.Equal(t, uint32(i), l.Index)
		rates = append(rates, l.Bitrate)
	}
	assert.Equal(t, []uint64{1_000_000, 400_000, 2_000_000}, rates)
	assert.Equal(t, []int{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}, listed(t, j, "video"))
	assert.Equal(t, []int{10, 12, 14, 16, 18, 20, 22, 24, 26, 28}, listed(t, j, "audio"))
	require.Len(t, s.Periods, 1)
	assert.Len(t, s.Periods[0].Tracks, 4)
	for _, tr := range s.Periods[0].Tracks {
		assert.NotNil(t, tr.Codec)
	}
	for _, c := range []struct {
		key smooth.FragmentKey
		ok  bool
	}{
		{at(videoKey, 4), true},
		{at(videoKey, 14), true},
		{smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 4 * tick}, true},
		{smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 14 * tick}, false},
		{smooth.FragmentKey{Stream: "video", Bitrate: 2_000_000, Time: 14 * tick}, true},
		{smooth.FragmentKey{Stream: "video", Bitrate: 2_000_000, Time: 4 * tick}, false},
		{at(audioKey, 24), true},
		{at(audioKey, 4), false},
	} {
		f, err := j.Fragment(t.Context(), c.key)
		assert.Equal(t, c.ok, err == nil, "%v: %v", c.key, err)
		if err == nil {
			f.Close()
		} else {
			assert.ErrorIs(t, err, smooth.ErrNotFound)
		}
	}
}

func TestJoinedPeriods(t *testing.T) {
	small := smoothtest.Level{Bitrate: 1_000_000, Width: 320, Height: 180}
	large := smoothtest.Level{Bitrate: 1_000_000, Width: 640, Height: 360}
	wall := time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)
	for _, live := range []bool{false, true} {
		var parts []archive.Shared
		for i, l := range []smoothtest.Level{small, small, large, large, small} {
			r := withPictures(t, uint64(i)*10, 5, l)
			r.until(1000 * tick)
			r.index.End()
			parts = append(parts, r.growing(live))
		}
		j := archive.NewJoined(live, smooth.Period{Start: 0, Wall: wall})
		j.Set(parts, false)
		s := snapshotOf(t, j)
		require.Len(t, s.Periods, 3)
		for i, start := range []uint64{0, 20, 40} {
			p := s.Periods[i]
			assert.Equal(t, start*tick, p.Start)
			assert.Equal(t, wall.Add(time.Duration(start)*time.Second), p.Wall)
			assert.Equal(t, uint64(i), p.Discontinuity)
			require.Len(t, p.Tracks, 1)
			want := uint32(320)
			if i == 1 {
				want = 640
			}
			assert.Equal(t, want, p.Tracks[0].Codec.Width)
			assert.Same(t, p.Tracks[0].Codec, s.Track(at(videoKey, start+2)).Codec)
		}
		f, err := j.Fragment(t.Context(), at(videoKey, 24))
		require.NoError(t, err)
		assert.Equal(t, uint32(640), f.Codec.Width)
		f.Close()
		assert.Equal(t, live, s.Manifest.IsLive)
		j.Close()
	}
}

func TestJoinedWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := segmentsOf(t, 5, 0, 10)
		j := archive.NewJoined(true, smooth.Period{})
		v := archive.NewLiveView(j)
		j.Set([]archive.Shared{rs[0].growing(true)}, false)
		rs[0].until(10 * tick)
		done := make(chan error, 1)
		go func() { done <- v.Wait(t.Context(), at(videoKey, 8)) }()
		synctest.Wait()
		assert.Empty(t, done)
		j.Set([]archive.Shared{rs[0].growing(true), rs[1].growing(true)}, false)
		rs[1].until(14 * tick)
		assert.NoError(t, <-done)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- v.Wait(ctx, at(videoKey, 18)) }()
		synctest.Wait()
		cancel()
		assert.ErrorIs(t, <-done, context.Canceled)
		go func() { done <- v.Wait(t.Context(), at(videoKey, 18)) }()
		synctest.Wait()
		j.Set(nil, true)
		assert.ErrorIs(t, <-done, smooth.ErrNotFound)
	})
}
