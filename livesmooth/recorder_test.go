package livesmooth

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestRecorderTells passes everything on in order.
func TestRecorderTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		sink := &recorderSink{past: smoothtest.New(smoothtest.Default()), script: func(context.Context, string) error {
			<-gate
			return nil
		}}
		x := newRecorderTest(t, sink, recorderOptions{})
		synctest.Wait()
		assert.Nil(t, x.history())
		close(gate)
		synctest.Wait()
		assert.Equal(t, []string{"begin a.isml"}, sink.taken())
		assert.NotNil(t, x.history())
		x.declare(smooth.InputInfo{ID: "e", Header: []byte("1")})
		x.add(0, 10)
		x.gap(smooth.Gap{Stream: "v", Time: 20, Duration: 10})
		x.add(30)
		x.declare(smooth.InputInfo{ID: "e", Header: []byte("2")})
		x.add(40)
		sink.durable.Store(30)
		x.trim(5)
		x.trim(4)
		synctest.Wait()
		assert.ElementsMatch(t, []string{
			"declare e 1", "append e v 0", "append e v 10", "gap v 20+10", "append e v 30", "declare e 2", "append e v 40", "trim 5",
		}, sink.taken())
		recorded, lost := x.recordedAt(0, 10, 30, 40, 50)
		assert.Equal(t, []uint64{0, 10, 30, 40}, recorded)
		assert.Empty(t, lost)
		assert.False(t, x.recorded(recorderKey("other", 0)))
		assert.Equal(t, uint64(30), x.durable())
		assert.Equal(t, SinkStats{Name: "Script", Target: "nowhere", Durable: 30}, x.stats())
		require.NoError(t, x.stop())
		require.NoError(t, x.stop(), "again")
		assert.Equal(t, []string{"close true"}, sink.taken())
		assert.Empty(t, x.noted())

		x.add(60)
		x.declare(smooth.InputInfo{})
		x.gap(smooth.Gap{})
		assert.Zero(t, x.open.Load(), "after the end")
		assert.Equal(t, int64(1), x.stats().Dropped)
		assert.True(t, x.lost(recorderKey("v", 60)))
		assert.NotNil(t, x.history())
		x.forget()
		assert.Nil(t, x.history())
		assert.Equal(t, 1, sink.past.(*smoothtest.Presentation).Closed())
	})
}

// TestRecorderDrains records what is queued before the end.
func TestRecorderDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorderSink{script: func(_ context.Context, call string) error {
			time.Sleep(time.Second)
			return nil
		}}
		x := newRecorderTest(t, sink, recorderOptions{})
		for i := range uint64(20) {
			x.add(i)
		}
		require.NoError(t, x.close(t.Context(), false))
		calls := sink.taken()
		assert.Len(t, calls, 22)
		assert.Equal(t, "append e v 19", calls[20])
		assert.Equal(t, "close false", calls[21])
	})
}

// TestRecorderOverflows: what there is no room for is lost, counted, and told where it would have been.
func TestRecorderOverflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		sink := &recorderSink{script: func(_ context.Context, call string) error {
			if call == "append e v 0" {
				<-gate
			}
			return nil
		}}
		x := newRecorderTest(t, sink, recorderOptions{queueFragments: 4, queueBytes: 10_000})
		x.add(0)
		synctest.Wait()
		assert.Equal(t, []string{"begin a.isml"}, sink.taken())
		x.add(10, 20, 30)
		assert.Equal(t, SinkStats{Name: "Script", Target: "nowhere", Queued: 4, QueuedBytes: 400}, x.stats())
		time.Sleep(time.Second)
		x.add(40, 50)
		x.append("e", x.fragment("a", 40, 100))
		x.add(60)
		assert.EqualValues(t, 4, x.open.Load())
		assert.Equal(t, SinkStats{Name: "Script", Target: "nowhere", Failing: true, Err: ErrSinkSlow, Queued: 4, QueuedBytes: 400, Dropped: 4}, x.stats())
		recorded, lost := x.recordedAt(0, 10, 20, 30, 40, 50, 60)
		assert.Empty(t, recorded)
		assert.Equal(t, []uint64{40, 50, 60}, lost)
		time.Sleep(time.Second)
		gate <- struct{}{}
		synctest.Wait()
		x.add(70)
		synctest.Wait()
		assert.Equal(t, []string{
			"append e v 0", "append e v 10", "append e v 20", "append e v 30", "gap v 40+30", "gap a 40+10", "append e v 70",
		}, sink.taken())
		recorded, lost = x.recordedAt(0, 10, 20, 30, 40, 50, 60, 70)
		assert.Equal(t, []uint64{0, 10, 20, 30, 70}, recorded)
		assert.Equal(t, []uint64{40, 50, 60}, lost)
		assert.Equal(t, []string{"1s sink failed " + ErrSinkSlow.Error(), "2s sink recovered <nil>"}, x.noted())
		assert.False(t, x.stats().Failing)
		require.NoError(t, x.stop())
	})
}

