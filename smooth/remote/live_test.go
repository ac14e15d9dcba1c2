package remote_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/remote"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// live runs a test with a live origin that lists ten fragments, and a presentation of a source in front of it, in a
// bubble.
func live(t *testing.T, test func(t *testing.T, l *liveServer, d *direct, p smooth.Presentation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLiveServer(10)
		d := newDirect(l)
		s, err := remote.New("http://origin/video/", options(d))
		require.NoError(t, err)
		p, err := s.Open(t.Context(), liveName)
		require.NoError(t, err)
		test(t, l, d, p)
		p.Close()
		require.NoError(t, s.Close())
		synctest.Wait()
	})
}

// settle lets time pass, and everything that is due in it.
func settle(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

// take fetches a fragment and returns its bytes.
func take(t *testing.T, p smooth.Presentation, k smooth.FragmentKey) []byte {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err, "%+v", k)
	defer f.Close()
	return whole(t, f)
}

// TestPoll: a live presentation follows the manifest of its origin, whose fragments come out as they are.
func TestPoll(t *testing.T) {
	live(t, func(t *testing.T, l *liveServer, d *direct, p smooth.Presentation) {
		first := snapshot(t, p)
		assert.False(t, first.Ended)
		assert.True(t, first.Manifest.IsLive)
		assert.EqualValues(t, 2, first.Manifest.LookaheadCount)
		require.Len(t, first.Edges, 2)
		assert.Equal(t, smooth.Edge{Listed: 20 * second, Complete: 20 * second, Received: first.Manifest.Streams[0].Timeline}, first.Edges[0])
		assert.Equal(t, l.sent(t, videoKey(3)), take(t, p, videoKey(3)))
		f := fragment(t, p, videoKey(3))
		assert.Equal(t, "ad=1200", f.ChildTrack)
		assert.False(t, f.Early)

		l.set(func() { l.to, l.from = 12, 1 })
		settle(1100 * time.Millisecond)
		select {
		case <-first.Superseded():
		default:
			t.Fatal("not superseded")
		}
		next := snapshot(t, p)
		assert.Equal(t, smooth.Timeline{{Time: 2 * second, Duration: 2 * second}}, next.Manifest.Streams[1].Timeline[:1])
		assert.EqualValues(t, 24*second, next.Edges[1].Listed)
		assert.Len(t, first.Manifest.Streams[0].Timeline, 10, "what was published stays")
		assert.Zero(t, first.Manifest.Streams[0].Timeline.Start())
		assert.NotEqual(t, first.Validator, next.Validator)

		polls := d.count("/Manifest")
		settle(10 * time.Second)
		assert.InDelta(t, 10, d.count("/Manifest")-polls, 1, "every half fragment")
		assert.Same(t, next, snapshot(t, p), "a manifest that has not changed is no new snapshot")

		l.set(func() { l.ended = true })
		settle(2 * time.Second)
		last := snapshot(t, p)
		assert.True(t, last.Ended)
		assert.Nil(t, last.Edges)
		polls = d.count("/Manifest")
		settle(30 * time.Second)
		assert.Equal(t, polls, d.count("/Manifest"), "what has ended is not polled")
		_, err := p.Fragment(t.Context(), videoKey(12))
		assert.ErrorIs(t, err, smooth.ErrNotFound)
		assert.ErrorIs(t, p.(smooth.Waiter).Wait(t.Context(), videoKey(12)), smooth.ErrNotFound)
	})
}

