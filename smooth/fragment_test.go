package smooth_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
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

// TestWritePayloadPart writes parts of the same sample data from memory, from a reader and from a file of its own.
func TestWritePayloadPart(t *testing.T) {
	const head, payload = "\x00\x00\x00\x08moof\x00\x00\x00\x12mdat", "0123456789"
	name := filepath.Join(t.TempDir(), "body")
	require.NoError(t, os.WriteFile(name, []byte("xxx"+payload), 0o666))
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	for form, in := range map[string]smooth.FragmentInit{
		"memory": {Memory: []byte(head + payload), HeadLen: len(head)},
		"reader": {Head: []byte(head), Body: strings.NewReader("xxx" + payload), Offset: 3, Size: 10},
		"file":   {Head: []byte(head), Body: file, Offset: 3, Size: 10},
	} {
		f := smooth.NewFragment(in)
		for _, c := range []struct {
			off, n int64
			ok     bool
		}{{0, 10, true}, {3, 4, true}, {10, 0, true}, {0, 11, false}, {-1, 1, false}, {1, -1, false}, {11, 0, false}, {5, 1 << 62, false}} {
			var w bytes.Buffer
			n, err := f.WritePayloadPart(&w, c.off, c.n)
			if !c.ok {
				assert.Error(t, err, "%s %v", form, c)
				continue
			}
			require.NoError(t, err, form)
			assert.Equal(t, c.n, n, form)
			assert.Equal(t, payload[c.off:c.off+c.n], w.String(), form)
		}
		require.NoError(t, f.Close())
	}
}
