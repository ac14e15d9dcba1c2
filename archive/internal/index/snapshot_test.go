package index_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/smooth"
)

// isOld reports whether a snapshot has been superseded.
func isOld(s *smooth.Snapshot) bool {
	select {
	case <-s.Superseded():
		return true
	default:
		return false
	}
}

func TestLive(t *testing.T) {
	x := index.New("event-")
	v, a := x.Declare(video(1_000_000)), x.Declare(audio())
	text := index.Track{
		Key:    smooth.FragmentKey{Stream: "ads", Bitrate: 1},
		Stream: &smooth.Stream{Type: smooth.Text, Name: "ads", Parent: "video"},
	}
	x.Declare(text)
	for n := range 5 {
		x.Add(v, entry(n))
	}
	s := x.Live()
	assert.Same(t, s, x.Live())
	m := s.Manifest
	assert.True(t, m.IsLive)
	assert.False(t, s.Ended)
	assert.Zero(t, m.DVRWindowLength)
	assert.Zero(t, m.LookaheadCount)
	assert.Zero(t, m.Duration)
	require.Len(t, m.Streams, 2, "no sound yet, but sparse streams may be empty")
	assert.Equal(t, "ads", m.Streams[1].Name)
	assert.Equal(t, uint64(index.Scale), m.Streams[0].Timescale)
	assert.Equal(t, uint32(5), m.Streams[0].DeclaredChunks)
	assert.Equal(t, []uint64{0, 2, 4, 6, 8}, times(m.Streams[0].Timeline))
	require.Len(t, s.Edges, 2)
	assert.Equal(t, uint64(10*second), s.Edges[0].Complete)
	assert.Equal(t, uint64(10*second), s.Edges[0].Listed)
	assert.Equal(t, m.Streams[0].Timeline, s.Edges[0].Received)
	require.Len(t, s.Periods, 1)
	require.Len(t, s.Periods[0].Tracks, 2)
	assert.NotNil(t, s.Track(smooth.FragmentKey{Stream: "video", Bitrate: 1_000_000}).Codec)
	assert.Regexp(t, `^event-[0-9a-f]{24}$`, s.Validator)

	x.Add(a, entry(0))
	assert.True(t, isOld(s))
	next := x.Live()
	require.Len(t, next.Manifest.Streams, 3)
	assert.Equal(t, "audio", next.Manifest.Streams[1].Name, "in the order of declaration")
	assert.NotEqual(t, s.Validator, next.Validator)

	x.End()
	assert.True(t, x.Ended())
	assert.True(t, isOld(next))
	last := x.Live()
	assert.False(t, last.Manifest.IsLive)
	assert.True(t, last.Ended)
	assert.Nil(t, last.Edges)
	assert.Equal(t, uint64(10*second), last.Manifest.Duration)
	assert.Len(t, last.Manifest.Streams, 2, "an empty stream is no stream")
	assert.False(t, isOld(last))
}

func TestOnDemandWhileItGrows(t *testing.T) {
	x := index.New("")
	v := x.Declare(video(1_000_000))
	x.Declare(video(2_000_000))
	const start = 1_700_000_000 * second
	for n := range 10 {
		e := entry(n)
		e.Time += start
		x.Add(v, e)
	}
	s := x.OnDemand()
	assert.Same(t, s, x.OnDemand())
	assert.False(t, s.Manifest.IsLive)
	assert.True(t, s.Ended)
	assert.Equal(t, uint64(20*second), s.Manifest.Duration, "from the first fragment on")
	require.Len(t, s.Manifest.Streams, 1)
	require.Len(t, s.Manifest.Streams[0].Levels, 1, "a level without fragments is none")
	assert.Len(t, x.Live().Manifest.Streams[0].Levels, 2, "it may still come")
	assert.NotEqual(t, s.Validator, x.Live().Validator)
	e := entry(10)
	e.Time += start
	x.Add(v, e)
	assert.True(t, isOld(s))
}

