package fmp4_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// TestRealFragmented walks a file of Azure Media Services by its index and by scanning; both must agree.
func TestRealFragmented(t *testing.T) {
	raw, err := os.ReadFile(testmedia.Shared(t, "testdata/smooth/package-bbb/BigBuckBunny.isma"))
	require.NoError(t, err)
	r := bytes.NewReader(raw)
	var movie *fmp4.Movie
	sc := fmp4.NewScanner(r, 0, int64(len(raw)))
	for movie == nil {
		h, err := sc.Next()
		require.NoError(t, err)
		if h.Type == fmp4.TypeMoov {
			b, err := fmp4.ReadBox(r, h, fmp4.MaxMoov)
			require.NoError(t, err)
			movie, err = fmp4.ParseMovie(b, h.Offset)
			require.NoError(t, err)
		}
	}
	require.True(t, movie.Fragmented)
	require.Len(t, movie.Tracks, 1)
	require.Equal(t, fmp4.HandlerAudio, movie.Tracks[0].Handler)
	require.EqualValues(t, 10_000_000, movie.Tracks[0].Timescale)

	h, ok := fmp4.FindMfra(r, int64(len(raw)))
	require.True(t, ok)
	b, err := fmp4.ReadBox(r, h, fmp4.MaxMfra)
	require.NoError(t, err)
	tfra, err := fmp4.ParseMfra(b, h.Offset)
	require.NoError(t, err)
	require.Len(t, tfra, 1)
	require.Equal(t, 5, tfra[0].Len())

	ms := fmp4.NewMoofScanner(r, 0, int64(len(raw)))
	var time uint64
	for i := range 5 {
		moof, off, err := ms.Next()
		require.NoError(t, err)
		at, where := tfra[0].At(i)
		require.EqualValues(t, off, where)
		require.Equal(t, time, at)
		head, err := fmp4.Inspect(moof, off, movie.Tracks[0].Defaults)
		require.NoError(t, err)
		require.True(t, head.Plain && head.Ordered && !head.HasTfxd)
		m, err := fmp4.ParseMoof(moof, off)
		require.NoError(t, err)
		d, _ := m.Trafs[0].Totals(movie.Tracks[0].Defaults)
		spans, err := m.Spans(nil, 0, func(uint32) fmp4.Defaults { return fmp4.Defaults{} })
		require.NoError(t, err)
		require.Len(t, spans, 1)
		require.Equal(t, off+int64(head.Size)+8, spans[0].Offset)

		smooth, err := fmp4.AppendSmooth(nil, moof, time, d)
		require.NoError(t, err)
		head, err = fmp4.Inspect(smooth, 0, fmp4.Defaults{})
		require.NoError(t, err)
		require.True(t, head.Plain && head.Ordered && head.HasTfxd)
		require.Equal(t, time, head.Time)
		time += d
	}
}
