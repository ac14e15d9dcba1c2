package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// stage is a broadcast with a clock of its own, and the encoders that feed it.
type stage struct {
	t      *testing.T
	b      *broadcast
	clock  time.Time
	events []Event
}

func newStage(t *testing.T, set *Settings, opts *Options) *stage {
	g := &stage{t: t, clock: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)}
	if opts == nil {
		opts = &Options{}
	}
	opts.Now = func() time.Time { return g.clock }
	opts.Logger = slog.New(slog.DiscardHandler)
	full := opts.withDefaults()
	g.b = newBroadcast("a.isml", set, &full, func(e Event) { g.events = append(g.events, e) })
	g.b.begun, g.b.over = func() {}, func() {}
	t.Cleanup(func() {
		g.b.finish(ErrEnding)
		g.b.drop()
		require.Zero(t, g.b.pool.used.Load(), "memory is given back")
	})
	return g
}

// count returns how many events of a kind there were.
func (g *stage) count(kind EventKind) int {
	n := 0
	for _, e := range g.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// lane is a track of a test's encoder.
type lane struct {
	typ      smooth.StreamType
	name     string
	bitrate  uint64
	parent   string
	size     int
	language string
	codec    byte // another configuration
}

var (
	high  = lane{typ: smooth.Video, name: "video", bitrate: 3_000_000}
	low   = lane{typ: smooth.Video, name: "video", bitrate: 400_000}
	sound = lane{typ: smooth.Audio, name: "audio", bitrate: 96_000}
	cues  = lane{typ: smooth.Text, name: "ad", bitrate: 1, parent: "video"}
)

func (l lane) track(id uint32) pushTrack {
	c := &smooth.Codec{Type: l.typ, FourCC: "AACL", PrivateData: []byte{0x11, 0x90, l.codec}, SamplingRate: 48000, Channels: 2}
	switch l.typ {
	case smooth.Video:
		c = &smooth.Codec{Type: l.typ, FourCC: "H264", PrivateData: []byte{0, 0, 0, 1, 0x67, 66, 0xC0, 31, l.codec}, NALULengthSize: 4, Width: 640, Height: 360}
	case smooth.Text:
		c = &smooth.Codec{Type: l.typ, FourCC: "DATA"}
	}
	return pushTrack{
		id: id, bitrate: l.bitrate, codec: c, sparse: l.parent != "", timescale: scale,
		stream: smooth.Stream{Type: l.typ, Name: l.name, Language: l.language, Parent: l.parent, ManifestOutput: l.parent != "", Subtype: map[bool]string{true: "DATA"}[l.parent != ""]},
	}
}

// feeder is a source of a stage.
type feeder struct {
	g     *stage
	s     *source
	lanes []lane
}

func (g *stage) connect(input string, lanes ...lane) *feeder {
	g.t.Helper()
	f, err := g.tryConnect(input, lanes...)
	require.NoError(g.t, err)
	return f
}

func (g *stage) tryConnect(input string, lanes ...lane) (*feeder, error) {
	s, err := g.b.connect(PushInfo{Input: input, Source: "HTTP Push", Address: "127.0.0.1"}, nil)
	if err != nil {
		return nil, err
	}
	h := &pushHeader{raw: []byte("header")}
	for i, l := range lanes {
		h.tracks = append(h.tracks, l.track(uint32(i+1)))
	}
	if err := g.b.register(s, h); err != nil {
		g.b.disconnect(s)
		return nil, err
	}
	return &feeder{g, s, lanes}, nil
}

// fragmentOf makes a fragment whose bytes depend on lane and time alone, but for the sequence number and, if odd, the order of
// boxes that another encoder may choose.
func (f *feeder) fragmentOf(n int, at int64, d uint64) *pushFragment {
	l := f.lanes[n]
	size := l.size
	if size == 0 {
		size = 400
	}
	samples := []fmp4.RunSample{{Duration: uint32(d / 2), Size: uint32(size / 2), Flags: fmp4.FlagsSync}, {Duration: uint32(d - d/2), Size: uint32(size - size/2), Flags: fmp4.FlagsDelta}}
	h := fmp4.FragmentHead{Sequence: rand.Uint32(), TrackID: uint32(n + 1), Tfxd: true, Time: uint64(at), Duration: d, Samples: samples}
	head, err := h.AppendTo(nil)
	require.NoError(f.g.t, err)
	buf := f.g.b.pool.make(size, len(head))
	copy(buf.Early(), head)
	for i := range buf.Payload() {
		buf.Payload()[i] = byte(uint64(i)*7 + l.bitrate/1000 + uint64(at)/scale*3)
	}
	return &pushFragment{track: n, time: at, duration: d, buf: buf}
}

func (f *feeder) trySend(n int, at int64, d uint64) error {
	return f.g.b.accept(f.s, f.fragmentOf(n, at, d))
}

// send sends fragments of two seconds, by number.
func (f *feeder) send(n int, numbers ...int) {
	f.g.t.Helper()
	for _, i := range numbers {
		require.NoError(f.g.t, f.trySend(n, int64(i)*2*scale, 2*scale))
	}
}

// all sends fragments of all lanes, from number on, as long as time goes on.
func (f *feeder) all(from, to int) {
	f.g.t.Helper()
	for i := from; i < to; i++ {
		f.g.clock = f.g.clock.Add(2 * time.Second)
		for n := range f.lanes {
			f.send(n, i)
		}
	}
}

func (g *stage) snap() *smooth.Snapshot { return g.b.snap.Load() }

// starts returns the numbers of the listed fragments of a stream.
func (g *stage) starts(stream string) []int {
	var list []int
	st := g.snap().Manifest.Stream(stream)
	if st == nil {
		return nil
	}
	for _, c := range st.Timeline {
		list = append(list, int(c.Time/(2*scale)))
	}
	return list
}

func (g *stage) received(stream string) []int {
	var list []int
	for i, st := range g.snap().Manifest.Streams {
		if st.Name == stream {
			for _, c := range g.snap().Edges[i].Received {
				list = append(list, int(c.Time/(2*scale)))
			}
		}
	}
	return list
}

func (l lane) key(number int) smooth.FragmentKey {
	return smooth.FragmentKey{Stream: l.name, Bitrate: l.bitrate, Time: uint64(number) * 2 * scale}
}

// bytesOf returns the whole of a fragment.
func (g *stage) bytesOf(k smooth.FragmentKey) ([]byte, error) {
	f, err := g.b.fragment(context.Background(), k)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, f.Size())
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if f.Early {
		return b, smooth.ErrNotYet
	}
	return b, nil
}

