package hls

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// The names of the files that [Segmenter] makes, in the directory of a rendition unless stated otherwise. They need no
// escaping in a URL.
const (
	masterFile = "master.m3u8" // at the top
	mediaFile  = "index.m3u8"
	iframeFile = "iframes.m3u8"
	keyDir     = "keys" // at the top
)

// fileLinks writes the URLs of files. See [linker].
type fileLinks struct {
	// dirs are the directories of the renditions. The time of a key is zero.
	dirs map[smooth.FragmentKey]string
	// dir is that of the playlist, "" for the master playlist.
	dir string
	// first is the number of the first segment of the playlist.
	first uint64
	// keys is the beginning of the names of keys, without keyDir.
	keys string
}

// append appends the URL of a target.
func (f *fileLinks) append(dst []byte, t *target) []byte {
	if t.kind == encryptionKey {
		dst = append(dst, strings.Repeat("../", 1+strings.Count(f.dir, "/"))...)
		return append(append(append(dst, keyDir...), '/'), f.keyFile(t.period)...)
	}
	if f.dir == "" {
		key := t.key
		key.Time = 0
		dst = append(append(dst, f.dirs[key]...), '/')
	}
	return f.appendFile(dst, t)
}

// appendFile appends the name of the file of a target in its directory.
func (f *fileLinks) appendFile(dst []byte, t *target) []byte {
	switch t.kind {
	case mediaPlaylist:
		return append(dst, mediaFile...)
	case iframePlaylist:
		return append(dst, iframeFile...)
	case initSegment:
		name, suffix := "init", ".mp4"
		if t.layout != fragmented {
			name, suffix = "tables", ".ts"
		}
		dst = append(dst, name...)
		if t.number != f.first { // of a later period
			dst = appendNumber(append(dst, '-'), t.number)
		}
		return append(dst, suffix...)
	}
	dst = appendNumber(dst, t.number)
	if t.layout == fragmented && !t.text {
		return append(dst, ".m4s"...)
	}
	return append(dst, t.suffix()...)
}

// keyFile returns the name of the file of a key.
func (f *fileLinks) keyFile(period uint64) string {
	return f.keys + "-" + strconv.FormatUint(period, 10) + ".key"
}

// appendNumber appends a number of five digits at least, so that names sort as the segments do.
func appendNumber(dst []byte, n uint64) []byte { return fmt.Appendf(dst, "%05d", n) }

// fileName returns a name as it may stand in a URL and on any file system: letters, digits, minus, underscore and dots
// inside. It is empty if nothing of s is left.
func fileName(s string) string {
	const longest = 64
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '.':
			return r
		}
		return '_'
	}, s)
	return strings.Trim(s[:min(len(s), longest)], "._-")
}
