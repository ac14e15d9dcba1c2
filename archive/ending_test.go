package archive_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strconv"
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

// failing lets the operations on files of which the names end so fail.
func failing(op lossy.Op, suffix string) lossy.Fault {
	return func(o lossy.Op, name string, _ int64) error {
		if o == op && strings.HasSuffix(name, suffix) {
			return errDisk
		}
		return nil
	}
}

// hasEnded reports what event.json says.
func hasEnded(t testing.TB, store *lossy.Store, dir string) bool {
	var state struct{ Ended bool }
	require.NoError(t, json.Unmarshal([]byte(fileContent(t, store, dir+"/event.json")), &state))
	return state.Ended
}

// fileContent returns the bytes of a file.
func fileContent(t testing.TB, store smooth.Files, name string) string {
	f, err := store.Open(t.Context(), name)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, f.Size())
	_, err = f.ReadAtContext(t.Context(), b, 0)
	require.NoError(t, err)
	return string(b)
}

// TestEventAfterOneThatCannotEnd begins an event, whose times go on, while the disk refuses to complete the one before it.
func TestEventAfterOneThatCannotEnd(t *testing.T) {
	for _, name := range []string{"event.json", "demo.ismc"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, opts := lossy.New(), quiet()
				opts.Now = time.Now
				a := open(t, store, opts)
				f := newFeed(t, "enc", small())
				r := f.begin(a)
				f.record(r, 10*time.Second)
				first := f.sent
				f.sent = make(map[smooth.FragmentKey][]byte)
				store.SetFault(failing(lossy.Replace, name))
				require.Error(t, r.Close(t.Context(), true))
				store.SetFault(nil)
				f.event.Started = begun.Add(time.Minute)
				r = f.begin(a)
				f.record(r, 20*time.Second)
				require.NoError(t, r.Close(t.Context(), true))
				time.Sleep(20 * time.Second)
				synctest.Wait()
				assert.True(t, hasEnded(t, store, "live/demo-isml/20260702T120000Z"))
				same(t, first, files(t, store, "live/demo-isml/20260702T120000Z/1/demo.ism"))
				same(t, f.sent, files(t, store, "live/demo-isml/20260702T120100Z/1/demo.ism"))
			})
		})
	}
}

// TestInputThatIsLost has an input stream of which a sync that failed has lost everything.
func TestInputThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, opts := lossy.New(), quiet()
		opts.Now, opts.Logger = time.Now, slog.New(slog.NewTextHandler(t.Output(), nil))
		a := open(t, store, opts)
		f := newFeed(t, "enc", small())
		g := newFeed(t, "fra", smoothtest.Config{MaxPayload: 600, Streams: []smoothtest.Stream{
			{Type: smooth.Audio, Name: "audio_fra", Durations: []uint64{2 * second}, Levels: []smoothtest.Level{{Bitrate: 32_000}}},
		}})
		r := f.begin(a)
		require.NoError(t, r.Declare(t.Context(), g.input))
		f.record(r, 10*time.Second)
		time.Sleep(2 * time.Second)
		store.SetFault(failing(lossy.Sync, ".isma"))
		g.record(r, 2*time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		store.SetFault(nil)
		f.record(r, 20*time.Second)
		require.NoError(t, r.Close(t.Context(), true))
		same(t, f.sent, files(t, store, segmentOne))
		ism := fileContent(t, store, segmentOne)
		assert.NotContains(t, ism, "fra.isma")
	})
}

// TestCutBesideTwoSounds cuts at the picture though two streams of sound reach across the boundary that the settings name.
func TestCutBesideTwoSounds(t *testing.T) {
	store := lossy.New()
	a := open(t, store, quiet())
	c := small()
	c.Streams[0].Durations, c.Streams[1].Durations = []uint64{4 * second}, []uint64{1.9 * second}
	c.Streams = append(c.Streams, smoothtest.Stream{
		Type: smooth.Audio, Name: "audio_fra", Durations: []uint64{1.9 * second}, Levels: []smoothtest.Level{{Bitrate: 32_000}}})
	f := newFeed(t, "enc", c)
	f.event.Archive.SegmentLength = 6 * time.Second
	r := f.begin(a)
	f.record(r, 60*time.Second)
	require.NoError(t, r.Close(t.Context(), true))
	for n := '1'; n <= '5'; n++ {
		part := files(t, store, "live/demo-isml/20260702T120000Z/"+string(n)+"/demo.ism")
		first := ^uint64(0)
		for k := range part {
			if k.Stream == "video" {
				first = min(first, k.Time)
			}
		}
		for k := range part {
			assert.False(t, n > '1' && k.Stream != "video" && k.Time+1.9*second/2 < first, "segment %c begins at %d, and has %+v", n, first, k)
		}
	}
}

