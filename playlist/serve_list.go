package playlist

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// serveList answers with a playlist and begins a session.
func (h *Handler) serveList(w http.ResponseWriter, r *http.Request, name string, q query) error {
	id := NewID()
	below, presentation := h.presentationOf(q["format"], id.String())
	formatName, format, err := q["format"], Format(nil), error(nil)
	if !presentation {
		formatName, format, err = h.format(r, q)
	}
	if err != nil {
		return err
	}
	p, err := h.provider.Playlist(r.Context(), &Request{Path: name, Format: formatName, HTTP: r})
	if err != nil {
		return err
	}
	v := h.lists.of(p)
	s := &Session{ID: id, Playlist: name, Version: v.digest}
	s.Created = h.opts.Now()
	s.Used = s.Created
	s.TimeToLive, s.InactivityTimeout = h.opts.TimeToLive, h.opts.InactivityTimeout
	if p.TimeToLive > 0 {
		s.TimeToLive = p.TimeToLive
	}
	if p.InactivityTimeout > 0 {
		s.InactivityTimeout = p.InactivityTimeout
	}
	if presentation {
		return h.redirectTo(w, r, s, v, below+h.rideAlong(q, "?", "&"))
	}
	text := s.ID.String()
	if h.stateless(v) {
		if text, err = h.sign(r, s); err == nil {
			err = h.keep(r.Context(), v, s)
		}
	} else if r.Method != http.MethodHead { // who only asks for the header watches nothing
		err = h.begin(w, r, s, v)
	}
	if err != nil {
		return err
	}
	return h.show(w, r, &shown{v: v, session: text, name: name, format: format, formatName: formatName, asked: q["format"], query: q})
}

// sign returns the text of a session that is a token.
func (h *Handler) sign(r *http.Request, s *Session) (string, error) {
	t := Token{ID: s.ID, Playlist: s.Playlist, Version: s.Version, Created: s.Created, TimeToLive: s.TimeToLive}
	if h.opts.Bind == BindAddress {
		t.Client = h.opts.Client(r)
	}
	return h.tokens.Sign(t)
}

// begin keeps a new session, bound to its client.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, s *Session, v *version) error {
	if h.opts.Bind == BindAddress {
		s.Client = h.opts.Client(r)
	}
	if err := h.keep(r.Context(), v, s); err != nil {
		return err
	}
	if err := h.opts.Store.Create(r.Context(), s); err != nil {
		return err
	}
	h.setCookie(w, r, s)
	return nil
}

// keep gives the version of a session to the store for as long as the session may live: always, as a store may have lost
// it, and knows itself whether it has.
func (h *Handler) keep(ctx context.Context, v *version, s *Session) error {
	return h.opts.Store.PutList(ctx, v.digest, v.list, s.TimeToLive)
}

// shown is a playlist that is to be answered, for one session.
type shown struct {
	v          *version
	session    string // in URLs
	parent     path   // of the entry that the list is, nil for the outermost
	name       string // path of the outermost playlist
	format     Format
	formatName string
	asked      string // format that the client named, which nested lists then have too
	query      query
}

// documents are buffers for documents.
var documents = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// show answers with a document.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, s *shown) error {
	buf := documents.Get().(*[]byte)
	defer documents.Put(buf)
	l := h.listing(r, s)
	defer listings.Put(l)
	data, err := s.format.Append(r.Context(), (*buf)[:0], &l.Listing)
	if err != nil {
		return err
	}
	if cap(data) <= 1<<20 {
		*buf = data[:0]
	}
	header := w.Header()
	header.Set("Content-Type", s.format.ContentType())
	header.Set("Content-Length", strconv.Itoa(len(data)))
	header.Set("Vary", "Accept")
	if p, ok := s.format.(interface{ ContentSecurityPolicy() string }); ok {
		header.Set("Content-Security-Policy", p.ContentSecurityPolicy())
	}
	h.noCache(header)
	if r.Method == http.MethodHead {
		return nil
	}
	_, _ = w.Write(data) // the client may be gone
	return nil
}

// noCache says that answers are those of one session.
func (h *Handler) noCache(header http.Header) {
	if h.opts.AllowClientCache {
		header.Set("Cache-Control", "private")
		return
	}
	header.Set("Cache-Control", "no-cache, private")
	header.Set("Pragma", "no-cache")
}

// base returns the absolute URL of a playlist without its query: as the client wrote it, so that whatever prefix the
// handler has been mounted at is there.
func (h *Handler) base(r *http.Request, name string) string {
	path := r.URL.EscapedPath()
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil && u.Path != "" {
		path = u.EscapedPath()
	}
	return h.opts.BaseURL(r) + path
}

