package fmp4_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// tfrfOf returns a moof box whose traf has a tfrf box of that version and body.
func tfrfOf(version uint8, body ...[]byte) []byte {
	return moofOf(cat(tfhd(0, be32(3)), ubx(fmp4.UUIDTfrf, version, 0, cat(body...))))
}

func TestParseTfrf(t *testing.T) {
	want := []fmp4.FragmentSpan{{Time: 100, Duration: 50}, {Time: 150, Duration: 60}}
	for name, moof := range map[string][]byte{
		"version 0":        tfrfOf(0, []byte{2}, be32(100, 50, 150, 60)),
		"version 1":        tfrfOf(1, []byte{2}, be64(100, 50, 150, 60)),
		"bytes behind":     tfrfOf(1, []byte{2}, be64(100, 50, 150, 60, 7)),
		"behind others":    moofOf(cat(tfhd(0, be32(3)), trun(rSize, 1, 0, 9), tfxd(1, be64(5, 6)), ubx(fmp4.UUIDTfrf, 0, 0, []byte{2}, be32(100, 50, 150, 60)))),
		"the first counts": moofOf(cat(tfhd(0, be32(3)), ubx(fmp4.UUIDTfrf, 0, 0, []byte{2}, be32(100, 50, 150, 60)), tfrf)),
	} {
		got, err := fmp4.ParseTfrf(moof)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for name, moof := range map[string][]byte{
		"none":    moofOf(tfhd(0, be32(3))),
		"empty":   tfrfOf(1, []byte{0}),
		"no traf": bx("moof", fbx("mfhd", 0, 0, be32(1))),
	} {
		got, err := fmp4.ParseTfrf(moof)
		require.NoError(t, err, name)
		require.Empty(t, got, name)
	}
}

func TestParseTfrfMalformed(t *testing.T) {
	for name, moof := range map[string][]byte{
		"not a moof":     bx("mdat"),
		"no count":       tfrfOf(1),
		"count too high": tfrfOf(1, []byte{3}, be64(100, 50, 150, 60)),
		"time too high":  tfrfOf(1, []byte{1}, be64(1<<63, 50)),
	} {
		_, err := fmp4.ParseTfrf(moof)
		require.ErrorIs(t, err, fmp4.ErrCorrupt, name)
		requirePlace(t, err)
	}
	whole := tfrfOf(1, []byte{2}, be64(100, 50, 150, 60))
	for n := range whole {
		_, err := fmp4.ParseTfrf(whole[:n])
		require.Error(t, err, "%d bytes", n)
	}
}

// TestTfrfRoundTrip reads what a server writes.
func TestTfrfRoundTrip(t *testing.T) {
	moof := patchOffset(moofOf(cat(tfhd(0, be32(3)), trun(rOffset|rSize|rDuration, 1, 0, 5, 6), tfxd(1, be64(5, 6)))))
	h := fmp4.LiveHead{Sequence: 1, TrackID: 2, Time: 10, Duration: 6, Next: []fmp4.FragmentSpan{{Time: 16, Duration: 5}, {Time: 21, Duration: 6}}}
	out, err := h.AppendTo(nil, moof)
	require.NoError(t, err)
	got, err := fmp4.ParseTfrf(out)
	require.NoError(t, err)
	require.Equal(t, h.Next, got)
}

// TestParseTfrfReal reads a live fragment of a real server, with a look-ahead of two.
func TestParseTfrfReal(t *testing.T) {
	b := testmedia.SharedFile(t, "smooth/fragments/dashjs/mss_moof.mp4")
	n := fmp4.MoofSize(b)
	require.Positive(t, n)
	h, err := fmp4.Inspect(b[:n], 0, fmp4.Defaults{})
	require.NoError(t, err)
	got, err := fmp4.ParseTfrf(b[:n])
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, h.Time+h.Duration, got[0].Time)
	require.Equal(t, got[0].Time+got[0].Duration, got[1].Time)
}

func FuzzTfrf(f *testing.F) {
	f.Add(tfrfOf(0, []byte{2}, be32(100, 50, 150, 60)))
	f.Add(tfrfOf(1, []byte{2}, be64(100, 50, 150, 60)))
	moofSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		next, err := fmp4.ParseTfrf(raw)
		if err != nil {
			requirePlace(t, err)
			return
		}
		require.LessOrEqual(t, len(next), fmp4.MaxNext)
		for _, s := range next {
			require.Less(t, s.Time, s.Time+s.Duration+1)
		}
	})
}
