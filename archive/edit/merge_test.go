package edit_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/edit"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// cut writes spans of a presentation, in seconds from its start, as the numbered segments of an event.
func cut(t testing.TB, store archive.Store, p smooth.Presentation, event string, spans ...[2]uint64) {
	t.Helper()
	for i, s := range spans {
		_, err := edit.Trim(t.Context(), p, smooth.AtTicks(start+s[0]*second, second), smooth.AtTicks(start+s[1]*second, second),
			store, path.Join(event, []string{"1", "2", "03", "10"}[i]), "demo", nil)
		require.NoError(t, err)
	}
}

// TestMerge: segments in the order of their numbers, no fragment lost, none doubled where two have it.
func TestMerge(t *testing.T) {
	p := smoothtest.New(rich())
	store := lossy.New()
	cut(t, store, p, "live/e", [2]uint64{0, 20}, [2]uint64{16, 31}, [2]uint64{30, 40}, [2]uint64{40, 70})
	require.NoError(t, store.Replace(t.Context(), "live/e/event.json", []byte("{}")))
	require.NoError(t, store.Replace(t.Context(), "live/e/notes/x.ism", []byte("none of ours")))
	require.NoError(t, store.Replace(t.Context(), "live/e/10/demo-m3u8-aapl.ism", []byte("HLS")))
	r, err := edit.Merge(t.Context(), store, "live/e", store, "whole", &edit.Options{Logger: strict(t)})
	require.NoError(t, err)
	assert.Equal(t, "whole/demo.ism", r.Name)
	assert.NotZero(t, r.Repeated)
	assert.Zero(t, r.Missing)
	q, m := opened(t, store, r.Name)
	sameFragments(t, p, q)
	assert.Equal(t, manifest(t, p).Stream("video").Timeline, m.Stream("video").Timeline)
	_, err = edit.Merge(t.Context(), store, "live/e", store, "whole", nil)
	require.ErrorIs(t, err, fs.ErrExist)
}

// TestMergeSpan: a highlight across segments, from one store into another, and what segments there are.
func TestMergeSpan(t *testing.T) {
	p := smoothtest.New(event())
	store, out := lossy.New(), lossy.New()
	cut(t, store, p, "e", [2]uint64{0, 20}, [2]uint64{20, 40}, [2]uint64{40, 60})
	list, err := edit.Segments(t.Context(), store, "e")
	require.NoError(t, err)
	require.Len(t, list, 3)
	assert.Equal(t, edit.Segment{Name: "e/2/demo.ism", Start: start + 20*second, End: start + 40*second + second/10}, list[1])
	from, to := smooth.AtTicks(start+30*second, second), smooth.AtTicks(start+50*second, second)
	r, err := edit.Merge(t.Context(), store, "e", out, "whole", &edit.Options{From: from, To: to})
	require.NoError(t, err)
	q, _ := opened(t, out, r.Name)
	// The fragment of sound that reaches 0.1 s into the span is not part of it, as most of it is outside.
	part, err := smooth.NewFiltered(t.Context(), p, smooth.Filter{Start: smooth.AtTicks(start+30*second+second/10, second), End: to})
	require.NoError(t, err)
	sameFragments(t, part, q)

	r, err = edit.Merge(t.Context(), out, "whole", out, "again", nil)
	require.NoError(t, err, "one presentation")
	q, _ = opened(t, out, r.Name)
	sameFragments(t, part, q)
	r, err = edit.Merge(t.Context(), out, "again/demo.ism", out, "third", nil)
	require.NoError(t, err)
	q, _ = opened(t, out, r.Name)
	sameFragments(t, part, q)
	_, err = edit.Merge(t.Context(), out, "again/demi.ism", out, "fourth", nil)
	require.ErrorIs(t, err, smooth.ErrNotFound)
	_, err = edit.Segments(t.Context(), out, "nothing")
	require.ErrorIs(t, err, smooth.ErrNotFound)
	_, err = edit.Merge(t.Context(), store, "e", out, "none", &edit.Options{From: smooth.AtTicks(start+90*second, second)})
	require.ErrorIs(t, err, smooth.ErrNotFound)
}

