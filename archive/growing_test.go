package archive_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func TestGrowingGivesBackWhatWasRecorded(t *testing.T) {
	r := newRecorder(t, smoothtest.Default())
	r.until(60 * tick)
	for _, live := range []bool{false, true} {
		g := r.growing(live)
		snap := snapshotOf(t, g)
		assert.Equal(t, live, snap.Manifest.IsLive)
		assert.Equal(t, !live, snap.Ended)
		count := 0
		for _, st := range snap.Manifest.Streams {
			for _, l := range st.Levels {
				for _, c := range st.Timeline {
					k := smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Attrs: l.AttrsKey(), Time: c.Time}
					want, err := r.from.Fragment(t.Context(), k)
					require.NoError(t, err)
					f, err := g.Fragment(t.Context(), k)
					require.NoError(t, err)
					assert.Equal(t, bytesOf(t, want), bytesOf(t, f))
					assert.Equal(t, want.Codec, f.Codec)
					assert.Equal(t, want.Duration, f.Duration)
					assert.Equal(t, k, f.Key)
					size, err := g.FragmentSize(k)
					require.NoError(t, err)
					assert.Equal(t, f.PayloadSize(), size)
					want.Close()
					f.Close()
					count++
				}
			}
		}
		assert.Equal(t, 5*15+3, count)
		g.Close()
	}
	assert.Equal(t, 2, r.closed)
	valid(t, r.growing(false))
}

func TestGrowingLargeFragments(t *testing.T) {
	c := smoothtest.Config{MaxPayload: 1 << 20, Streams: []smoothtest.Stream{streamOf(smooth.Video, 0, 3, 3_000_000)}}
	for name, path := range map[string]string{"a section": "", "a descriptor": filepath.Join(t.TempDir(), "video")} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(t, c)
			r.tapes[0].path = path
			r.until(60 * tick)
			g := r.growing(true)
			k := smooth.FragmentKey{Stream: "video", Bitrate: 3_000_000, Time: 2 * tick}
			want, err := r.from.Fragment(t.Context(), k)
			require.NoError(t, err)
			defer want.Close()
			require.Greater(t, want.Size(), int64(64<<10))
			f, err := g.Fragment(t.Context(), k)
			require.NoError(t, err)
			if path != "" {
				assert.Equal(t, 1, r.tapes[0].lent)
			}
			assert.Equal(t, bytesOf(t, want), bytesOf(t, f))
			g.Close()
			assert.Zero(t, r.closed, "the fragment still reads from the file")
			var out bytes.Buffer
			_, err = f.WriteTo(&out)
			require.NoError(t, err)
			assert.Equal(t, bytesOf(t, want), out.Bytes())
			f.Close()
			assert.Equal(t, 1, r.closed)
			assert.Zero(t, r.tapes[0].lent)
		})
	}
}

func TestGrowingErrors(t *testing.T) {
	r := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{
		streamOf(smooth.Video, 0, 10, 1_000_000), streamOf(smooth.Audio, 0, 10, 96_000),
	}})
	video := smooth.FragmentKey{Stream: "video", Bitrate: 1_000_000}
	for n := range 5 {
		if n != 2 {
			video.Time = uint64(n) * 2 * tick
			r.add(video)
		}
	}
	at := func(k smooth.FragmentKey, time uint64) smooth.FragmentKey { k.Time = time; return k }
	live, onDemand := r.growing(true), r.growing(false)
	for _, c := range []struct {
		key            smooth.FragmentKey
		live, onDemand error
	}{
		{at(video, 1), smooth.ErrNotFound, smooth.ErrNotFound},
		{at(video, 4*tick), smooth.ErrNotFound, smooth.ErrNotFound},
		{at(video, 10*tick), smooth.ErrNotYet, smooth.ErrNotFound},
		{at(video, 50*tick), smooth.ErrNotYet, smooth.ErrNotFound},
		{smooth.FragmentKey{Stream: "audio", Bitrate: 96_000}, smooth.ErrNotYet, smooth.ErrNotFound},
		{smooth.FragmentKey{Stream: "video", Bitrate: 2}, smooth.ErrNotFound, smooth.ErrNotFound},
		{smooth.FragmentKey{Stream: "other", Bitrate: 2}, smooth.ErrNotFound, smooth.ErrNotFound},
	} {
		_, err := live.Fragment(t.Context(), c.key)
		assert.ErrorIs(t, err, c.live, "%v", c.key)
		_, err = live.FragmentSize(c.key)
		assert.ErrorIs(t, err, c.live, "%v", c.key)
		_, err = onDemand.Fragment(t.Context(), c.key)
		assert.ErrorIs(t, err, c.onDemand, "%v", c.key)
	}
	r.index.End()
	_, err := live.Fragment(t.Context(), at(video, 50*tick))
	assert.ErrorIs(t, err, smooth.ErrNotFound)

	fault := errors.New("the disk is on fire")
	r.tapes[0].fails = fault
	_, err = live.Fragment(t.Context(), at(video, 0))
	assert.ErrorIs(t, err, fault)
	r.tapes[0].fails = nil
	r.tapes[0].data = r.tapes[0].data[:100]
	_, err = live.Fragment(t.Context(), at(video, 0))
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	r.tapes = nil
	_, err = live.Fragment(t.Context(), at(video, 0))
	assert.ErrorIs(t, err, smooth.ErrNotFound)

	require.True(t, live.Retain())
	live.Close()
	assert.Zero(t, r.closed)
	live.Close()
	assert.Equal(t, 1, r.closed, "failed calls keep nothing")
	assert.False(t, live.Retain())
	_, err = live.Fragment(t.Context(), video)
	assert.ErrorIs(t, err, smooth.ErrClosed)
	_, err = live.Snapshot(t.Context())
	assert.ErrorIs(t, err, smooth.ErrClosed)
}