func TestBroadcastLists(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	f := g.connect("1", high, sound)
	for i := range 5 {
		f.all(i, i+1)
		assert.Len(t, g.starts("video"), max(i-1, 0), "the newest two are not listed")
		assert.Len(t, g.received("video"), i+1)
	}
	assert.Equal(t, []int{0, 1, 2}, g.starts("audio"))
	_, err := g.bytesOf(high.key(3))
	assert.ErrorIs(t, err, smooth.ErrNotYet, "early")
	_, err = g.bytesOf(high.key(5))
	assert.ErrorIs(t, err, smooth.ErrNotYet)
	_, err = g.bytesOf(smooth.FragmentKey{Stream: "video", Bitrate: high.bitrate, Time: 1})
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	b, err := g.bytesOf(high.key(1))
	require.NoError(t, err)
	next, err := fmp4.ParseTfrf(b[:fmp4.MoofSize(b)])
	require.NoError(t, err)
	assert.Equal(t, []fmp4.FragmentSpan{{Time: 4 * scale, Duration: 2 * scale}, {Time: 6 * scale, Duration: 2 * scale}}, next)
	m := g.snap().Manifest
	assert.True(t, m.IsLive)
	assert.EqualValues(t, 2, m.LookaheadCount)
	g.b.finish(nil)
	assert.Equal(t, []int{0, 1, 2, 3, 4}, g.starts("video"))
	assert.True(t, g.snap().Ended)
	assert.EqualValues(t, 10*scale, g.snap().Manifest.Duration)
	_, err = g.bytesOf(high.key(5))
	assert.ErrorIs(t, err, smooth.ErrNotFound)
}

