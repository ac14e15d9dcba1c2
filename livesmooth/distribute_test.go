package livesmooth

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestBackoff: waits double up to a bound, and half of each is random.
func TestBackoff(t *testing.T) {
	d := defaultDistribution()
	for _, c := range []struct {
		random float64
		want   []time.Duration
	}{
		{0, []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}},
		{0.5, []time.Duration{375 * time.Millisecond, 750 * time.Millisecond, 1500 * time.Millisecond}},
	} {
		d.random = func() float64 { return c.random }
		w := backoff{d: &d}
		for range 2 {
			for _, want := range c.want {
				require.Equal(t, want, w.next())
			}
			w.reset()
		}
	}
}

// TestPeriodBox: the box of a period gives the period back, and every part of it an error.
func TestPeriodBox(t *testing.T) {
	for _, p := range []pushPeriod{
		{},
		{start: 123_456_789, wall: time.Date(2026, 11, 26, 10, 0, 0, 123_000_000, time.UTC), discontinuity: 7},
	} {
		b := appendPeriod(nil, p)
		require.Len(t, b, 52)
		got, err := parsePeriod(b, 0)
		require.NoError(t, err)
		require.Equal(t, p, got)
		longer := append(appendPeriod(nil, p), "more"...)
		longer[3] += 4
		got, err = parsePeriod(longer, 0)
		require.NoError(t, err)
		require.Equal(t, p, got)
		for n := range b {
			part := append([]byte(nil), b[:n]...)
			if n >= 4 {
				part[3] = byte(n)
			}
			_, err := parsePeriod(part, 0)
			require.Error(t, err, n)
		}
	}
	_, err := parsePeriod(appendPeriod(nil, pushPeriod{start: maxMediaTime + 1}), 9)
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorContains(t, err, "byte 9")
}