func TestGrowingRefusesHeadsBeyondAllBounds(t *testing.T) {
	r := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{streamOf(smooth.Video, 0, 1, 1)}})
	r.index.Add(0, index.Entry{Duration: 1, Head: 1 << 31, Payload: 1 << 31})
	_, err := r.growing(false).Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 1})
	assert.ErrorIs(t, err, smooth.ErrCorrupt)
}

func TestLiveView(t *testing.T) {
	r := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{
		streamOf(smooth.Video, 0, 12, 1_000_000, 400_000), streamOf(smooth.Audio, 0, 12, 96_000),
	}})
	v := archive.NewLiveView(r.growing(true))
	defer v.Close()
	first := snapshotOf(t, v)
	assert.ErrorIs(t, first.NotSmooth, smooth.ErrNotYet)
	r.until(4 * tick)
	assert.True(t, isOld(first))
	assert.Equal(t, []int{}, listed(t, v, "video"), "nothing is listed without its look-ahead")
	assert.ErrorIs(t, snapshotOf(t, v).NotSmooth, smooth.ErrNotYet)

	for end := uint64(6); end <= 16; end += 2 {
		before := snapshotOf(t, v)
		r.until(end * tick)
		assert.True(t, isOld(before))
		s := snapshotOf(t, v)
		assert.NotEqual(t, before.Validator, s.Validator)
		assert.NoError(t, s.NotSmooth)
		assert.Equal(t, uint32(2), s.Manifest.LookaheadCount)
		for i, st := range s.Manifest.Streams {
			assert.Len(t, st.Timeline, int(end/2)-2)
			assert.Equal(t, uint32(len(st.Timeline)), st.DeclaredChunks)
			assert.Equal(t, (end-4)*tick, s.Edges[i].Listed)
			assert.Equal(t, end*tick, s.Edges[i].Complete)
			require.Len(t, s.Edges[i].Received, int(end/2))
			assert.Same(t, &st.Timeline[0], &s.Edges[i].Received[0], "slices of one array")
		}
		valid(t, v)
	}
	early := smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 14 * tick}
	f, err := v.Fragment(t.Context(), early)
	require.NoError(t, err)
	assert.True(t, f.Early)
	assert.Empty(t, announced(t, f))
	f.Close()
	early.Time = 16 * tick
	_, err = v.Fragment(t.Context(), early)
	assert.ErrorIs(t, err, smooth.ErrNotYet)

	kept := map[uint64][]byte{}
	video := smooth.FragmentKey{Stream: "video", Bitrate: 1_000_000}
	for _, c := range snapshotOf(t, v).Manifest.Stream("video").Timeline {
		video.Time = c.Time
		f, err := v.Fragment(t.Context(), video)
		require.NoError(t, err)
		assert.False(t, f.Early)
		assert.Equal(t, []int{int(c.Time/tick) + 2, int(c.Time/tick) + 4}, announced(t, f))
		kept[c.Time] = bytesOf(t, f)
		f.Close()
	}

	r.index.End()
	s := snapshotOf(t, v)
	assert.True(t, s.Ended)
	assert.False(t, s.Manifest.IsLive)
	assert.Zero(t, s.Manifest.LookaheadCount)
	assert.Equal(t, uint64(16*tick), s.Manifest.Duration)
	assert.Len(t, s.Manifest.Stream("video").Timeline, 8)
	for time, b := range kept {
		video.Time = time
		f, err := v.Fragment(t.Context(), video)
		require.NoError(t, err)
		assert.Equal(t, b, bytesOf(t, f), "the bytes stay")
		f.Close()
	}
	for time, want := range map[uint64][]int{12: {14}, 14: {}} {
		video.Time = time * tick
		f, err := v.Fragment(t.Context(), video)
		require.NoError(t, err)
		assert.Equal(t, want, announced(t, f))
		f.Close()
	}
	valid(t, v)
}

