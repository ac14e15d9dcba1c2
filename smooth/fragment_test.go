package smooth_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// TestFragmentFaults expects a sentinel of this package and the name of the fragment in every error.
func TestFragmentFaults(t *testing.T) {
	tests := []struct {
		name, head, reason string
		want               error
	}{
		{"no box", "\x00\x00\x00\x08mdat", "has no moof box", smooth.ErrCorrupt},
		{"no track", "\x00\x00\x00\x08moof\x00\x00\x00\x08mdat", "0 traf boxes", smooth.ErrUnsupported},
		{"empty traf", "\x00\x00\x00\x10moof\x00\x00\x00\x08traf\x00\x00\x00\x08mdat", "moof/traf", smooth.ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := smooth.NewFragment(smooth.FragmentInit{
				Key: smooth.FragmentKey{Stream: "video", Time: 42}, Timescale: 1, Memory: []byte(tt.head), HeadLen: len(tt.head),
			})
			defer f.Close()
			_, err := f.Header(smooth.CMAF)
			require.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, "smooth: fragment video 42")
			assert.ErrorContains(t, err, tt.reason)
			for _, err = range f.Samples() {
			}
			require.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, "smooth: fragment video 42")
		})
	}
}