// TestRecorderBytes bounds the queue by bytes, but lets a single fragment through that is larger.
func TestRecorderBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		sink := &recorderSink{script: func(_ context.Context, call string) error {
			if strings.HasPrefix(call, "append") {
				<-gate
			}
			return nil
		}}
		x := newRecorderTest(t, sink, recorderOptions{queueBytes: 1000})
		x.append("e", x.fragment("v", 0, 5000))
		synctest.Wait()
		x.add(10)
		assert.EqualValues(t, 1, x.stats().Dropped, "the large one counts as long as the sink has it")
		gate <- struct{}{}
		synctest.Wait()
		assert.Zero(t, x.stats().QueuedBytes)
		for i := range uint64(10) {
			x.add(20 + 10*i)
		}
		assert.EqualValues(t, 1000, x.stats().QueuedBytes)
		assert.EqualValues(t, 1, x.stats().Dropped)
		x.add(200)
		assert.EqualValues(t, 2, x.stats().Dropped)
		close(gate)
		require.NoError(t, x.stop())
	})
}

// TestRecorderBeginFails tries again after one second, two, four, up to half a minute, and tells headers and what was missed.
func TestRecorderBeginFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		var works atomic.Bool
		sink := &recorderSink{script: func(_ context.Context, call string) error {
			if works.Load() || !strings.HasPrefix(call, "begin") {
				return nil
			}
			at = append(at, time.Since(start)/time.Second)
			return errRecorderTest
		}}
		x := newRecorderTest(t, sink, recorderOptions{})
		x.declare(smooth.InputInfo{ID: "e", Header: []byte("1")})
		x.declare(smooth.InputInfo{ID: "e", Header: []byte("2")})
		x.declare(smooth.InputInfo{ID: "d", Header: []byte("3")})
		for i := range uint64(100) {
			x.add(i * 10)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		assert.Zero(t, x.open.Load(), "nothing waits")
		assert.Equal(t, []time.Duration{0, 1, 3, 7, 15, 31, 61, 91}, at)
		assert.Equal(t, []string{"0s sink failed scripted"}, x.noted())
		assert.Equal(t, SinkStats{Name: "Script", Failing: true, Err: errRecorderTest, Dropped: 100}, x.stats())
		sink.taken()
		works.Store(true)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		assert.Equal(t, []string{"begin a.isml", "declare e 2", "declare d 3", "gap v 0+1000"}, sink.taken())
		assert.Equal(t, []string{"2m1s sink recovered <nil>"}, x.noted())
		x.add(1000)
		synctest.Wait()
		assert.Equal(t, []string{"append e v 1000"}, sink.taken())
		recorded, lost := x.recordedAt(0, 500, 990, 1000)
		assert.Equal(t, []uint64{1000}, recorded)
		assert.Equal(t, []uint64{0, 500, 990}, lost)
		require.NoError(t, x.stop())
	})
}

// TestRecorderNeverBegins: the end says why there is no recording.
func TestRecorderNeverBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorderSink{script: func(context.Context, string) error { return errRecorderTest }}
		start := time.Now()
		x := newRecorderTest(t, sink, recorderOptions{})
		x.add(0, 10)
		synctest.Wait()
		require.ErrorIs(t, x.stop(), errRecorderTest)
		assert.Equal(t, []string{"begin a.isml failed", "begin a.isml failed"}, sink.taken(), "one last try")
		assert.Equal(t, start, time.Now(), "without waiting")
	})
}

