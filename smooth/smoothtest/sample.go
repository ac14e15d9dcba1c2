package smoothtest

import (
	"embed"
	"io/fs"
)

//go:generate sample/make.sh

//go:embed sample/sample*
var sample embed.FS

// Sample returns the files of a small presentation, sample.ism: 32 seconds with three video bit rates (H.264 with
// B-frames, 240 to 480 lines), two audio languages (AAC, eng and deu) and English captions (TTML), in fragments
// of two seconds.
func Sample() fs.FS {
	files, err := fs.Sub(sample, "sample")
	if err != nil {
		panic(err) // the path is a valid constant
	}
	return files
}
