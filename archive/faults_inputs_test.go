package archive_test

import (
	"path"
	"strings"
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

// give records fragments.
func (f *feed) give(r smooth.Recording, list []*smooth.Fragment) {
	f.t.Helper()
	for _, fragment := range list {
		require.NoError(f.t, r.Append(f.t.Context(), f.input.ID, fragment))
	}
}

// skip leaves out what comes until a time.
func (f *feed) skip(at time.Duration) {
	for _, fragment := range f.until(at) {
		delete(f.sent, fragment.Key)
		fragment.Close()
	}
	f.order = nil
}

// both returns what several feeds have sent.
func both(feeds ...*feed) map[smooth.FragmentKey][]byte {
	all := make(map[smooth.FragmentKey][]byte)
	for _, f := range feeds {
		for k, b := range f.sent {
			all[k] = b
		}
	}
	return all
}

// everything returns the content of all segments of an event, each fragment of which is in one of them.
func everything(t testing.TB, store archive.Store, dir string, sent ...*feed) map[smooth.FragmentKey][]byte {
	all := make(map[smooth.FragmentKey][]byte)
	list, err := store.ReadDir(t.Context(), dir)
	require.NoError(t, err)
	for _, d := range list {
		if !d.IsDir() {
			continue
		}
		for k, b := range files(t, store, path.Join(dir, d.Name(), "demo.ism"), sent...) {
			_, twice := all[k]
			require.False(t, twice, "%+v is there twice", k)
			all[k] = b
		}
	}
	return all
}

const firstEvent = "live/demo-isml/20260702T120000Z"

// TestHeaderChanges changes the codec configuration: a segment begins, and no fragment is lost.
func TestHeaderChanges(t *testing.T) {
	for _, length := range []time.Duration{0, 14 * time.Second} {
		store := lossy.New()
		a := open(t, store, quiet())
		f := newFeed(t, "enc", small())
		f.event.Archive.SegmentLength = length
		r := f.begin(a)
		f.record(r, 20*time.Second)
		c := small()
		c.Streams[0].Levels[0].Width, c.Streams[0].Levels[0].Height = 640, 360
		g := newFeed(t, "enc", c)
		g.skip(20 * time.Second)
		require.NoError(t, r.Declare(t.Context(), g.input))
		g.record(r, 40*time.Second)
		require.NoError(t, r.Declare(t.Context(), g.input), "as with each POST")
		g.record(r, 60*time.Second)
		require.NoError(t, r.Close(t.Context(), true))
		same(t, both(f, g), everything(t, store, firstEvent, f, g))
		snap, _ := see(t, a, eventDemand)
		require.Len(t, snap.Periods, 2)
		assert.EqualValues(t, 20*second, snap.Periods[1].Start)
	}
}

// TestRedundantInputs records two encoders of the same tracks, which number them differently.
func TestRedundantInputs(t *testing.T) {
	store := lossy.New()
	a := open(t, store, quiet())
	f := newFeed(t, "one", small())
	c := small()
	c.Streams[0], c.Streams[1] = c.Streams[1], c.Streams[0]
	g := newFeed(t, "two", c)
	r := f.begin(a)
	require.NoError(t, r.Declare(t.Context(), g.input))
	for at := 2 * time.Second; at < 60*time.Second; at += 2 * time.Second {
		one, two := f.until(at), g.until(at)
		if at%(6*time.Second) == 0 {
			one, two = two, one
			g.give(r, one)
			for _, fragment := range two {
				fragment.Close()
			}
			continue
		}
		f.give(r, one)
		if at%(4*time.Second) == 0 {
			g.give(r, two) // it is there already
		}
	}
	require.NoError(t, r.Close(t.Context(), true))
	same(t, f.sent, everything(t, store, firstEvent))
	snap, _ := see(t, a, eventDemand)
	require.Len(t, snap.Manifest.Streams, 2)
	require.Len(t, snap.Manifest.Stream("video").Levels, 2)
}

// TestTracksComeAndGo records a track that begins later, and a level that stops.
func TestTracksComeAndGo(t *testing.T) {
	for _, length := range []time.Duration{0, 10 * time.Second} {
		store := lossy.New()
		a := open(t, store, quiet())
		f := newFeed(t, "enc", small())
		f.event.Archive.SegmentLength = length
		g := newFeed(t, "fra", smoothtest.Config{MaxPayload: 600, Streams: []smoothtest.Stream{{
			Type: smooth.Audio, Name: "audio_fra", Language: "fra", Durations: []uint64{2 * second}, Levels: []smoothtest.Level{{Bitrate: 32_000}}}}})
		r := f.begin(a)
		f.record(r, 20*time.Second)
		g.skip(20 * time.Second)
		require.NoError(t, r.Declare(t.Context(), g.input))
		for at := 22 * time.Second; at <= 100*time.Second; at += 2 * time.Second {
			for _, fragment := range f.until(at) {
				if at > 40*time.Second && fragment.Key.Bitrate == 800_000 {
					delete(f.sent, fragment.Key)
					fragment.Close()
					continue
				}
				f.give(r, []*smooth.Fragment{fragment})
			}
			g.give(r, g.until(at))
		}
		snap, _ := see(t, a, eventLive)
		assert.GreaterOrEqual(t, snap.Manifest.Stream("video").Timeline.End(), uint64(90*second), "the others go on")
		require.NoError(t, r.Close(t.Context(), true))
		same(t, both(f, g), everything(t, store, firstEvent, f, g))
		snap, got := see(t, a, eventDemand)
		assert.NotEmpty(t, got)
		assert.EqualValues(t, 20*second, snap.Manifest.Stream("audio_fra").Timeline[0].Time)
		assert.EqualValues(t, 100*second, snap.Manifest.Duration)
	}
}

// TestControlStream records a sparse stream whose fragments are in the manifest too, as SCTE-35 messages are.
func TestControlStream(t *testing.T) {
	for _, length := range []time.Duration{0, 10 * time.Second} {
		store := lossy.New()
		a := open(t, store, quiet())
		c := small()
		c.Streams = append(c.Streams, smoothtest.Stream{Type: smooth.Text, Name: "ads", Subtype: "DATA", Parent: "video",
			Start: 3 * second, Durations: []uint64{7 * second}, Levels: []smoothtest.Level{{Bitrate: 1000}}})
		f := newFeed(t, "enc", c)
		f.event.Archive.SegmentLength = length
		for _, tr := range f.input.Tracks {
			if tr.Key.Stream == "ads" {
				tr.Stream.ManifestOutput = true
			}
		}
		r := f.begin(a)
		f.record(r, 60*time.Second)
		require.NoError(t, r.Close(t.Context(), true))
		same(t, f.sent, everything(t, store, firstEvent, f))
		ads := 0
		list, err := store.ReadDir(t.Context(), firstEvent)
		require.NoError(t, err)
		for _, d := range list {
			if d.IsDir() {
				m := string(read(t, store, path.Join(firstEvent, d.Name(), "demo.ismc")))
				ads += strings.Count(m, "<f ") + strings.Count(m, "<f>")
				assert.Contains(t, m, `ManifestOutput="TRUE"`)
			}
		}
		assert.Equal(t, 8, ads)
		snap, _ := see(t, a, eventDemand)
		assert.Len(t, snap.Manifest.Stream("ads").Timeline, 8)
		require.Len(t, snap.Manifest.Stream("ads").Embedded, 8)
		for i, c := range snap.Manifest.Stream("ads").Timeline {
			require.Len(t, snap.Manifest.Stream("ads").Embedded[i], 1)
			assert.Equal(t, f.sent[smooth.FragmentKey{Stream: "ads", Bitrate: 1000, Time: c.Time}], snap.Manifest.Stream("ads").Embedded[i][0].Data)
		}
	}
}

// TestLateFragments records fragments long after those that follow them: into a segment that is open, and one that is complete.
func TestLateFragments(t *testing.T) {
	for _, after := range []time.Duration{4 * time.Second, 12 * time.Second, 70 * time.Second} {
		store := lossy.New()
		a := open(t, store, quiet())
		f := newFeed(t, "enc", small())
		f.event.Archive.SegmentLength = 4 * time.Second
		r := f.begin(a)
		type late struct {
			f  *smooth.Fragment
			at time.Duration
		}
		var queue []late
		n := 0
		for at := 2 * time.Second; at <= 120*time.Second; at += 2 * time.Second {
			for _, fragment := range f.until(at) {
				if n++; n%5 == 4 && at > 4*time.Second && at < 40*time.Second {
					queue = append(queue, late{fragment, at + after})
					continue
				}
				f.give(r, []*smooth.Fragment{fragment})
			}
			for len(queue) > 0 && queue[0].at <= at {
				f.give(r, []*smooth.Fragment{queue[0].f})
				queue = queue[1:]
			}
		}
		require.Empty(t, queue)
		require.NoError(t, r.Close(t.Context(), true))
		same(t, f.sent, everything(t, store, firstEvent, f))
		_, got := see(t, a, eventDemand)
		same(t, f.sent, got)
	}
}

// TestEventNames names events by ID, below a path, and apart where they begin in the same second.
func TestEventNames(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings smooth.ArchiveSettings
		id       string
		want     []string
	}{
		{"start", smooth.ArchiveSettings{}, "x", []string{"live/demo-isml/20260702T120000Z", "live/demo-isml/20260702T120000Z-2", "live/demo-isml/20260702T120000Z-3"}},
		{"id", smooth.ArchiveSettings{EventIDOnPath: true}, "a/b:c", []string{"live/demo-isml/a_b_c", "live/demo-isml/a_b_c-2", "live/demo-isml/a_b_c-3"}},
		{"no id", smooth.ArchiveSettings{EventIDOnPath: true}, "", []string{"live/demo-isml/20260702T120000Z", "live/demo-isml/20260702T120000Z-2", "live/demo-isml/20260702T120000Z-3"}},
		{"path", smooth.ArchiveSettings{Path: `vault\2026`}, "", []string{"vault/2026/live/demo-isml/20260702T120000Z", "vault/2026/live/demo-isml/20260702T120000Z-2", "vault/2026/live/demo-isml/20260702T120000Z-3"}},
		{"path that leads out", smooth.ArchiveSettings{Path: `C:\inetpub`}, "", []string{"live/demo-isml/20260702T120000Z", "live/demo-isml/20260702T120000Z-2", "live/demo-isml/20260702T120000Z-3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := lossy.New()
			a := open(t, store, quiet())
			for _, dir := range c.want {
				f := newFeed(t, "enc", small())
				f.event.ID, f.event.Archive = c.id, c.settings
				f.event.Archive.Enabled = true
				r := f.begin(a)
				f.record(r, 4*time.Second)
				require.NoError(t, r.Close(t.Context(), true))
				same(t, f.sent, everything(t, store, dir))
			}
			var want []string
			for _, dir := range c.want {
				want = append(want, path.Join(dir, "demo.ism"))
			}
			assert.ElementsMatch(t, want, names(t, a))
		})
	}
}