func TestListedWhenAllTracksHaveIt(t *testing.T) {
	x := index.New("")
	a, b := x.Declare(video(1)), x.Declare(video(2))
	listed := func() int {
		if m := x.Live().Manifest; len(m.Streams) > 0 {
			return len(m.Streams[0].Timeline)
		}
		return 0
	}
	x.Add(a, entry(0))
	assert.Equal(t, 0, listed())
	s := x.Live()
	x.Add(a, entry(1))
	assert.False(t, isOld(s), "nothing new is to be seen")
	x.Add(b, entry(0))
	assert.Equal(t, 1, listed())
	x.Add(b, entry(1))
	assert.Equal(t, 2, listed())
	for n := 2; n < 5; n++ {
		x.Add(a, entry(n))
		assert.Equal(t, 2, listed())
	}
	x.Add(a, entry(5))
	assert.Equal(t, 6, listed(), "the other one has fallen behind")
	x.Add(a, entry(6))
	assert.Equal(t, 7, listed())
	x.Add(b, entry(7))
	assert.Equal(t, 7, listed(), "it is back: now it is waited for")
	c := x.Declare(video(3))
	assert.Equal(t, 7, listed())
	x.Add(c, entry(8))
	assert.Equal(t, 7, listed())
	x.End()
	assert.Equal(t, 9, listed())
	x.Add(a, entry(9))
	assert.Equal(t, 10, listed(), "nothing is waited for any more")
}

func TestTickAfterGap(t *testing.T) {
	x := index.New("")
	v := x.Declare(video(1))
	for _, n := range []int{0, 1, 5, 6} {
		x.Add(v, entry(n))
	}
	tl := x.Live().Manifest.Streams[0].Timeline
	assert.Equal(t, []uint64{0, 2, 10, 12}, times(tl))
	assert.Equal(t, uint64(2*second-1), tl[2].Duration)
	e, _ := x.Find(v, tl[2].Time)
	assert.Equal(t, entry(5), e, "the fragment is as it was")
	assert.Equal(t, uint64(2*second), tl[3].Duration)
}

func TestValidatorDependsOnContentOnly(t *testing.T) {
	build := func(order []int, shift int64) *index.Index {
		x := index.New("n-")
		x.Declare(video(1))
		x.Declare(video(2))
		for _, n := range order {
			e := entry(n / 2)
			e.Offset += shift
			x.Add(n%2, e)
		}
		return x
	}
	order := make([]int, 100)
	for i := range order {
		order[i] = i
	}
	one := build(order, 0)
	// Tracks overtake one another, in another file.
	for i := 0; i+3 < len(order); i += 4 {
		order[i+1], order[i+2] = order[i+2], order[i+1]
	}
	two := build(order, 12345)
	assert.Equal(t, one.Live().Validator, two.Live().Validator)
	assert.Equal(t, one.OnDemand().Validator, two.OnDemand().Validator)
	before := one.Live().Validator
	one.End()
	assert.NotEqual(t, before, one.Live().Validator)
	two.End()
	assert.Equal(t, one.Live().Validator, two.Live().Validator)

	other := build(order[:98], 0)
	e := entry(49)
	other.Add(0, e)
	e.Payload++
	other.Add(1, e)
	other.End()
	assert.Equal(t, one.Live().Manifest, other.Live().Manifest)
	assert.NotEqual(t, one.Live().Validator, other.Live().Validator, "another encoder's fragments of the same times")
}

func TestValidatorOfLateFragments(t *testing.T) {
	inOrder, late := index.New(""), index.New("")
	for _, x := range []*index.Index{inOrder, late} {
		x.Declare(video(1))
		x.Declare(video(2))
	}
	for n := range 30 {
		inOrder.Add(0, entry(n))
		inOrder.Add(1, entry(n))
		if n != 12 && n != 17 {
			late.Add(0, entry(n))
		}
		if n != 12 && n != 13 {
			late.Add(1, entry(n))
		}
	}
	for _, n := range []int{17, 12} {
		before := late.Live()
		late.Add(0, entry(n))
		assert.True(t, isOld(before))
		assert.NotEqual(t, before.Validator, late.Live().Validator)
	}
	late.Add(1, entry(13))
	late.Add(1, entry(12))
	// The chunk after what was a gap is a tick shorter, so the contents differ in that alone.
	a, b := inOrder.Live().Manifest.Streams[0].Timeline, late.Live().Manifest.Streams[0].Timeline
	assert.Equal(t, times(a), times(b))
	for n := range 30 {
		for track := range 2 {
			e, ok := late.Find(track, entry(n).Time)
			assert.True(t, ok)
			assert.Equal(t, entry(n), e)
		}
	}
}

