package livesmooth

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// witness remembers what viewers were shown, and compares it with what they are shown later.
type witness struct {
	g     *stage
	lines map[string]map[uint64]uint64 // durations by stream and time, of what was received
	ends  map[string]uint64
	seen  map[smooth.FragmentKey]string
	last  *smooth.Snapshot
}

func newWitness(g *stage) *witness {
	return &witness{g: g, lines: make(map[string]map[uint64]uint64), ends: make(map[string]uint64), seen: make(map[smooth.FragmentKey]string)}
}

// look checks a snapshot.
func (w *witness) look() error {
	s := w.g.snap()
	if s == w.last {
		return nil
	}
	w.last = s
	for i, p := range s.Periods[min(1, len(s.Periods)):] {
		if o := s.Periods[i]; p.Start <= o.Start || p.Discontinuity <= o.Discontinuity || p.Wall.Before(o.Wall) {
			return fmt.Errorf("period %d %d %v after %d %d %v", p.Discontinuity, p.Start, p.Wall, o.Discontinuity, o.Start, o.Wall)
		}
	}
	if len(s.Edges) != len(s.Manifest.Streams) {
		return fmt.Errorf("%d edges, %d streams", len(s.Edges), len(s.Manifest.Streams))
	}
	for i, st := range s.Manifest.Streams {
		if err := w.stream(st, s.Edges[i]); err != nil {
			return fmt.Errorf("%s: %w", st.Name, err)
		}
	}
	return nil
}

func (w *witness) stream(st *smooth.Stream, edge smooth.Edge) error {
	line, received := st.Timeline, edge.Received
	if len(line) > len(received) {
		return fmt.Errorf("lists %d, has received %d", len(line), len(received))
	}
	known := w.lines[st.Name]
	if known == nil {
		known = make(map[uint64]uint64)
		w.lines[st.Name] = known
	}
	for n, c := range received {
		switch {
		case n < len(line) && line[n] != c:
			return fmt.Errorf("lists %v, has received %v", line[n], c)
		case n > 0 && c.Time <= received[n-1].Time:
			return fmt.Errorf("%v after %v", c, received[n-1])
		}
		d, ok := known[c.Time]
		switch {
		case ok && d != c.Duration:
			return fmt.Errorf("%v had duration %d", c, d)
		case !ok && c.Time < w.ends[st.Name]:
			return fmt.Errorf("%v is new, but the edge was %d", c, w.ends[st.Name])
		}
		known[c.Time] = c.Duration
	}
	if n := len(received); n > 0 {
		end := received[n-1].Time + 1
		if end < w.ends[st.Name] {
			return fmt.Errorf("ends at %d, did at %d", end, w.ends[st.Name])
		}
		w.ends[st.Name] = end
	}
	for _, l := range st.Levels {
		for n, c := range line {
			if err := w.fragment(smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Time: c.Time}, c, received[n+1:]); err != nil {
				return fmt.Errorf("%d bits/s: %w", l.Bitrate, err)
			}
		}
		if n := len(received); n > 0 && !w.last.Ended {
			k := smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Time: received[n-1].End() + 1<<40}
			if _, err := w.g.bytesOf(k); !errors.Is(err, smooth.ErrNotYet) {
				return fmt.Errorf("after the edge: %v", err)
			}
		}
	}
	return nil
}

// fragment checks a fragment that is listed.
func (w *witness) fragment(k smooth.FragmentKey, c smooth.Chunk, next smooth.Timeline) error {
	b, err := w.g.bytesOf(k)
	if errors.Is(err, smooth.ErrNotFound) {
		if _, ok := w.seen[k]; ok {
			return fmt.Errorf("%v was there", k)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if old, ok := w.seen[k]; ok {
		if old != string(b) {
			return fmt.Errorf("%v has changed", k)
		}
		return nil
	}
	w.seen[k] = string(b)
	moof, err := fmp4.ParseMoof(b[:fmp4.MoofSize(b)], 0)
	if err != nil {
		return err
	}
	if tr := moof.Trafs[0]; tr.Time != c.Time || tr.Duration != c.Duration {
		return fmt.Errorf("tfxd %d+%d, listed as %v", tr.Time, tr.Duration, c)
	}
	spans, err := fmp4.ParseTfrf(b[:fmp4.MoofSize(b)])
	if err != nil {
		return err
	}
	if want := w.g.b.set.Lookahead; len(spans) != want && !w.last.Ended && !w.g.b.streamCalled(k.Stream).sparse {
		return fmt.Errorf("%v announces %d", k, len(spans))
	}
	for i, s := range spans {
		if i >= len(next) || next[i] != smooth.Chunk(s) {
			return fmt.Errorf("%v announces %v, then %v is listed", k, spans, next[:min(len(next), len(spans))])
		}
	}
	return nil
}

// TestBroadcastRandom has encoders that do what they should not, and viewers that never see a contradiction.
func TestBroadcastRandom(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) { randomEvent(t, seed) }) // where timers stand still
	}
}

