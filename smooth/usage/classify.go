package usage

import (
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Classify tells what a request is for by the grammar of the URLs of this suite:
//
//   - those of Smooth Streaming, with the formats of HLS and DASH, see [smooth.ParseRequest]; the stream is the path of
//     the presentation, under its own name even where it is asked for as Name-m3u8-aapl.ism;
//   - pushes, streams and management below a publishing point (.isml);
//   - the plain URLs of the HLS handler: NAME/FORM/STREAM/RATE/FILE with hls-ts, hls-muxed or hls-fmp4 for FORM;
//   - other files of HLS and DASH, whose stream is their directory;
//   - Web Playlists (.isx);
//   - media files, by their extension.
//
// Everything else is a [Page]. Times are those of a timescale of 10,000,000, which Smooth Streaming has by default.
func Classify(r *http.Request) Class {
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		return classifyPush(r.URL.Path)
	}
	p := r.URL.Path
	last := p[strings.LastIndexByte(p, '/')+1:]
	if mayBeSmooth(p, last) {
		if q, err := smooth.ParseRequest(r.URL); err == nil {
			return classifySmooth(p, &q)
		}
	}
	if c, ok := classifyPlain(p); ok {
		return c
	}
	if c, ok := classifyPoint(p, last); ok {
		return c
	}
	return classifyFile(p, last)
}

// mayBeSmooth keeps what is surely none from being parsed.
func mayBeSmooth(p, last string) bool {
	return strings.IndexByte(last, '(') >= 0 || hasPrefixFold(last, "manifest") || hasSuffixFold(p, ".csm")
}

// classifySmooth tells what a request of a presentation is for.
func classifySmooth(p string, q *smooth.Request) Class {
	c := Class{Stream: streamOf(p, q.Presentation), Kind: Manifest, Protocol: Smooth, Bitrate: bitrate(q.Key.Bitrate)}
	c.Live = isPoint(c.Stream)
	switch {
	case hasPrefixFold(q.Format, "m3u8"):
		c.Protocol = HLS
	case hasPrefixFold(q.Format, "mpd"):
		c.Protocol = DASH
	}
	switch q.Kind {
	case smooth.FragmentRequest:
		c.Kind = Segment
		if q.Noun != smooth.FragmentInfo {
			c.MediaTime, c.Timed = mediaTime(q.Key.Time), true
		}
	case smooth.ManifestRequest:
		if _, ok := q.Option("key"); ok {
			c.Kind = Key
		}
	}
	return c
}

// aapl is what IIS put behind the name of a presentation that it offered as HLS.
const aapl = "-m3u8-aapl"

// streamOf returns the path of a presentation, whose name is that part of a path.
func streamOf(p, name string) string {
	s := name
	if len(p) > len(name) && p[0] == '/' && p[1:1+len(name)] == name {
		s = p[:1+len(name)]
	}
	if ext := path.Ext(s); hasSuffixFold(s[:len(s)-len(ext)], aapl) {
		return s[:len(s)-len(ext)-len(aapl)] + ext
	}
	return s
}

func isPoint(name string) bool { return hasSuffixFold(name, ".isml") }

// bitrate returns a bit rate that fits, or zero.
func bitrate(n uint64) int64 {
	if n > math.MaxInt64 {
		return 0
	}
	return int64(n)
}

// mediaTime converts ticks of 100 ns.
func mediaTime(ticks uint64) time.Duration {
	return time.Duration(min(ticks, math.MaxInt64/100)) * 100
}

// beforeSuffix returns the path up to the first element with an extension, which is not the last one, and what is behind
// it.
func beforeSuffix(p, ext string) (name, rest string, ok bool) {
	for begin := 0; begin < len(p); {
		end := len(p)
		if i := strings.IndexByte(p[begin:], '/'); i >= 0 {
			end = begin + i
		}
		if element := p[begin:end]; len(element) > len(ext) && hasSuffixFold(element, ext) {
			return p[:end], strings.TrimPrefix(p[end:], "/"), true
		}
		begin = end + 1
	}
	return "", "", false
}

// classifyPush tells what a request with a body is for: below a publishing point it is an encoder, or else an operator.
func classifyPush(p string) Class {
	name, rest, ok := beforeSuffix(p, ".isml")
	if !ok {
		return Class{Kind: Page}
	}
	if isService(rest) {
		return Class{Stream: name, Kind: Management, Live: true}
	}
	return Class{Stream: name, Kind: Push, Protocol: Smooth, Live: true}
}