// TestRecorderAppendFails leaves the sink alone, then tries with a fragment. Others are lost and told as one gap.
func TestRecorderAppendFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var works atomic.Bool
		sink := &recorderSink{script: func(_ context.Context, call string) error {
			if works.Load() || !strings.HasPrefix(call, "append") {
				return nil
			}
			return errRecorderTest
		}}
		x := newRecorderTest(t, sink, recorderOptions{retry: 900 * time.Millisecond}) // it ends between fragments
		second := func(at uint64) {
			x.append("e", x.fragment("v", at, 100))
			time.Sleep(time.Second)
		}
		for i := range uint64(10) {
			works.Store(i < 2 || i > 6)
			second(10 * i)
		}
		synctest.Wait()
		assert.Equal(t, []string{
			"begin a.isml", "append e v 0", "append e v 10", "append e v 20 failed",
			"gap v 20+10", "append e v 30 failed", // after 0.9 seconds
			"gap v 30+20", "append e v 50 failed", // after 1.8 more
			"gap v 50+40", "append e v 90", // after 3.6 more
		}, sink.taken())
		assert.Equal(t, []string{"2s sink failed scripted", "9s sink recovered <nil>"}, x.noted())
		recorded, lost := x.recordedAt(0, 10, 20, 30, 40, 50, 60, 70, 80, 90)
		assert.Equal(t, []uint64{0, 10, 90}, recorded)
		assert.Equal(t, []uint64{20, 30, 40, 50, 60, 70, 80}, lost)
		assert.EqualValues(t, 7, x.stats().Dropped)

		works.Store(false)
		second(100)
		synctest.Wait()
		works.Store(true)
		time.Sleep(time.Second) // the pause is short again
		second(110)
		synctest.Wait()
		assert.Equal(t, []string{"append e v 100 failed", "gap v 100+10", "append e v 110"}, sink.taken())

		// A fragment that was lost comes again, from another encoder.
		second(40)
		assert.Equal(t, []string{"append e v 40"}, sink.taken())
		recorded, lost = x.recordedAt(30, 40, 50)
		assert.Equal(t, []uint64{40}, recorded)
		assert.Equal(t, []uint64{30, 50}, lost)

		// The end does not wait for the rest of the sink.
		works.Store(false)
		x.add(120)
		synctest.Wait()
		x.add(130, 140)
		require.NoError(t, x.stop())
		assert.Equal(t, []string{
			"append e v 120 failed", "gap v 120+10", "append e v 130 failed", "close true",
		}, sink.taken())
	})
}

// TestRecorderGapFails tells a gap until it is taken.
func TestRecorderGapFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 2
		sink := &recorderSink{script: func(_ context.Context, call string) error {
			if strings.HasPrefix(call, "gap") && fails > 0 {
				fails--
				return errRecorderTest
			}
			return nil
		}}
		x := newRecorderTest(t, sink, recorderOptions{})
		x.gap(smooth.Gap{Stream: "v", Time: 0, Duration: 10})
		x.add(10)
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"begin a.isml", "gap v 0+10 failed", "gap v 0+20 failed", "gap v 0+20"}, sink.taken())
		assert.Equal(t, []string{"0s sink failed scripted", "3s sink recovered <nil>"}, x.noted())
		require.NoError(t, x.stop())
	})
}

// TestRecorderDeclareRefused: the other input streams go on.
func TestRecorderDeclareRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorderSink{script: func(_ context.Context, call string) error {
			if call == "declare bad 1" {
				return errRecorderTest
			}
			return nil
		}}
		x := newRecorderTest(t, sink, recorderOptions{})
		x.declare(smooth.InputInfo{ID: "bad", Header: []byte("1")})
		x.declare(smooth.InputInfo{ID: "e", Header: []byte("1")})
		bad := func(at uint64) { x.append("bad", x.fragment("b", at, 100)) }
		bad(0)
		x.add(0)
		synctest.Wait()
		assert.Equal(t, []string{"begin a.isml", "declare bad 1 failed", "declare e 1", "gap b 0+10", "append e v 0"}, sink.taken())
		time.Sleep(4 * time.Second)
		x.add(10)
		synctest.Wait()
		assert.Equal(t, []string{"declare bad 1 failed", "declare bad 1 failed", "append e v 10"}, sink.taken())
		assert.True(t, x.stats().Failing)
		x.declare(smooth.InputInfo{ID: "bad", Header: []byte("2")})
		bad(10)
		synctest.Wait()
		assert.Equal(t, []string{"declare bad 2", "append bad b 10"}, sink.taken(), "a new header is told at once")
		assert.Equal(t, []string{`0s sink failed input stream "bad": scripted`, "4s sink recovered <nil>"}, x.noted())
		assert.False(t, x.stats().Failing)
		require.NoError(t, x.stop())
	})
}

