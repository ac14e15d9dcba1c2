package hls

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// A layout is how a presentation is divided into playlists and segments.
type layout uint8

const (
	// separate: MPEG-TS, sound in renditions of its own.
	separate layout = iota
	// muxed: MPEG-TS, one sound in every segment.
	muxed
	// fragmented: fragmented MP4 (CMAF), sound in renditions of its own.
	fragmented
)

// Values of the format option. See the Azure Media Services documentation of streaming URLs.
const (
	formatDefault = "m3u8-aapl"
	formatV3      = "m3u8-aapl-v3"
	formatV4      = "m3u8-aapl-v4"
	formatCMAF    = "m3u8-cmaf"
)

// formats in the order of [Output.Formats].
var formats = []string{formatDefault, formatV3, formatV4, formatCMAF}

func layoutOf(format string) (layout, bool) {
	switch strings.ToLower(format) {
	case formatDefault, formatV4:
		return separate, true
	case formatV3:
		return muxed, true
	case formatCMAF:
		return fragmented, true
	}
	return 0, false
}

// kind is what a URL asks for.
type kind uint8

const (
	masterPlaylist kind = iota
	mediaPlaylist
	iframePlaylist
	mediaSegment
	iframeSegment
	initSegment
	encryptionKey
)

// A target is what a URL names, whatever it is spelled like.
type target struct {
	kind   kind
	layout layout
	format string // as it is written into further URLs
	// key names the track; its time is the start of a segment.
	key smooth.FragmentKey
	// count is the number of fragments of the reference stream in a segment; zero means as many as the plan has.
	count int
	// number is the media sequence number of a segment in a playlist.
	number uint64
	// period of an encryption key.
	period uint64
	// text tells that the track is one of subtitles.
	text bool
}

// suffix returns the file name extension of a segment.
func (t *target) suffix() string {
	switch {
	case t.text:
		return ".vtt"
	case t.layout == fragmented:
		return ".mp4"
	}
	return ".ts"
}

// Options of URLs that are this package's own. Others, such as filters, are carried along as they are.
const (
	optionType  = "type"
	optionCount = "n"
	optionKey   = "key"

	typeKeyFrames = "keyframes"
)

// maxSegmentFragments bounds the fragments of one segment.
const maxSegmentFragments = 1024

// targetOf returns what a request asks for. The error wraps [smooth.ErrNotFound] or [smooth.ErrBadRequest].
func targetOf(q *smooth.Request) (target, error) {
	t := target{key: q.Key, format: strings.ToLower(q.Format)}
	var ok bool
	if t.layout, ok = layoutOf(q.Format); !ok {
		return t, fmt.Errorf("hls: format %q: %w", q.Format, smooth.ErrNotFound)
	}
	switch q.Kind {
	case smooth.ManifestRequest:
		return t, t.takeKey(q)
	case smooth.TrackManifestRequest:
		t.kind = mediaPlaylist
		if value, ok := q.Option(optionType); ok && strings.EqualFold(value, typeKeyFrames) {
			t.kind = iframePlaylist
		}
		return t, nil
	case smooth.FragmentRequest:
		return t, t.takeNoun(q)
	}
	return t, fmt.Errorf("hls: no such request: %w", smooth.ErrNotFound)
}

func (t *target) takeKey(q *smooth.Request) error {
	value, ok := q.Option(optionKey)
	if !ok {
		return nil
	}
	t.kind = encryptionKey
	period, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return fmt.Errorf("hls: key %q: %w", value, smooth.ErrBadRequest)
	}
	t.period = period
	return nil
}

func (t *target) takeNoun(q *smooth.Request) error {
	switch q.Noun {
	case smooth.Fragments:
		t.kind = mediaSegment
	case smooth.KeyFrames:
		t.kind, t.count = iframeSegment, 1
		return nil
	case smooth.FragmentInfo:
		t.kind = initSegment
		return nil
	default:
		return fmt.Errorf("hls: no %s in this format: %w", q.Noun, smooth.ErrNotFound)
	}
	if value, ok := q.Option(optionCount); ok {
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil || n < 1 || n > maxSegmentFragments {
			return fmt.Errorf("hls: %q fragments: %w", value, smooth.ErrBadRequest)
		}
		t.count = int(n)
	}
	return nil
}

// A linker writes the URLs of what a playlist refers to, relative to it. The spellings are that of IIS and Azure, in which
// options stand in parentheses, the one of [Handler], and the names of files that [Segmenter] makes.
type linker struct {
	base *smooth.Request // of the playlist
	// options ride along: those of the request without this package's own.
	options string
	// query rides along; a placeholder if the playlist is kept for several requests.
	query    string
	suffixes bool
	plain    *plainLinks // or nil
	files    *fileLinks  // or nil
}

func newLinker(q *smooth.Request, query string, suffixes bool, plain *plainLinks) linker {
	return linker{base: q, options: foreignOptions(q.Options), query: query, suffixes: suffixes, plain: plain}
}

// foreignOptions returns the options without this package's own.
func foreignOptions(options string) string {
	var kept []string
	for rest, more := options, options != ""; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		name, _, _ := strings.Cut(item, "=")
		switch strings.ToLower(strings.Trim(name, " ")) {
		case optionType, optionCount, optionKey:
		default:
			kept = append(kept, strings.Trim(item, " "))
		}
	}
	return strings.Join(kept, ",")
}

// append appends the URL of a target. extra is a further option, such as the sound of a muxed segment, or empty.
func (l *linker) append(dst []byte, t *target, extra string) []byte {
	if l.files != nil {
		return l.files.append(dst, t)
	}
	if l.plain != nil {
		return l.plain.append(dst, l, t, extra)
	}
	child := smooth.Request{Presentation: l.base.Presentation, Key: t.key, Format: t.format, RawQuery: l.query}
	own := ""
	switch t.kind {
	case masterPlaylist:
		child.Kind, child.Suffix = smooth.ManifestRequest, ".m3u8"
	case mediaPlaylist:
		child.Kind, child.Suffix = smooth.TrackManifestRequest, ".m3u8"
	case iframePlaylist:
		child.Kind, child.Suffix, own = smooth.TrackManifestRequest, ".m3u8", optionType+"="+typeKeyFrames
	case mediaSegment:
		child.Kind, child.Suffix, own = smooth.FragmentRequest, t.suffix(), optionCount+"="+strconv.Itoa(t.count)
	case iframeSegment:
		child.Kind, child.Noun, child.Suffix = smooth.FragmentRequest, smooth.KeyFrames, t.suffix()
	case initSegment:
		child.Kind, child.Noun, child.Suffix = smooth.FragmentRequest, smooth.FragmentInfo, ".mp4"
	case encryptionKey:
		child.Kind, own = smooth.ManifestRequest, optionKey+"="+strconv.FormatUint(t.period, 10)
	}
	child.Options = joinOptions(own, extra, l.options)
	if !l.suffixes {
		child.Suffix = ""
	}
	return l.base.AppendChild(dst, &child)
}

func joinOptions(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ",")
}