// TestClockRestarts finishes the event that a crash has interrupted and begins another one, when what comes is not what would follow.
func TestClockRestarts(t *testing.T) {
	for _, c := range []struct {
		name  string
		start uint64 // of the encoder that comes
		id    string
		again bool
	}{
		{"goes on", 0, "", true},
		{"began anew", 1_000_000 * second, "", false}, // the one before counts from there
		{"another event", 0, "other", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := lossy.New()
			a, err := newArchive(t, store)
			require.NoError(t, err)
			config := small()
			for i := range config.Streams {
				config.Streams[i].Start = c.start
			}
			f := newFeed(t, "enc", config)
			r := f.begin(a)
			f.record(r, 100*time.Second)
			require.NoError(t, r.Close(t.Context(), false))
			require.NoError(t, a.Close())

			a = open(t, store, quiet())
			g := newFeed(t, "enc", small())
			g.event.Started, g.event.ID = begun.Add(time.Hour), c.id
			if c.again {
				g.skip(96 * time.Second)
			}
			r = g.begin(a)
			g.record(r, 120*time.Second)
			require.NoError(t, r.Close(t.Context(), true))
			if c.again {
				same(t, both(f, g), everything(t, store, firstEvent))
				assert.Equal(t, []string{eventDemand}, names(t, a))
				return
			}
			same(t, f.sent, everything(t, store, firstEvent))
			same(t, g.sent, everything(t, store, "live/demo-isml/20260702T130000Z"))
			assert.Equal(t, []string{eventDemand, "live/demo-isml/20260702T130000Z/demo.ism"}, names(t, a))
		})
	}
}

// TestResumeWithin finishes an interrupted event when its encoders have not come back for long enough.
func TestResumeWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := lossy.New()
		opts := quiet()
		opts.Now, opts.ResumeWithin = time.Now, time.Hour
		a := open(t, store, opts)
		f := newFeed(t, "enc", small())
		f.event.Started = begun
		r := f.begin(a)
		f.record(r, 20*time.Second)
		require.NoError(t, r.Close(t.Context(), false))
		name := path.Join(firstEvent, "1/demo.ismc")
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		_, err := store.Stat(t.Context(), name)
		require.Error(t, err, "the encoders may come back")
		time.Sleep(21 * time.Minute)
		synctest.Wait()
		same(t, f.sent, files(t, store, segmentOne))
		assert.Equal(t, []string{eventDemand}, names(t, a))
		g := newFeed(t, "enc", small())
		g.event.Started = begun.Add(2 * time.Hour)
		g.skip(20 * time.Second)
		r = g.begin(a)
		g.record(r, 40*time.Second)
		require.NoError(t, r.Close(t.Context(), true))
		same(t, g.sent, everything(t, store, "live/demo-isml/20260702T140000Z"))
	})
}
