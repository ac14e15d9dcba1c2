package playlist

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// stitchedName is the name of the one presentation of a session below its playlist; an entry has its ID for a name.
const stitchedName = "all.ism"

// soundAhead is how much further than the picture sound and text may be asked for where seeking is locked.
const soundAhead = 20 * time.Second

// sessionSource are the presentations of sessions, by names such as SESSION/all.ism. It trusts names: who asks was
// checked before.
type sessionSource struct{ h *Handler }

// Open implements smooth.Source.
func (s *sessionSource) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	p, ok := ctx.Value(stitchedKey{}).(smooth.Presentation)
	if !ok {
		return nil, fmt.Errorf("playlist: %s: %w", name, smooth.ErrNotFound)
	}
	return p, nil
}

type stitchedKey struct{}

// stitches are the presentations of versions of playlists, and of single entries of them, shared by all sessions.
type stitches struct {
	mu    sync.Mutex // guards known
	known map[string]*Stitched
}

// maxStitches is the number of stitched presentations that are remembered.
const maxStitches = 1024

// serveStitched answers a request below list.isx/SESSION/.
func (h *Handler) serveStitched(w http.ResponseWriter, r *http.Request, list string, id ID, rest string) error {
	if h.stitched == nil {
		return ErrNotFound
	}
	s, stateful, err := h.session(r, list, id.String())
	if err != nil {
		return err
	}
	v, err := h.version(r.Context(), s.Version)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(rest, "/")
	p, numbers, err := h.stitch(v, list, name)
	if err != nil {
		return err
	}
	if !h.enter(id) {
		return ErrBusy
	}
	defer h.leave(id)
	u := &url.URL{Path: "/" + rest, RawQuery: r.URL.RawQuery}
	if i := strings.Index(r.URL.EscapedPath(), "/"+id.String()+"/"); i >= 0 { // parentheses as the client wrote them
		u.RawPath = r.URL.EscapedPath()[i+1+len(id.String()):]
	}
	var shown smooth.Presentation = p
	if name == programmeName {
		shown = &programme{p, numbers, v.list, h.belowSession(r, id), h.manifestOf("m3u8")}
	}
	inner := r.WithContext(context.WithValue(r.Context(), stitchedKey{}, shown))
	inner.URL = u
	req, err := smooth.ParseRequest(u)
	if err != nil {
		return err
	}
	if name == programmeName || req.Kind != smooth.FragmentRequest || req.Noun == smooth.FragmentInfo {
		h.noCache(w.Header())
		h.stitched.ServeHTTP(w, inner)
		return nil
	}
	e := &entry{session: id, stateful: stateful, playlist: list}
	return h.serveSpan(w, inner, e, v, p, numbers, &req)
}

// belowSession returns the absolute URL of what is below a session, as the client asked for it.
func (h *Handler) belowSession(r *http.Request, id ID) string {
	base := h.base(r, "")
	if i := strings.Index(base, "/"+id.String()+"/"); i >= 0 {
		return base[:i+len(id.String())+2]
	}
	return base + "/"
}

// stitch returns the presentation of a name: of all entries that are presentations, or of one. The numbers are those of
// the entries of its parts.
func (h *Handler) stitch(v *version, list, name string) (*Stitched, []int, error) {
	var parts []Part
	var numbers []int
	only := 0
	if name == programmeName && !h.opts.Interstitials {
		return nil, nil, ErrNotFound
	}
	if name != stitchedName && name != programmeName {
		p := parsePath(strings.TrimSuffix(name, ".ism"))
		if len(p) != 1 || !strings.HasSuffix(name, ".ism") {
			return nil, nil, ErrNotFound
		}
		only = p[0]
	}
	for i := range v.list.Entries {
		e := &v.list.Entries[i]
		if only > 0 && i+1 != only || !isPresentation(e) && !isMP4(e) || name == programmeName && isAdvertisement(v.list, e) {
			continue
		}
		at, err := resolvePlace(place{file: list}, e.SrcType, withoutManifest(e.Src), nil)
		if err != nil {
			h.opts.Logger.Warn("playlist entry left out of the stitched presentation", "path", list, "entry", i+1, "err", err)
			continue
		}
		parts = append(parts, Part{Name: at.file, Entry: i + 1})
		numbers = append(numbers, i+1)
	}
	if len(parts) == 0 {
		return nil, nil, ErrNotFound
	}
	key := v.digest + "/" + list + "/" + name
	h.stitches.mu.Lock()
	defer h.stitches.mu.Unlock()
	p := h.stitches.known[key]
	if p == nil {
		if h.stitches.known == nil || len(h.stitches.known) >= maxStitches {
			h.stitches.known = make(map[string]*Stitched)
		}
		p = NewStitched(h.opts.Presentations, name, parts, &StitchOptions{Logger: h.opts.Logger})
		h.stitches.known[key] = p
	}
	return p, numbers, nil
}