// FuzzPeriodBox: what can be read can be written, and read again.
func FuzzPeriodBox(f *testing.F) {
	f.Add(appendPeriod(nil, pushPeriod{}))
	f.Add(appendPeriod(nil, pushPeriod{start: 1, wall: time.Unix(1, 0), discontinuity: 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePeriod(b, 0)
		if err != nil {
			return
		}
		again, err := parsePeriod(appendPeriod(nil, p), 0)
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}

// TestStreamRefs: lists of streams of this server and of others.
func TestStreamRefs(t *testing.T) {
	ours := []streamRef{{id: "a"}, {event: "cup & final", id: `b "2"`, ended: true}, {id: "ü"}}
	text := appendStreamManifest(nil, ours)
	for name, c := range map[string]struct {
		text string
		want []streamRef
		err  error
	}{
		"ours":           {string(text), ours, nil},
		"boxed":          {string(fmp4.AppendFullUUID(nil, fmp4.UUIDStreamManifest, text)), ours, nil},
		"mark":           {"\ufeff<smil><body><par><REF SRC='streams(x)'/></par></body></smil>", []streamRef{{id: "x"}}, nil},
		"UTF-16":         {"\xff\xfe<\x00r\x00e\x00f\x00 \x00s\x00r\x00c\x00=\x00'\x00S\x00t\x00r\x00e\x00a\x00m\x00s\x00(\x00x\x00)\x00'\x00/\x00>\x00", []streamRef{{id: "x"}}, nil},
		"absolute":       {`<smil><ref src="http://elsewhere/b.isml/Events(e)/Streams(x)"/></smil>`, []streamRef{{event: "e", id: "x"}}, nil},
		"twice":          {`<smil><ref src="Streams(x)"/><ref src="Streams(x)"/></smil>`, []streamRef{{id: "x"}}, nil},
		"none":           {`<smil/>`, nil, nil},
		"not ours":       {`<smil><ref src="Streams(x)" ended="true"/></smil>`, []streamRef{{id: "x"}}, nil},
		"no source":      {`<smil><ref/></smil>`, nil, ErrMalformed},
		"other source":   {`<smil><ref src="film.ismv"/></smil>`, nil, ErrMalformed},
		"odd ID":         {"<smil><ref src='Streams(a&#9;b)'/></smil>", nil, ErrMalformed},
		"climbing":       {"<smil><ref src='Streams(..)'/></smil>", nil, ErrMalformed},
		"broken":         {`<smil><ref src="Streams(x)"`, nil, ErrMalformed},
		"another box":    {string(fmp4.AppendFullUUID(nil, uuidPeriod, text)), nil, ErrMalformed},
		"part of a box":  {"\x00\x00\x00\x10uuid12345678", nil, ErrMalformed},
		"too many":       {manyRefs(maxRequired + 1), nil, ErrLimit},
		"as many as can": {manyRefs(1), []streamRef{{id: "0"}}, nil},
	} {
		got, err := parseStreamRefs([]byte(c.text))
		require.ErrorIs(t, err, c.err, name)
		if c.err == nil {
			require.Equal(t, c.want, got, name)
		}
	}
}

func manyRefs(n int) string {
	text := "<smil>"
	for i := range n {
		text += fmt.Sprintf("<ref src='Streams(%d)'/>", i)
	}
	return text + "</smil>"
}

// FuzzStreamRefs: what can be read can be written, and read again.
func FuzzStreamRefs(f *testing.F) {
	f.Add(appendStreamManifest(nil, []streamRef{{id: "a"}, {event: "e", id: "b", ended: true}}))
	f.Add(fmp4.AppendFullUUID(nil, fmp4.UUIDStreamManifest, []byte("<ref src='Streams(x)'/>")))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseStreamRefs(b)
		if err != nil {
			return
		}
		again, err := parseStreamRefs(appendStreamManifest(nil, list))
		require.NoError(t, err)
		require.Equal(t, list, again)
	})
}

// TestPeerRequest: IDs get into URLs as they are, and nothing of them leads elsewhere.
func TestPeerRequest(t *testing.T) {
	srv := &Server{}
	for _, c := range []struct{ url, below, query, want string }{
		{"http://h/live/a.isml", "streammanifest", "", "http://h/live/a.isml/streammanifest"},
		{"http://h/a%20b.isml", "Streams(1)", "from=5", "http://h/a%20b.isml/Streams(1)?from=5"},
		{"http://h/a.isml?token=x", "Streams(1)", "from=5", "http://h/a.isml/Streams(1)?token=x&from=5"},
		{"https://h:8443/a.isml", "Events(e?)/Streams(100% ü (2))", "", "https://h:8443/a.isml/Events(e%3F)/Streams(100%25%20%C3%BC%20%282%29)"},
	} {
		r, err := newPeer(srv, RemotePoint{URL: c.url}).request(context.Background(), http.MethodGet, c.below, c.query, nil)
		require.NoError(t, err)
		require.Equal(t, c.want, r.URL.String())
		pp, ok := parsePushPath(r.URL.Path)
		require.True(t, ok, r.URL.Path)
		if c.below != "streammanifest" {
			require.Equal(t, c.below, streamRef{pp.event, pp.input, false}.path())
		}
	}
	require.Equal(t, "http://u:xxxxx@h/a.isml", newPeer(srv, RemotePoint{URL: "http://u:p@h/a.isml"}).shown)
}

// TestPacer: a connection may be a fragment ahead of the others, and not be held up by one that does not move.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		p := newPacer(5 * time.Second)
		a, b := &track{stream: &stream{}}, &track{stream: &stream{}}
		sparse := &track{stream: &stream{sparse: true}}
		x, y, z := p.join(true), p.join(true), p.join(false)
		p.declare(x, []*track{a, nil})
		var passedA, passedB atomic.Uint64
		run := func(passed *atomic.Uint64, l *paceLane, tr *track, from, to uint64) {
			go func() {
				for at := from; at < to; at++ {
					assert.NoError(t, p.pass(ctx, l, tr, at*2, 2))
					passed.Store(at + 1)
				}
			}()
			synctest.Wait()
		}
		start := time.Now()
		run(&passedA, x, a, 100, 110)
		require.Zero(t, passedA.Load(), "y has not begun")
		p.declare(y, []*track{b, sparse})
		require.NoError(t, p.pass(ctx, y, sparse, 1, 0), "sparse ones never wait")
		run(&passedB, y, b, 90, 100)
		require.Equal(t, []uint64{102, 100}, []uint64{passedA.Load(), passedB.Load()})
		run(&passedB, y, b, 100, 104)
		require.Equal(t, []uint64{106, 104}, []uint64{passedA.Load(), passedB.Load()})
		require.Zero(t, time.Since(start))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, uint64(110), passedA.Load(), "b does not move")
		run(&passedA, x, a, 110, 200)
		require.Equal(t, uint64(200), passedA.Load(), "and is left behind")
		run(&passedB, y, b, 104, 150)
		require.Equal(t, uint64(150), passedB.Load())
		run(&passedA, x, a, 200, 210)
		require.Equal(t, uint64(210), passedA.Load(), "still behind")
		require.Zero(t, time.Since(start)-5*time.Second)
		run(&passedB, y, b, 150, 210)
		run(&passedA, x, a, 210, 220)
		require.Equal(t, uint64(212), passedA.Load(), "it has caught up")
		p.leave(y)
		synctest.Wait()
		require.Equal(t, uint64(220), passedA.Load())

		p.declare(z, []*track{b})
		gone, cancel := context.WithCancelCause(ctx)
		cancel(errLeft)
		require.ErrorIs(t, p.pass(gone, z, b, 1000, 2), errLeft)
	})
}