// state is everything that viewers can get.
func (g *stage) state(lanes []lane) string {
	s := ""
	for _, st := range g.snap().Manifest.Streams {
		s += fmt.Sprintf("%s %v %d\n", st.Name, st.Timeline, len(st.Levels))
	}
	for _, l := range lanes {
		for _, c := range g.snap().Manifest.Stream(l.name).Timeline {
			k := l.key(0)
			k.Time = c.Time
			b, err := g.bytesOf(k)
			s += fmt.Sprintf("%v %x %v\n", k, b, err)
		}
	}
	return s
}

// TestBroadcastOrder feeds the same fragments in many orders, by redundant sources that lose some, and finds the same
// presentation each time.
func TestBroadcastOrder(t *testing.T) {
	lanes := []lane{high, low, sound}
	const n = 12
	want := ""
	for seed := range 60 {
		g := newStage(t, DefaultSettings(), nil)
		r := rand.New(rand.NewPCG(7, uint64(seed)))
		a := g.connect("1", lanes...)
		sources := []*feeder{a}
		if seed > 0 {
			sources = append(sources, g.connect("1", lanes...))
		}
		type item struct{ src, lane, number int }
		var queues [][]item
		for src := range sources {
			for l := range lanes {
				var q []item
				for i := range n {
					if len(sources) == 2 && i > 0 && (i*7+l*3+seed)%5 == 0 && (i+l)%2 == src {
						continue // the other one has it
					}
					q = append(q, item{src, l, i})
				}
				queues = append(queues, q)
			}
		}
		for len(queues) > 0 { // each track of a source in order, else any order
			i := r.IntN(len(queues))
			next := queues[i][0]
			sources[next.src].send(next.lane, next.number)
			if queues[i] = queues[i][1:]; len(queues[i]) == 0 {
				queues = append(queues[:i], queues[i+1:]...)
			}
		}
		g.b.finish(nil)
		got := g.state(lanes)
		if seed == 0 {
			want = got
			require.Contains(t, want, "video")
		}
		require.Equal(t, want, got, "seed %d", seed)
		require.Zero(t, g.count(GapFound))
	}
}

func TestBroadcastGap(t *testing.T) {
	t.Run("a single source has lost it", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		g.connect("1", high).send(0, 0, 1, 3, 4, 5)
		assert.Equal(t, []int{0, 1, 3}, g.starts("video"))
		assert.Equal(t, []smooth.Gap{{Stream: "video", Time: 4 * scale, Duration: 2 * scale}}, g.snap().Gaps)
		assert.Equal(t, 1, g.count(GapFound))
		after := g.snap().Manifest.Streams[0].Timeline[2]
		assert.Equal(t, smooth.Chunk{Time: 6 * scale, Duration: 2*scale - 1}, after, "told apart from one without a gap")
		b, err := g.bytesOf(high.key(3))
		require.NoError(t, err)
		head, err := fmp4.Inspect(b[:fmp4.MoofSize(b)], 0, fmp4.Defaults{})
		require.NoError(t, err)
		assert.EqualValues(t, 2*scale-1, head.Duration)
	})
	t.Run("a slower source may have it", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		a, b := g.connect("1", high), g.connect("1", high)
		b.send(0, 0)
		a.send(0, 0, 1, 3, 4, 5)
		assert.Equal(t, []int{0, 1}, g.received("video"), "waits")
		b.send(0, 1, 2)
		assert.Equal(t, []int{0, 1, 2, 3, 4, 5}, g.received("video"))
		assert.Zero(t, g.count(GapFound))
	})
	t.Run("but not for ever", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		a, b := g.connect("1", high), g.connect("1", high)
		b.send(0, 0)
		a.send(0, 0, 1, 3)
		g.clock = g.clock.Add(6 * time.Second)
		g.b.ring()
		assert.Equal(t, []int{0, 1, 3}, g.received("video"))
		require.NoError(t, b.trySend(0, 4*scale, 2*scale), "late, and ignored")
		assert.Equal(t, []int{0, 1, 3}, g.received("video"))
		assert.Equal(t, 1, g.count(FragmentDropped))
	})
	t.Run("one level lags", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		a, b := g.connect("1", high), g.connect("2", low)
		a.send(0, 0)
		b.send(0, 0)
		a.send(0, 1, 2, 3)
		assert.Equal(t, []int{0}, g.received("video"))
		b.send(0, 1)
		assert.Equal(t, []int{0, 1}, g.received("video"))
		g.b.disconnect(b.s)
		assert.Equal(t, []int{0, 1}, g.received("video"))
		g.clock = g.clock.Add(lossGrace)
		g.b.ring()
		assert.Equal(t, []int{0, 1, 2, 3}, g.received("video"), "nobody waits for one that has gone")
		b = g.connect("2", low)
		b.send(0, 2, 3) // resent
		a.send(0, 4, 5)
		b.send(0, 4, 5)
		for _, l := range []lane{high, low} {
			for i := range 4 {
				_, err := g.bytesOf(l.key(i))
				assert.NoError(t, err, "%v %d", l, i)
			}
		}
	})
}

