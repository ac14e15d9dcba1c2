package archive_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/hls"
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
	small, large := smoothtest.Level{Bitrate: 1_000_000, Width: 320, Height: 180}, smoothtest.Level{Bitrate: 1_000_000, Width: 640, Height: 360}
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

func TestJoinedWaitsForTheEndOfAPart(t *testing.T) {
	rs := segmentsOf(t, 5, 0, 10)
	j := archive.NewJoined(true, smooth.Period{})
	j.Set([]archive.Shared{rs[0].growing(true), rs[1].growing(true)}, false)
	rs[0].until(8 * tick)
	rs[1].until(14 * tick)
	assert.Equal(t, []int{0, 2, 4, 6}, listed(t, j, "video"), "the first part may still get one more")
	f, err := j.Fragment(t.Context(), at(videoKey, 10))
	require.NoError(t, err, "it is there all the same")
	f.Close()
	rs[0].until(10 * tick)
	assert.Equal(t, []int{0, 2, 4, 6, 8, 10, 12}, listed(t, j, "video"))

	rs = segmentsOf(t, 5, 0, 10, 20)
	j = archive.NewJoined(true, smooth.Period{})
	parts := []archive.Shared{rs[0].growing(true), rs[1].growing(true), rs[2].growing(true)}
	j.Set(parts, false)
	rs[0].until(8 * tick)
	rs[1].until(12 * tick)
	assert.Equal(t, []int{0, 2, 4, 6}, listed(t, j, "video"))
	j.Set(parts, true)
	assert.Equal(t, []int{0, 2, 4, 6, 10}, listed(t, j, "video"), "nothing is held back at the end")

	rs = segmentsOf(t, 5, 0, 10)
	j = archive.NewJoined(true, smooth.Period{})
	j.Set([]archive.Shared{rs[0].growing(true), rs[1].growing(true)}, false)
	rs[0].until(8 * tick)
	rs[1].until(14 * tick)
	rs[0].index.End()
	assert.Equal(t, []int{0, 2, 4, 6, 10, 12}, listed(t, j, "video"), "it does not come any more")
	assert.Equal(t, uint64(2*tick-1), snapshotOf(t, j).Manifest.Stream("video").Timeline[4].Duration)

	rs = segmentsOf(t, 5, 0, 10)
	j = archive.NewJoined(true, smooth.Period{})
	j.Set([]archive.Shared{rs[0].growing(true), rs[1].growing(true)}, false)
	rs[0].until(8 * tick)
	rs[1].until(18 * tick)
	assert.Equal(t, []int{0, 2, 4, 6, 10, 12, 14, 16}, listed(t, j, "video"), "it is not waited for very long")
	rs[0].until(10 * tick)
	assert.Equal(t, []int{0, 2, 4, 6, 8, 10, 12, 14, 16}, listed(t, j, "video"), "late, but it is there")
	for _, c := range snapshotOf(t, j).Manifest.Stream("video").Timeline {
		k := videoKey
		k.Time = c.Time
		f, err := j.Fragment(t.Context(), k)
		require.NoError(t, err)
		f.Close()
	}
}

