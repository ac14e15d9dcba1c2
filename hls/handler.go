package hls

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// HandlerOptions tunes a [Handler]. A nil pointer and the zero value mean the documented defaults.
type HandlerOptions struct {
	Options
	// CORS rules over requests of scripts from other origins. Nil means that any origin may read.
	CORS *smooth.CORS
	// ChildQuery names the query parameters of a playlist request that are repeated in the URLs inside the playlist, such
	// as the token of a signed URL. Nil means none.
	ChildQuery []string
	// Filters are the named filters that requests may ask for with ?filter=NAME.
	Filters map[string]smooth.Filter
	// Observe, if set, is called once per finished request, on the request's goroutine. It must not block.
	Observe func(smooth.Observation)
}

// Handler serves the presentations of a source as HLS alone, under the URLs that players of HLS are used to:
//
//	NAME/master.m3u8                              master playlist
//	NAME/FORM/master.m3u8                         the same in one of the forms below
//	NAME/FORM/STREAM/BITRATE/index.m3u8           media playlist
//	NAME/FORM/STREAM/BITRATE/iframes.m3u8         its key frames
//	NAME/FORM/STREAM/BITRATE/START-COUNT.ts       segment, .mp4 or .vtt in other forms
//	NAME/FORM/STREAM/BITRATE/key-START.ts         key frame, .mp4 in hls-fmp4
//	NAME/FORM/STREAM/BITRATE/init-START.mp4       init segment of hls-fmp4
//	NAME/FORM/key-NUMBER                          key
//
// NAME is that of the presentation, with or without .ism. FORM is hls-ts (the default), hls-muxed or hls-fmp4. For HLS
// under the URLs of Smooth Streaming there is [Output]. Filters are query parameters, see [smooth.ParseFilters].
// It works under any prefix (with [http.StripPrefix]), sends relative URLs only and sets no cookies. It is safe for
// concurrent use.
type Handler struct {
	src    smooth.Source
	inner  *smooth.Handler
	output *Output
}

// NewHandler returns a handler for the presentations of src. It copies opts.
func NewHandler(src smooth.Source, opts *HandlerOptions) *Handler {
	if opts == nil {
		opts = new(HandlerOptions)
	}
	h := &Handler{src: src, output: NewOutput(&opts.Options)}
	h.inner = smooth.NewHandler(src, &smooth.HandlerOptions{
		Logger: opts.Logger, Outputs: []smooth.Output{h.output}, CORS: opts.CORS, NoPolicies: true,
		ChildQuery: opts.ChildQuery, Filters: opts.Filters, Observe: opts.Observe,
	})
	return h
}

// Close gives up the segments that are kept. The handler stays usable.
func (h *Handler) Close() error { return h.output.Close() }

// Stats returns the counts so far.
func (h *Handler) Stats() Stats { return h.output.Stats() }

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, links, ok := parsePlain(r.URL)
	u, err := url.Parse("/" + q.String())
	if ok && err == nil && h.lacksExtension(r.Context(), q.Presentation, u) {
		q.Presentation += extension
		u, err = url.Parse("/" + q.String())
	}
	if !ok || err != nil {
		u = &url.URL{Path: "/"} // which nothing has; it is refused as everything else that is not there
	}
	r2 := r.WithContext(context.WithValue(r.Context(), plainKey{}, links))
	r2.URL = u
	h.inner.ServeHTTP(w, r2)
}

// extension is that of presentations, which URLs may leave out.
const extension = ".ism"

// lacksExtension reports whether what looks like the extension of a name is a part of it, as in film.2026: nothing is
// called so. u is the request in the form of Smooth Streaming, whose reader knows which names are safe to open.
func (h *Handler) lacksExtension(ctx context.Context, name string, u *url.URL) bool {
	switch strings.ToLower(path.Ext(name)) {
	case extension, ".isml", ".csm", ".mp4":
		return false // as usual
	}
	if _, err := smooth.ParseRequest(u); err != nil {
		return false
	}
	p, err := h.src.Open(ctx, name)
	if err != nil {
		return errors.Is(err, smooth.ErrNotFound)
	}
	p.Close()
	return false
}

// plainLinks writes URLs in the form that [Handler] reads.
type plainLinks struct {
	// root tells that the playlist is NAME/master.m3u8, one level above the others.
	root bool
}

type plainKey struct{}

// plainLinksOf returns how URLs are written in the answer to a request, or nil for the form of Smooth Streaming.
func plainLinksOf(ctx context.Context) *plainLinks {
	links, _ := ctx.Value(plainKey{}).(*plainLinks)
	return links
}

// memoKey tells playlists apart that differ in their links.
func (p *plainLinks) memoKey() string {
	switch {
	case p == nil:
		return ""
	case p.root:
		return "root"
	}
	return "plain"
}

// forms are the names of layouts in URLs, with the format that stands for them.
var forms = [...]struct{ name, format string }{
	separate: {"hls-ts", formatDefault}, muxed: {"hls-muxed", formatV3}, fragmented: {"hls-fmp4", formatCMAF},
}

// append appends the URL of a target, relative to the playlist of l.
func (p *plainLinks) append(dst []byte, l *linker, t *target, extra string) []byte {
	inTrack := l.base.Kind != smooth.ManifestRequest
	switch {
	case p.root:
		dst = append(append(dst, forms[t.layout].name...), '/')
	case inTrack && t.kind == encryptionKey:
		dst = append(dst, "../../"...)
	}
	if !inTrack && t.kind != encryptionKey {
		dst = append(dst, url.PathEscape(t.key.Stream)...)
		dst = strconv.AppendUint(append(dst, '/'), t.key.Bitrate, 10)
		if t.key.Attrs != "" {
			dst = append(append(dst, ','), url.PathEscape(t.key.Attrs)...)
		}
		dst = append(dst, '/')
	}
	dst = p.appendFile(dst, t)
	query := l.query
	for _, option := range strings.Split(joinOptions(extra, l.options), ",") {
		if name, value, ok := strings.Cut(option, "="); ok && strings.EqualFold(name, "audiotrack") {
			query = strings.TrimSuffix("audiotrack="+url.QueryEscape(value)+"&"+query, "&")
		}
	}
	if query != "" {
		dst = append(append(dst, '?'), query...)
	}
	return dst
}

