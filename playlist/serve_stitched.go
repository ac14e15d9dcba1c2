package playlist

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

// showing is a presentation of a session that a request is about.
type showing struct {
	*Stitched
	// shown is what the client sees of it.
	shown smooth.Presentation
	// entry is that of a presentation of one entry; without it the presentation is that of all in the list.
	entry   *entry
	session Session
	state   bool // the session is in the store
	text    string
	version *version
	numbers []int // of entries, by part
	// gated says that rules count.
	gated bool
}

// serveStitched answers a request below list.isx/SESSION/.
func (h *Handler) serveStitched(w http.ResponseWriter, r *http.Request, list, text, rest string) error {
	if h.stitched == nil {
		return ErrNotFound
	}
	w.Header().Set("Access-Control-Allow-Origin", "*") // scripts of players have to see refusals
	p, err := h.presentation(r, list, text, rest)
	if err != nil {
		return err
	}
	if !h.enter(p.session.ID) {
		return ErrBusy
	}
	defer h.leave(p.session.ID)
	u := urlBelow(r.URL, text, rest)
	req, err := smooth.ParseRequest(u)
	if err != nil {
		return err
	}
	inner := r.WithContext(context.WithValue(r.Context(), stitchedKey{}, p.shown))
	inner.URL = u
	if _, err := p.Snapshot(r.Context()); err != nil && p.entry != nil && p.gated && r.Context().Err() == nil {
		h.excuse(r, p.entry)
	}
	if p.shown != smooth.Presentation(p.Stitched) || req.Kind != smooth.FragmentRequest || req.Noun == smooth.FragmentInfo {
		h.stitched.ServeHTTP(&ownAnswer{ResponseWriter: w, h: h}, inner)
		return nil
	}
	return h.serveSpan(w, inner, p, &req)
}

// urlBelow returns the URL of what is below a session.
func urlBelow(u *url.URL, text, rest string) *url.URL {
	out := &url.URL{Path: "/" + rest, RawQuery: u.RawQuery}
	escaped := u.EscapedPath()
	if i := strings.Index(escaped, "/"+text+"/"); i >= 0 { // parentheses as the client wrote them
		raw := escaped[i+1+len(text):]
		if plain, err := url.PathUnescape(raw); err == nil && plain == out.Path {
			out.RawPath = raw
		}
	}
	return out
}

// presentation finds the presentation that a request below a session names: that of all entries, or of one.
func (h *Handler) presentation(r *http.Request, list, text, rest string) (*showing, error) {
	name, _, _ := strings.Cut(rest, "/")
	if name != stitchedName && name != programmeName {
		return h.showEntry(r, list, text, name)
	}
	s, stateful, err := h.session(r, list, text)
	if err != nil {
		return nil, err
	}
	v, err := h.version(r, &s)
	if err != nil {
		return nil, err
	}
	p, numbers, err := h.stitch(v, s.Playlist, name)
	if err != nil {
		return nil, err
	}
	out := &showing{Stitched: p, shown: p, session: s, state: stateful, text: text, version: v, numbers: numbers, gated: true}
	if name == programmeName {
		q, _ := parseQuery(r.URL.RawQuery, "")
		out.shown = &programme{p, numbers, v.list, h.belowSession(r, text), h.manifestOf("m3u8") + h.rideAlong(q, "?", "&")}
	}
	return out, nil
}