func TestJoinedPartsThatOverlap(t *testing.T) {
	rs := segmentsOf(t, 10, 0, 11)
	j := archive.NewJoined(false, smooth.Period{})
	for _, r := range rs {
		r.until(1000 * tick)
	}
	j.Set([]archive.Shared{rs[0].growing(false), rs[1].growing(false)}, true)
	want := []int{0, 2, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 23, 25, 27, 29}
	assert.Equal(t, want, listed(t, j, "video"))
	for _, n := range want {
		f, err := j.Fragment(t.Context(), at(videoKey, uint64(n)))
		require.NoError(t, err, n)
		f.Close()
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

// TestJoinedOverHLS plays a list while the event grows over a boundary, and when it has ended.
func TestJoinedOverHLS(t *testing.T) {
	rs := segmentsOf(t, 10, 0, 20)
	j := archive.NewJoined(true, smooth.Period{Wall: time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)})
	v := archive.NewLiveView(j)
	defer v.Close()
	h := smooth.NewHandler(one{v}, &smooth.HandlerOptions{Outputs: []smooth.Output{hls.NewOutput(&hls.Options{Logger: noLog})}})
	get := func(path string) string {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		require.Equal(t, 200, w.Code, "%s: %s", path, w.Body)
		return w.Body.String()
	}
	// lines returns the lines of a list, its addresses as paths.
	lines := func(path string) (all, addresses []string) {
		t.Helper()
		base, err := url.Parse(path)
		require.NoError(t, err)
		for line := range strings.SplitSeq(strings.TrimSpace(get(path)), "\n") {
			all = append(all, line)
			if !strings.HasPrefix(line, "#") {
				u, err := base.Parse(line)
				require.NoError(t, err)
				addresses = append(addresses, u.String())
			}
		}
		return all, addresses
	}
	media := func() (all, segments []string) {
		t.Helper()
		_, lists := lines("/" + oneName + "/manifest(format=m3u8-aapl)")
		require.NotEmpty(t, lists)
		return lines(lists[0])
	}
	known := []string{}
	parts := []archive.Shared{rs[0].growing(true)}
	j.Set(parts, false)
	for end := uint64(12); end <= 40; end += 4 {
		if end > 20 && len(parts) == 1 {
			parts = append(parts, rs[1].growing(true))
			j.Set(parts, false)
		}
		for _, r := range rs {
			r.until(end * tick)
		}
		all, segments := media()
		assert.Contains(t, all, "#EXT-X-PLAYLIST-TYPE:EVENT")
		assert.NotContains(t, all, "#EXT-X-ENDLIST")
		assert.NotContains(t, all, "#EXT-X-DISCONTINUITY")
		require.GreaterOrEqual(t, len(segments), len(known))
		assert.Equal(t, known, segments[:len(known)], "what is listed stays")
		known = segments
	}
	rs[0].index.End()
	rs[1].index.End()
	j.Set(parts, true)
	all, segments := media()
	assert.Contains(t, all, "#EXT-X-ENDLIST")
	assert.Equal(t, known, segments[:len(known)])
	assert.GreaterOrEqual(t, len(segments), 4)
	for _, s := range segments {
		assert.NotEmpty(t, get(s))
	}
}

func TestReadersWhilePartsChange(t *testing.T) {
	rs := segmentsOf(t, 20, 0, 40, 80)
	j := archive.NewJoined(true, smooth.Period{})
	v := archive.NewLiveView(j)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for seed := range uint64(4) {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 2))
			for {
				select {
				case <-done:
					return
				default:
				}
				s, err := v.Snapshot(t.Context())
				if !assert.NoError(t, err) {
					return
				}
				for _, st := range s.Manifest.Streams {
					if n := len(st.Timeline); n > 0 {
						c := st.Timeline[r.IntN(n)]
						k := smooth.FragmentKey{Stream: st.Name, Bitrate: st.Levels[0].Bitrate, Time: c.Time}
						f, err := v.Fragment(t.Context(), k)
						if !assert.NoError(t, err) {
							return
						}
						assert.False(t, f.Early)
						f.Close()
					}
				}
			}
		})
	}
	var parts []archive.Shared
	for i, r := range rs {
		parts = append(parts, r.growing(true))
		j.Set(parts, false)
		for n := range uint64(20) {
			r.until(uint64(i)*40*tick + (n+1)*2*tick)
		}
		r.index.End()
		parts[i] = r.growing(false)
		j.Set(parts, i == 2)
	}
	close(done)
	readers.Wait()
	v.Close()
	for _, r := range rs {
		assert.Equal(t, 2, r.closed)
	}
}

// brokenPart is a presentation that fails, and is nothing but a [smooth.Presentation].
type brokenPart struct {
	smooth.Presentation
	err error
}

func (b *brokenPart) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.Presentation.Snapshot(ctx)
}

