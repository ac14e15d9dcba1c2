package archive_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestRetentionHammer records a ring while viewers read what is in it, and it is listed.
func TestRetentionHammer(t *testing.T) {
	store, clock := lossy.New(), new(wallClock)
	clock.set(begun)
	a := open(t, store, keeping(clock, archive.Retention{Age: 10 * time.Second}))
	f := newFeed(t, "enc", small())
	f.event.Archive.SegmentLength = 4 * time.Second
	r := f.begin(a)
	list := f.until(2 * time.Minute)
	var turns []chan struct{} // one may go round while some fragments are recorded
	var others sync.WaitGroup
	seeds := uint64(0)
	loop := func(do func(random *rand.Rand)) {
		seeds++
		seed := seeds
		turn := make(chan struct{}, 1)
		turns = append(turns, turn)
		others.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range turn {
				do(random)
			}
		})
	}
	absent := func(err error) bool {
		return errors.Is(err, smooth.ErrNotFound) || errors.Is(err, smooth.ErrNotYet) || errors.Is(err, smooth.ErrGone)
	}
	read := 0
	loop(func(*rand.Rand) {
		_, err := a.Sweep(t.Context(), clock.now())
		assert.NoError(t, err)
	})
	loop(func(*rand.Rand) {
		assert.NoError(t, a.List(t.Context(), func(i smooth.Info) bool {
			return assert.Contains(t, []string{eventLive, eventDemand}, i.Name)
		}))
	})
	loop(func(random *rand.Rand) {
		p, err := a.Open(t.Context(), []string{eventLive, eventDemand}[random.IntN(2)])
		if err != nil {
			assert.True(t, absent(err), "%v", err)
			return
		}
		defer p.Close()
		snap, err := p.Snapshot(t.Context())
		if !assert.NoError(t, err) || len(snap.Manifest.Streams) == 0 || len(snap.Manifest.Streams[0].Timeline) == 0 {
			return
		}
		line := snap.Manifest.Streams[0].Timeline
		k := smooth.FragmentKey{Stream: "video", Bitrate: 300_000, Time: line[random.IntN(len(line))].Time}
		fragment, err := p.Fragment(t.Context(), k)
		if err != nil {
			assert.True(t, absent(err), "%v", err)
			return
		}
		defer fragment.Close()
		b, err := fragment.Load(t.Context(), nil)
		if assert.NoError(t, err) && assert.True(t, bytes.Equal(f.sent[k], b), "%+v", k) {
			read++
		}
	})
	for _, fragment := range list {
		clock.set(begun.Add(time.Duration(fragment.Key.Time) * 100))
		require.NoError(t, r.Append(t.Context(), "enc", fragment))
		for _, turn := range turns {
			select {
			case turn <- struct{}{}:
			default:
			}
		}
	}
	for _, turn := range turns {
		close(turn)
	}
	others.Wait()
	require.NoError(t, r.Close(t.Context(), true))
	assert.Positive(t, read)
	got := everything(t, store, firstEvent)
	for k, b := range got {
		require.True(t, bytes.Equal(f.sent[k], b), "%+v", k)
	}
	_, err := a.Sweep(t.Context(), begun.Add(time.Hour))
	require.NoError(t, err)
	assert.Empty(t, dumped(store))
}