// TestSetTrackID: the head of every fragment here has its track_ID where it is looked for.
func TestSetTrackID(t *testing.T) {
	h := fmp4.FragmentHead{TrackID: 1, Tfxd: true, Duration: 1, Samples: []fmp4.RunSample{{Duration: 1, Size: 1}}}
	b, err := h.AppendTo(nil)
	require.NoError(t, err)
	require.NoError(t, setTrackID(b, 0x01020304))
	m, err := fmp4.ParseMoof(b[:fmp4.MoofSize(b)], 0)
	require.NoError(t, err)
	require.Equal(t, uint32(0x01020304), m.Trafs[0].TrackID)
	for n := range 48 {
		require.Error(t, setTrackID(b[:n], 1))
	}
	b[36] = 'x'
	require.Error(t, setTrackID(b, 1))
}

// periodsOf returns the starts and numbers of the periods of a stage.
func (g *stage) periodsOf() (list [][2]uint64) {
	for _, p := range g.b.periods {
		list = append(list, [2]uint64{p.Start / scale, p.Discontinuity})
	}
	return list
}

// TestSetPeriod: what servers upstream say of their periods, when several do.
func TestSetPeriod(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	base := g.clock
	at := func(start, wall int, number uint64) pushPeriod {
		return pushPeriod{start: uint64(start) * scale, wall: base.Add(time.Duration(wall) * time.Second), discontinuity: number}
	}
	a, b := g.connect("1", high), g.connect("1", high)
	g.b.setPeriod(a.s, at(100, 100, 3))
	require.Equal(t, [][2]uint64{{100, 3}}, g.periodsOf())
	a.all(50, 55)
	g.b.setPeriod(a.s, at(100, 100, 3))
	g.b.setPeriod(b.s, at(100, 101, 3)) // another origin, which has guessed a second more
	require.Equal(t, [][2]uint64{{100, 3}}, g.periodsOf())
	g.b.setPeriod(b.s, at(104, 105, 0)) // one that began later
	require.Equal(t, [][2]uint64{{100, 3}}, g.periodsOf())
	g.b.setPeriod(a.s, at(200, 200, 4))
	g.b.setPeriod(b.s, at(202, 203, 4)) // the same restart, seen a moment later
	require.Equal(t, [][2]uint64{{100, 3}, {200, 4}}, g.periodsOf())
	g.b.setPeriod(b.s, at(300, 301, 1)) // a discontinuity by one that has missed some
	require.Equal(t, [][2]uint64{{100, 3}, {200, 4}, {300, 5}}, g.periodsOf())
	g.b.setPeriod(a.s, at(50, 50, 2)) // the past, from one that still has it
	require.Equal(t, [][2]uint64{{50, 2}, {100, 3}, {200, 4}, {300, 5}}, g.periodsOf())
	require.Zero(t, a.s.offset)
	require.Zero(t, b.s.offset)
	require.Equal(t, base.Add(300*time.Second), g.b.periods[3].Wall, "walls are of one clock")

	// The event upstream has begun anew ten minutes later, with a clock from zero.
	g.b.setPeriod(a.s, at(0, 700, 0))
	require.Equal(t, [2]uint64{700, 6}, g.periodsOf()[4])
	require.Equal(t, int64(700*scale), a.s.offset)
	g.b.setPeriod(a.s, at(20, 720, 1))
	require.Equal(t, [2]uint64{720, 7}, g.periodsOf()[5])
	c := g.connect("2", sound)
	g.b.setPeriod(c.s, at(0, 700, 0))
	require.Equal(t, int64(700*scale), c.s.offset)
	require.Len(t, g.b.periods, 6)
	g.b.setPeriod(b.s, at(300, 301, 1)) // the other one goes on with the old
	require.Zero(t, b.s.offset)
	require.Len(t, g.b.periods, 6)
	require.Equal(t, 1, g.count(ClockRestarted))

	g.b.setPeriod(c.s, pushPeriod{start: 5 * scale}) // without a clock
	require.Len(t, g.b.periods, 6)
	require.Equal(t, int64(700*scale), c.s.offset)
}

