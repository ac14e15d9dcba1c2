package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// A wallClock is what the wall clock of an archive shows.
type wallClock struct{ ns atomic.Int64 }

func (c *wallClock) set(t time.Time) { c.ns.Store(t.UnixNano()) }
func (c *wallClock) now() time.Time  { return time.Unix(0, c.ns.Load()).UTC() }

// keeping are options with retention rules.
func keeping(c *wallClock, r archive.Retention) *archive.Options {
	o := quiet()
	o.Now, o.Retention = c.now, r
	return o
}

// A pastShow is an event that was recorded.
type pastShow struct {
	feed  *feed
	dir   string
	start time.Time
}

// segment returns the name of a segment.
func (s *pastShow) segment(n int) string { return path.Join(s.dir, strconv.Itoa(n), "demo.ism") }

// show records an event from a time on.
func show(t testing.TB, store archive.Store, point string, start time.Time, length, segment time.Duration, c smoothtest.Config) *pastShow {
	clock := new(wallClock)
	clock.set(start)
	a, err := archive.NewStore(t.Context(), store, keeping(clock, archive.Retention{}))
	require.NoError(t, err)
	s := &pastShow{feed: newFeed(t, "enc", c), start: start}
	s.feed.event.Point, s.feed.event.Started, s.feed.event.Archive.SegmentLength = point+"/demo.isml", start, segment
	s.dir = path.Join(point, "demo-isml", start.Format("20060102T150405Z"))
	r := s.feed.begin(a)
	s.feed.record(r, length)
	clock.set(start.Add(length))
	require.NoError(t, r.Close(t.Context(), true))
	require.NoError(t, a.Close())
	return s
}

// openQuiet opens an archive, and waits until it has swept for the first time.
func openQuiet(t testing.TB, store archive.Store, o *archive.Options) *archive.Archive {
	a := open(t, store, o)
	synctest.Wait()
	return a
}

// dumped returns the files of a store.
func dumped(s *lossy.Store) string { return s.Dump() }

// there returns which of these segments are complete in a store.
func there(t testing.TB, store archive.Store, s *pastShow, most int) string {
	var b strings.Builder
	for n := 1; n <= most; n++ {
		if _, err := store.Stat(t.Context(), s.segment(n)); err == nil {
			fmt.Fprint(&b, n)
		}
	}
	return b.String()
}

// TestRetentionAge keeps segments for a time after their last fragment.
func TestRetentionAge(t *testing.T) { synctest.Test(t, testRetentionAge) }

func testRetentionAge(t *testing.T) {
	store, clock := lossy.New(), new(wallClock)
	s := show(t, store, "a", begun, 60*time.Second, 20*time.Second, small())
	clock.set(begun)
	a := openQuiet(t, store, keeping(clock, archive.Retention{Age: time.Hour}))
	for _, c := range []struct {
		at   time.Duration
		want string
	}{{time.Hour + 20*time.Second, "123"}, {time.Hour + 21*time.Second, "23"}, {time.Hour + 60*time.Second, "3"}, {time.Hour + 61*time.Second, ""}} {
		_, err := a.Sweep(t.Context(), begun.Add(c.at))
		require.NoError(t, err)
		assert.Equal(t, c.want, there(t, store, s, 4), c.at)
		if c.want == "" {
			assert.Empty(t, names(t, a))
			continue
		}
		clock.set(clock.now().Add(2 * time.Second))
		_, got := see(t, a, path.Join(s.dir, "demo.ism"))
		assert.Len(t, got, 30*len(c.want), "two tracks of the picture and one of sound")
		clock.set(begun)
	}
	assert.Empty(t, dumped(store))
}

// TestRetentionEvents keeps the newest events of each point.
func TestRetentionEvents(t *testing.T) { synctest.Test(t, testRetentionEvents) }

