package limit

import (
	"net/http"
	"path"
	"strings"
)

// File returns what a request watches, by its URL's path:
//
//   - that of a Smooth presentation, for the manifest, fragments and playlists below it: /live/a.isml;
//   - the directory, for HLS playlists (.m3u8), DASH manifests (.mpd), segments (.ts, .m4s, .m4f, .cmfv, .cmfa, .cmft,
//     .aac, .ac3, .ec3, .vtt, .webvtt), init segments (init*.mp4) and keys (.key), as they are in one;
//   - the directory above hls-ts, hls-muxed and hls-fmp4, which the HLS handler of this suite has;
//   - the path itself for all else.
//
// Where each rendition has a directory below that of the master playlist, a handler without [Options].File of its own
// takes requests for what is there for those of the session that began with the master playlist, up to two directories
// above.
func File(r *http.Request) string { return fileOf(r.URL.Path) }

func fileOf(p string) string {
	file, _ := split(clean(p))
	return file
}

// split returns what a cleaned path is of, and whether it is one of the parts of a stream that lie in a directory.
func split(p string) (file string, part bool) {
	for end := 0; end < len(p); {
		begin := end + 1 // behind the slash
		end = len(p)
		if i := strings.IndexByte(p[begin:], '/'); i >= 0 {
			end = begin + i
		}
		switch element := p[begin:end]; {
		case isPresentation(element):
			return p[:end], false
		case (element == "hls-ts" || element == "hls-muxed" || element == "hls-fmp4") && end < len(p):
			return directory(p[:begin]), false
		}
	}
	if slash := strings.LastIndexByte(p, '/'); isPart(p[slash+1:]) {
		return directory(p[:slash+1]), true
	}
	return p, false
}

// maxAbove is how many directories above that of a part the session it belongs to is looked for.
const maxAbove = 2

// directory returns a path that ends with a slash without it, but for the root.
func directory(p string) string {
	if len(p) > 1 {
		return p[:len(p)-1]
	}
	return p
}

// isPresentation reports whether an element of a path is the name of a Smooth presentation: .ism or .isml.
func isPresentation(name string) bool {
	return hasSuffixFold(name, ".ism") || hasSuffixFold(name, ".isml")
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// isPart reports whether a file is one of many that make up a stream.
func isPart(name string) bool {
	ext := path.Ext(name)
	if len(ext) > len(".webvtt") {
		return false
	}
	switch strings.ToLower(ext) {
	case ".m3u8", ".mpd", ".ts", ".m4s", ".m4f", ".cmfv", ".cmfa", ".cmft", ".aac", ".ac3", ".ec3", ".vtt", ".webvtt", ".key":
		return true
	case ".mp4":
		return len(name) >= 4 && strings.EqualFold(name[:4], "init")
	}
	return false
}
