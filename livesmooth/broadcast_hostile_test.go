package livesmooth

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// TestBroadcastLevelStops has an encoder that stops sending one level: that is waited for once, not with every fragment.
func TestBroadcastLevelStops(t *testing.T) {
	for name, stop := range map[string]func(g *stage, f *feeder){
		"silently": func(*stage, *feeder) {},
		"by a header without it": func(g *stage, f *feeder) {
			require.NoError(g.t, g.b.register(f.s, &pushHeader{raw: []byte("header"), tracks: []pushTrack{high.track(1)}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newStage(t, DefaultSettings(), nil)
			f := g.connect("1", high, low)
			f.all(0, 3)
			stop(g, f)
			for i := 3; i < 20; i++ {
				g.clock = g.clock.Add(2 * time.Second)
				f.send(0, i)
				g.b.ring()
				if i > 6 {
					require.Len(t, g.received("video"), i+1)
				}
			}
			g.clock = g.clock.Add(2 * time.Second)
			if len(f.s.tracks) == 2 {
				f.send(1, 19)
				f.send(0, 20)
				require.Len(t, g.received("video"), 20, "it is back, and is waited for again")
			}
		})
	}
}

// TestBroadcastDeadStream has a stream without fragments for days: what is kept does not grow.
func TestBroadcastDeadStream(t *testing.T) {
	for name, window := range map[string]time.Duration{"window": 20 * time.Second, "budget": 0} {
		t.Run(name, func(t *testing.T) {
			set := DefaultSettings()
			set.Viewers.WindowLength = window
			g := newStage(t, set, &Options{MemoryBudget: 1 << 20})
			f := g.connect("1", high, sound)
			f.all(0, 20)
			for i := 20; i < 20_000; i++ {
				g.clock = g.clock.Add(2 * time.Second)
				f.send(0, i)
			}
			st := g.b.streamCalled("video")
			assert.Less(t, len(st.tracks[0].entries), 300)
			assert.Less(t, len(f.s.in.log.items), 600)
			assert.Less(t, len(st.line), 10_000)
			f.all(20_000, 20_010)
			assert.NotEmpty(t, g.starts("audio"), "it is back")
			assert.Less(t, len(g.starts("audio")), 10)
		})
	}
}

// TestBroadcastLogFuture has a fragment of a far future in the log.
func TestBroadcastLogFuture(t *testing.T) {
	set := DefaultSettings()
	set.Viewers.WindowLength = 20 * time.Second
	g := newStage(t, set, nil)
	f := g.connect("1", high, cues)
	require.NoError(t, f.trySend(1, 1<<50, 0))
	for i := range 30_000 {
		f.send(0, i)
	}
	assert.Less(t, len(f.s.in.log.items), 10_000)
}

// TestBroadcastSparseFlood sends fragments of a sparse stream that its parent does not come to.
func TestBroadcastSparseFlood(t *testing.T) {
	g := newStage(t, DefaultSettings(), &Options{MemoryBudget: 4 << 20})
	v, ad := g.connect("v", high), g.connect("ad", cues)
	v.send(0, 0, 1, 2)
	for i := range 20_000 {
		require.NoError(t, ad.trySend(0, int64(i+100)*scale, 0))
	}
	assert.LessOrEqual(t, g.b.pool.used.Load(), int64(8<<20))
	v.send(0, 3, 4, 5)
	assert.Equal(t, []int{0, 1, 2, 3}, g.starts("video"))
}

// TestBroadcastSparseMany sends many listed fragments of a control stream.
func TestBroadcastSparseMany(t *testing.T) {
	big := cues
	big.size = 60_000
	set := DefaultSettings()
	set.Viewers.WindowLength = 20 * time.Second
	g := newStage(t, set, nil)
	v, ad := g.connect("v", high), g.connect("ad", big)
	for i := range 500 {
		require.NoError(t, ad.trySend(0, int64(i)*2*scale, 0))
		v.send(0, i)
	}
	held := 0
	for _, e := range g.b.streamCalled("ad").embedded {
		for _, d := range e {
			held += len(d.Data)
		}
	}
	assert.Less(t, held, 8<<20)
	assert.Len(t, g.snap().Manifest.Stream("ad").Embedded, len(g.snap().Manifest.Stream("ad").Timeline))
}

// TestBroadcastWaitBudget has a source that is waited for while another one floods: memory counts more.
func TestBroadcastWaitBudget(t *testing.T) {
	big := high
	big.size = 100_000
	g := newStage(t, DefaultSettings(), &Options{MemoryBudget: 3 << 20})
	a, b := g.connect("1", big), g.connect("1", big)
	b.send(0, 0)
	a.send(0, 0, 1)
	for i := 3; i < 500; i++ {
		a.send(0, i)
	}
	assert.LessOrEqual(t, g.b.pool.used.Load(), int64(4<<20))
}

// TestBroadcastEmptyInput has somebody that connects and sends nothing: that is not a stream whose end is waited for.
func TestBroadcastEmptyInput(t *testing.T) {
	g := newStage(t, DefaultSettings(), &Options{Limits: Limits{Inputs: 3}})
	overs := 0
	g.b.over = func() { overs++ }
	for i := range 100 {
		s, err := g.b.connect(PushInfo{Input: fmt.Sprint("noise", i)}, nil)
		require.NoError(t, err)
		g.b.disconnect(s)
	}
	f := g.connect("1", high)
	f.send(0, 0)
	g.b.end(f.s)
	assert.Equal(t, 1, overs)
}

// TestBroadcastNewNames has an encoder that calls its stream anew each time it starts, as Expression Encoder did with the
// number of its process.
func TestBroadcastNewNames(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	overs := 0
	g.b.over = func() { overs++ }
	var f *feeder
	for i := range 200 {
		f = g.connect(fmt.Sprint(i, "-stream0"), high, sound)
		f.all(i, i+1)
		if i < 199 {
			g.b.disconnect(f.s)
		}
	}
	assert.Zero(t, overs)
	g.b.end(f.s)
	assert.Equal(t, 1, overs, "what went on under another name has ended with it")
}

func TestBroadcastEnds(t *testing.T) {
	begin := func(t *testing.T) (*stage, *int) {
		g := newStage(t, DefaultSettings(), nil)
		overs := new(int)
		g.b.over = func() { *overs++ }
		return g, overs
	}
	t.Run("one says so, the other breaks", func(t *testing.T) {
		g, overs := begin(t)
		a, b := g.connect("1", high), g.connect("1", high)
		a.send(0, 0)
		b.send(0, 0)
		g.b.end(a.s)
		g.b.disconnect(a.s)
		assert.Zero(t, *overs)
		g.b.disconnect(b.s)
		assert.Equal(t, 1, *overs)
	})
	t.Run("a control stream says nothing", func(t *testing.T) {
		g, overs := begin(t)
		ad := g.connect("ad", cues)
		v := g.connect("v", high)
		v.send(0, 0)
		ad.send(0, 0)
		g.b.disconnect(ad.s)
		g.b.end(v.s)
		assert.Equal(t, 1, *overs)
	})
	t.Run("a connection without anything after the end", func(t *testing.T) {
		g, overs := begin(t)
		a, v := g.connect("a", sound), g.connect("v", high)
		v.send(0, 0)
		a.send(0, 0)
		g.b.end(a.s)
		g.b.disconnect(a.s)
		a = g.connect("a", sound)
		g.b.disconnect(a.s)
		assert.Zero(t, *overs)
		g.b.end(v.s)
		assert.Equal(t, 1, *overs)
	})
	t.Run("more after the end", func(t *testing.T) {
		g, overs := begin(t)
		a, v := g.connect("a", sound), g.connect("v", high)
		v.send(0, 0)
		a.send(0, 0)
		g.b.end(a.s)
		a.send(0, 1)
		v.send(0, 1)
		g.b.end(v.s)
		assert.Zero(t, *overs, "the stream goes on")
		g.b.end(a.s)
		assert.Equal(t, 1, *overs)
	})
}

// TestBroadcastTwoCodecs has two encoders that send one track in turn, with different configurations.
func TestBroadcastTwoCodecs(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	other := high
	other.codec = 7
	a := g.connect("1", high)
	a.send(0, 0, 1, 2)
	g.clock = g.clock.Add(silence + time.Second)
	b := g.connect("1", other)
	b.send(0, 3)
	assert.ErrorIs(t, a.trySend(0, 8*scale, 2*scale), ErrConflict)
	b.send(0, 5)
	assert.Equal(t, 1, g.count(TrackChanged))
}

// TestBroadcastMeasuredTwice has redundant encoders that do not say their bit rate, and both connect before the first
// fragment: they feed one track.
func TestBroadcastMeasuredTwice(t *testing.T) {
	unknown := high
	unknown.bitrate = 0
	g := newStage(t, DefaultSettings(), nil)
	a, b := g.connect("1", unknown), g.connect("1", unknown)
	unknown.size = 50_000
	a.lanes = []lane{unknown}
	unknown.size = 70_000
	b.lanes = []lane{unknown}
	a.send(0, 0)
	b.send(0, 1)
	assert.Len(t, g.b.streamCalled("video").tracks, 1)
}

// TestBroadcastRequiredLate requires streams while viewers watch: they do not wait.
func TestBroadcastRequiredLate(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	f := g.connect("1", high)
	f.send(0, 0, 1, 2, 3)
	g.b.mu.Lock()
	require.NoError(t, g.b.require(&pushHeader{required: []string{"x", "y"}}))
	g.b.mu.Unlock()
	f.send(0, 4)
	assert.Len(t, g.received("video"), 5)
}

// TestBroadcastRequiredRefused has a header that requires streams and is refused.
func TestBroadcastRequiredRefused(t *testing.T) {
	g := newStage(t, DefaultSettings(), &Options{Limits: Limits{Tracks: 1}})
	s, err := g.b.connect(PushInfo{Input: "bad"}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, g.b.register(s, &pushHeader{required: []string{"never"}, tracks: []pushTrack{high.track(1), low.track(2)}}), ErrLimit)
	g.b.disconnect(s)
	g.connect("1", high).send(0, 0, 1, 2)
	assert.Equal(t, []int{0}, g.starts("video"))
}

// TestBroadcastOwnClock has an encoder that comes back and goes on, after another one has begun its clock anew.
func TestBroadcastOwnClock(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	v, a := g.connect("v", high), g.connect("a", sound)
	for i := range 60 {
		g.clock = g.clock.Add(2 * time.Second)
		v.send(0, i)
		a.send(0, i)
	}
	g.b.disconnect(v.s)
	v = g.connect("v", high)
	for i := range 10 { // from zero
		g.clock = g.clock.Add(2 * time.Second)
		v.send(0, i)
		a.send(0, 60+i)
	}
	require.Equal(t, 1, g.count(ClockRestarted))
	g.b.disconnect(a.s)
	a = g.connect("a", sound)
	a.send(0, 70, 71, 72)
	assert.Equal(t, 1, g.count(ClockRestarted))
	list := g.received("audio")
	assert.Equal(t, 72, list[len(list)-1])
}

// TestBroadcastForgets has sources and tracks that come and go.
func TestBroadcastForgets(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	for i := range 50 {
		f := g.connect("1", []lane{high, low}[i%2])
		f.send(0, i)
		g.b.disconnect(f.s)
		g.clock = g.clock.Add(time.Minute)
	}
	for _, st := range g.b.streams {
		for _, tr := range st.tracks {
			assert.LessOrEqual(t, len(tr.progress), 1)
		}
	}
}

// record makes the event be recorded by a sink.
func (g *stage) record(sink Sink, opts recorderOptions) *recorder {
	opts.log = g.b.log
	r := newRecorder(context.Background(), sink, smooth.EventInfo{Point: "a.isml", Started: g.clock}, opts, func(Event) {})
	g.b.recorders = append(g.b.recorders, r)
	g.t.Cleanup(func() {
		g.b.finish(ErrEnding)
		require.NoError(g.t, r.close(context.Background(), true))
	})
	return r
}

// TestBroadcastRecall reads each fragment as long as it can be had, and finds the same bytes each time: from memory, from
// the history, and after it has left the window.
func TestBroadcastRecall(t *testing.T) {
	set := DefaultSettings()
	set.Viewers.WindowLength, set.Viewers.LiveCacheLength = 40*time.Second, 4*time.Second
	g := newStage(t, set, nil)
	spool, err := NewSpool(t.TempDir(), nil)
	require.NoError(t, err)
	r := g.record(spool, recorderOptions{})
	f := g.connect("1", high, sound)
	seen, recalled, left := make(map[smooth.FragmentKey]string), 0, 0
	for i := range 100 {
		f.all(i, i+1)
		require.Eventually(t, func() bool { return r.recorded(sound.key(i)) }, 5*time.Second, time.Millisecond)
		for _, l := range []lane{high, sound} {
			for n := range i - 1 {
				k := l.key(n)
				b, err := g.bytesOf(k)
				if err != nil {
					require.ErrorIs(t, err, smooth.ErrGone, "%v", k)
					continue
				}
				if n < g.starts(l.name)[0] {
					left++
				}
				if old, ok := seen[k]; ok {
					recalled++
					require.Equal(t, old, string(b), "fragment %d after %d", n, i)
				}
				seen[k] = string(b)
			}
		}
	}
	assert.Greater(t, recalled, 1000)
	assert.Greater(t, left, 100)
	require.NoError(t, spool.Close())
}

// TestBroadcastHungSink has a sink with a history that hangs: memory is bounded all the same.
func TestBroadcastHungSink(t *testing.T) {
	big := high
	big.size = 100_000
	g := newStage(t, DefaultSettings(), &Options{MemoryBudget: 3 << 20})
	goOn := make(chan struct{})
	sink := &recorderSink{past: new(emptyPast), script: func(ctx context.Context, call string) error {
		if len(call) > 6 && call[:6] == "append" {
			<-goOn
		}
		return nil
	}}
	r := g.record(sink, recorderOptions{queueBytes: 1 << 20})
	r.open("")
	require.Eventually(t, func() bool { return r.history() != nil }, 5*time.Second, time.Millisecond)
	f := g.connect("1", big)
	f.all(0, 1000)
	assert.LessOrEqual(t, g.b.pool.used.Load(), int64(5<<20))
	close(goOn)
}

// emptyPast is a history without anything.
type emptyPast struct{ smooth.Presentation }

func (*emptyPast) Fragment(context.Context, smooth.FragmentKey) (*smooth.Fragment, error) {
	return nil, smooth.ErrNotFound
}
func (*emptyPast) Close() error { return nil }

// TestBroadcastEventID tells sinks the ID that encoders give the event, and nothing of an event without encoders.
func TestBroadcastEventID(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	begun := make(chan smooth.EventInfo, 1)
	r := g.record(beginSink(begun), recorderOptions{})
	g.record(beginSink(nil), recorderOptions{}) // blocks if it begins
	s, err := g.b.connect(PushInfo{Event: "final", Input: "1"}, nil)
	require.NoError(t, err)
	g.b.recorders = g.b.recorders[:1]
	require.NoError(t, g.b.register(s, &pushHeader{tracks: []pushTrack{high.track(1)}}))
	assert.Equal(t, "final", (<-begun).ID)
	g.b.disconnect(s)
	require.NoError(t, r.close(context.Background(), true))
}

type beginSink chan smooth.EventInfo

func (s beginSink) Begin(ctx context.Context, e smooth.EventInfo) (smooth.Recording, error) {
	s <- e
	return recorderSinkRecording{&recorderSink{}}, nil
}

// TestBroadcastValidator has two events of the same shape and other content, as when an encoder is started again.
func TestBroadcastValidator(t *testing.T) {
	validators := func(size int) (live, ended string) {
		l := high
		l.size = size
		g := newStage(t, DefaultSettings(), nil)
		g.connect("1", l, sound).all(0, 10)
		live = g.snap().Validator
		g.b.finish(nil)
		return live, g.snap().Validator
	}
	live, ended := validators(400)
	sameLive, sameEnded := validators(400)
	assert.Equal(t, live, sameLive)
	assert.Equal(t, ended, sameEnded)
	otherLive, otherEnded := validators(402)
	assert.NotEqual(t, live, otherLive)
	assert.NotEqual(t, ended, otherEnded)
}

// TestBroadcastOtherLevels has an encoder that comes back with other bit rates, again and again: levels that nobody sends leave
// the manifest with their last fragment, and do not count any more.
func TestBroadcastOtherLevels(t *testing.T) {
	set := DefaultSettings()
	set.Viewers.WindowLength = 10 * time.Second
	g := newStage(t, set, &Options{Limits: Limits{Tracks: 8}})
	var f *feeder
	for i := range 50 {
		l := high
		l.bitrate += uint64(i) * 1000
		f = g.connect("1", l, sound)
		f.all(i*20, i*20+20)
		st := g.snap().Manifest.Stream("video")
		require.Len(t, st.Levels, 1)
		require.Equal(t, l.bitrate, st.Levels[0].Bitrate)
		g.b.disconnect(f.s)
	}
	_, err := g.bytesOf(high.key(990))
	require.ErrorIs(t, err, smooth.ErrNotFound)
	f = g.connect("1", high)
	f.all(1000, 1020)
	_, err = g.bytesOf(high.key(1010))
	require.NoError(t, err, "it is back")
	require.Len(t, f.s.in.tracks, 1, "what the header before had is not that of the input any more")
}

// TestBroadcastDeadStreamPeriods has a dead stream while the clock of the encoder begins anew every day.
func TestBroadcastDeadStreamPeriods(t *testing.T) {
	set := DefaultSettings()
	set.Viewers.WindowLength = 20 * time.Second
	g := newStage(t, set, nil)
	f := g.connect("1", high, sound)
	f.all(0, 20)
	f.lanes = f.lanes[:1]
	for range 2 * maxPeriods {
		f.all(0, 20)
	}
	assert.Less(t, len(g.b.periods), 10)
}

// TestBroadcastRepeats sends the header with each fragment: viewers and sinks hear of it once.
func TestBroadcastRepeats(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	sink := &recorderSink{}
	r := g.record(sink, recorderOptions{})
	for i := range 10 {
		before := g.snap()
		f := g.connect("1", high)
		if i > 0 {
			assert.Same(t, before, g.snap())
		}
		f.send(0, i)
		g.b.disconnect(f.s)
	}
	require.NoError(t, r.close(context.Background(), true))
	declared := 0
	for _, call := range sink.taken() {
		if strings.HasPrefix(call, "declare") {
			declared++
		}
	}
	assert.Equal(t, 1, declared)
}