// TestWindow: what has left the window is gone, what is to come is not there yet, and neither is asked for.
func TestWindow(t *testing.T) {
	live(t, func(t *testing.T, l *liveServer, d *direct, p smooth.Presentation) {
		l.set(func() { l.to, l.from = 14, 4 })
		settle(1100 * time.Millisecond)
		asked := d.count("")
		_, err := p.Fragment(t.Context(), videoKey(3))
		assert.ErrorIs(t, err, smooth.ErrGone)
		_, err = p.Fragment(t.Context(), videoKey(20))
		assert.ErrorIs(t, err, smooth.ErrNotYet)
		k := videoKey(5)
		k.Time++
		_, err = p.Fragment(t.Context(), k)
		assert.ErrorIs(t, err, smooth.ErrNotFound)
		assert.Equal(t, asked, d.count(""))

		_, err = p.Fragment(t.Context(), videoKey(14))
		assert.ErrorIs(t, err, smooth.ErrNotYet)
		_, err = p.Fragment(t.Context(), videoKey(14))
		assert.ErrorIs(t, err, smooth.ErrNotYet)
		assert.Equal(t, asked+2, d.count(""), "the next one is asked for, and 412 is not kept")

		l.set(func() { l.from = 6 })
		_, err = p.Fragment(t.Context(), videoKey(5))
		assert.ErrorIs(t, err, smooth.ErrNotFound, "still listed here")
		settle(1100 * time.Millisecond)
		_, err = p.Fragment(t.Context(), videoKey(5))
		assert.ErrorIs(t, err, smooth.ErrGone)
	})
}

// TestTfrf: a fragment that passes through names the next ones. They can be asked for before a manifest lists them, and
// once one has come it is listed.
func TestTfrf(t *testing.T) {
	live(t, func(t *testing.T, l *liveServer, d *direct, p smooth.Presentation) {
		polls := d.count("/Manifest")
		take(t, p, videoKey(9))
		_, err := p.Fragment(t.Context(), videoKey(10))
		assert.ErrorIs(t, err, smooth.ErrNotYet)
		assert.Len(t, line(t, p, "video"), 10)
		before := snapshot(t, p)
		l.set(func() { l.to = 13 })
		assert.Equal(t, l.sent(t, videoKey(11)), take(t, p, videoKey(11)))
		after := snapshot(t, p)
		assert.Len(t, after.Manifest.Streams[0].Timeline, 12, "one that was named between is there, too")
		assert.Len(t, after.Manifest.Streams[1].Timeline, 10)
		assert.EqualValues(t, 24*second, after.Edges[0].Listed)
		assert.NotEqual(t, before.Validator, after.Validator)
		select {
		case <-before.Superseded():
		default:
			t.Error("not superseded")
		}
		take(t, p, videoKey(12))
		assert.Equal(t, polls, d.count("/Manifest"))

		l.set(func() { l.hide = 2 }) // what a cache in between still has
		settle(1100 * time.Millisecond)
		assert.Len(t, line(t, p, "video"), 13, "a manifest that is behind takes nothing back")
		assert.Len(t, line(t, p, "audio"), 11)
		l.set(func() { l.hide, l.to = 0, 15 })
		settle(1100 * time.Millisecond)
		assert.Equal(t, line(t, p, "audio"), line(t, p, "video"))
		assert.Len(t, line(t, p, "video"), 15)
		assert.Len(t, snapshot(t, p).Periods, 1)
		assert.Zero(t, snapshot(t, p).Periods[0].Discontinuity)
	})
}

// TestNextFragment: the fragment after the last one can be asked for even if nothing has named it.
func TestNextFragment(t *testing.T) {
	live(t, func(t *testing.T, l *liveServer, d *direct, p smooth.Presentation) {
		l.set(func() { l.to = 11 })
		assert.Equal(t, l.sent(t, videoKey(10)), take(t, p, videoKey(10)))
		assert.Len(t, line(t, p, "video"), 11)
	})
}