func TestLiveViewOfSparseStreams(t *testing.T) {
	ads := smoothtest.Stream{
		Type: smooth.Text, Name: "ads", Subtype: "SCMD", Parent: "video", Start: 3 * tick,
		Durations: []uint64{4 * tick, 5 * tick}, Levels: []smoothtest.Level{{Bitrate: 1_000}},
	}
	r := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{streamOf(smooth.Video, 0, 12, 1_000_000), ads}})
	v := archive.NewLiveView(r.growing(true))
	defer v.Close()
	script := smooth.FragmentKey{Stream: "ads", Bitrate: 1_000, Time: 3 * tick}
	r.add(script)
	r.until(4 * tick)
	assert.Equal(t, []int{}, listed(t, v, "ads"))
	f, err := v.Fragment(t.Context(), script)
	require.NoError(t, err)
	assert.True(t, f.Early)
	f.Close()
	r.until(10 * tick) // the picture is listed until 6
	assert.Equal(t, []int{0, 2, 4}, listed(t, v, "video"))
	assert.Equal(t, []int{3}, listed(t, v, "ads"))
	f, err = v.Fragment(t.Context(), script)
	require.NoError(t, err)
	assert.False(t, f.Early)
	assert.Empty(t, announced(t, f))
	f.Close()
	script.Time = 7 * tick
	r.add(script)
	assert.Equal(t, []int{3}, listed(t, v, "ads"))
	r.until(16 * tick)
	assert.Equal(t, []int{3, 7}, listed(t, v, "ads"))
	for time, pointer := range map[uint64]string{2: "", 4: "ads=30000000", 6: "ads=30000000", 8: "ads=70000000"} {
		f, err := v.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 1_000_000, Time: time * tick})
		require.NoError(t, err)
		assert.Equal(t, pointer, f.ChildTrack, time)
		f.Close()
	}
	r.index.End()
	assert.Equal(t, []int{3, 7}, listed(t, v, "ads"))
}

func TestLiveViewAfterGap(t *testing.T) {
	r := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{streamOf(smooth.Video, 0, 12, 1_000_000)}})
	v := archive.NewLiveView(r.growing(true))
	defer v.Close()
	k := smooth.FragmentKey{Stream: "video", Bitrate: 1_000_000}
	for n := range uint64(10) {
		if n != 3 && n != 4 {
			k.Time = n * 2 * tick
			r.add(k)
		}
	}
	r.index.AddGap(smooth.Gap{Stream: "video", Time: 6 * tick, Duration: 4 * tick})
	assert.Equal(t, []smooth.Gap{{Stream: "video", Time: 6 * tick, Duration: 4 * tick}}, snapshotOf(t, v).Gaps)
	k.Time = 4 * tick
	f, err := v.Fragment(t.Context(), k)
	require.NoError(t, err)
	assert.Equal(t, []int{10, 12}, announced(t, f))
	next := spans(t, f)
	assert.Equal(t, uint64(2*tick-1), next[0].Duration, "rx-player looks at the time only if the duration is another one")
	f.Close()
	k.Time = 10 * tick
	f, err = v.Fragment(t.Context(), k)
	require.NoError(t, err)
	assert.Equal(t, uint64(2*tick-1), f.Duration)
	f.Close()
	valid(t, v, "SM410") // the gap
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

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t, smoothtest.Config{Streams: []smoothtest.Stream{streamOf(smooth.Video, 0, 12, 1_000_000)}})
		plain := r.growing(true)
		live := archive.NewLiveView(r.growing(true))
		k := smooth.FragmentKey{Stream: "video", Bitrate: 1_000_000, Time: 4 * tick}
		results := make(chan string, 4)
		go func() {
			assert.NoError(t, plain.Wait(t.Context(), k))
			results <- "plain"
		}()
		go func() {
			assert.NoError(t, live.Wait(t.Context(), k))
			results <- "live"
		}()
		late := k
		late.Time = 100 * tick
		go func() {
			assert.ErrorIs(t, live.Wait(t.Context(), late), smooth.ErrNotFound)
			results <- "never"
		}()
		r.until(4 * tick)
		synctest.Wait()
		assert.Empty(t, results)
		r.until(6 * tick)
		assert.Equal(t, "plain", <-results)
		synctest.Wait()
		assert.Empty(t, results, "it has no look-ahead yet")
		r.until(10 * tick)
		assert.Equal(t, "live", <-results)
		r.index.End()
		assert.Equal(t, "never", <-results)
		assert.NoError(t, live.Wait(t.Context(), k))
		between := k
		between.Time++
		assert.ErrorIs(t, live.Wait(t.Context(), between), smooth.ErrNotFound)
	})
}