func testRetentionEvents(t *testing.T) {
	store, clock := lossy.New(), new(wallClock)
	var shows []*pastShow
	for i := range 4 {
		for _, point := range []string{"a", "b"}[:1+i%2] {
			shows = append(shows, show(t, store, point, begun.Add(time.Duration(i)*time.Hour), 12*time.Second, 4*time.Second, small()))
		}
	}
	clock.set(begun.Add(4 * time.Hour))
	a := openQuiet(t, store, keeping(clock, archive.Retention{Events: 2}))
	_, err := a.Sweep(t.Context(), clock.now())
	require.NoError(t, err)
	var want []string
	for _, s := range shows {
		n := 4 - int(s.start.Sub(begun)/time.Hour)
		if strings.HasPrefix(s.dir, "b/") || n <= 2 {
			want = append(want, path.Join(s.dir, "demo.ism"))
		}
	}
	assert.ElementsMatch(t, want, names(t, a))
}

// TestRetentionBytes deletes what has ended first, whatever the point, and nothing that was not recorded.
func TestRetentionBytes(t *testing.T) { synctest.Test(t, testRetentionBytes) }

func testRetentionBytes(t *testing.T) {
	store, clock := lossy.New(), new(wallClock)
	first := show(t, store, "a", begun, 12*time.Second, 4*time.Second, small())
	second := show(t, store, "b", begun.Add(5*time.Second), 12*time.Second, 4*time.Second, small())
	require.NoError(t, store.Replace(t.Context(), "other/7/demo.ism", []byte("<smil/>")))
	require.NoError(t, store.Replace(t.Context(), "other/big.ismv", make([]byte, 1000)))
	total := weightOf(t, store, ".")
	clock.set(begun)
	for _, step := range []struct {
		less int64
		want [2]string
	}{{0, [2]string{"123", "123"}}, {1, [2]string{"23", "123"}}, {weightOf(t, store, first.dir+"/1") + 1000, [2]string{"3", "123"}}, {total / 2, [2]string{"", "23"}}, {total - 1, [2]string{"", ""}}} {
		a, err := archive.NewStore(t.Context(), store, keeping(clock, archive.Retention{Bytes: total - step.less}))
		require.NoError(t, err)
		_, err = a.Sweep(t.Context(), begun.Add(time.Hour))
		require.NoError(t, err)
		require.NoError(t, a.Close())
		assert.Equal(t, step.want, [2]string{there(t, store, first, 4), there(t, store, second, 4)}, "%d bytes less", step.less)
	}
	assert.Equal(t, int64(1007), weightOf(t, store, "."))
}

// weightOf returns what the files below a directory have.
func weightOf(t testing.TB, store archive.Store, dir string) int64 {
	list, err := store.ReadDir(t.Context(), dir)
	require.NoError(t, err)
	sum := int64(0)
	for _, d := range list {
		if d.IsDir() {
			sum += weightOf(t, store, path.Join(dir, d.Name()))
			continue
		}
		info, err := d.Info()
		require.NoError(t, err)
		sum += info.Size()
	}
	return sum
}

// TestRetentionRing records without end: the first segments go while the event goes on, and its views go on without them.
func TestRetentionRing(t *testing.T) { synctest.Test(t, testRetentionRing) }

