package playlist_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

type viewerKey struct{}

// TestGate: the gate is asked once for each fragment that exists, in terms of its part, and what it says is returned.
func TestGate(t *testing.T) {
	mem := smoothtest.NewSource()
	ad := rated(2, []uint64{500}, sound("audio", ""))
	mem.Add("ad.ism", ad)
	spy := &spySource{Source: mem}
	refusal := errors.New("not before the advertisement")
	var calls []string
	p := playlist.NewStitched(spy, "list", stitchParts("sample/sample.ism", "ad.ism"), &playlist.StitchOptions{
		Gate: func(ctx context.Context, part int, k smooth.FragmentKey, from, to time.Duration) error {
			calls = append(calls, fmt.Sprintf("%v %d %s %d %v %v", ctx.Value(viewerKey{}), part, k.Stream, k.Time/stitchSecond, from, to))
			if part == 1 && from > 0 {
				return refusal
			}
			return nil
		},
		Delivered: func(ctx context.Context, part int, from, to time.Duration, bytes int64) {
			calls = append(calls, fmt.Sprintf("delivered %v %d %v %v %d", ctx.Value(viewerKey{}), part, from, to, bytes))
		},
		Logger: quietLog(),
	})
	ctx := context.WithValue(t.Context(), viewerKey{}, "anna")
	_, err := p.Snapshot(ctx)
	require.NoError(t, err)
	f, err := p.Fragment(ctx, smooth.FragmentKey{Stream: "VIDEO", Bitrate: 400_000, Time: 30 * stitchSecond})
	require.NoError(t, err)
	assert.Equal(t, []string{"anna 1 video 30 0s 2s"}, calls, "%v", calls)
	f.Retain()
	require.NoError(t, f.Close())
	assert.Len(t, calls, 1)
	assert.Equal(t, 1, ad.OpenFragments())
	size := f.Size()
	require.NoError(t, f.Close())
	assert.Equal(t, fmt.Sprintf("delivered anna 1 0s 2s %d", size), calls[1])
	assert.Zero(t, ad.OpenFragments())

	asked := len(spy.keys)
	_, err = p.Fragment(ctx, smooth.FragmentKey{Stream: "audio_fra", Bitrate: 96_000, Time: 32 * stitchSecond})
	assert.Equal(t, refusal, err, "as it is")
	assert.Equal(t, "anna 1 audio_fra 32 2s 4s", calls[2])
	assert.Len(t, spy.keys, asked, "nothing is read of it")
	_, err = p.Fragment(ctx, smooth.FragmentKey{Stream: "audio_fra", Bitrate: 96_000, Time: 33 * stitchSecond})
	require.ErrorIs(t, err, smooth.ErrNotFound)
	assert.Len(t, calls, 3)

	// The texts of the first part are three fragments of ten seconds; the second has none, which is gated all the same.
	_, err = p.Fragment(ctx, smooth.FragmentKey{Stream: "text_eng", Bitrate: 1_000, Time: 30 * stitchSecond})
	require.NoError(t, err)
	assert.Equal(t, "anna 1 text_eng 30 0s 4s", calls[3])
}

// TestWith: viewers share what is known of the parts, and have gates of their own.
func TestWith(t *testing.T) {
	p := stitch(smoothtest.NewSource(), "sample/sample.ism", "sample/sample.ism")
	closed := errors.New("closed")
	strict := p.With(func(context.Context, int, smooth.FragmentKey, time.Duration, time.Duration) error { return closed }, nil)
	a, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	b, err := strict.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Same(t, a, b)
	k := smooth.FragmentKey{Stream: "video", Bitrate: 400_000}
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = strict.Fragment(t.Context(), k)
	assert.Equal(t, closed, err)
	open, delivered := p.With(nil, nil), 0
	counting := p.With(nil, func(context.Context, int, time.Duration, time.Duration, int64) { delivered++ })
	for _, q := range []*playlist.Stitched{open, counting} {
		f, err := q.Fragment(t.Context(), k)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	assert.Equal(t, 1, delivered)
}

// TestStitchedGivesBack: everything that is opened is closed, also where fragments cannot be had.
func TestStitchedGivesBack(t *testing.T) {
	src := smoothtest.NewSource()
	film, ad := rated(3, []uint64{400}, sound("audio", "")), rated(2, []uint64{500}, sound("audio", ""))
	opened := &countingSource{Source: src, opened: map[string]int{}}
	src.Add("film.ism", film)
	src.Add("ad.ism", ad)
	p := stitch(opened, "film.ism", "ad.ism", "film.ism")
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, st := range s.Manifest.Streams {
		for _, k := range fragmentKeys(st, st.Levels[0]) {
			_, f := fragmentSamples(t, p, k)
			_, err := p.FragmentSize(f.Key)
			require.NoError(t, err)
			k.Time++
			_, err = p.Fragment(t.Context(), k)
			require.Error(t, err)
		}
	}
	require.NoError(t, p.Close())
	assert.Zero(t, film.OpenFragments()+ad.OpenFragments())
	assert.Equal(t, map[string]int{"film.ism": film.Closed(), "ad.ism": ad.Closed()}, opened.opened)
}

// countingSource counts what is opened.
type countingSource struct {
	smooth.Source
	opened map[string]int
}

func (s *countingSource) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	s.opened[name]++
	return s.Source.Open(ctx, name)
}