// TestWait: those who wait are woken by polls and by fragments that pass, each when it is time.
func TestWait(t *testing.T) {
	live(t, func(t *testing.T, l *liveServer, d *direct, p smooth.Presentation) {
		w := p.(smooth.Waiter)
		require.NoError(t, w.Wait(t.Context(), videoKey(9)))
		var wg sync.WaitGroup
		var woken [3]time.Duration
		start := time.Now()
		for i, k := range []smooth.FragmentKey{videoKey(10), videoKey(10), videoKey(12)} {
			wg.Go(func() {
				assert.NoError(t, w.Wait(t.Context(), k))
				woken[i] = time.Since(start)
			})
		}
		settle(2 * time.Second)
		l.set(func() { l.to = 11 })
		settle(2 * time.Second)
		l.set(func() { l.to = 13 })
		wg.Wait()
		assert.InDelta(t, 2.25, woken[0].Seconds(), 0.3, "asked for every quarter of a fragment")
		assert.Equal(t, woken[0], woken[1])
		assert.InDelta(t, 4.5, woken[2].Seconds(), 0.6)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, w.Wait(ctx, videoKey(15)), context.DeadlineExceeded)
		wg.Go(func() { assert.ErrorIs(t, w.Wait(t.Context(), videoKey(20)), smooth.ErrNotFound) })
		settle(time.Second)
		l.set(func() { l.ended = true })
		wg.Wait()
	})
}

// TestHeldRequest: a handler in front holds the request for the next fragment until the origin has it.
func TestHeldRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveServer(10)
		s, err := remote.New("http://origin/video/", options(newDirect(l)))
		require.NoError(t, err)
		h := smooth.NewHandler(s, &smooth.HandlerOptions{WaitAtEdge: 10 * time.Second, Logger: quiet()})
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() {
			h.ServeHTTP(w, httptest.NewRequest("GET", "/event.isml/QualityLevels(1200000)/Fragments(video=200000000)", nil))
			close(done)
		}()
		settle(2 * time.Second)
		l.set(func() { l.to = 11 })
		<-done
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, l.sent(t, videoKey(10)), w.Body.Bytes())

		h = smooth.NewHandler(s, &smooth.HandlerOptions{Logger: quiet()})
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/event.isml/QualityLevels(1200000)/Fragments(video=220000000)", nil))
		assert.Equal(t, http.StatusPreconditionFailed, w.Code)
		assert.Zero(t, w.Body.Len())
		require.NoError(t, s.Close())
	})
}

// TestIdle: what nobody uses is not polled, and followed again when somebody comes.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveServer(10)
		d := newDirect(l)
		s, err := remote.New("http://origin/video/", options(d))
		require.NoError(t, err)
		p, err := s.Open(t.Context(), liveName)
		require.NoError(t, err)
		p.Close()
		settle(5 * time.Minute)
		polls := d.count("/Manifest")
		assert.InDelta(t, 60, polls, 3)
		settle(time.Hour)
		assert.Equal(t, polls, d.count("/Manifest"))

		l.set(func() { l.from, l.to = 50, 60 })
		p, err = s.Open(t.Context(), liveName)
		require.NoError(t, err)
		assert.EqualValues(t, 100*second, line(t, p, "video").Start(), "what is old is not shown")
		assert.Zero(t, snapshot(t, p).Periods[0].Discontinuity)
		l.set(func() { l.to = 61 })
		settle(1100 * time.Millisecond)
		assert.Len(t, line(t, p, "video"), 11)

		settle(10 * time.Minute) // open, but out of use: a poll now and then for those who wait for a snapshot
		before := snapshot(t, p)
		settle(30 * time.Minute)
		l.set(func() { l.to = 62 })
		select {
		case <-before.Superseded():
		case <-time.After(2 * time.Minute):
			t.Error("not superseded")
		}
		p.Close()
		require.NoError(t, s.Close())
	})
}