func testRetentionRing(t *testing.T) {
	store, clock := lossy.New(), new(wallClock)
	clock.set(begun)
	a := openQuiet(t, store, keeping(clock, archive.Retention{Age: time.Minute}))
	f := newFeed(t, "enc", small())
	f.event.Archive.SegmentLength = 20 * time.Second
	r := f.begin(a)
	history := r.History()
	live, err := a.Open(t.Context(), eventLive)
	require.ErrorIs(t, err, smooth.ErrNotFound)
	for at := 2 * time.Second; at <= 10*time.Minute; at += 2 * time.Second {
		f.record(r, at)
		clock.set(begun.Add(at))
		if at == 10*time.Second {
			live, err = a.Open(t.Context(), eventLive)
			require.NoError(t, err)
		}
		_, err := a.Sweep(t.Context(), clock.now())
		require.NoError(t, err)
	}
	for _, p := range []smooth.Presentation{history, live} {
		snap, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		first := snap.Manifest.Streams[0].Timeline[0].Time
		assert.GreaterOrEqual(t, first, uint64(480*second), "the ring has turned")
		assert.LessOrEqual(t, first, uint64(540*second))
		_, err = p.Fragment(t.Context(), f.order[0])
		require.Error(t, err)
	}
	late := f.order[:3]
	require.NoError(t, live.Close())
	for _, k := range late { // what comes too late for the ring is not recorded, and no fault
		require.NoError(t, r.Append(t.Context(), "enc", f.again(k)))
	}
	require.NoError(t, r.Close(t.Context(), true))
	require.NoError(t, history.Close())
	clock.set(begun.Add(time.Hour))
	_, err = a.Sweep(t.Context(), clock.now().Add(time.Hour))
	require.NoError(t, err)
	assert.Empty(t, dumped(store))
}

// again returns a fragment that was sent before.
func (f *feed) again(k smooth.FragmentKey) *smooth.Fragment {
	p := smoothtest.New(f.config)
	defer p.Close()
	of, err := p.Fragment(f.t.Context(), k)
	require.NoError(f.t, err)
	return of
}

// TestRetentionReaders keeps what is read.
func TestRetentionReaders(t *testing.T) {
	c := small()
	c.MaxPayload = 200_000
	late := begun.Add(1000 * time.Hour)
	setup := func(t *testing.T) (*lossy.Store, *archive.Archive, *pastShow, *wallClock) {
		store, clock := lossy.New(), new(wallClock)
		s := show(t, store, "a", begun, 12*time.Second, 4*time.Second, c)
		clock.set(begun.Add(time.Minute))
		return store, openQuiet(t, store, keeping(clock, archive.Retention{Age: time.Hour})), s, clock
	}
	sweep := func(t *testing.T, a *archive.Archive, at time.Time) {
		_, err := a.Sweep(t.Context(), at)
		require.NoError(t, err)
	}
	run := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
	run("an open event", func(t *testing.T) {
		for _, name := range []string{"demo.ism", "demo.isml"} {
			store, a, s, _ := setup(t)
			one, err := a.Open(t.Context(), path.Join(s.dir, name))
			require.NoError(t, err)
			two, err := a.Open(t.Context(), path.Join(s.dir, name))
			require.NoError(t, err)
			require.NoError(t, one.Close())
			sweep(t, a, late)
			assert.Equal(t, "123", there(t, store, s, 4))
			same(t, s.feed.sent, content(t, two))
			require.NoError(t, two.Close())
			sweep(t, a, late)
			assert.Empty(t, dumped(store))
		}
	})
	run("an open event that the cache has given up", func(t *testing.T) {
		store, a, s, clock := setup(t)
		p, err := a.Open(t.Context(), path.Join(s.dir, "demo.ism"))
		require.NoError(t, err)
		require.NoError(t, store.Replace(t.Context(), path.Join(s.dir, "event.json"), append(read(t, store, path.Join(s.dir, "event.json")), '\n')))
		clock.set(clock.now().Add(time.Minute))
		q, err := a.Open(t.Context(), path.Join(s.dir, "demo.ism"))
		require.NoError(t, err)
		assert.NotSame(t, p, q)
		require.NoError(t, q.Close())
		sweep(t, a, late)
		assert.Equal(t, "123", there(t, store, s, 4))
		require.NoError(t, p.Close())
		sweep(t, a, late)
		assert.Empty(t, dumped(store))
	})
	run("an open segment", func(t *testing.T) {
		store, a, s, _ := setup(t)
		p, err := a.Open(t.Context(), s.segment(2))
		require.NoError(t, err)
		sweep(t, a, late)
		assert.Equal(t, "23", there(t, store, s, 4))
		require.NoError(t, p.Close())
		sweep(t, a, late)
		assert.Empty(t, dumped(store))
	})
	run("a fragment", func(t *testing.T) {
		store, a, s, _ := setup(t)
		p, err := a.Open(t.Context(), s.segment(2))
		require.NoError(t, err)
		k := smooth.FragmentKey{}
		for _, o := range s.feed.order {
			if o.Stream == "video" && o.Time >= 4*second && o.Time < 8*second && len(s.feed.sent[o]) > len(s.feed.sent[k]) {
				k = o
			}
		}
		require.Greater(t, len(s.feed.sent[k]), 64<<10)
		f, err := p.Fragment(t.Context(), k)
		require.NoError(t, err)
		require.NoError(t, p.Close())
		sweep(t, a, late)
		assert.Equal(t, "23", there(t, store, s, 4))
		b, err := f.Load(t.Context(), nil)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(s.feed.sent[k], b))
		f.Close()
		sweep(t, a, late)
		assert.Empty(t, dumped(store))
	})
	run("read a short time ago", func(t *testing.T) {
		for _, whole := range []bool{true, false} {
			store, a, s, clock := setup(t)
			clock.set(late)
			name, want := s.segment(3), "3"
			if whole {
				name, want = path.Join(s.dir, "demo.ism"), "123"
			}
			p, err := a.Open(t.Context(), name)
			require.NoError(t, err)
			f, err := p.Fragment(t.Context(), s.feed.order[len(s.feed.order)-1])
			require.NoError(t, err)
			f.Close()
			require.NoError(t, p.Close())
			sweep(t, a, late.Add(59*time.Second))
			assert.Equal(t, want, there(t, store, s, 4))
			sweep(t, a, late.Add(61*time.Second))
			assert.Empty(t, dumped(store))
		}
	})
}

