package packager_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/smoothkit/smoothkit/smooth/packager"
)

// Two renditions of a film and its subtitles become a presentation.
func ExamplePackage() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	media := filepath.Join("..", "..", "internal", "testmedia", "media")
	res, err := packager.Package(context.Background(), packager.Job{
		Inputs: []packager.Input{
			{Path: filepath.Join(media, "high.mp4")},
			{Path: filepath.Join(media, "low.mp4")},
		},
		Dir: dir, Name: "film",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range res.Manifest.Streams {
		fmt.Println(s.Name, len(s.Levels), len(s.Timeline))
	}
	fmt.Println(res.Files[len(res.Files)-2:])
	// Output:
	// video 2 3
	// audio 1 3
	// [film.ismc film.ism]
}
