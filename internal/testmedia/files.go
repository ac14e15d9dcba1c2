package testmedia

import (
	"embed"
	"io/fs"
	"os"
	"testing"
)

//go:embed testdata/*.mp4 testdata/*.ismv
var files embed.FS

// Files returns the small media files of this package, below testdata.
func Files() fs.FS { return files }

// File returns the content of one of the small media files of this package; testdata/README.md describes them.
func File(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := files.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// SharedFile returns the content of a file of the shared test data. It skips the test when there is none.
func SharedFile(tb testing.TB, rel string) []byte {
	tb.Helper()
	b, err := os.ReadFile(Shared(tb, rel))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