// read returns the content of a file.
func read(t testing.TB, store archive.Store, name string) []byte {
	f, err := store.Open(t.Context(), name)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, f.Size())
	_, err = f.ReadAtContext(t.Context(), b, 0)
	require.NoError(t, err)
	return b
}

// TestRetentionCrash cuts the power at each step of a sweep. What is listed afterwards is whole, and the next sweep leaves nothing
// that the rules do not keep.
func TestRetentionCrash(t *testing.T) { synctest.Test(t, testRetentionCrash) }

func testRetentionCrash(t *testing.T) {
	clock := new(wallClock)
	clock.set(begun.Add(time.Minute))
	late := begun.Add(2*time.Hour + 10*time.Second)
	shows := func(store archive.Store) []*pastShow {
		return []*pastShow{
			show(t, store, "a", begun, 12*time.Second, 0, small()),                                 // goes
			show(t, store, "b", begun, 12*time.Second, 4*time.Second, small()),                     // goes
			show(t, store, "b", begun.Add(time.Hour), 24*time.Second, 8*time.Second, small()),      // its first segment goes
			show(t, store, "b", begun.Add(90*time.Minute), 12*time.Second, 4*time.Second, small()), // stays
		}
	}
	for step := 1; ; step++ {
		store := lossy.New()
		list := shows(store)
		a, err := archive.NewStore(t.Context(), store, keeping(clock, archive.Retention{Age: time.Hour}))
		require.NoError(t, err)
		synctest.Wait()
		random := rand.New(rand.NewPCG(uint64(step), 1))
		var calls atomic.Int32
		var after *lossy.Store
		store.SetFault(func(op lossy.Op, _ string, _ int64) error {
			if op != lossy.Replace && op != lossy.Renamed && op != lossy.Remove {
				return nil
			}
			if calls.Add(1) == int32(step) {
				after = store.Crash(random)
			}
			return nil
		})
		_, err = a.Sweep(t.Context(), late)
		if after == nil {
			require.NoError(t, err)
			require.Greater(t, step, 20)
			require.NoError(t, a.Close())
			return
		}
		_ = a.Close()
		half(t, after, list)
		b, err := archive.NewStore(t.Context(), after, keeping(clock, archive.Retention{Age: time.Hour}))
		require.NoError(t, err)
		_, err = b.Sweep(t.Context(), late)
		require.NoError(t, err)
		assert.Equal(t, "", there(t, after, list[0], 2)+there(t, after, list[1], 4), "step %d", step)
		assert.Equal(t, "23", there(t, after, list[2], 4))
		assert.Equal(t, "123", there(t, after, list[3], 4))
		assert.Equal(t, []string{path.Join(list[2].dir, "demo.ism"), path.Join(list[3].dir, "demo.ism")}, names(t, b))
		require.NoError(t, b.Close())
	}
}