// showEntry finds the presentation of one entry, as lists name it. It is an entry as files are: it has the rules of the
// whole list and counts with them. Interstitials are what players are trusted with.
func (h *Handler) showEntry(r *http.Request, list, text, name string) (*showing, error) {
	number, ok := strings.CutSuffix(name, ".ism")
	n := parsePath(number)
	if !ok || n == nil || len(n) > h.opts.MaxDepth {
		return nil, ErrNotFound
	}
	e, err := h.find(r, list, text, n)
	if err != nil {
		return nil, err
	}
	if !isPresentation(&e.Entry) && !(h.opts.Interstitials && isMP4(&e.Entry)) {
		return nil, ErrNotFound
	}
	at, err := resolvePlace(e.source, e.SrcType, withoutManifest(e.Src), h.roots)
	if err != nil {
		return nil, err
	}
	if at.remote != nil || at.root != "" {
		return nil, ErrNotFound
	}
	e.stitched = h.opts.Interstitials
	p := h.stitches.get("one/"+at.file, func() *Stitched {
		return NewStitched(h.opts.Presentations, name, []Part{{Name: at.file, Entry: n[len(n)-1]}}, &StitchOptions{Logger: h.opts.Logger})
	})
	return &showing{
		Stitched: p, shown: p, entry: e, session: Session{ID: e.session}, state: e.stateful, text: text, gated: !h.opts.Interstitials,
	}, nil
}

// belowSession returns the absolute URL of what is below a session, as the client asked for it.
func (h *Handler) belowSession(r *http.Request, text string) string {
	base := h.base(r, "")
	if i := strings.Index(base, "/"+text+"/"); i >= 0 {
		return base[:i+len(text)+2]
	}
	return base + "/"
}

// stitch returns the presentation of all entries of a list that are presentations, or can be. The numbers are those of
// the entries of its parts.
func (h *Handler) stitch(v *version, list, name string) (*Stitched, []int, error) {
	if name == programmeName && !h.opts.Interstitials {
		return nil, nil, ErrNotFound
	}
	var parts []Part
	var numbers []int
	for i := range v.list.Entries {
		e := &v.list.Entries[i]
		if !isPresentation(e) && !isMP4(e) || name == programmeName && isAdvertisement(v.list, e) {
			continue
		}
		at, err := resolvePlace(place{file: list}, e.SrcType, withoutManifest(e.Src), nil)
		if err != nil {
			h.opts.Logger.Debug("playlist entry left out of the stitched presentation", "path", list, "entry", i+1, "err", err)
			continue
		}
		parts = append(parts, Part{Name: at.file, Entry: i + 1})
		numbers = append(numbers, i+1)
	}
	if len(parts) == 0 || len(parts) > MaxParts {
		return nil, nil, ErrNotFound
	}
	p := h.stitches.get(v.digest+"/"+list+"/"+name, func() *Stitched {
		if n := len(v.list.Entries) - len(parts); n > 0 && name == stitchedName {
			h.opts.Logger.Warn("playlist entries left out of the stitched presentation", "path", list, "entries", n)
		}
		return NewStitched(h.opts.Presentations, name, parts, &StitchOptions{Logger: h.opts.Logger})
	})
	return p, numbers, nil
}

// get returns the presentation of a key, which is made if it is not known.
func (s *stitches) get(key string, create func() *Stitched) *Stitched {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.known[key]
	if p == nil {
		if s.known == nil || len(s.known) >= maxStitches {
			s.known = make(map[string]*Stitched)
		}
		p = create()
		s.known[key] = p
	}
	return p
}

// wanted is a span of a part that a request is for.
type wanted struct {
	entry    *entry
	from, to int64 // in milliseconds of the entry
	// picture says that it is of the stream that counts.
	picture bool
	// whole says that all of the span is asked for, not only key frames of it.
	whole bool
}

// serveSpan answers with a fragment or a segment if the viewer may have it now.
func (h *Handler) serveSpan(w http.ResponseWriter, r *http.Request, p *showing, req *smooth.Request) error {
	a, err := h.span(r.Context(), p, req)
	if err != nil {
		return err
	}
	if p.gated {
		err = h.admitSpan(r, a)
	}
	var rule *RuleError
	if errors.As(err, &rule) && rule.Wait > 0 { // a player that fetches ahead is to ask again, not to give up
		h.log(r, http.StatusServiceUnavailable, err)
		w.Header().Set("Retry-After", strconv.Itoa(int(rule.Wait/time.Second)+1))
		w.Header().Set("X-Playlist-Rule", string(rule.Rule))
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "The playlist does not allow this yet.", http.StatusServiceUnavailable)
		return nil
	}
	if err != nil {
		return err
	}
	m := h.newMeter(&ownAnswer{ResponseWriter: w, h: h}, r, a.entry, -1)
	m.counted = true
	ended := false
	defer func() { h.sentSpan(r, a, m, ended) }()
	h.stitched.ServeHTTP(m, r)
	ended = !m.failed && r.Context().Err() == nil && (m.size < 0 || m.sent == m.size)
	return nil
}