func (p *plainLinks) appendFile(dst []byte, t *target) []byte {
	switch t.kind {
	case mediaPlaylist:
		return append(dst, "index.m3u8"...)
	case iframePlaylist:
		return append(dst, "iframes.m3u8"...)
	case mediaSegment:
		dst = strconv.AppendUint(dst, t.key.Time, 10)
		dst = strconv.AppendInt(append(dst, '-'), int64(t.count), 10)
		return append(dst, t.suffix()...)
	case iframeSegment:
		dst = strconv.AppendUint(append(dst, "key-"...), t.key.Time, 10)
		return append(dst, t.suffix()...)
	case initSegment:
		dst = strconv.AppendUint(append(dst, "init-"...), t.key.Time, 10)
		return append(dst, ".mp4"...)
	case encryptionKey:
		return strconv.AppendUint(append(dst, "key-"...), t.period, 10)
	}
	return append(dst, "master.m3u8"...)
}

// parsePlain reads a URL of [Handler] and returns the request that means the same in the form of Smooth Streaming. It
// reads from the right, since names have any number of directories.
func parsePlain(u *url.URL) (smooth.Request, *plainLinks, bool) {
	parts := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	n := len(parts)
	q := smooth.Request{RawQuery: u.RawQuery}
	links := new(plainLinks)
	file := parts[n-1]
	if raw := strings.ToLower(u.RawPath); strings.Contains(raw, "%2f") || strings.Contains(raw, "%5c") {
		return q, nil, false // a separator in disguise, which others between us and the client may take for none
	}
	switch {
	case n >= 3 && formOf(parts[n-2]) >= 0: // master or key
		q.Format = forms[formOf(parts[n-2])].format
		q.Presentation = strings.Join(parts[:n-2], "/")
		if file != "master.m3u8" && !parsePlainKey(&q, file) {
			return q, nil, false
		}
	case n >= 5 && formOf(parts[n-4]) >= 0:
		q.Format = forms[formOf(parts[n-4])].format
		q.Presentation = strings.Join(parts[:n-4], "/")
		if !parsePlainTrack(&q, parts[n-3], parts[n-2]) || !parsePlainFile(&q, file) {
			return q, nil, false
		}
	case n >= 2 && file == "master.m3u8":
		q.Format, links.root = formatDefault, true
		q.Presentation = strings.Join(parts[:n-1], "/")
	default:
		return q, nil, false
	}
	if path.Ext(q.Presentation) == "" {
		q.Presentation += extension
	}
	takeAudioTrack(&q)
	return q, links, q.Presentation != extension
}

func formOf(name string) int {
	for i := range forms {
		if forms[i].name == name {
			return i
		}
	}
	return -1
}

func parsePlainKey(q *smooth.Request, file string) bool {
	number, ok := strings.CutPrefix(file, "key-")
	if _, err := strconv.ParseUint(number, 10, 64); !ok || err != nil {
		return false
	}
	q.Options = optionKey + "=" + number
	return true
}

// parsePlainTrack reads STREAM and BITRATE[,attributes].
func parsePlainTrack(q *smooth.Request, stream, level string) bool {
	rate, attrs, _ := strings.Cut(level, ",")
	n, err := strconv.ParseUint(rate, 10, 64)
	q.Kind, q.Key = smooth.TrackManifestRequest, smooth.FragmentKey{Stream: stream, Bitrate: n, Attrs: attrs}
	return err == nil && stream != "" && !strings.Contains(stream, ",") // what follows would be taken for options
}

// parsePlainFile reads the last element of the path.
func parsePlainFile(q *smooth.Request, file string) bool {
	switch file {
	case "index.m3u8":
		return true
	case "iframes.m3u8":
		q.Options = optionType + "=" + typeKeyFrames
		return true
	}
	q.Kind = smooth.FragmentRequest
	ext := path.Ext(file)
	name := strings.TrimSuffix(file, ext)
	count, start := "", name
	switch fragments := q.Format == formatCMAF; {
	case ext != ".vtt" && (ext != ".mp4" || !fragments) && (ext != ".ts" || fragments):
		return false
	case strings.HasPrefix(name, "init-") && ext == ".mp4":
		q.Noun, start = smooth.FragmentInfo, name[len("init-"):]
	case strings.HasPrefix(name, "key-"):
		q.Noun, start = smooth.KeyFrames, name[len("key-"):]
	default:
		if start, count, _ = strings.Cut(name, "-"); count == "" {
			return false
		}
		q.Options = fmt.Sprintf("%s=%s", optionCount, count)
	}
	var err error
	q.Key.Time, err = strconv.ParseUint(start, 10, 64)
	return err == nil && !strings.ContainsAny(count, ",()")
}

// takeAudioTrack moves the audiotrack parameter of the query, which chooses the sound of muxed segments, to where the
// form of Smooth Streaming has it. It rides along as the playlist writes it anew.
func takeAudioTrack(q *smooth.Request) {
	values, err := url.ParseQuery(q.RawQuery)
	if name := values.Get("audiotrack"); err == nil && name != "" && !strings.ContainsAny(name, ",()") {
		q.Options = joinOptions(q.Options, "audioTrack="+name)
	}
}