// TestRestart: an origin that begins anew makes a new period, and nothing old is served for new.
func TestRestart(t *testing.T) {
	for name, change := range map[string]struct {
		edit    func(l *liveServer)
		wait    time.Duration
		periods int
	}{
		"times far back":       {func(l *liveServer) { l.shift, l.from, l.to = 0, 0, 3 }, time.Second, 1},
		"back, behind a copy?": {func(l *liveServer) { l.from, l.to = 0, 3 }, 10 * time.Second, 1},
		"other times":          {func(l *liveServer) { l.shift += second / 2 }, time.Second, 1},
		"other levels": {func(l *liveServer) {
			l.to = 12
			l.edit = func(m *smooth.Manifest) { m.Streams[0].Levels = m.Streams[0].Levels[:1] }
		}, time.Second, 2},
		"other configuration": {func(l *liveServer) {
			l.to = 12
			l.edit = func(m *smooth.Manifest) { m.Streams[1].Levels[0].CodecPrivateData = []byte{0x12, 0x10} }
		}, time.Second, 2},
		"nothing yet": {func(l *liveServer) { l.from, l.to = 0, 0 }, time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLiveServer(10)
				l.shift = 100 * second
				s, err := remote.New("http://origin/video/", options(newDirect(l)))
				require.NoError(t, err)
				p, err := s.Open(t.Context(), liveName)
				require.NoError(t, err)
				k := videoKey(50 + 1)
				take(t, p, k)
				l.set(func() { change.edit(l) })
				settle(change.wait + 100*time.Millisecond)
				snap := snapshot(t, p)
				require.Len(t, snap.Periods, change.periods)
				last := snap.Periods[change.periods-1]
				assert.EqualValues(t, 1, last.Discontinuity)
				if change.periods == 2 {
					assert.EqualValues(t, 120*second, last.Start)
					assert.Zero(t, snap.Periods[0].Discontinuity)
					tr := snap.Track(smooth.FragmentKey{Stream: "audio", Bitrate: 96_000, Time: 118 * second})
					require.NotNil(t, tr)
					assert.Equal(t, []byte{0x11, 0x90}, tr.Codec.PrivateData)
					l.set(func() { l.from, l.to = 11, 14 })
					settle(1100 * time.Millisecond)
					snap = snapshot(t, p)
					require.Len(t, snap.Periods, 1, "periods leave with the window")
					assert.EqualValues(t, 1, snap.Periods[0].Discontinuity)
				} else {
					assert.Zero(t, s.Stats().Fragments)
				}
				p.Close()
				require.NoError(t, s.Close())
			})
		})
	}
}

// TestAnotherEvent: a publishing point that begins another event after its end, at the same times, is not shown with what
// is kept of the first one, nor is a manifest of a slower origin taken for another event.
func TestAnotherEvent(t *testing.T) {
	for _, tt := range []struct {
		name   string
		listed int
		after  time.Duration
		anew   bool
	}{
		{"shorter, at once: a slower origin", 8, 2 * time.Second, false},
		{"shorter, later", 3, time.Minute, true},
		{"longer, at once", 12, 6 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			live(t, func(t *testing.T, l *liveServer, d *direct, p smooth.Presentation) {
				take(t, p, videoKey(2))
				l.set(func() { l.ended = true })
				settle(2 * time.Second)
				require.True(t, snapshot(t, p).Ended)
				settle(tt.after)
				l.set(func() { l.ended, l.to = false, tt.listed })
				settle(6 * time.Second)
				snapshot(t, p)
				const path = "/QualityLevels(1200000)/Fragments(video=40000000)"
				before := d.count(path)
				take(t, p, videoKey(2))
				s := snapshot(t, p)
				if !tt.anew {
					assert.True(t, s.Ended)
					assert.Len(t, s.Manifest.Streams[0].Timeline, 10)
					return
				}
				assert.False(t, s.Ended)
				assert.EqualValues(t, 1, s.Periods[0].Discontinuity)
				assert.Len(t, s.Manifest.Streams[0].Timeline, tt.listed)
				assert.Equal(t, before+1, d.count(path), "fragments of the first event")
			})
		})
	}
}

// TestAddedStream: a stream or level that joins is no discontinuity.
func TestAddedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveServer(10)
		l.edit = func(m *smooth.Manifest) {
			m.Streams = m.Streams[:1]
			m.Streams[0].Levels = m.Streams[0].Levels[:1]
		}
		s, err := remote.New("http://origin/video/", options(newDirect(l)))
		require.NoError(t, err)
		p, err := s.Open(t.Context(), liveName)
		require.NoError(t, err)
		before := snapshot(t, p)
		assert.Len(t, before.Periods[0].Tracks, 1)
		l.set(func() { l.edit, l.to = nil, 11 })
		settle(1100 * time.Millisecond)
		after := snapshot(t, p)
		require.Len(t, after.Periods, 1)
		assert.Zero(t, after.Periods[0].Discontinuity)
		assert.Len(t, after.Periods[0].Tracks, 3)
		assert.Len(t, before.Periods[0].Tracks, 1)
		take(t, p, smooth.FragmentKey{Stream: "audio", Bitrate: 96_000, Time: 4 * second})
		p.Close()
		require.NoError(t, s.Close())
	})
}