// rideAlong returns the part of a query that is repeated in URLs, after a first separator and between others; nothing if
// there is none.
func (h *Handler) rideAlong(q query, first, between string) string {
	text := ""
	for _, name := range h.opts.RideAlong {
		if value, ok := q[strings.ToLower(name)]; ok {
			text += first + url.QueryEscape(name) + "=" + url.QueryEscape(value)
			first = between
		}
	}
	return text
}

// escapeName escapes a name for queries, a space as %20.
func escapeName(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// manifestOf returns what follows the name of a presentation in its URL: for formats of today's players the master
// playlist of HLS if there is one, else the Smooth manifest.
func (h *Handler) manifestOf(format string) string {
	if format == "asx" || !slices.ContainsFunc(h.opts.Outputs, func(o smooth.Output) bool { return slices.Contains(o.Formats(), hlsFormat) }) {
		return "/Manifest"
	}
	return "/manifest(format=" + hlsFormat + ")"
}

const hlsFormat = "m3u8-aapl"

// isPresentation reports whether the source of an entry is a presentation here.
func isPresentation(e *Entry) bool {
	name, _, _ := strings.Cut(e.Src, "?")
	name = strings.ToLower(withoutManifest(name))
	return e.SrcType == RelativeURI && !isQuestion(e.Src) && (strings.HasSuffix(name, ".ism") || strings.HasSuffix(name, ".isml"))
}

// withoutManifest cuts the manifest off the URL of a presentation.
func withoutManifest(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 && len(name) >= i+9 && strings.EqualFold(name[i+1:i+9], "manifest") {
		return name[:i]
	}
	return name
}

func hasPresentation(p *Playlist) bool {
	return slices.ContainsFunc(p.Entries, func(e Entry) bool { return isPresentation(&e) || isMP4(&e) })
}

// isMP4 reports whether an entry is a file that a presentation can be made of.
func isMP4(e *Entry) bool {
	name, _, _ := strings.Cut(e.Src, "?")
	switch strings.ToLower(extension(name)) {
	case ".mp4", ".m4v", ".m4a", ".mov":
		return e.SrcType == RelativeURI && !isQuestion(e.Src)
	}
	return false
}

// mayBeList reports whether an entry may turn out to be a playlist.
func mayBeList(e *Entry) bool {
	name, _, _ := strings.Cut(e.Src, "?")
	return isQuestion(e.Src) || strings.EqualFold(extension(name), ".isx")
}

// format returns the format that a request asks for: by ?format=, else by what it accepts, else ASX.
func (h *Handler) format(r *http.Request, q query) (string, Format, error) {
	if name := q["format"]; name != "" {
		if f := h.formats[name]; f != nil {
			return name, f, nil
		}
		for known, f := range h.formats { // as IIS compared names
			if strings.EqualFold(known, name) {
				return known, f, nil
			}
		}
		return "", nil, ErrNotFound
	}
	if name := h.accepted(r.Header.Get("Accept")); name != "" {
		return name, h.formats[name], nil
	}
	if f := h.formats["asx"]; f != nil {
		return "asx", f, nil
	}
	return "", nil, ErrNotFound
}

// acceptOrder are formats by the media types that ask for them, before others of the same weight.
var acceptOrder = []struct{ name, media string }{
	{"asx", "video/x-ms-asf"}, {"asx", "video/x-ms-asx"}, {"asx", "audio/x-ms-wax"}, {"asx", "video/x-ms-wvx"},
	{"html", "text/html"}, {"json", "application/json"}, {"xspf", "application/xspf+xml"},
	{"m3u8", "application/vnd.apple.mpegurl"}, {"m3u8", "application/x-mpegurl"}, {"m3u8", "audio/x-mpegurl"}, {"m3u8", "audio/mpegurl"},
	{"pls", "audio/x-scpls"}, {"rss", "application/rss+xml"},
}

// accepted returns the format that an Accept header prefers among those it names, without its wildcards: players that
// take anything get what they always did. See RFC 9110 12.5.1.
func (h *Handler) accepted(accept string) (name string) {
	best := 0.0
	if len(accept) > 4<<10 {
		return ""
	}
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		for _, o := range acceptOrder {
			if o.media == media && h.formats[o.name] != nil && weight > best {
				name, best = o.name, weight
			}
		}
	}
	return name
}

// mediaTypeOf returns the media type of an entry by its extension, empty if unknown.
func mediaTypeOf(e *Entry) string {
	if isQuestion(e.Src) || isPresentation(e) {
		return ""
	}
	name, _, _ := strings.Cut(e.Src, "?")
	return typeByExtension(extension(name))
}
