package asset_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

func moof(t testing.TB) []byte {
	head := fmp4.FragmentHead{Sequence: 1, TrackID: 0x01020304, Tfxd: true, Time: start, Samples: []fmp4.RunSample{{Duration: 1, Size: 1}}}
	b, err := head.AppendTo(nil)
	require.NoError(t, err)
	return b
}

func TestTrackID(t *testing.T) {
	b := moof(t)
	id, at, err := asset.TrackID(b)
	require.NoError(t, err)
	assert.EqualValues(t, 0x01020304, id)
	assert.Equal(t, []byte{1, 2, 3, 4}, b[at:at+4])
	for n := range fmp4.MoofSize(b) {
		_, _, err := asset.TrackID(b[:n])
		require.ErrorIs(t, err, smooth.ErrCorrupt, n)
	}
}

// FuzzTrackID: what is found is what the reader of boxes finds. 66a4e9171170b987 guards against a tfhd box outside of traf.
func FuzzTrackID(f *testing.F) {
	f.Add(moof(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, at, err := asset.TrackID(b)
		if err != nil {
			return
		}
		if at < 0 || at+4 > len(b) {
			t.Fatalf("track_ID at %d of %d", at, len(b))
		}
		if h, err := fmp4.Inspect(b[:fmp4.MoofSize(b)], 0, fmp4.Defaults{}); err == nil && h.TrackID != id {
			t.Fatalf("track_ID %d, is %d", id, h.TrackID)
		}
	})
}