// TestBroadcastTorn lets an encoder die when one level has its last fragment and the other has not.
func TestBroadcastTorn(t *testing.T) {
	torn := func(t *testing.T) (*stage, *feeder, *feeder) {
		g := newStage(t, DefaultSettings(), nil)
		a, b := g.connect("1", high), g.connect("2", low)
		for i := range 30 {
			g.clock = g.clock.Add(2 * time.Second)
			a.send(0, i)
			b.send(0, i)
		}
		a.send(0, 30)
		g.b.disconnect(b.s)
		g.b.disconnect(a.s)
		g.clock = g.clock.Add(2 * time.Second)
		g.b.ring()
		assert.Len(t, g.received("video"), 30, "waits for the other level")
		return g, a, b
	}
	t.Run("sent again", func(t *testing.T) {
		g, _, _ := torn(t)
		a, b := g.connect("1", high), g.connect("2", low)
		a.send(0, 29, 30, 31, 32)
		b.send(0, 29, 30, 31, 32)
		assert.Len(t, g.received("video"), 33)
		assert.Zero(t, g.count(GapFound))
	})
	t.Run("another clock", func(t *testing.T) {
		g, _, _ := torn(t)
		a, b := g.connect("1", high), g.connect("2", low)
		a.send(0, 0, 1, 2)
		b.send(0, 0, 1, 2)
		s := g.snap()
		require.Len(t, s.Edges[0].Received, 33)
		assert.EqualValues(t, 58*scale, s.Edges[0].Received[29].Time)
		assert.Greater(t, s.Edges[0].Received[30].Time, uint64(61*scale))
		assert.Equal(t, 1, g.count(FragmentDropped))
		_, err := g.bytesOf(high.key(30))
		assert.ErrorIs(t, err, smooth.ErrNotFound)
	})
	t.Run("the end", func(t *testing.T) {
		g, _, _ := torn(t)
		g.b.finish(nil)
		assert.Len(t, g.starts("video"), 30)
	})
}

func TestBroadcastOverlap(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	a := g.connect("1", high)
	a.send(0, 0, 1, 2)
	other := g.connect("1", high)
	var err error
	for i := 0; i < maxOverlaps && err == nil; i++ {
		err = other.trySend(0, int64(2+2*i)*scale+scale/2, 2*scale)
		a.send(0, 3+i)
	}
	assert.ErrorIs(t, err, ErrConflict)
	assert.Contains(t, err.Error(), "overlap")
	assert.Len(t, g.received("video"), 3+maxOverlaps)
	assert.Positive(t, g.count(FragmentDropped))
}