// TestMergeGap: what no segment has is a gap in the timeline.
func TestMergeGap(t *testing.T) {
	p := smoothtest.New(event())
	store := lossy.New()
	cut(t, store, p, "e", [2]uint64{0, 10}, [2]uint64{20, 60})
	r, err := edit.Merge(t.Context(), store, "e", store, "whole", nil)
	require.NoError(t, err)
	_, m := opened(t, store, r.Name)
	tl := m.Stream("video").Timeline
	require.Len(t, tl, 25)
	assert.Equal(t, smooth.Chunk{Time: start + 8*second, Duration: 2 * second}, tl[4])
	assert.EqualValues(t, start+20*second, tl[5].Time)
}

// TestMergeMany: more segments than are open at a time.
func TestMergeMany(t *testing.T) {
	p := smoothtest.New(event())
	store := lossy.New()
	for i := range uint64(30) {
		_, err := edit.Trim(t.Context(), p, smooth.AtTicks(start+i*2*second, second), smooth.AtTicks(start+(i+1)*2*second, second),
			store, path.Join("e", string(rune('0'+i/10))+string(rune('0'+i%10))), "demo", nil)
		require.NoError(t, err)
	}
	r, err := edit.Merge(t.Context(), store, "e", store, "whole", nil)
	require.NoError(t, err)
	q, _ := opened(t, store, r.Name)
	sameFragments(t, p, q)
}

func TestMergeErrors(t *testing.T) {
	store := lossy.New()
	_, err := edit.Merge(t.Context(), store, "none", store, "whole", nil)
	require.ErrorIs(t, err, smooth.ErrNotFound)
	require.NoError(t, store.Replace(t.Context(), "e/x/demo.ism", []byte("x")))
	_, err = edit.Merge(t.Context(), store, "e", store, "whole", nil)
	require.ErrorIs(t, err, edit.ErrNoSegments)

	p := smoothtest.New(event())
	incomplete := func(remove string, add ...string) {
		t.Helper()
		store := lossy.New()
		cut(t, store, p, "e", [2]uint64{0, 10}, [2]uint64{10, 60})
		if remove != "" {
			require.NoError(t, store.Remove(t.Context(), remove))
		}
		for _, name := range add {
			require.NoError(t, store.Replace(t.Context(), name, nil))
		}
		_, err := edit.Merge(t.Context(), store, "e", store, "whole", nil)
		require.ErrorIs(t, err, edit.ErrIncomplete)
		assert.ErrorContains(t, err, "e/2")
		assert.Empty(t, left(t, store, "whole"))
	}
	incomplete("e/2/demo.ism")
	incomplete("", "e/2/demo.journal", "e/2/demo.ismc")
	incomplete("e/2/demo.ismc", "e/2/demo.journal")
	incomplete("e/2/demo.ism", "e/2/demo.ism")

	two := lossy.New()
	cut(t, two, p, "e", [2]uint64{0, 10})
	require.NoError(t, two.Replace(t.Context(), "e/1/other.ism", []byte("x")))
	_, err = edit.Merge(t.Context(), two, "e", two, "whole", nil)
	require.ErrorIs(t, err, smooth.ErrUnsupported)

	changed := lossy.New()
	cut(t, changed, p, "e", [2]uint64{0, 10})
	c := event()
	c.Streams[1].Levels[0].PrivateData = []byte{0x11, 0x88}
	cut(t, changed, smoothtest.New(c), "f", [2]uint64{0, 10}, [2]uint64{10, 20})
	for _, name := range left(t, changed, "f/2") {
		f, err := changed.Open(t.Context(), name)
		require.NoError(t, err)
		data := make([]byte, f.Size())
		_, err = f.ReadAtContext(t.Context(), data, 0)
		require.True(t, err == nil || errors.Is(err, smooth.ErrNotFound) || err.Error() == "EOF")
		require.NoError(t, changed.Replace(t.Context(), path.Join("e/2", path.Base(name)), data))
	}
	_, err = edit.Merge(t.Context(), changed, "e", changed, "whole", nil)
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.ErrorContains(t, err, "audio_eng at 64000 bits/s changes at")
}
