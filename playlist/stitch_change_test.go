package playlist_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestStitchedReplaced: a part that is replaced makes a new snapshot, and keys are looked up in that.
func TestStitchedReplaced(t *testing.T) {
	src := smoothtest.NewSource()
	src.Add("ad.ism", rated(2, []uint64{500}, sound("audio", "")))
	spy := &spySource{Source: src}
	p := stitch(spy, "ad.ism", "sample/sample.ism")
	old, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 34*stitchSecond, old.Manifest.Duration)

	src.Add("ad.ism", rated(4, []uint64{600}, sound("audio", "")))
	k := smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 2 * stitchSecond}
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, smooth.FragmentKey{Stream: "video", Bitrate: 600_000, Time: 2 * stitchSecond}, spy.keys[len(spy.keys)-1], "of the new part")
	select {
	case <-old.Superseded():
	default:
		assert.Fail(t, "not superseded")
	}
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.NotSame(t, old, s)
	assert.NotEqual(t, old.Validator, s.Validator)
	assert.EqualValues(t, 38*stitchSecond, s.Manifest.Duration)
	k.Time = 36 * stitchSecond
	f, err = p.Fragment(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.EqualValues(t, 28*stitchSecond, spy.keys[len(spy.keys)-1].Time)
}

// TestStitchedComesAndGoes: parts that appear and disappear.
func TestStitchedComesAndGoes(t *testing.T) {
	src := smoothtest.NewSource()
	gone := &changingSource{Source: src, errs: map[string]error{"ad.ism": smooth.ErrNotFound}}
	src.Add("ad.ism", rated(2, []uint64{500}, sound("audio", "")))
	p := stitch(gone, "ad.ism", "sample/sample.ism")
	seconds := func() uint64 {
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		return s.Manifest.Duration / stitchSecond
	}
	assert.EqualValues(t, 30, seconds())
	first, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	again, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Same(t, first, again, "a part that stays away changes nothing")
	gone.set("ad.ism", nil)
	assert.EqualValues(t, 34, seconds(), "it is there now")
	gone.set("ad.ism", errors.New("the network is down"))
	assert.EqualValues(t, 34, seconds(), "a fault of the moment moves nothing")
	_, err = p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 400_000})
	assert.ErrorContains(t, err, "the network is down")
	gone.set("ad.ism", smooth.ErrNotFound)
	assert.EqualValues(t, 30, seconds(), "it is gone")
	gone.set("sample/sample.ism", smooth.ErrNotFound)
	_, err = p.Snapshot(t.Context())
	require.ErrorIs(t, err, smooth.ErrNotFound)
	gone.set("sample/sample.ism", nil)
	assert.EqualValues(t, 30, seconds())
}

// changingSource fails for some names.
type changingSource struct {
	smooth.Source
	mu   sync.Mutex
	errs map[string]error
}

func (s *changingSource) set(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs[name] = err
}

func (s *changingSource) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	s.mu.Lock()
	err := s.errs[name]
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.Source.Open(ctx, name)
}

// restlessSource gives another presentation each time.
type restlessSource struct{}

func (restlessSource) Open(context.Context, string) (smooth.Presentation, error) {
	return rated(2, []uint64{400}, sound("audio", "")), nil
}

// TestStitchedRestless: a source that changes all the time has no fragments.
func TestStitchedRestless(t *testing.T) {
	p := stitch(restlessSource{}, "x.ism")
	_, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 400_000})
	require.ErrorIs(t, err, smooth.ErrNotFound)
}

// TestStitchedConcurrent: readers while parts are replaced.
func TestStitchedConcurrent(t *testing.T) {
	src := smoothtest.NewSource()
	src.Add("ad.ism", rated(2, []uint64{500}, sound("audio", "")))
	p := stitch(src, "ad.ism", "sample/sample.ism", "ad.ism")
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 100 {
				s, err := p.Snapshot(t.Context())
				if !assert.NoError(t, err) {
					return
				}
				st := s.Manifest.Streams[n%len(s.Manifest.Streams)]
				k := fragmentKeys(st, st.Levels[0])[i%2]
				f, err := p.Fragment(t.Context(), k)
				if errors.Is(err, smooth.ErrNotFound) {
					continue // it has been replaced twice meanwhile
				}
				if assert.NoError(t, err) {
					assert.Equal(t, k, f.Key)
					assert.NoError(t, f.Close())
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			src.Add("ad.ism", rated(2+i%3, []uint64{500}, sound("audio", "")))
		}
	})
	wg.Wait()
}
