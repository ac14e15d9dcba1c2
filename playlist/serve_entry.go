package playlist

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// entry is what a request for an entry is about.
type entry struct {
	session  ID
	text     string // the session in URLs
	stateful bool   // the session is in the store, not in a token
	life     time.Duration
	playlist string // path of the outermost one
	path     path
	at       lists // those on the way to the entry
	source   place // of the list that it is in
	opened   openList
	stitched bool // as a part of the one presentation, which the session counts apart
	Entry
}

// viewerOf returns the viewer of a session that the entry counts for.
func (e *entry) viewerOf(s *Session) *viewer {
	if e.stitched {
		return &s.stitched
	}
	return &s.viewer
}

// serveEntry answers a request for an entry of a session.
func (h *Handler) serveEntry(w http.ResponseWriter, r *http.Request, name, session string, q query) error {
	p := parsePath(q["entryid"])
	if p == nil || len(p) > h.opts.MaxDepth {
		return ErrNotFound
	}
	e, err := h.find(r, name, session, p)
	if err != nil {
		return err
	}
	if !h.enter(e.session) {
		return ErrBusy
	}
	defer h.leave(e.session)
	err = h.serveFound(w, r, e, q)
	var f *fault
	if errors.As(err, &f) {
		h.excuse(r, e)
	}
	return err
}

// serveFound answers with what an entry turns out to be.
func (h *Handler) serveFound(w http.ResponseWriter, r *http.Request, e *entry, q query) error {
	at, err := h.locate(r, e)
	if err != nil {
		return err
	}
	switch {
	case h.isList(at):
		return h.serveNested(w, r, e, at, q)
	case at.remote != nil:
		return h.serveRemote(w, r, e, at)
	case at.root == "" && isPresentation(&Entry{Src: at.file, SrcType: RelativeURI}):
		if h.stitched == nil { // the file of that name tells where media is
			return faulty(r, ErrNotFound)
		}
		w.Header().Set("Cache-Control", "no-store")
		below := "/" + e.text + "/" + e.path.String() + ".ism" + h.manifestOf("asx") + h.rideAlong(q, "?", "&")
		http.Redirect(w, r, h.base(r, e.playlist)+below, http.StatusFound)
		return nil
	}
	return h.serveFile(w, r, e, at)
}

// fault is the error of an entry that cannot be delivered whoever asks for it. It is one of that entry alone: what comes
// after it is not locked by it.
type fault struct{ error }

// Unwrap implements the interface of package errors.
func (f *fault) Unwrap() error { return f.error }

// faulty returns the error as a fault, unless the client has left.
func faulty(r *http.Request, err error) error {
	if err == nil || r.Context().Err() != nil {
		return err
	}
	return &fault{err}
}

// excuse lets the viewer pass an entry that cannot be delivered, if it may be asked for now.
func (h *Handler) excuse(r *http.Request, e *entry) {
	if r.Method != http.MethodGet {
		return
	}
	now := h.opts.Now()
	err := h.change(context.WithoutCancel(r.Context()), e, func(s *Session) error {
		v := e.viewerOf(s)
		if err := v.admit(now, &h.rules, e.at, e.path, anywhere); err != nil {
			return err
		}
		v.skip(now, &h.rules, e.at, e.path)
		return nil
	})
	if err != nil {
		h.opts.Logger.Debug("playlist entry that fails is not passed", "path", r.URL.Path, "err", err)
	}
}

// find returns an entry of a session, which is used by that.
func (h *Handler) find(r *http.Request, name, session string, p path) (*entry, error) {
	s, stateful, err := h.session(r, name, session)
	if err != nil {
		return nil, err
	}
	e := &entry{
		session: s.ID, text: session, stateful: stateful, life: s.TimeToLive, playlist: s.Playlist, path: p, source: place{file: s.Playlist},
	}
	versions := make(map[string]*version)
	if versions[""], err = h.version(r, &s); err != nil {
		return nil, err
	}
	for _, l := range s.lists {
		if l.Version == "" || !strings.HasPrefix(p.String()+".", l.Parent+".") && !h.inside(&s, l.Parent) {
			continue
		}
		if versions[l.Parent], err = h.opened(r.Context(), l.Version); err != nil {
			return nil, err
		}
		switch l.Parent {
		case p[:len(p)-1].String():
			e.source = placeOf(l.Playlist)
		case p.String():
			e.opened = l
		}
	}
	e.at = func(parent path) []Entry {
		if v := versions[parent.String()]; v != nil {
			return v.list.Entries
		}
		return nil
	}
	if found := entryOf(e.at, p); found != nil {
		e.Entry = *found
		e.answered(&s)
		return e, nil
	}
	return nil, ErrNotFound
}

// inside reports whether the viewer of a session is in the list of an entry, by which rules may be asked for it.
func (h *Handler) inside(s *Session, parent string) bool {
	return s.viewer.sameBranch(parsePath(parent))
}

// answered puts the answer that was given to the question of the entry in this session in its place.
func (e *entry) answered(s *Session) {
	for _, l := range s.lists {
		if l.Version == "" && l.Parent == e.path.String() {
			e.Src = l.Playlist
		}
	}
}