func TestJoinedOfOtherPresentations(t *testing.T) {
	r := segmentsOf(t, 5, 0)[0]
	part := &brokenPart{Presentation: r.from, err: assert.AnError}
	j := archive.NewJoined(false, smooth.Period{})
	j.SetAny([]smooth.Presentation{part}, true)
	_, err := j.Snapshot(t.Context())
	assert.ErrorIs(t, err, assert.AnError)
	_, err = j.Fragment(t.Context(), at(videoKey, 2))
	assert.ErrorIs(t, err, assert.AnError)
	assert.ErrorIs(t, j.Wait(t.Context(), videoKey), assert.AnError)
	part.err = nil
	size, err := j.FragmentSize(at(videoKey, 2))
	require.NoError(t, err)
	want, err := r.from.FragmentSize(at(videoKey, 2))
	require.NoError(t, err)
	assert.Equal(t, want, size)
	_, err = j.FragmentSize(at(videoKey, 3))
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.NoError(t, j.Wait(t.Context(), at(videoKey, 2)))
	assert.Zero(t, r.from.OpenFragments())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = j.Snapshot(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	j.Close()
	assert.Equal(t, 1, r.from.Closed())
}

func TestLiveViewOfFragmentsWithoutHead(t *testing.T) {
	r := segmentsOf(t, 5, 0)[0]
	r.until(1000 * tick)
	v := archive.NewLiveView(r.growing(true))
	e, _ := r.index.Find(r.tracks[videoKey], 0)
	for _, damage := range []int{4, 29, int(e.Head) - 1} { // the type of moof, that of traf, and the header of mdat, which nobody reads
		tape := r.tapes[0]
		old := tape.data[e.Offset+int64(damage)]
		tape.data[e.Offset+int64(damage)] = 'x'
		f, err := v.Fragment(t.Context(), videoKey)
		if damage == int(e.Head)-1 {
			require.NoError(t, err)
			f.Close()
		} else {
			assert.ErrorIs(t, err, smooth.ErrCorrupt, damage)
		}
		tape.data[e.Offset+int64(damage)] = old
	}
	require.True(t, v.Retain())
	v.Close()
	assert.Zero(t, r.closed)
	v.Close()
	assert.Equal(t, 1, r.closed, "nothing is lent any more")
	_, err := v.Snapshot(t.Context())
	assert.ErrorIs(t, err, smooth.ErrClosed)
	_, err = v.Fragment(t.Context(), videoKey)
	assert.ErrorIs(t, err, smooth.ErrClosed)
	assert.False(t, v.Retain())
}

// madePart is a presentation with a snapshot of its own.
type madePart struct {
	smooth.Presentation
	snap *smooth.Snapshot
}

func (p *madePart) Snapshot(context.Context) (*smooth.Snapshot, error) { return p.snap, nil }

func TestJoinedFilesWithGaps(t *testing.T) {
	part := func(starts ...uint64) smooth.Presentation {
		r := segmentsOf(t, 1, 0)[0]
		m := *snapshotOf(t, r.from).Manifest
		video := *m.Streams[0]
		video.Timeline = nil
		for _, start := range starts {
			video.Timeline = append(video.Timeline, smooth.Chunk{Time: start * tick, Duration: 2 * tick})
		}
		m.Streams = []*smooth.Stream{&video}
		return &madePart{r.from, smooth.NewSnapshot(&m, "")}
	}
	shorter := func(parts ...smooth.Presentation) []int {
		j := archive.NewJoined(true, smooth.Period{})
		j.SetAny(parts, false)
		var list smooth.Timeline
		for _, c := range snapshotOf(t, j).Manifest.Streams[0].Timeline {
			if c.Duration != 2*tick {
				assert.Equal(t, uint64(2*tick-1), c.Duration)
				list = append(list, c)
			}
		}
		return seconds(list)
	}
	one := part(0, 2, 6, 8, 20, 30)
	own := snapshotOf(t, one).Manifest.Streams[0].Timeline
	assert.Equal(t, []int{6, 20}, shorter(one), "30 has another duration than 20 has now")
	assert.Equal(t, uint64(2*tick), own[2].Duration, "the part stays as it is")
	assert.Equal(t, []int{6, 20, 34, 44}, shorter(one, part(34, 36, 44)))
	assert.Equal(t, []int{}, shorter(part(0, 2), part(4, 6)))
}