// TestSetPeriodSoonAnew: a server that is pulled from and restarts soon after the beginning does not go on with its event, though
// two servers may be that far apart.
func TestSetPeriodSoonAnew(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	base := g.clock
	pull := func(address string) *feeder {
		f := g.connect("1", high)
		f.s.info.Source, f.s.info.Address = "HTTP Pull", address
		return f
	}
	at := func(start, wall int) pushPeriod {
		return pushPeriod{start: uint64(start) * scale, wall: base.Add(time.Duration(wall) * time.Second)}
	}
	const first, second = "http://a/x.isml/Streams(1)", "http://b/x.isml/Streams(1)"
	a := pull(first)
	g.b.setPeriod(a.s, at(0, 0))
	a.all(0, 10)
	g.b.disconnect(a.s)
	b := pull(second)
	g.b.setPeriod(b.s, at(0, 20))
	require.Zero(t, b.s.offset, "another server may have guessed so")
	a = pull(first)
	g.b.setPeriod(a.s, at(10, 11))
	require.Zero(t, a.s.offset, "the same event")
	a = pull(first)
	g.b.setPeriod(a.s, at(0, 26))
	require.GreaterOrEqual(t, a.s.offset, int64(20*scale), "another event")
	require.Len(t, g.b.periods, 2)
	require.Equal(t, 1, g.count(ClockRestarted))
	offset := a.s.offset
	a = pull(first)
	g.b.setPeriod(a.s, at(0, 26))
	require.Equal(t, offset, a.s.offset)
	require.Len(t, g.b.periods, 2)
}

// TestFeedFrom: a server that asks for a time that is not there yet may follow an event that was before this one.
func TestFeedFrom(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	a := g.connect("1", high)
	in := g.b.input("1")
	require.Zero(t, newFeed(g.b, in, 12*scale).from, "nothing yet")
	a.all(0, 5)
	require.Equal(t, uint64(8*scale), newFeed(g.b, in, 8*scale).from)
	require.Zero(t, newFeed(g.b, in, 12*scale).from, "a young event")
	a.all(5, 60)
	require.Equal(t, uint64(125*scale), newFeed(g.b, in, 125*scale).from, "another origin may be ahead")
	require.Zero(t, newFeed(g.b, in, 500*scale).from)
}

// TestRestated: a codec configuration counts from its fragment on, in the periods that servers have stated, and makes none.
func TestRestated(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	f := g.connect("1", high, sound)
	for i, start := range []uint64{0, 10, 20} {
		g.b.setPeriod(f.s, pushPeriod{start: start * scale, wall: g.clock.Add(time.Duration(start) * time.Second), discontinuity: uint64(i)})
	}
	f.all(0, 6)
	before := g.snap().Periods
	changed := high
	changed.codec = 1
	g.b.disconnect(f.s)
	f = g.connect("1", changed, sound)
	g.b.follow(f.s, nil)
	f.all(6, 8)
	after := g.snap().Periods
	require.Len(t, after, 3)
	codec := func(p smooth.Period) byte { return p.Tracks[0].Codec.PrivateData[8] }
	require.Equal(t, []byte{0, 1, 1}, []byte{codec(after[0]), codec(after[1]), codec(after[2])})
	require.Equal(t, []byte{0, 0, 0}, []byte{codec(before[0]), codec(before[1]), codec(before[2])}, "snapshots do not change")
}

// TestFeedJump: a push that finds its place gone goes on at the live edge, a pull with what is left.
func TestFeedJump(t *testing.T) {
	set := DefaultSettings()
	set.Viewers.WindowLength = 20 * time.Second
	g := newStage(t, set, nil)
	f := g.connect("1", high, sound)
	f.all(0, 5)
	in := f.s.in
	push, pull := newFeed(g.b, in, 0), newFeed(g.b, in, 0)
	push.jump = true
	read := func(f *feed) []uint64 {
		var times []uint64
		for {
			item, wait, err := f.next(context.Background())
			require.NoError(t, err)
			if wait != nil {
				return times
			}
			if item.frag != nil {
				times = append(times, item.time/scale)
				item.frag.Close()
			}
		}
	}
	for _, fd := range []*feed{push, pull} {
		require.Len(t, read(fd), 10)
	}
	f.all(5, 100)
	oldest := in.log.items[0].time / scale
	got := read(pull)
	require.Equal(t, oldest, got[0])
	require.Equal(t, int64(190-len(got)), pull.dropped.Load())
	require.Equal(t, []uint64{194, 194, 196, 196, 198, 198}, read(push))
	require.Equal(t, int64(190-6), push.dropped.Load())
}

// TestFeedResume: where a stream is asked for from, again.
func TestFeedResume(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	require.Zero(t, g.b.resumeAt("1", 0))
	f := g.connect("1", high, sound, cues)
	require.Zero(t, g.b.resumeAt("1", 0))
	f.all(0, 10)
	f.send(0, 10, 11)
	require.Equal(t, uint64(18-3*2)*scale, g.b.resumeAt("1", 0), "the track that is behind, and three fragments")
	require.Equal(t, uint64(7)*scale, g.b.resumeAt("1", 5*scale))
	require.Zero(t, g.b.resumeAt("1", 50*scale))
	h := g.connect("2", cues)
	h.send(0, 3)
	require.Equal(t, uint64(18)*scale, g.b.resumeAt("2", 0))
}