// TestPowerCutAfterLateFragment cuts the power when a complete segment has got a fragment that came late, and is on the disk. What
// was removed may be back.
func TestPowerCutAfterLateFragment(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			store, opts := lossy.New(), quiet()
			opts.Now = time.Now
			opts.ResumeWithin = 100 * 24 * 365 * time.Hour
			a, err := archive.NewStore(t.Context(), store, opts)
			require.NoError(t, err)
			f := newFeed(t, "enc", small())
			f.event.Archive.SegmentLength = 4 * time.Second
			r := f.begin(a)
			list := f.until(40 * time.Second)
			for i, frag := range list {
				if i != 3 {
					require.NoError(t, r.Append(t.Context(), "enc", frag))
				}
			}
			_, err = store.Stat(t.Context(), "live/demo-isml/20260702T120000Z/1/demo.ismc")
			require.NoError(t, err, "the segment is not complete")
			require.NoError(t, r.Append(t.Context(), "enc", list[3]))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			after := store.Crash(rand.New(rand.NewPCG(seed, 1)))
			_ = r.Close(t.Context(), false)
			_ = a.Close()
			a, err = archive.NewStore(t.Context(), after, opts)
			require.NoError(t, err)
			r = f.begin(a)
			f.record(r, 44*time.Second)
			require.NoError(t, r.Close(t.Context(), true))
			require.NoError(t, a.Close())
			got := make(map[smooth.FragmentKey][]byte)
			for n := 1; n <= 11; n++ {
				maps.Copy(got, files(t, after, "live/demo-isml/20260702T120000Z/"+strconv.Itoa(n)+"/demo.ism"))
			}
			same(t, f.sent, got)
		})
	}
}

// TestInputAfterASegmentThatCannotEnd has the first fragment of an input stream come when its segment could not be completed.
func TestInputAfterASegmentThatCannotEnd(t *testing.T) {
	store := lossy.New()
	a := open(t, store, quiet())
	f := newFeed(t, "enc", small())
	f.event.Archive.SegmentLength = 4 * time.Second
	g := newFeed(t, "fra", smoothtest.Config{MaxPayload: 600, Streams: []smoothtest.Stream{
		{Type: smooth.Audio, Name: "audio_fra", Durations: []uint64{2 * second}, Levels: []smoothtest.Level{{Bitrate: 32_000}}},
	}})
	r := f.begin(a)
	require.NoError(t, r.Declare(t.Context(), g.input))
	late := g.until(2 * time.Second)
	require.Len(t, late, 1)
	late[0].Retain()
	writes := 0
	store.SetFault(func(op lossy.Op, name string, n int64) error {
		if strings.HasSuffix(name, "1/fra.isma") && op == lossy.Write {
			writes++
			if writes > 1 { // the header is there
				return errDisk
			}
		}
		return failing(lossy.Replace, "1/demo.ismc")(op, name, n)
	})
	f.record(r, 4*time.Second)
	require.Error(t, r.Append(t.Context(), "fra", late[0]))
	f.record(r, 30*time.Second)
	store.SetFault(nil)
	require.NoError(t, r.Append(t.Context(), "fra", late[0]))
	require.NoError(t, r.Close(t.Context(), true))
	got := files(t, store, segmentOne)
	assert.Equal(t, g.sent[late[0].Key], got[late[0].Key])
}

