package archive_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// heads returns what comes before the samples of all fragments that a presentation lists.
func heads(t *testing.T, a *archive.Archive, name string) map[smooth.FragmentKey][]byte {
	t.Helper()
	p, err := a.Open(t.Context(), name)
	require.NoError(t, err)
	defer p.Close()
	got := make(map[smooth.FragmentKey][]byte)
	for k := range content(t, p) {
		f, err := p.Fragment(t.Context(), k)
		require.NoError(t, err)
		head, err := f.Header(smooth.Smooth)
		require.NoError(t, err)
		got[k] = bytes.Clone(head)
		f.Close()
	}
	return got
}

// TestPastLive looks at fragments as live viewers get them, before the event has ended and after: those that have been listed stay as
// they are, and the others announce what follows, since players of Smooth Streaming go on by that alone.
func TestPastLive(t *testing.T) {
	for _, length := range []time.Duration{0, 6 * time.Second} {
		t.Run(length.String(), func(t *testing.T) {
			store := lossy.New()
			a, err := newArchive(t, store)
			require.NoError(t, err)
			f := newFeed(t, "enc", small())
			f.event.Archive.SegmentLength = length
			r := f.begin(a)
			f.record(r, 20*time.Second)
			before := heads(t, a, eventLive)
			assert.Len(t, before, 3*8)
			f.record(r, 30*time.Second)
			require.NoError(t, r.Close(t.Context(), true))
			for range 2 {
				after := heads(t, a, eventLive)
				assert.Len(t, after, 3*15)
				for k, head := range before {
					assert.Equal(t, head, after[k], "%+v", k)
				}
				for k, head := range after {
					next, err := fmp4.ParseTfrf(head[:fmp4.MoofSize(head)])
					require.NoError(t, err)
					assert.Len(t, next, min(2, int((30*second-k.Time)/(2*second))-1), "%+v", k)
				}
				require.NoError(t, a.Close())
				a = open(t, store, quiet())
			}
		})
	}
}