// serveSpan answers with a fragment or a segment if the viewer may have it now.
func (h *Handler) serveSpan(w http.ResponseWriter, r *http.Request, e *entry, v *version, p *Stitched, numbers []int, req *smooth.Request) error {
	count := 1
	if n, ok := req.Option("n"); ok {
		count, _ = strconv.Atoi(n)
	}
	at, err := p.Locate(r.Context(), req.Key, count)
	if err != nil {
		return err
	}
	entries, err := h.timed(r.Context(), v, p, numbers)
	if err != nil {
		return err
	}
	e.path = path{numbers[at.Part]}
	e.Entry = entries[e.path[0]-1]
	e.at = func(parent path) []Entry {
		if len(parent) == 0 {
			return entries
		}
		return nil
	}
	from, to := at.From.Milliseconds(), at.To.Milliseconds()
	picture, err := leads(r.Context(), p, req.Key.Stream)
	if err != nil {
		return err
	}
	if err := h.admitSpan(r, e, from, picture); err != nil {
		var rule *RuleError
		if errors.As(err, &rule) && rule.Wait > 0 { // a player that fetches ahead is to ask again, not to give up
			h.log(r, http.StatusServiceUnavailable, err)
			w.Header().Set("Retry-After", strconv.Itoa(int(rule.Wait/time.Second)+1))
			w.Header().Set("X-Playlist-Rule", string(rule.Rule))
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "The playlist does not allow this yet.", http.StatusServiceUnavailable)
			return nil
		}
		return err
	}
	m := h.newMeter(w, r, e, -1)
	m.counted = true
	h.noCache(w.Header())
	h.stitched.ServeHTTP(m, r)
	if m.status == http.StatusOK && r.Method == http.MethodGet && picture {
		h.watched(r, e, m, from, to)
	}
	return nil
}

// admitSpan is admit for a span of the stitched presentation, which the session counts apart from files, in
// milliseconds. Sound and text may be ahead of the picture, which is what counts.
func (h *Handler) admitSpan(r *http.Request, e *entry, from int64, picture bool) error {
	if !picture {
		from = max(from-soundAhead.Milliseconds(), 0)
	}
	held := time.Duration(0)
	for {
		err := h.change(r.Context(), e, func(s *Session) error {
			return s.stitched.admit(h.opts.Now(), &h.rules, e.at, e.path, from)
		})
		var rule *RuleError
		if !errors.As(err, &rule) || rule.Wait <= 0 || held >= h.opts.Hold || r.Method == http.MethodHead {
			return err
		}
		d := min(rule.Wait, h.opts.Hold-held)
		held += d
		if err := sleep(r.Context(), d); err != nil {
			return err
		}
	}
}

// watched counts a span that has been sent.
func (h *Handler) watched(r *http.Request, e *entry, m *meter, from, to int64) {
	size := e.Duration.Milliseconds()
	d := Delivery{
		Session: e.session, Playlist: e.playlist, Entry: e.path.String(), Title: e.Title, Role: e.Role, Stitched: true,
		Status: m.status, Bytes: m.sent, Size: size,
	}
	err := h.change(context.WithoutCancel(r.Context()), e, func(s *Session) error {
		s.stitched.deliver(h.opts.Now(), &h.rules, e.path, &e.Entry, from, to, size)
		d.Completed, d.Delivered = s.stitched.done(e.path), 0
		if g := s.stitched.state(e.path.String()); g != nil {
			d.Delivered = g.delivered()
		}
		return nil
	})
	if err != nil {
		h.opts.Logger.Debug("playlist delivery", "path", e.playlist, "err", err)
	}
	if h.opts.Report == nil {
		return
	}
	if d.Completed {
		d.Delivered = size
	}
	if size > 0 {
		d.Percent = int(d.Delivered * 100 / size)
	}
	h.opts.Report(d)
}

// timed returns the entries of a list with the durations of their parts in the presentation.
func (h *Handler) timed(ctx context.Context, v *version, p *Stitched, numbers []int) ([]Entry, error) {
	parts, err := p.Parts(ctx)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(v.list.Entries))
	for i := range entries {
		// What is not a part of the presentation has no rules in it.
		entries[i] = Entry{Title: v.list.Entries[i].Title, Role: v.list.Entries[i].Role}
	}
	for i, part := range parts {
		if part.Err == nil {
			n := numbers[i] - 1
			entries[n] = v.list.Entries[n]
			entries[n].Duration = part.Duration
		}
	}
	return entries, nil
}

// leads reports whether a stream is the one that counts: the picture, or the sound where there is none.
func leads(ctx context.Context, p *Stitched, stream string) (bool, error) {
	snap, err := p.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	for _, t := range []smooth.StreamType{smooth.Video, smooth.Audio} {
		for _, s := range snap.Manifest.Streams {
			if s.Type == t {
				return s.Name == stream, nil
			}
		}
	}
	return true, nil
}