func TestWatch(t *testing.T) {
	x := index.New("")
	v := x.Declare(video(1))
	calls := 0
	stop := x.Watch(func() { calls++; x.Live() })
	x.Add(v, entry(0))
	assert.Zero(t, calls, "nobody has a snapshot")
	s := x.Live()
	x.Add(v, entry(1))
	assert.Equal(t, 1, calls)
	assert.True(t, isOld(s))
	x.AddGap(smooth.Gap{Stream: "video", Time: 1, Duration: 1})
	assert.Equal(t, 2, calls)
	x.Cut(0, 0)
	assert.Equal(t, 3, calls)
	stop()
	stop()
	x.End()
	assert.Equal(t, 3, calls)
}

// TestMemory checks the figure of issue 5: at most 32 bytes per fragment, with the timelines of snapshots.
func TestMemory(t *testing.T) {
	const perFragment = 32
	for name, c := range map[string]struct{ streams, levels, fragments int }{
		"one track":                {1, 1, 10_800},
		"eight tracks":             {1, 8, 10_800},
		"eight streams":            {8, 1, 10_800},
		"picture and sound":        {2, 4, 10_800},
		"one track, a short event": {1, 1, 1_800},
	} {
		t.Run(name, func(t *testing.T) {
			x := index.New("")
			most := 0.0
			for s := range c.streams {
				for l := range c.levels {
					tr := video(uint64(l + 1))
					tr.Key.Stream = string(rune('a' + s))
					x.Declare(tr)
				}
			}
			var held *smooth.Snapshot
			for n := range c.fragments {
				for track := range c.streams * c.levels {
					x.Add(track, entry(n))
				}
				if n >= 1_800-1 {
					most = max(most, float64(x.Memory())/float64((n+1)*c.streams*c.levels))
				}
				held = x.Live()
			}
			shared := held.Manifest.Streams[0].Timeline
			assert.Len(t, shared, c.fragments)
			assert.Same(t, &shared[0], &x.OnDemand().Manifest.Streams[0].Timeline[0], "one array")
			assert.LessOrEqual(t, most, float64(perFragment))
			t.Logf("at most %.1f bytes per fragment", most)
		})
	}
}

func TestReadersWhileItGrows(t *testing.T) {
	x := index.New("")
	a, b := x.Declare(video(1)), x.Declare(video(2))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for seed := range uint64(4) {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for {
				select {
				case <-done:
					return
				default:
				}
				s := x.Live()
				if seed%2 == 0 {
					s = x.OnDemand()
				}
				for _, st := range s.Manifest.Streams {
					for i, c := range st.Timeline {
						if i > 0 && c.Time <= st.Timeline[i-1].Time {
							t.Error("not in order")
							return
						}
					}
				}
				n := r.IntN(2000)
				if e, ok := x.Find(int(seed)%2, entry(n).Time); ok && e != entry(n) {
					t.Errorf("%v, want %v", e, entry(n))
					return
				}
				before := uint64(0)
				for e := range x.Entries(b) {
					if e.Time < before {
						t.Error("not in order")
						return
					}
					before = e.Time
				}
			}
		})
	}
	for n := range 2000 {
		if n%10 != 3 {
			x.Add(a, entry(n))
		}
		x.Add(b, entry(n))
		if n%10 == 8 {
			x.Add(a, entry(n-5))
		}
		if n%100 == 50 {
			x.AddGap(smooth.Gap{Stream: "video", Time: uint64(n), Duration: 1})
		}
		if n%500 == 499 {
			x.Cut(0, int64(n-2)*1000)
			for k := n - 10; k <= n; k++ {
				x.Add(a, entry(k))
				x.Add(b, entry(k))
			}
		}
	}
	x.End()
	close(done)
	readers.Wait()
	require.Equal(t, 2000, x.Len(b))
	require.Equal(t, 2000, x.Len(a))
}

// TestSnapshotCost shows that a snapshot takes the same however much has been recorded.
func TestSnapshotCost(t *testing.T) {
	cost := func(fragments int) float64 {
		x := index.New("")
		v := x.Declare(video(1))
		for n := range fragments {
			x.Add(v, entry(n))
		}
		return testing.AllocsPerRun(20, func() {
			x.Protect(nil) // a change
			x.Live()
			x.OnDemand()
		})
	}
	assert.Equal(t, cost(10), cost(10_000))
}
