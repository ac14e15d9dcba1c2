package archive_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

func TestJoinedWaitsForTheEndOfAPart(t *testing.T) {
	rs := segmentsOf(t, 5, 0, 10)
	j := archive.NewJoined(true, smooth.Period{})
	j.Set([]archive.Shared{rs[0].growing(true), rs[1].growing(true)}, false)
	rs[0].until(8 * tick)
	rs[1].until(14 * tick)
	assert.Equal(t, []int{0, 2, 4, 6}, listed(t, j, "video"), "the first part may still get one more")
	f, err := j.Fragment(t.Context(), at(videoKey, 10))
	require.NoError(t, err, "it is there all the same")
	f.Close()
	rs[0].until(10 * tick)
	assert.Equal(t, []int{0, 2, 4, 6, 8, 10, 12}, listed(t, j, "video"))

	rs = segmentsOf(t, 5, 0, 10, 20)
	j = archive.NewJoined(true, smooth.Period{})
	parts := []archive.Shared{rs[0].growing(true), rs[1].growing(true), rs[2].growing(true)}
	j.Set(parts, false)
	rs[0].until(8 * tick)
	rs[1].until(12 * tick)
	assert.Equal(t, []int{0, 2, 4, 6}, listed(t, j, "video"))
	j.Set(parts, true)
	assert.Equal(t, []int{0, 2, 4, 6, 10}, listed(t, j, "video"), "nothing is held back at the end")

	rs = segmentsOf(t, 5, 0, 10)
	j = archive.NewJoined(true, smooth.Period{})
	j.Set([]archive.Shared{rs[0].growing(true), rs[1].growing(true)}, false)
	rs[0].until(8 * tick)
	rs[1].until(14 * tick)
	rs[0].index.End()
	assert.Equal(t, []int{0, 2, 4, 6, 10, 12}, listed(t, j, "video"), "it does not come any more")
	assert.Equal(t, uint64(2*tick-1), snapshotOf(t, j).Manifest.Stream("video").Timeline[4].Duration)

	rs = segmentsOf(t, 5, 0, 10)
	j = archive.NewJoined(true, smooth.Period{})
	j.Set([]archive.Shared{rs[0].growing(true), rs[1].growing(true)}, false)
	rs[0].until(8 * tick)
	rs[1].until(18 * tick)
	assert.Equal(t, []int{0, 2, 4, 6, 10, 12, 14, 16}, listed(t, j, "video"), "it is not waited for very long")
	rs[0].until(10 * tick)
	assert.Equal(t, []int{0, 2, 4, 6, 8, 10, 12, 14, 16}, listed(t, j, "video"), "late, but it is there")
	for _, c := range snapshotOf(t, j).Manifest.Stream("video").Timeline {
		k := videoKey
		k.Time = c.Time
		f, err := j.Fragment(t.Context(), k)
		require.NoError(t, err)
		f.Close()
	}
}

func TestJoinedPartsThatOverlap(t *testing.T) {
	rs := segmentsOf(t, 10, 0, 11)
	j := archive.NewJoined(false, smooth.Period{})
	for _, r := range rs {
		r.until(1000 * tick)
	}
	j.Set([]archive.Shared{rs[0].growing(false), rs[1].growing(false)}, true)
	want := []int{0, 2, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 23, 25, 27, 29}
	assert.Equal(t, want, listed(t, j, "video"))
	for _, n := range want {
		f, err := j.Fragment(t.Context(), at(videoKey, uint64(n)))
		require.NoError(t, err, n)
		f.Close()
	}
}

// brokenPart is a presentation that fails, and is nothing but a [smooth.Presentation].
type brokenPart struct {
	smooth.Presentation
	err error
}

func (b *brokenPart) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.Presentation.Snapshot(ctx)
}

func TestJoinedOfOtherPresentations(t *testing.T) {
	r := segmentsOf(t, 5, 0)[0]
	part := &brokenPart{Presentation: r.from, err: assert.AnError}
	j := archive.NewJoined(false, smooth.Period{})
	j.SetAny([]smooth.Presentation{part}, true)
	_, err := j.Snapshot(t.Context())
	assert.ErrorIs(t, err, assert.AnError)
	_, err = j.Fragment(t.Context(), at(videoKey, 2))
	assert.ErrorIs(t, err, assert.AnError)
	assert.ErrorIs(t, j.Wait(t.Context(), videoKey), assert.AnError)
	part.err = nil
	size, err := j.FragmentSize(at(videoKey, 2))
	require.NoError(t, err)
	want, err := r.from.FragmentSize(at(videoKey, 2))
	require.NoError(t, err)
	assert.Equal(t, want, size)
	_, err = j.FragmentSize(at(videoKey, 3))
	assert.ErrorIs(t, err, smooth.ErrNotFound)
	assert.NoError(t, j.Wait(t.Context(), at(videoKey, 2)))
	assert.Zero(t, r.from.OpenFragments())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = j.Snapshot(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	j.Close()
	assert.Equal(t, 1, r.from.Closed())
}

// madePart is a presentation with a snapshot of its own.
type madePart struct {
	smooth.Presentation
	snap *smooth.Snapshot
}

func (p *madePart) Snapshot(context.Context) (*smooth.Snapshot, error) { return p.snap, nil }

func TestJoinedFilesWithGaps(t *testing.T) {
	part := func(starts ...uint64) smooth.Presentation {
		r := segmentsOf(t, 1, 0)[0]
		m := *snapshotOf(t, r.from).Manifest
		video := *m.Streams[0]
		video.Timeline = nil
		for _, start := range starts {
			video.Timeline = append(video.Timeline, smooth.Chunk{Time: start * tick, Duration: 2 * tick})
		}
		m.Streams = []*smooth.Stream{&video}
		return &madePart{r.from, smooth.NewSnapshot(&m, "")}
	}
	shorter := func(parts ...smooth.Presentation) []int {
		j := archive.NewJoined(true, smooth.Period{})
		j.SetAny(parts, false)
		var list smooth.Timeline
		for _, c := range snapshotOf(t, j).Manifest.Streams[0].Timeline {
			if c.Duration != 2*tick {
				assert.Equal(t, uint64(2*tick-1), c.Duration)
				list = append(list, c)
			}
		}
		return seconds(list)
	}
	one := part(0, 2, 6, 8, 20, 30)
	own := snapshotOf(t, one).Manifest.Streams[0].Timeline
	assert.Equal(t, []int{6, 20}, shorter(one), "30 has another duration than 20 has now")
	assert.Equal(t, uint64(2*tick), own[2].Duration, "the part stays as it is")
	assert.Equal(t, []int{6, 20, 34, 44}, shorter(one, part(34, 36, 44)))
	assert.Equal(t, []int{}, shorter(part(0, 2), part(4, 6)))
}