// session returns a copy of the session that a client names, after it has been used by that.
func (h *Handler) session(r *http.Request, name, text string) (s Session, stateful bool, err error) {
	id, ok := ParseID(text)
	if !ok {
		s, err = h.tokenSession(r, name, text)
		return s, false, err
	}
	err = h.opts.Store.Update(r.Context(), id, h.opts.Now(), func(stored *Session) error {
		if !strings.EqualFold(stored.Playlist, name) {
			return ErrNotFound
		}
		if !h.owns(r, stored) {
			return ErrStolen
		}
		stored.Used = h.opts.Now()
		s = *stored
		s.lists = slices.Clone(stored.lists)
		s.viewer.At = slices.Clone(stored.viewer.At)
		return nil
	})
	return s, true, err
}

// version returns the version of the playlist of a session. One that is a token is in no store for certain: its list is
// the one that the provider has, if that is still the same.
func (h *Handler) version(r *http.Request, s *Session) (*version, error) {
	v, err := h.opened(r.Context(), s.Version)
	if err == nil || !h.opts.Stateless || !errors.Is(err, ErrExpired) {
		return v, err
	}
	p, err := h.provider.Playlist(r.Context(), &Request{Path: s.Playlist, Format: "asx", HTTP: r})
	if err != nil {
		return nil, err
	}
	if v = h.lists.of(p); v.digest != s.Version {
		return nil, ErrExpired
	}
	return v, nil
}

// opened returns a version of a playlist, from the store if this server has not seen it.
func (h *Handler) opened(ctx context.Context, digest string) (*version, error) {
	if v := h.lists.with(digest); v != nil {
		return v, nil
	}
	p, err := h.opts.Store.List(ctx, digest)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, ErrExpired
	}
	return h.lists.of(p), nil
}

// locate returns the place of an entry. A question is asked once in a session: all ranges of a player are of the same
// answer.
func (h *Handler) locate(r *http.Request, e *entry) (place, error) {
	if isQuestion(e.Src) {
		if err := h.decide(r, e); err != nil {
			return place{}, err
		}
	}
	at, err := resolvePlace(e.source, e.SrcType, e.Src, h.roots)
	return at, faulty(r, err)
}

// decide asks the question of an entry, if it may be asked for now, and puts the answer in its place.
func (h *Handler) decide(r *http.Request, e *entry) error {
	if err := h.admit(r, e, anywhere, false); err != nil {
		return err
	}
	key := e.session.String() + " " + e.path.String()
	if err := h.questions.Take(r.Context(), key); err != nil {
		return err
	}
	defer h.questions.Give(key)
	err := h.change(r.Context(), e, func(s *Session) error {
		e.answered(s) // of a request at the same time
		return nil
	})
	if err != nil || !isQuestion(e.Src) {
		return err
	}
	answer, err := h.ask(r, e)
	if err != nil {
		return err
	}
	asked := e.Src
	return h.change(r.Context(), e, func(s *Session) error {
		e.Src = asked
		e.answered(s) // of a request to another server
		if !isQuestion(e.Src) {
			return nil
		}
		if len(s.lists) >= maxOpenLists {
			return ErrBusy
		}
		s.lists = append(s.lists, openList{Parent: e.path.String(), Playlist: answer})
		e.Src = answer
		return nil
	})
}

// ask asks the question of an entry. Where the client has no part in it, what fails is a fault.
func (h *Handler) ask(r *http.Request, e *entry) (string, error) {
	u, err := questionURL(e.Src, serverVariables(r, h.opts.ServerNames))
	if err != nil {
		return "", err
	}
	answer, err := h.opts.Remote.Decide(r.Context(), u.String())
	if err == nil && isQuestion(answer) {
		err = fmt.Errorf("playlist: the answer to a question is a question: %w", ErrForbiddenSource)
	}
	if err != nil && onlyServer.MatchString(e.Src) {
		err = faulty(r, err)
	}
	return answer, err
}

// onlyServer matches questions whose variables are this server's, not the client's.
var onlyServer = regexp.MustCompile(`^(?i:[^{}]|\{SERVER_(NAME|PORT|PROTOCOL|SOFTWARE)\})*$`)

// change changes the session of an entry. One that is a token stays as it is.
func (h *Handler) change(ctx context.Context, e *entry, change func(*Session) error) error {
	if !e.stateful {
		return change(&Session{})
	}
	return h.opts.Store.Update(ctx, e.session, h.opts.Now(), change)
}

// admit waits until the viewer may be sent the entry from a position on, or returns why not. Players that fetch ahead
// come too early: they are held for a while. If the request moves the viewer, the entry is where the viewer is then.
func (h *Handler) admit(r *http.Request, e *entry, from int64, moves bool) error {
	moves = moves && r.Method == http.MethodGet
	held := time.Duration(0)
	for {
		err := h.change(r.Context(), e, func(s *Session) error {
			v, now := e.viewerOf(s), h.opts.Now()
			if err := v.admit(now, &h.rules, e.at, e.path, from); err != nil || !moves {
				return err
			}
			v.enter(now, &h.rules, e.at, e.path, &e.Entry)
			return nil
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

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts a response of a session, or reports that there are as many as there may be.
func (h *Handler) enter(id ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.opts.MaxConnections > 0 && h.active[id] >= h.opts.MaxConnections {
		return false
	}
	h.active[id]++
	return true
}

func (h *Handler) leave(id ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.active[id]--; h.active[id] == 0 {
		delete(h.active, id)
	}
}
