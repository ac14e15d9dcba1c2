package packager_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth/packager"
)

// BenchmarkPackage packages the file that SMOOTHKIT_BENCH_MP4 names, or else a small one, in which opening files is
// most of the work.
func BenchmarkPackage(b *testing.B) {
	path := os.Getenv("SMOOTHKIT_BENCH_MP4")
	if path == "" {
		path = testmedia.Media(b, "high.mp4")
	}
	st, err := os.Stat(path)
	require.NoError(b, err)
	dir := b.TempDir()
	b.SetBytes(st.Size())
	b.ReportAllocs()
	for b.Loop() {
		pack(b, packager.Job{Inputs: inputs(path), Dir: dir, Name: "x"})
	}
}