func TestBroadcastRestart(t *testing.T) {
	t.Run("moved", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		a := g.connect("1", high, sound)
		a.all(0, 30)
		g.b.disconnect(a.s)
		g.clock = g.clock.Add(5 * time.Second)
		b := g.connect("1", high, sound)
		b.all(0, 5)
		assert.Equal(t, 1, g.count(ClockRestarted))
		s := g.snap()
		require.Len(t, s.Periods, 2)
		assert.EqualValues(t, 1, s.Periods[1].Discontinuity)
		line := s.Edges[0].Received
		require.Len(t, line, 35)
		assert.GreaterOrEqual(t, line[30].Time, line[29].End())
		wall := s.Periods[0].Wall.Add(span(line[30].Time - s.Periods[0].Start))
		assert.WithinDuration(t, g.clock.Add(-10*time.Second), wall, 3*time.Second, "real time")
		assert.WithinDuration(t, wall, s.Periods[1].Wall.Add(span(line[30].Time-s.Periods[1].Start)), time.Second)
		audio := s.Edges[1].Received
		assert.Equal(t, line[30:], audio[30:], "sound stays with the picture")
		k := high.key(0)
		k.Time = line[30].Time
		_, err := g.bytesOf(k)
		assert.NoError(t, err)
	})
	t.Run("soon after the start", func(t *testing.T) {
		for _, other := range []bool{false, true} {
			g := newStage(t, DefaultSettings(), nil)
			a := g.connect("1", high, sound)
			a.all(0, 3)
			g.b.disconnect(a.s)
			g.clock = g.clock.Add(5 * time.Second)
			b := g.connect("1", high, sound)
			if !other {
				b.all(0, 3)
				assert.Zero(t, g.count(ClockRestarted), "the same again")
				assert.Len(t, g.received("video"), 3)
				continue
			}
			f := b.fragmentOf(0, 0, 2*scale)
			f.buf.Payload()[0]++
			require.NoError(t, g.b.accept(b.s, f))
			b.send(1, 0)
			assert.Equal(t, 1, g.count(ClockRestarted), "other pictures")
			assert.Len(t, g.received("video"), 4)
			assert.Len(t, g.received("audio"), 4)
		}
	})
	t.Run("refused", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), &Options{RefuseClockRestart: true})
		a := g.connect("1", high)
		a.all(0, 30)
		g.b.disconnect(a.s)
		assert.ErrorIs(t, g.connect("1", high).trySend(0, 0, 2*scale), ErrConflict)
	})
	t.Run("while another goes on", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		a := g.connect("1", high)
		a.all(0, 60)
		assert.ErrorIs(t, g.connect("1", high).trySend(0, 0, 2*scale), ErrConflict)
		require.NoError(t, g.connect("1", high).trySend(0, 100*scale, 2*scale), "only a little late")
		assert.Zero(t, g.count(ClockRestarted))
	})
	t.Run("resent", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		a := g.connect("1", high)
		a.all(0, 10)
		g.b.disconnect(a.s)
		b := g.connect("1", high)
		b.all(8, 12)
		assert.Zero(t, g.count(ClockRestarted))
		assert.Len(t, g.received("video"), 12)
	})
	t.Run("leap", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		a := g.connect("1", high)
		a.all(0, 10)
		g.b.disconnect(a.s)
		b := g.connect("1", high)
		require.NoError(t, b.trySend(0, 17_000_000_000*scale/10, 2*scale))
		g.clock = g.clock.Add(lossGrace)
		g.b.ring()
		assert.Equal(t, 1, g.count(ClockRestarted))
		assert.Less(t, g.snap().Edges[0].Received[10].Time, uint64(60*scale))
	})
	t.Run("sound before zero", func(t *testing.T) {
		g := newStage(t, DefaultSettings(), nil)
		a := g.connect("1", sound)
		require.NoError(t, a.trySend(0, -213333, 2*scale))
		require.NoError(t, a.trySend(0, 2*scale-213333, 2*scale))
		assert.Equal(t, smooth.Timeline{{Time: 0, Duration: 2*scale - 213333}, {Time: 2*scale - 213333, Duration: 2 * scale}}, g.snap().Edges[0].Received)
	})
}