func randomEvent(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	set := DefaultSettings()
	set.Lookahead = r.IntN(4)
	set.Viewers.WindowLength = []time.Duration{0, 20 * time.Second}[r.IntN(2)]
	g := newStage(t, set, &Options{MemoryBudget: 1 << 20, RefuseClockRestart: r.IntN(4) == 0})
	w := newWitness(g)
	lanes := [][]lane{{high, low, sound}, {high}, {low}, {sound, cues}, {sound}}
	other := high
	other.codec = 1
	lanes = append(lanes, []lane{other, low})
	var feeders []*feeder
	var clocks []int64
	shown := func(op string, err error) {
		require.NoError(t, err, "seed %d: %s", seed, op)
	}
	for range 300 {
		op := r.IntN(100)
		switch {
		case len(feeders) == 0 || op < 3 && len(feeders) < 6:
			set := lanes[r.IntN(len(lanes))]
			f, err := g.tryConnect(fmt.Sprint(r.IntN(3)), set...)
			if err == nil {
				feeders = append(feeders, f)
				clocks = append(clocks, int64(r.IntN(3))*int64(g.b.newestEnd())/2)
			}
			continue
		case op < 6:
			i := r.IntN(len(feeders))
			if r.IntN(3) == 0 {
				g.b.end(feeders[i].s)
			}
			if r.IntN(2) == 0 {
				g.b.disconnect(feeders[i].s)
				feeders = append(feeders[:i], feeders[i+1:]...)
				clocks = append(clocks[:i], clocks[i+1:]...)
			}
		case op < 8:
			i := r.IntN(len(feeders))
			clocks[i] += int64(r.IntN(4000)-2000) * scale / 10
		case op < 10:
			i := r.IntN(len(feeders))
			clocks[i] = int64(r.Uint64N(1<<58)) - 1<<57
		case op < 20:
			g.clock = g.clock.Add(time.Duration(r.IntN(8000)) * time.Millisecond)
			g.b.ring()
		default:
			i := r.IntN(len(feeders))
			f := feeders[i]
			d := []uint64{2 * scale, 2 * scale, 2 * scale, 2*scale + 1000, scale, 0, 10 * scale, 1}[r.IntN(8)]
			if r.IntN(3) > 0 {
				d = 2 * scale
			}
			for n := range f.lanes {
				if r.IntN(10) == 0 {
					continue
				}
				err := f.trySend(n, clocks[i]+int64(r.IntN(20)/19)*scale/3, d)
				if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrMalformed) {
					shown("send", err)
				}
				shown("after send", w.look())
			}
			clocks[i] += int64(d)
			g.clock = g.clock.Add(time.Duration(d) * 100 / time.Duration(len(feeders)))
		}
		shown("look", w.look())
	}
	g.b.finish(nil)
	shown("end", w.look())
}

// TestBroadcastRestartsWithoutEnd has an encoder whose clock goes back all the time.
func TestBroadcastRestartsWithoutEnd(t *testing.T) {
	g := newStage(t, DefaultSettings(), nil)
	f := g.connect("1", high)
	var err error
	for i := range 2 * maxPeriods {
		g.clock = g.clock.Add(100 * time.Second)
		if err = f.trySend(0, int64(1-i%2)*1000*scale, 2*scale); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, ErrConflict)
	require.LessOrEqual(t, len(g.b.periods), maxPeriods)
}