// maxSpanFragments bounds the fragments that a segment may have; outputs have lower limits.
const maxSpanFragments = 1 << 16

// span finds out what a request is for.
func (h *Handler) span(ctx context.Context, p *showing, req *smooth.Request) (*wanted, error) {
	count := 1
	if n, ok := req.Option("n"); ok && req.Format != "" { // only segments of outputs have more than one
		count, _ = strconv.Atoi(n)
		count = min(max(count, 1), maxSpanFragments)
	}
	at, err := p.Locate(ctx, req.Key, count)
	if err != nil {
		return nil, err
	}
	if count > 1 { // no segment goes on in the next part
		if less, err := p.Locate(ctx, req.Key, count-1); err != nil || less.To == at.To {
			return nil, fmt.Errorf("playlist: segment of %d fragments: %w", count, smooth.ErrNotFound)
		}
	}
	a := &wanted{from: at.From.Milliseconds(), to: at.To.Milliseconds(), whole: req.Noun != smooth.KeyFrames}
	if a.picture, err = leads(ctx, p.Stitched, req.Key.Stream); err != nil {
		return nil, err
	}
	a.entry, err = h.spanEntry(ctx, p, at.Part)
	return a, err
}

// spanEntry returns the entry of a part.
func (h *Handler) spanEntry(ctx context.Context, p *showing, part int) (*entry, error) {
	if p.entry != nil {
		parts, err := p.Parts(ctx)
		if err == nil {
			p.entry.Duration = parts[part].Duration
		}
		return p.entry, err
	}
	entries, err := h.timed(ctx, p.version, p.Stitched, p.numbers)
	if err != nil {
		return nil, err
	}
	e := &entry{
		session: p.session.ID, text: p.text, stateful: p.state, playlist: p.session.Playlist, path: path{p.numbers[part]}, stitched: true,
	}
	e.Entry = entries[e.path[0]-1]
	e.at = func(parent path) []Entry {
		if len(parent) == 0 {
			return entries
		}
		return nil
	}
	return e, nil
}

// admitSpan is admit for a span, in milliseconds. Sound and text may be ahead of the picture, which is what counts, and
// behind it.
func (h *Handler) admitSpan(r *http.Request, a *wanted) error {
	if a.picture {
		return h.admit(r, a.entry, a.from, a.whole)
	}
	behind := false
	err := h.change(r.Context(), a.entry, func(s *Session) error {
		behind = slices.Compare(a.entry.viewerOf(s).At, a.entry.path) > 0
		return nil
	})
	if err != nil || behind {
		return err
	}
	return h.admit(r, a.entry, max(a.from-soundAhead.Milliseconds(), 0), false)
}

// sentSpan counts a span that has been sent, and reports it.
func (h *Handler) sentSpan(r *http.Request, a *wanted, m *meter, ended bool) {
	if r.Method != http.MethodGet || m.status != http.StatusOK && m.status != http.StatusPartialContent {
		return
	}
	from, to, size := a.from, a.to, a.entry.Duration.Milliseconds()
	switch {
	case !a.picture || !a.whole:
		from, to = 0, 0
	case m.status == http.StatusPartialContent:
		from, to = m.share(from, to)
	case !ended:
		from, to = 0, 0
	}
	g, done := h.count(r, a.entry, from, to, size)
	h.report(a.entry, m.status, m.sent, size, &g, done)
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
				return strings.EqualFold(s.Name, stream), nil
			}
		}
	}
	return true, nil
}