func TestBroadcastConflicts(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	a := g.connect("1", high)
	a.send(0, 0)
	other := high
	other.codec = 9
	_, err := g.tryConnect("1", other)
	assert.ErrorIs(t, err, ErrConflict, "another header while the first encoder is there")
	wrong := high
	wrong.typ = smooth.Audio
	_, err = g.tryConnect("2", wrong)
	assert.ErrorIs(t, err, ErrConflict)
	_, err = g.b.connect(PushInfo{Event: "e", Input: "3"}, nil)
	assert.ErrorIs(t, err, ErrConflict, "another event")
	g.b.disconnect(a.s)
	b := g.connect("1", other)
	b.send(0, 1, 2, 3)
	assert.Equal(t, 1, g.count(TrackChanged))
	require.Len(t, g.snap().Periods, 2)
	assert.EqualValues(t, 9, g.snap().Periods[1].Tracks[0].Codec.PrivateData[8])
	assert.EqualValues(t, 31, g.snap().Periods[0].Tracks[0].Codec.PrivateData[7])
}

func TestBroadcastSparse(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	v, ad := g.connect("v", high), g.connect("ad", cues)
	v.send(0, 0, 1, 2)
	require.NoError(t, ad.trySend(0, 5*scale, 0))
	assert.Empty(t, g.snap().Manifest.Stream("ad").Timeline, "its parent has not come to it")
	v.send(0, 3, 4, 5)
	st := g.snap().Manifest.Stream("ad")
	require.Len(t, st.Timeline, 1)
	require.Len(t, st.Embedded, 1)
	assert.Len(t, st.Embedded[0][0].Data, 400)
	f, err := g.b.fragment(context.Background(), high.key(3))
	require.NoError(t, err)
	assert.Equal(t, "ad=50000000", f.ChildTrack)
	f.Close()
	f, err = g.b.fragment(context.Background(), high.key(2))
	require.NoError(t, err)
	assert.Empty(t, f.ChildTrack)
	f.Close()
	f, err = g.b.fragment(context.Background(), smooth.FragmentKey{Stream: "ad", Bitrate: 1, Time: 5 * scale})
	require.NoError(t, err)
	assert.False(t, f.Early)
	f.Close()
}

func TestBroadcastWindow(t *testing.T) {
	set := DefaultSettings()
	set.Viewers.WindowLength = 20 * time.Second
	g := newStage(t, set, nil)
	f := g.connect("1", high, sound)
	f.all(0, 100)
	assert.Equal(t, []int{88, 89, 90, 91, 92, 93, 94, 95, 96, 97}, g.starts("video"))
	assert.EqualValues(t, 20*scale, g.snap().Manifest.DVRWindowLength)
	_, err := g.bytesOf(high.key(80))
	assert.NoError(t, err, "a player may still have it in its list")
	_, err = g.bytesOf(high.key(70))
	assert.ErrorIs(t, err, smooth.ErrGone)
	g.b.finish(nil)
	assert.EqualValues(t, 20*scale, g.snap().Manifest.DVRWindowLength)
}

func TestBroadcastBudget(t *testing.T) {
	big := high
	big.size = 100_000
	g := newStage(t, DefaultSettings(), &Options{MemoryBudget: 3 << 20})
	f := g.connect("1", big)
	pinned, err := func() (*smooth.Fragment, error) {
		f.all(0, 10)
		return g.b.fragment(context.Background(), big.key(2))
	}()
	require.NoError(t, err)
	f.all(10, 100)
	assert.LessOrEqual(t, g.b.pool.used.Load(), int64(3<<20))
	starts := g.starts("video")
	assert.Equal(t, 97, starts[len(starts)-1])
	assert.Greater(t, starts[0], 50)
	assert.Less(t, len(starts), 40)
	assert.Equal(t, 1, g.count(WindowShortened))
	for _, n := range starts {
		_, err := g.bytesOf(big.key(n))
		assert.NoError(t, err)
	}
	_, err = g.bytesOf(big.key(2))
	assert.ErrorIs(t, err, smooth.ErrGone)
	data, err := pinned.Load(context.Background(), nil)
	require.NoError(t, err)
	assert.Len(t, data, big.size, "what is lent stays")
	assert.Equal(t, byte((7+3000+4*3)%256), data[1])
	pinned.Close()
}

