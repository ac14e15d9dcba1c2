package archive_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
)

const segmentOne = "live/demo-isml/20260702T120000Z/1/demo.ism"

// TestRecord records an event and reads it as a presentation.
func TestRecord(t *testing.T) {
	store := lossy.New()
	a := open(t, store, quiet())
	f := newFeed(t, "enc", small())
	r := f.begin(a)
	f.record(r, 21*time.Second)
	require.NoError(t, r.Close(t.Context(), true))
	same(t, f.sent, files(t, store, segmentOne))
	list, err := store.ReadDir(t.Context(), "live/demo-isml/20260702T120000Z/1")
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{"demo.ism", "demo.ismc", "enc.ismv"}, names)
}

// TestResume interrupts the server, and goes on with another.
func TestResume(t *testing.T) {
	store := lossy.New()
	a, err := newArchive(t, store)
	require.NoError(t, err)
	f := newFeed(t, "enc", small())
	r := f.begin(a)
	f.record(r, 10*time.Second)
	require.NoError(t, r.Close(t.Context(), false))
	require.NoError(t, a.Close())

	a = open(t, store, quiet())
	f.event.Started = begun.Add(time.Minute)
	r = f.begin(a)
	f.record(r, 20*time.Second)
	require.NoError(t, r.Close(t.Context(), true))
	same(t, f.sent, files(t, store, segmentOne))
}

// TestSegments cuts an event at fragments of the picture, though the sound runs ahead.
func TestSegments(t *testing.T) {
	for _, length := range []time.Duration{2 * time.Second, 5 * time.Second, 7 * time.Second, time.Minute} {
		t.Run(length.String(), func(t *testing.T) {
			store := lossy.New()
			a := open(t, store, quiet())
			c := small()
			c.Streams[1].Durations = []uint64{1.9 * second}
			f := newFeed(t, "enc", c)
			f.event.Archive.SegmentLength = length
			r := f.begin(a)
			f.record(r, 60*time.Second)
			require.NoError(t, r.Close(t.Context(), true))
			all := make(map[smooth.FragmentKey][]byte)
			for n := 1; ; n++ {
				name := "live/demo-isml/20260702T120000Z/" + string(rune('0'+n)) + "/demo.ism"
				if n > 9 {
					name = "live/demo-isml/20260702T120000Z/" + string(rune('0'+n/10)) + string(rune('0'+n%10)) + "/demo.ism"
				}
				if _, err := store.Stat(t.Context(), name); err != nil {
					assert.Greater(t, n, 1)
					break
				}
				part := files(t, store, name)
				for k := range part {
					_, twice := all[k]
					assert.False(t, twice, "%+v is in two segments", k)
				}
				maps.Copy(all, part)
			}
			same(t, f.sent, all)
		})
	}
}

// TestForeignHead refuses a fragment whose tfxd is not what its key says: nobody would find it, and the segment could not end.
func TestForeignHead(t *testing.T) {
	store := lossy.New()
	a := open(t, store, quiet())
	f := newFeed(t, "enc", small())
	r := f.begin(a)
	list := f.until(10 * time.Second)
	bad := list[4]
	delete(f.sent, bad.Key)
	bad.Key.Time++
	for i, frag := range list {
		err := r.Append(t.Context(), "enc", frag)
		if i == 4 {
			require.ErrorIs(t, err, smooth.ErrCorrupt)
			continue
		}
		require.NoError(t, err)
	}
	require.NoError(t, r.Close(t.Context(), true))
	same(t, f.sent, files(t, store, segmentOne, f))
}