// TestOutage: while the origin is away everything known stays, and it is followed again when it is back.
func TestOutage(t *testing.T) {
	live(t, func(t *testing.T, l *liveServer, d *direct, p smooth.Presentation) {
		take(t, p, videoKey(5))
		for _, status := range []int{http.StatusServiceUnavailable, http.StatusNotFound} {
			l.set(func() { l.broken = status })
			polls := d.count("/Manifest")
			settle(50 * time.Second)
			assert.Less(t, d.count("/Manifest")-polls, 15, "polls are fewer meanwhile")
			before := snapshot(t, p)
			assert.GreaterOrEqual(t, len(before.Manifest.Streams[0].Timeline), 10)
			take(t, p, videoKey(5))
			l.set(func() { l.broken, l.to = 0, l.to+1 })
			settle(12 * time.Second)
			assert.Greater(t, snapshot(t, p).Edges[0].Listed, before.Edges[0].Listed)
			assert.Zero(t, snapshot(t, p).Periods[0].Discontinuity)
		}
	})
}

// TestSmoothtestLive goes through the life of a presentation behind the handler of this module.
func TestSmoothtestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := smoothtest.Default()
		c.Live, c.Lookahead, c.DVRWindow = true, 2, 40*time.Second
		own := smoothtest.New(c)
		src := smoothtest.NewSource()
		src.Add(liveName, own)
		s, err := remote.New("http://origin/video/", options(origin(src)))
		require.NoError(t, err)
		p, err := s.Open(t.Context(), liveName)
		require.NoError(t, err)
		check := func() {
			want, got := snapshot(t, own), snapshot(t, p)
			for i, st := range want.Manifest.Streams {
				assert.Equal(t, st.Timeline, got.Manifest.Streams[i].Timeline, st.Name)
			}
			for _, k := range keysOf(got) {
				f, err := own.Fragment(t.Context(), k)
				require.NoError(t, err)
				assert.Equal(t, whole(t, f), take(t, p, k))
				f.Close()
			}
		}
		check()
		for range 5 {
			own.Append(1)
			own.Trim(1)
			settle(3 * time.Second)
			check()
		}
		own.End()
		settle(3 * time.Second)
		assert.True(t, snapshot(t, p).Ended)
		check()
		p.Close()
		require.NoError(t, s.Close())
		assert.Zero(t, own.OpenFragments())
	})
}

// TestWallClock: ticks that are the clock give the periods their wall-clock time, also those that come later.
func TestWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		l := newLiveServer(10)
		l.shift = uint64(now.Add(-25*time.Second).Unix()) * second
		s, err := remote.New("http://origin/video/", options(newDirect(l)))
		require.NoError(t, err)
		p, err := s.Open(t.Context(), liveName)
		require.NoError(t, err)
		first := snapshot(t, p).Periods[0]
		assert.Equal(t, l.shift, first.Start)
		assert.True(t, now.Add(-25*time.Second).Equal(first.Wall), first.Wall)
		l.set(func() {
			l.to = 12
			l.edit = func(m *smooth.Manifest) { m.Streams[0].Levels = m.Streams[0].Levels[1:] }
		})
		settle(1100 * time.Millisecond)
		periods := snapshot(t, p).Periods
		require.Len(t, periods, 2)
		assert.True(t, now.Add(-5*time.Second).Equal(periods[1].Wall), periods[1].Wall)
		p.Close()
		require.NoError(t, s.Close())
	})
}
