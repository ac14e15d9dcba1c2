package remote

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// chunks returns a timeline of fragments of ten ticks from one number to before another.
func chunks(from, to uint64) (tl smooth.Timeline) {
	for n := from; n < to; n++ {
		tl = append(tl, smooth.Chunk{Time: n * 10, Duration: 10})
	}
	return tl
}

// changed returns a timeline with another duration of one fragment.
func changed(tl smooth.Timeline, n int, d uint64) smooth.Timeline {
	tl = slices.Clone(tl)
	tl[n].Duration = d
	return tl
}

func TestFollow(t *testing.T) {
	gap := append(chunks(0, 5), chunks(7, 9)...)
	for name, c := range map[string]struct {
		old       smooth.Timeline
		confirmed uint64
		fresh     smooth.Timeline
		want      smooth.Timeline
		verdict   verdict
	}{
		"first":                  {nil, 0, chunks(3, 5), chunks(3, 5), continued},
		"none any more":          {chunks(3, 5), 50, nil, chunks(3, 5), continued},
		"same":                   {chunks(3, 5), 50, chunks(3, 5), chunks(3, 5), continued},
		"grown":                  {chunks(3, 5), 50, chunks(3, 7), chunks(3, 7), continued},
		"trimmed":                {chunks(3, 9), 90, chunks(5, 9), chunks(5, 9), continued},
		"both":                   {chunks(3, 9), 90, chunks(5, 12), chunks(5, 12), continued},
		"far ahead":              {chunks(3, 9), 90, chunks(50, 52), chunks(50, 52), continued},
		"right behind":           {chunks(3, 9), 90, chunks(9, 12), chunks(9, 12), continued},
		"after a gap":            {chunks(3, 5), 50, append(chunks(3, 5), chunks(7, 8)...), append(chunks(3, 5), chunks(7, 8)...), continued},
		"window wider than ours": {chunks(3, 5), 50, chunks(1, 6), chunks(3, 6), continued},
		"copy":                   {chunks(3, 9), 90, chunks(3, 8), chunks(3, 9), behind},
		"old copy":               {chunks(3, 9), 90, chunks(1, 7), chunks(3, 9), behind},
		"not yet all that came":  {chunks(3, 9), 70, chunks(3, 7), chunks(3, 9), continued},
		"less than was listed":   {chunks(3, 9), 70, chunks(3, 6), chunks(3, 9), behind},
		"estimated length":       {chunks(3, 5), 50, changed(chunks(3, 5), 1, 8), changed(chunks(3, 5), 1, 8), continued},
		"tfrf was wrong":         {chunks(3, 9), 70, changed(changed(chunks(3, 8), 4, 4), 3, 10), changed(chunks(3, 8), 4, 4), continued},
		"back":                   {chunks(30, 50), 500, chunks(0, 3), chunks(0, 3), restarted},
		"other lengths":          {chunks(3, 9), 90, changed(chunks(3, 9), 2, 9), changed(chunks(3, 9), 2, 9), restarted},
		"other start":            {chunks(3, 9), 90, smooth.Timeline{{Time: 45, Duration: 10}, {Time: 55, Duration: 10}}, smooth.Timeline{{Time: 45, Duration: 10}, {Time: 55, Duration: 10}}, restarted},
		"in no fragment of ours": {chunks(3, 9), 90, smooth.Timeline{{Time: 25, Duration: 10}, {Time: 35, Duration: 10}}, smooth.Timeline{{Time: 25, Duration: 10}, {Time: 35, Duration: 10}}, restarted},
		"hole closed":            {gap, 90, chunks(0, 9), chunks(0, 9), restarted},
	} {
		l := line{listed: c.old, confirmed: c.confirmed, follows: true}
		got, v := l.follow(&smooth.Stream{Timeline: c.fresh})
		assert.Equal(t, c.want, got.listed, name)
		assert.Equal(t, c.verdict, v, name)
		assert.Equal(t, c.old, l.listed, name)
	}
}

// TestFollowKeepsPublished: what was published is not changed by what follows, whichever way it goes.
func TestFollowKeepsPublished(t *testing.T) {
	l := newLine(&smooth.Stream{Timeline: append(make(smooth.Timeline, 0, 100), chunks(0, 5)...)})
	l, _ = l.announce(30, []fmp4.FragmentSpan{{Time: 50, Duration: 10}, {Time: 60, Duration: 9}})
	grown, ok := l.proven(smooth.Chunk{Time: 60, Duration: 9})
	require.True(t, ok)
	published := slices.Clone(grown.listed)
	require.Equal(t, changed(chunks(0, 7), 6, 9), published)
	next, v := grown.follow(&smooth.Stream{Timeline: chunks(0, 8)})
	require.Equal(t, continued, v)
	assert.Equal(t, chunks(0, 8), next.listed)
	assert.Equal(t, published, grown.listed)
}