// isService reports whether that is one of the management services of a publishing point.
func isService(rest string) bool {
	switch strings.ToLower(rest) {
	case "settings", "state", "statistics", "events":
		return true
	}
	return false
}

// classifyPoint tells what else there is below a publishing point: what servers pull, and management.
func classifyPoint(p, last string) (Class, bool) {
	stream := hasPrefixFold(last, "streams(") || strings.EqualFold(last, "streammanifest")
	if !stream && !isService(last) {
		return Class{}, false
	}
	name, rest, ok := beforeSuffix(p, ".isml")
	if !ok || rest != last {
		return Class{}, false
	}
	c := Class{Stream: name, Kind: Management, Live: true}
	if stream {
		c.Kind, c.Protocol = Distribution, Smooth
	}
	return c, true
}

// classifyPlain tells what a request of the HLS handler is for.
func classifyPlain(p string) (Class, bool) {
	at, n := strings.Index(p, "/hls-"), 0
	for _, form := range [...]string{"/hls-ts/", "/hls-muxed/", "/hls-fmp4/"} {
		if at >= 0 && strings.HasPrefix(p[at:], form) {
			n = len(form)
		}
	}
	if n == 0 || at == 0 {
		return Class{}, false
	}
	c := Class{Stream: p[:at], Kind: Manifest, Protocol: HLS, Live: isPoint(p[:at])}
	file := p[at+n:]
	if _, rest, ok := strings.Cut(file, "/"); ok {
		level, name, _ := strings.Cut(rest, "/")
		rate, _, _ := strings.Cut(level, ",")
		if v, err := strconv.ParseUint(rate, 10, 63); err == nil {
			c.Bitrate = int64(v)
		}
		file = name
	} else if strings.HasPrefix(file, "key-") {
		c.Kind = Key
		return c, true
	}
	if strings.HasSuffix(file, ".m3u8") {
		return c, true
	}
	c.Kind = Segment
	start, _, _ := strings.Cut(strings.TrimPrefix(file, "key-"), "-")
	start, _, _ = strings.Cut(start, ".")
	if v, err := strconv.ParseUint(start, 10, 64); err == nil {
		c.MediaTime, c.Timed = mediaTime(v), true
	}
	return c, true
}

// classifyFile tells what a file is, by its extension.
func classifyFile(p, last string) Class {
	if name, _, ok := beforeSuffix(p, ".isx"); ok {
		kind := File
		if len(name) == len(p) {
			kind = Playlist
		}
		return Class{Stream: name, Kind: kind, Protocol: WebPlaylist}
	}
	ext := path.Ext(last)
	if len(ext) < 3 || len(ext) > len(".webvtt") {
		return Class{}
	}
	c := Class{Stream: directory(p[:len(p)-len(last)]), Protocol: HLS, part: true}
	switch lowered := strings.ToLower(ext); lowered {
	case ".m3u8":
		c.Kind = Manifest
	case ".mpd":
		c.Kind, c.Protocol = Manifest, DASH
	case ".ts", ".aac", ".ac3", ".ec3", ".vtt", ".webvtt":
		c.Kind = Segment
	case ".m4s", ".m4f", ".cmfv", ".cmfa", ".cmft":
		c.Kind, c.Protocol = Segment, Other // HLS and DASH have them both; the session knows
	case ".key":
		c.Kind = Key
	default:
		if lowered == ".mp4" && hasPrefixFold(last, "init") {
			c.Kind, c.Protocol = Segment, Other
			return c
		}
		if !isMedia(lowered) {
			return Class{}
		}
		return Class{Stream: p, Kind: File, Protocol: Download}
	}
	return c
}

// directory returns a path that ends with a slash without it, but for the root.
func directory(p string) string {
	if len(p) > 1 {
		return p[:len(p)-1]
	}
	return "/"
}

// isMedia reports whether an extension, in lower case, is that of media files that are downloaded while they play.
func isMedia(ext string) bool {
	switch ext {
	case ".mp4", ".m4v", ".m4a", ".mov", ".3gp", ".3g2", ".f4v", ".flv", ".wmv", ".wma", ".asf", ".avi", ".mpg", ".mpeg", ".mp3",
		".rm", ".rmvb", ".ra", ".mkv", ".mka", ".webm", ".ogg", ".ogv", ".oga", ".opus", ".flac", ".wav", ".aif", ".aiff", ".m2ts",
		".mts", ".amr":
		return true
	}
	return false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
