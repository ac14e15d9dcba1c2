package packager_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
)

// TestSameAsOnTheFly: the source that fragments an MP4 file on the fly and the packager give the same fragments, so
// that files can be packaged later without a change of URLs.
func TestSameAsOnTheFly(t *testing.T) {
	dir := t.TempDir()
	raw, err := os.ReadFile(testmedia.Media(t, "high.mp4"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plain.mp4"), raw, 0o666))
	pack(t, packager.Job{Inputs: inputs(filepath.Join(dir, "plain.mp4")), Dir: dir, Name: "packaged"})
	src := smooth.Dir(dir, nil)
	defer src.Close()
	plain, packaged := open(t, src, "plain.mp4"), open(t, src, "packaged.ism")
	a, err := plain.Snapshot(t.Context())
	require.NoError(t, err)
	b, err := packaged.Snapshot(t.Context())
	require.NoError(t, err)
	for _, s := range b.Manifest.Streams {
		other := a.Manifest.Stream(s.Name)
		require.NotNil(t, other, s.Name)
		assert.Equal(t, s.Timeline, other.Timeline)
		assert.Equal(t, s.Levels[0].CodecPrivateData, other.Levels[0].CodecPrivateData)
		for _, c := range s.Timeline {
			want := samples(t, packaged, smooth.FragmentKey{Stream: s.Name, Bitrate: s.Levels[0].Bitrate, Time: c.Time})
			got := samples(t, plain, smooth.FragmentKey{Stream: s.Name, Bitrate: other.Levels[0].Bitrate, Time: c.Time})
			require.Equal(t, want, got, "%s %d", s.Name, c.Time)
		}
	}
}

func open(t *testing.T, src smooth.Source, name string) smooth.Presentation {
	t.Helper()
	p, err := src.Open(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// samples returns what a fragment says about its samples, and their bytes.
func samples(t *testing.T, p smooth.Presentation, k smooth.FragmentKey) (list []any) {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err)
	defer f.Close()
	for s, err := range f.Samples() {
		require.NoError(t, err)
		list = append(list, s)
	}
	data, err := f.Load(t.Context(), nil)
	require.NoError(t, err)
	return append(list, hash(data))
}