// TestSegmentThatCannotBeOpened has the disk fail for a moment when a segment becomes complete, and when an event is opened.
func TestSegmentThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, opts := lossy.New(), quiet()
		opts.Now = time.Now
		a := open(t, store, opts)
		f := newFeed(t, "enc", small())
		f.event.Archive.SegmentLength = 10 * time.Second
		r := f.begin(a)
		h := r.History()
		const dir = "live/demo-isml/20260702T120000Z/"
		has := func(name string) {
			p, err := a.Open(t.Context(), dir+name)
			require.NoError(t, err)
			defer p.Close()
			same(t, f.sent, content(t, p))
		}
		f.record(r, 24*time.Second)
		has("demo.ism")
		store.SetFault(failing(lossy.Open, "1/demo.ismc"))
		f.record(r, 30*time.Second)
		same(t, f.sent, content(t, h))
		has("demo.ism")
		store.SetFault(nil)
		has("demo.ism")
		time.Sleep(2 * time.Second) // a source remembers for a second that it could not open something
		require.NoError(t, r.Close(t.Context(), true))
		require.NoError(t, h.Close())
		store.SetFault(failing(lossy.Open, "2/demo.ismc"))
		for _, name := range []string{"demo.ism", "demo.isml"} {
			p, err := a.Open(t.Context(), dir+name)
			if err == nil {
				require.NoError(t, p.Close())
			}
		}
		store.SetFault(nil)
		time.Sleep(2 * time.Second)
		has("demo.ism")
		has("demo.isml")
	})
}

// TestLateFragmentsInARow completes a segment several times at once. Everybody sees what it has become.
func TestLateFragmentsInARow(t *testing.T) {
	store := lossy.New()
	a := open(t, store, quiet())
	f := newFeed(t, "enc", small())
	f.event.Archive.SegmentLength = 4 * time.Second
	r := f.begin(a)
	h := r.History()
	const dir = "live/demo-isml/20260702T120000Z/"
	list := f.until(50 * time.Second)
	var late []*smooth.Fragment
	for i, frag := range list {
		if i >= 6 || i < 2 {
			require.NoError(t, r.Append(t.Context(), "enc", frag))
		} else {
			late = append(late, frag)
		}
		if frag.Key.Time > 30*second && len(late) > 0 {
			require.NoError(t, r.Append(t.Context(), "enc", late[0]))
			late = late[1:]
		}
	}
	require.Empty(t, late)
	same(t, f.sent, content(t, h))
	require.NoError(t, r.Close(t.Context(), true))
	for _, name := range []string{"demo.ism", "demo.isml"} {
		p, err := a.Open(t.Context(), dir+name)
		require.NoError(t, err)
		same(t, f.sent, content(t, p))
		require.NoError(t, p.Close())
	}
	require.NoError(t, h.Close())
}

// TestTimesTooFar refuses fragments that no reader of the finished event would take.
func TestTimesTooFar(t *testing.T) {
	store := lossy.New()
	a := open(t, store, quiet())
	f := newFeed(t, "enc", small())
	r := f.begin(a)
	f.record(r, 4*time.Second)
	for _, at := range []uint64{1<<60 + 1, 1 << 63, ^uint64(0)} {
		frag := f.until(6 * time.Second)
		require.NotEmpty(t, frag)
		k := frag[0].Key
		k.Time = at
		far := smooth.NewFragment(smooth.FragmentInit{Key: k, Timescale: second, Duration: second, Codec: frag[0].Codec, Of: frag[0]})
		require.ErrorIs(t, r.Append(t.Context(), "enc", far), smooth.ErrUnsupported)
		f = newFeed(t, "enc", small())
	}
	require.NoError(t, r.Close(t.Context(), true))
	assert.Len(t, files(t, store, segmentOne), 6)
}

// TestManifestThatCannotBeWritten loses no fragment, and tells of no gap, while only the server manifest cannot be written.
func TestManifestThatCannotBeWritten(t *testing.T) {
	store := lossy.New()
	a := open(t, store, quiet())
	f := newFeed(t, "enc", small())
	r := f.begin(a)
	store.SetFault(failing(lossy.Replace, "demo.ism"))
	f.record(r, 4*time.Second)
	store.SetFault(nil)
	f.record(r, 8*time.Second)
	require.NoError(t, r.Close(t.Context(), true))
	same(t, f.sent, files(t, store, segmentOne))
}