// TestSparse: what a sparse stream lists is taken as it is, with its data.
func TestSparse(t *testing.T) {
	data := [][]smooth.ChunkData{{{Data: []byte{1}}}, nil}
	l := newLine(&smooth.Stream{Parent: "video", Timeline: smooth.Timeline{{Time: 7}, {Time: 300}}, Embedded: data})
	assert.False(t, l.follows)
	got, v := l.follow(&smooth.Stream{Parent: "video", Timeline: smooth.Timeline{{Time: 300}, {Time: 500}}, Embedded: data})
	assert.Equal(t, continued, v)
	assert.Equal(t, smooth.Timeline{{Time: 300}, {Time: 500}}, got.listed)
	back, v := got.follow(&smooth.Stream{Parent: "video", Timeline: smooth.Timeline{{Time: 7}}})
	assert.Equal(t, continued, v)
	assert.Equal(t, got.listed, back.listed)
	_, told := got.announce(500, []fmp4.FragmentSpan{{Time: 600, Duration: 1}})
	assert.False(t, told)
	_, grown := got.proven(smooth.Chunk{Time: 500, Duration: 1})
	assert.False(t, grown)
}

func TestAnnounce(t *testing.T) {
	l := newLine(&smooth.Stream{Timeline: chunks(0, 5)})
	next, told := l.announce(40, []fmp4.FragmentSpan{{Time: 40, Duration: 10}, {Time: 50, Duration: 10}, {Time: 55, Duration: 1}, {Time: 60}, {Time: 70, Duration: 5}})
	assert.True(t, told)
	assert.Equal(t, smooth.Timeline{{Time: 50, Duration: 10}, {Time: 70, Duration: 5}}, next.next, "what is listed, overlaps or has no length is left out")
	assert.EqualValues(t, 75, next.knownEnd())
	_, told = next.announce(30, []fmp4.FragmentSpan{{Time: 50, Duration: 10}})
	assert.False(t, told, "an older fragment knows less")
	_, told = next.announce(40, nil)
	assert.False(t, told)
	newer, told := next.announce(50, []fmp4.FragmentSpan{{Time: 60, Duration: 10}})
	assert.True(t, told)
	assert.Equal(t, smooth.Timeline{{Time: 60, Duration: 10}}, newer.next)

	merged, _ := next.follow(&smooth.Stream{Timeline: chunks(0, 6)})
	assert.Equal(t, smooth.Timeline{{Time: 70, Duration: 5}}, merged.next)
	_, grown := next.proven(smooth.Chunk{Time: 60, Duration: 10})
	assert.False(t, grown, "neither named nor the next one")
	empty := newLine(&smooth.Stream{})
	_, grown = empty.proven(smooth.Chunk{Time: 0, Duration: 10})
	assert.False(t, grown)
	many := make([]fmp4.FragmentSpan, fmp4.MaxNext)
	for i := range many {
		many[i] = fmp4.FragmentSpan{Time: uint64(50 + i), Duration: 1}
	}
	bounded, _ := l.announce(40, many)
	assert.Len(t, bounded.next, maxAnnounced)
}

// FuzzFollow: whatever a manifest lists and a fragment names, timelines ascend.
func FuzzFollow(f *testing.F) {
	f.Add([]byte{3, 1, 1, 1, 4, 1, 1, 1, 1, 2, 1, 1})
	f.Add([]byte{2, 10, 10, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		take := func() smooth.Timeline {
			var tl smooth.Timeline
			if len(b) == 0 {
				return nil
			}
			n, at := int(b[0]%16), uint64(0)
			b = b[1:]
			for ; n > 0 && len(b) > 0; n, b = n-1, b[1:] {
				at += uint64(b[0] >> 4)
				d := uint64(b[0]%8) + 1
				tl = append(tl, smooth.Chunk{Time: at, Duration: d})
				at += d
			}
			return tl
		}
		l := newLine(&smooth.Stream{Timeline: take()})
		for range 8 {
			var v verdict
			before := slices.Clone(l.listed)
			published := l.listed
			l, v = l.follow(&smooth.Stream{Timeline: take()})
			require.True(t, v <= restarted)
			for _, c := range take() {
				l, _ = l.announce(c.Time, []fmp4.FragmentSpan{{Time: l.listed.End() + c.Time%4, Duration: c.Duration}, {Time: c.End(), Duration: 3}})
				l, _ = l.proven(smooth.Chunk{Time: l.knownEnd() - c.Duration%3, Duration: c.Duration})
			}
			if !slices.Equal(before, published) {
				t.Fatalf("published %v has become %v", before, published)
			}
			for _, tl := range []smooth.Timeline{l.listed, l.next} {
				for i := 1; i < len(tl); i++ {
					if tl[i].Time < tl[i-1].End() {
						t.Fatalf("%v does not ascend", tl)
					}
				}
			}
			if len(l.next) > 0 {
				require.GreaterOrEqual(t, l.next.Start(), l.listed.End())
			}
		}
	})
}