// half reads all that an archive lists: each event has all of some of its segments.
func half(t *testing.T, store archive.Store, shows []*pastShow) {
	a, err := archive.NewStore(t.Context(), store, quiet())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	for _, name := range names(t, a) {
		var of *pastShow
		for _, s := range shows {
			if s.dir == path.Dir(name) {
				of = s
			}
		}
		require.NotNil(t, of, "%s is listed", name)
		_, got := see(t, a, name)
		require.NotEmpty(t, got)
		first := ^uint64(0)
		for k, b := range got {
			require.True(t, bytes.Equal(of.feed.sent[k], b), "%s %+v", name, k)
			first = min(first, k.Time)
		}
		for k := range of.feed.sent {
			_, ok := got[k]
			require.Equal(t, k.Time >= first, ok, "%s %+v", name, k)
		}
	}
}

// TestRetentionFaults goes on when something cannot be deleted, and deletes it the next time. A disk that is full is no reason not to.
func TestRetentionFaults(t *testing.T) { synctest.Test(t, testRetentionFaults) }

func testRetentionFaults(t *testing.T) {
	for step := 1; ; step++ {
		store, clock := lossy.New(), new(wallClock)
		clock.set(begun)
		first := show(t, store, "a", begun, 12*time.Second, 4*time.Second, small())
		second := show(t, store, "b", begun, 12*time.Second, 4*time.Second, small())
		a := openQuiet(t, store, keeping(clock, archive.Retention{Age: time.Hour}))
		var calls atomic.Int32
		store.SetFault(func(op lossy.Op, _ string, _ int64) error {
			if (op == lossy.Remove || op == lossy.Replace || op == lossy.Renamed) && calls.Add(1) == int32(step) {
				return fmt.Errorf("scripted")
			}
			return nil
		})
		report, err := a.Sweep(t.Context(), begun.Add(2*time.Hour))
		if err == nil && int(calls.Load()) < step {
			assert.Greater(t, step, 20)
			assert.Len(t, report.Segments, 6)
			assert.Len(t, report.Events, 2)
			return
		}
		store.SetFault(nil)
		half(t, unlocked{store}, []*pastShow{first, second})
		assert.True(t, there(t, store, first, 4) == "" || there(t, store, second, 4) == "", "the other event goes")
		_, err = a.Sweep(t.Context(), begun.Add(2*time.Hour))
		require.NoError(t, err)
		assert.NotContains(t, dumped(store), "-isml", "step %d", step)
	}
}

// unlocked is a store that several archives have.
type unlocked struct{ archive.Store }

// TestRetentionCanceled ends a sweep.
func TestRetentionCanceled(t *testing.T) { synctest.Test(t, testRetentionCanceled) }

func testRetentionCanceled(t *testing.T) {
	store, clock := lossy.New(), new(wallClock)
	s := show(t, store, "a", begun, 12*time.Second, 0, small())
	clock.set(begun)
	a := openQuiet(t, store, keeping(clock, archive.Retention{Age: time.Hour}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Sweep(ctx, begun.Add(2*time.Hour))
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "1", there(t, store, s, 1))
}