// TestRecorderHangs: the end does not wait for a sink that does not come back, and nothing is left when it does.
func TestRecorderHangs(t *testing.T) {
	for _, where := range []string{"begin a.isml", "declare e 1", "append e v 0", "gap v 5+1", "close true", "trim 1"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				past := smoothtest.New(smoothtest.Default())
				sink := &recorderSink{past: past, script: func(_ context.Context, call string) error {
					if call == where {
						<-gate
					}
					return nil
				}}
				x := newRecorderTest(t, sink, recorderOptions{queueFragments: 8})
				x.declare(smooth.InputInfo{ID: "e", Header: []byte("1")})
				x.add(0)
				x.gap(smooth.Gap{Stream: "v", Time: 5, Duration: 1})
				x.trim(1)
				for i := range uint64(20) {
					x.add(10 + i)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := x.close(ctx, true)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorContains(t, err, "Script of a.isml has not ended")
				left := int32(0)
				if where == "append e v 0" {
					left = 1
				}
				assert.Equal(t, left, x.open.Load(), "fragments that nobody but the sink has")
				x.add(100)
				x.stats()
				x.history()
				x.recorded(recorderKey("v", 0))
				x.forget()
				close(gate)
				<-x.done
				calls := sink.taken()
				assert.Equal(t, "close true", calls[len(calls)-1])
				assert.Zero(t, x.open.Load())
				assert.Equal(t, 1, past.Closed())
				for _, call := range x.noted() {
					assert.NotContains(t, call, "scripted")
				}
				require.NoError(t, x.stop(), "now it has ended")
			})
		})
	}
}

// TestRecorderObeyed: a sink that heeds its context is not said to have failed.
func TestRecorderObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorderSink{script: func(ctx context.Context, call string) error {
			if call == "append e v 0" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		x := newRecorderTest(t, sink, recorderOptions{})
		x.add(0, 10)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, x.close(ctx, true), context.DeadlineExceeded)
		<-x.done
		assert.Equal(t, []string{"begin a.isml", "append e v 0 failed", "close true"}, sink.taken())
		assert.Empty(t, x.noted())
		recorded, lost := x.recordedAt(0, 10)
		assert.Empty(t, recorded)
		assert.Equal(t, []uint64{0, 10}, lost)
	})
}

// TestRecorderParent: the recorder ends with its owner.
func TestRecorderParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sink := &recorderSink{}
		r := newRecorder(ctx, sink, smooth.EventInfo{Point: "a.isml"}, recorderOptions{log: slog.New(slog.DiscardHandler)}, func(Event) {})
		r.open("")
		synctest.Wait()
		cancel()
		<-r.done
		assert.Equal(t, []string{"begin a.isml", "close false"}, sink.taken())
		x := &recorderTest{recorder: r, t: t}
		x.add(0)
		assert.Zero(t, x.open.Load())
		require.NoError(t, r.close(t.Context(), true))
	})
}

// TestRecorderCloseFails returns the error of the end.
func TestRecorderCloseFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorderSink{script: func(_ context.Context, call string) error {
			if strings.HasPrefix(call, "close") || strings.HasPrefix(call, "trim") {
				return errRecorderTest
			}
			return nil
		}}
		x := newRecorderTest(t, sink, recorderOptions{})
		x.trim(1)
		synctest.Wait()
		assert.False(t, x.stats().Failing, "that it does not forget keeps nobody from recording")
		require.ErrorIs(t, x.stop(), errRecorderTest)
	})
}

// TestRecorderNames falls back on the type where a sink has no name.
func TestRecorderNames(t *testing.T) {
	type anonymous struct{ Sink }
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t.Context(), anonymous{&recorderSink{}}, smooth.EventInfo{}, recorderOptions{log: slog.New(slog.DiscardHandler)}, func(Event) {})
		r.open("")
		assert.Equal(t, "livesmooth.anonymous", r.stats().Name)
		require.NoError(t, r.close(t.Context(), true))
	})
}

// TestRecorderSpool records into a spool, while others ask.
func TestRecorderSpool(t *testing.T) {
	spool, err := NewSpool(t.TempDir(), nil)
	require.NoError(t, err)
	defer spool.Close()
	x := &recorderTest{t: t}
	x.recorder = newRecorder(t.Context(), spool, smooth.EventInfo{Point: "a.isml"}, recorderOptions{}, func(Event) {})
	x.recorder.open("")
	k := recorderKey("v", 0)
	x.declare(smooth.InputInfo{ID: "e", Tracks: []smooth.InputTrack{{Key: k, Stream: &smooth.Stream{Type: smooth.Video, Name: "v"}, Level: &smooth.QualityLevel{Bitrate: 1}}}})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range uint64(200) {
				k := recorderKey("v", 10*i)
				for !x.recorded(k) && !x.lost(k) {
					x.stats()
					runtime.Gosched()
				}
				if x.lost(k) {
					continue
				}
				f, err := x.history().Fragment(t.Context(), k)
				if assert.NoError(t, err) {
					f.Close()
				}
			}
		})
	}
	for i := range uint64(200) {
		x.append("e", x.fragment("v", 10*i, 2000))
	}
	wg.Wait()
	assert.Equal(t, "Spool", x.stats().Name)
	require.NoError(t, x.stop())
	f, err := x.history().Fragment(t.Context(), k)
	require.NoError(t, err)
	f.Close()
	x.forget()
}