func TestBroadcastWait(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	f := g.connect("1", high)
	f.send(0, 0, 1)
	done := make(chan error)
	go func() { done <- g.b.wait(context.Background(), high.key(1)) }()
	go func() { done <- g.b.wait(context.Background(), high.key(1)) }()
	f.send(0, 2, 3)
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- g.b.wait(ctx, high.key(9)) }()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	go func() { done <- g.b.wait(context.Background(), high.key(9)) }()
	g.b.finish(nil)
	require.ErrorIs(t, <-done, smooth.ErrNotFound)
	g.b.waits.mu.Lock()
	assert.Empty(t, g.b.waits.keys)
	g.b.waits.mu.Unlock()
}

func TestBroadcastEnd(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	overs := 0
	g.b.over = func() { overs++ }
	a, b, red := g.connect("1", high), g.connect("2", sound), g.connect("1", high)
	a.send(0, 0)
	b.send(0, 0)
	g.b.end(a.s)
	assert.Zero(t, g.count(StreamEnded), "a redundant source goes on")
	g.b.end(red.s)
	assert.Equal(t, 1, g.count(StreamEnded))
	assert.Zero(t, overs)
	g.b.disconnect(b.s)
	assert.Zero(t, overs, "without its end a stream may come back")
	b = g.connect("2", sound)
	g.b.end(b.s)
	assert.Equal(t, 1, overs)
}

func TestBroadcastRequired(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	s, err := g.b.connect(PushInfo{Input: "v"}, nil)
	require.NoError(t, err)
	v := &feeder{g, s, []lane{high}}
	require.NoError(t, g.b.register(s, &pushHeader{required: []string{"v", "a"}, tracks: []pushTrack{high.track(1)}}))
	v.send(0, 0, 1, 2, 3)
	assert.Empty(t, g.starts("video"), "waits for the other stream")
	g.connect("a", sound)
	assert.Equal(t, []int{0, 1}, g.starts("video"))
}

func TestBroadcastMeasured(t *testing.T) {
	unknown := high
	unknown.bitrate = 0
	unknown.size = 123_456
	g := newStage(t, DefaultSettings(), nil)
	f := g.connect("1", unknown)
	assert.Empty(t, g.snap().Manifest.Streams)
	f.send(0, 0, 1, 2)
	require.Len(t, g.snap().Manifest.Streams, 1)
	assert.EqualValues(t, 490_000, g.snap().Manifest.Streams[0].Levels[0].Bitrate)
	g.b.disconnect(f.s)
	f = g.connect("1", unknown)
	f.send(0, 3, 4)
	assert.Len(t, g.snap().Manifest.Streams[0].Levels, 1)
}

func TestBroadcastLimits(t *testing.T) {
	g := newStage(t, DefaultSettings(), &Options{Limits: Limits{Inputs: 1, Tracks: 2, Sources: 2}})
	g.connect("1", high)
	_, err := g.tryConnect("2", low)
	assert.ErrorIs(t, err, ErrLimit)
	_, err = g.tryConnect("1", high, low, sound)
	assert.ErrorIs(t, err, ErrLimit)
	g.connect("1", high)
	_, err = g.tryConnect("1", high)
	assert.ErrorIs(t, err, ErrLimit)
	g.b.finish(nil)
	_, err = g.tryConnect("1", high)
	assert.ErrorIs(t, err, ErrNotAccepting)
	assert.True(t, errors.Is(err, ErrNotAccepting))
}
