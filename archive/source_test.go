package archive_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
)

const (
	eventLive   = "live/demo-isml/20260702T120000Z/demo.isml"
	eventDemand = "live/demo-isml/20260702T120000Z/demo.ism"
)

// see opens a presentation and returns its snapshot and content.
func see(t *testing.T, a *archive.Archive, name string) (*smooth.Snapshot, map[smooth.FragmentKey][]byte) {
	t.Helper()
	p, err := a.Open(t.Context(), name)
	require.NoError(t, err, name)
	defer p.Close()
	snap, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	return snap, content(t, p)
}

// listed returns what the archive lists.
func names(t *testing.T, a *archive.Archive) []string {
	var list []string
	require.NoError(t, a.List(t.Context(), func(i smooth.Info) bool {
		list = append(list, i.Name)
		return true
	}))
	return list
}

// TestNames opens an event in all ways while it is recorded, when it is complete, and with another server.
func TestNames(t *testing.T) {
	for _, length := range []time.Duration{0, 6 * time.Second} {
		t.Run(length.String(), func(t *testing.T) {
			store := lossy.New()
			a, err := newArchive(t, store)
			require.NoError(t, err)
			f := newFeed(t, "enc", small())
			f.event.Archive.SegmentLength = length
			r := f.begin(a)
			f.record(r, 20*time.Second)

			snap, got := see(t, a, eventLive)
			assert.True(t, snap.Manifest.IsLive)
			assert.False(t, snap.Ended)
			assert.Zero(t, snap.Manifest.DVRWindowLength)
			assert.Equal(t, uint32(2), snap.Manifest.LookaheadCount)
			assert.EqualValues(t, 0, snap.Manifest.Streams[0].Timeline[0].Time)
			assert.EqualValues(t, 16*second, snap.Manifest.Streams[0].Timeline.End(), "behind the look-ahead")
			assert.Len(t, got, 3*8)
			snap, got = see(t, a, eventDemand)
			assert.True(t, snap.Ended)
			same(t, f.sent, got)
			assert.EqualValues(t, 20*second, snap.Manifest.Duration)
			snap, _ = see(t, a, segmentOne)
			assert.True(t, snap.Ended)
			assert.Equal(t, []string{eventLive}, names(t, a))

			live, err := a.Open(t.Context(), eventLive)
			require.NoError(t, err)
			before, err := live.Snapshot(t.Context())
			require.NoError(t, err)
			f.record(r, 40*time.Second)
			<-before.Superseded()
			require.NoError(t, r.Close(t.Context(), true))
			snap, err = live.Snapshot(t.Context())
			require.NoError(t, err)
			assert.True(t, snap.Ended, "who has watched from the start sees the end")
			same(t, f.sent, content(t, live))
			require.NoError(t, live.Close())

			for range 2 {
				assert.Equal(t, []string{eventDemand}, names(t, a))
				for _, name := range []string{eventLive, eventDemand} {
					snap, got = see(t, a, name)
					assert.True(t, snap.Ended)
					assert.False(t, snap.Manifest.IsLive)
					same(t, f.sent, got)
					if name == eventLive {
						assert.Equal(t, begun, snap.Periods[0].Wall)
					}
				}
				require.NoError(t, a.Close())
				a = open(t, store, quiet())
			}
		})
	}
}

// TestClock: if nobody says what the wall clock was, the first fragment has come when it was over.
func TestClock(t *testing.T) {
	a := open(t, lossy.New(), quiet())
	f := newFeed(t, "enc", small())
	r, err := a.Begin(t.Context(), f.event)
	require.NoError(t, err)
	require.NoError(t, r.Declare(t.Context(), f.input))
	f.record(r, 20*time.Second)
	snap, _ := see(t, a, eventLive)
	assert.Equal(t, begun.Add(time.Minute-2*time.Second), snap.Periods[0].Wall)
	require.NoError(t, r.Close(t.Context(), true))
}
