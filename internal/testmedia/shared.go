// Package testmedia holds small real media for tests, and finds the test data that lies outside the repository.
package testmedia

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared returns the path of a file or directory of the shared test data, a directory called shared beside the
// repository or named by the environment variable SMOOTHKIT_SHARED. It skips the test when there is none, because
// those files are not part of the repository.
func Shared(tb testing.TB, rel string) string {
	tb.Helper()
	root := os.Getenv("SMOOTHKIT_SHARED")
	if root == "" {
		root = filepath.Join(Root(tb), "..", "shared")
	}
	p := filepath.Join(root, filepath.FromSlash(rel))
	if _, err := os.Stat(p); err != nil {
		tb.Skipf("no shared test data: %v", err)
	}
	return p
}

// Root returns the root directory of the repository: the nearest parent of the working directory with a go.mod.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatalf("no go.mod above the working directory")
		}
		dir = parent
	}
}

// Media returns the path of one of the small MP4 files of this package: high.mp4 and low.mp4 are renditions of one
// video of six seconds (H.264 with B-frames, groups of two seconds) with the same English audio (AAC), german.m4a is
// audio for them, fragmented.mp4 is like low.mp4 but fragmented by ffmpeg, misaligned.mp4 is a rendition with other
// groups and no audio, encrypted.mp4 is low.mp4 under Common Encryption. media/make.sh makes them.
func Media(tb testing.TB, name string) string {
	tb.Helper()
	return filepath.Join(Root(tb), "internal", "testmedia", "media", name)
}