// TestRecorderMarks compares the marks with a plain map, in random orders of offers, losses and recordings.
func TestRecorderMarks(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var m recordedMarks
		state := map[uint64]string{}
		var queue []uint64
		next := uint64(0)
		offer := func(at uint64) {
			if rnd.IntN(5) == 0 { // the queue is full
				m.lose(at, false)
				state[at] = "lost"
				return
			}
			m.offer(at)
			queue = append(queue, at)
			state[at] = "queued"
		}
		var holes []uint64
		for range 200 {
			switch n := rnd.IntN(10); {
			case n < 5:
				if next += 10; rnd.IntN(4) == 0 {
					holes = append(holes, next)
					break
				}
				offer(next)
			case n < 6 && len(holes) > 0: // a late one
				i := rnd.IntN(len(holes))
				offer(holes[i])
				holes = append(holes[:i], holes[i+1:]...)
			case len(queue) > 0:
				at := queue[0]
				queue = queue[1:]
				if rnd.IntN(3) == 0 {
					m.lose(at, true)
					state[at] = "lost"
					if rnd.IntN(2) == 0 { // it comes again
						offer(at)
					}
				} else {
					m.keep(at)
					state[at] = "recorded"
				}
			}
			for at, s := range state {
				if (s == "recorded") != m.has(at) || (s == "lost") != m.given(at) {
					t.Fatalf("seed %d: time %d is %s: %+v", seed, at, s, m)
				}
			}
		}
		m.trim(next + 1)
		require.Empty(t, m.lost)
	}
}

// TestRecorderMarksSize: an outage is one span, and many outages are no more than so many.
func TestRecorderMarksSize(t *testing.T) {
	var m recordedMarks
	for i := range uint64(10_000) {
		if i%5000 > 100 {
			m.lose(i, false)
			continue
		}
		m.offer(i)
		m.keep(i)
	}
	assert.Len(t, m.lost, 2)
	for i := range uint64(10_000) {
		m.offer(10_000 + 2*i)
		m.keep(10_000 + 2*i)
		m.lose(10_001+2*i, false)
	}
	assert.Len(t, m.lost, maxLostSpans)
	assert.True(t, m.given(101))
	assert.True(t, m.given(29_999))
	assert.True(t, m.has(29_998))
	assert.False(t, m.has(29_997))
}

// TestRecorderQueueBounds: headers and gaps take no more room than fragments leave them.
func TestRecorderQueueBounds(t *testing.T) {
	var q recorderQueue
	for i := range uint64(10_000) {
		q.add(recorderItem{declare: &smooth.InputInfo{ID: "e", Header: []byte{byte(i)}}})
		q.add(recorderItem{gap: smooth.Gap{Stream: "v", Time: 100 * i, Duration: 10}})
	}
	assert.LessOrEqual(t, len(q.items), 1+maxToldGaps)
	it, ok := q.take()
	require.True(t, ok)
	assert.Equal(t, []byte{byte(9999 % 256)}, it.declare.Header)
	var last smooth.Gap
	for it, ok = q.take(); ok; it, ok = q.take() {
		last = it.gap
	}
	assert.Equal(t, uint64(999_910), gapEnd(last))
	assert.Zero(t, q.gaps)
	q.add(recorderItem{gap: smooth.Gap{Stream: "v", Time: 1<<64 - 1, Duration: 10}})
	q.add(recorderItem{gap: smooth.Gap{Stream: "v", Time: 1<<64 - 5, Duration: 20}})
	it, _ = q.take()
	assert.Equal(t, smooth.Gap{Stream: "v", Time: 1<<64 - 5, Duration: 4}, it.gap)
	for range 1000 { // it does not grow when it is emptied as fast as it is filled
		q.add(recorderItem{declare: &smooth.InputInfo{}})
		q.add(recorderItem{fragment: &smooth.Fragment{}})
		_, _ = q.take()
		it, _ = q.take()
		q.done(&it)
	}
	assert.LessOrEqual(t, cap(q.items), 1024)
	assert.Zero(t, q.fragments)
}
