package playlist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entry is what a request for an entry is about.
type entry struct {
	session  ID
	stateful bool   // the session is in the store, not in a token
	playlist string // path of the outermost one
	path     path
	at       lists // those on the way to the entry
	source   place // of the list that it is in
	Entry
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
	at, err := h.locate(r, e)
	if err != nil {
		return err
	}
	switch {
	case at.remote != nil:
		return h.serveRemote(w, r, e, at)
	case isPresentation(&Entry{Src: at.file, SrcType: RelativeURI}) && at.root == "" && h.stitched != nil:
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, h.base(r, name)+"/"+e.session.String()+"/"+p.String()+".ism"+h.manifestOf("asx"), http.StatusFound)
		return nil
	case at.root == "" && h.isList(r, at.file):
		return h.serveNested(w, r, e, at, q)
	}
	return h.serveFile(w, r, e, at)
}

// find returns an entry of a session, which is used by that.
func (h *Handler) find(r *http.Request, name, session string, p path) (*entry, error) {
	s, stateful, err := h.session(r, name, session)
	if err != nil {
		return nil, err
	}
	e := &entry{session: s.ID, stateful: stateful, playlist: name, path: p, source: place{file: name}}
	versions := make(map[string]*version)
	if versions[""], err = h.version(r.Context(), s.Version); err != nil {
		return nil, err
	}
	for _, l := range s.lists {
		if l.Version == "" || !strings.HasPrefix(p.String()+".", l.Parent+".") && !h.inside(&s, l.Parent) {
			continue
		}
		if versions[l.Parent], err = h.version(r.Context(), l.Version); err != nil {
			return nil, err
		}
		if p[:len(p)-1].String() == l.Parent {
			e.source = place{file: l.Playlist}
		}
	}
	e.at = func(parent path) []Entry {
		if v := versions[parent.String()]; v != nil {
			return v.list.Entries
		}
		return nil
	}
	entries := e.at(p[:len(p)-1])
	if n := p[len(p)-1]; n <= len(entries) {
		e.Entry = entries[n-1]
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
		if stored.Playlist != name {
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

// version returns a version of a playlist, from the store if this server has not seen it.
func (h *Handler) version(ctx context.Context, digest string) (*version, error) {
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
	return resolvePlace(e.source, e.SrcType, e.Src, h.roots)
}

// decide asks the question of an entry and puts the answer in its place.
func (h *Handler) decide(r *http.Request, e *entry) error {
	u, err := questionURL(e.Src, serverVariables(r, h.opts.ServerNames))
	if err != nil {
		return err
	}
	answer, err := h.opts.Remote.Decide(r.Context(), u.String())
	if err != nil {
		return err
	}
	if isQuestion(answer) {
		return fmt.Errorf("playlist: the answer to a question is a question: %w", ErrForbiddenSource)
	}
	return h.change(r.Context(), e, func(s *Session) error {
		e.answered(s) // of a request at the same time
		if isQuestion(e.Src) {
			s.lists = append(s.lists, openList{Parent: e.path.String(), Playlist: answer})
			e.Src = answer
		}
		return nil
	})
}

// change changes the session of an entry. One that is a token stays as it is.
func (h *Handler) change(ctx context.Context, e *entry, change func(*Session) error) error {
	if !e.stateful {
		return change(&Session{})
	}
	return h.opts.Store.Update(ctx, e.session, h.opts.Now(), change)
}

// admit waits until the viewer may be sent the entry from a position on, or returns why not. Players that fetch ahead
// come too early: they are held for a while.
func (h *Handler) admit(r *http.Request, e *entry, from int64) error {
	held := time.Duration(0)
	for {
		err := h.change(r.Context(), e, func(s *Session) error {
			return s.viewer.admit(h.opts.Now(), &h.rules, e.at, e.path, from)
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

// isList reports whether a file is a playlist.
func (h *Handler) isList(_ *http.Request, name string) bool {
	return strings.EqualFold(extension(name), ".isx")
}

// serveNested answers with the playlist that an entry is. It has the session of the outermost one.
func (h *Handler) serveNested(w http.ResponseWriter, r *http.Request, e *entry, at place, q query) error {
	if len(e.path) >= h.opts.MaxDepth || !e.stateful {
		return fmt.Errorf("playlist: nested %d deep: %w", len(e.path)+1, ErrNotFound)
	}
	formatName, format, err := h.format(r, q)
	if err != nil {
		return err
	}
	p, err := h.provider.Playlist(r.Context(), &Request{Path: at.file, Format: formatName, HTTP: r})
	if err != nil {
		return err
	}
	v := h.lists.of(p)
	if err := h.admit(r, e, 0); err != nil {
		return err
	}
	err = h.opts.Store.Update(r.Context(), e.session, h.opts.Now(), func(s *Session) error { return s.open(e, at.file, &v, h) })
	if err != nil {
		return err
	}
	s := &Session{Created: h.opts.Now(), TimeToLive: h.opts.TimeToLive}
	if err := h.keep(r.Context(), v, s); err != nil {
		return err
	}
	return h.show(w, r, &shown{v: v, session: e.session.String(), parent: e.path, name: e.playlist, format: format, formatName: formatName, asked: q["format"], query: q})
}

// open notes that the list in an entry has been opened, unless it was before: a session goes on with the version it
// has. A list cannot be nested in itself.
func (s *Session) open(e *entry, name string, v **version, h *Handler) error {
	in := e.path.String()
	if name == s.Playlist {
		return fmt.Errorf("playlist: the list is nested in itself: %w", ErrNotFound)
	}
	for _, l := range s.lists {
		switch {
		case l.Version == "":
		case l.Parent == in:
			if known := h.lists.with(l.Version); known != nil {
				*v = known
				return nil
			}
		case l.Playlist == name && strings.HasPrefix(in, l.Parent+"."):
			return fmt.Errorf("playlist: the list is nested in itself: %w", ErrNotFound)
		}
	}
	if len(s.lists) >= maxOpenLists {
		return ErrBusy
	}
	s.lists = slices.DeleteFunc(s.lists, func(l openList) bool { return l.Parent == in && l.Version != "" })
	s.lists = append(s.lists, openList{Parent: in, Playlist: name, Version: (*v).digest})
	return nil
}

// serveRemote sends the client to what is elsewhere, or sends it through this server.
func (h *Handler) serveRemote(w http.ResponseWriter, r *http.Request, e *entry, at place) error {
	if !h.opts.ProxyRemote {
		if err := h.admit(r, e, 0); err != nil {
			return err
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, at.remote.String(), http.StatusFound)
		return nil
	}
	from := int64(0)
	if q, ok := parseRange(r.Header.Get("Range")); ok && q.from > 0 {
		from = q.from
	} else if ok && q.from < 0 && e.NoSeek {
		return &RuleError{Rule: NoSeek, Entry: e.path.String(), Detail: "the last bytes"}
	}
	if err := h.admit(r, e, from); err != nil {
		return err
	}
	m := h.newMeter(w, r, e, -1)
	h.noCache(w.Header())
	res, err := h.opts.Remote.Proxy(m, r, at.remote.String())
	m.finish(cmp.Or(res.Status, http.StatusBadGateway))
	if err != nil && res.Status != 0 {
		h.opts.Logger.Debug("playlist entry", "path", r.URL.Path, "err", err)
		panic(http.ErrAbortHandler) // the client must not take what it has for the whole
	}
	return err
}

// open opens a file of a place. Names are those of IIS, where case does not matter: the file that differs only in case
// is opened if there is no other.
func (h *Handler) open(at place) (fs.File, error) {
	fsys := h.opts.Files
	if at.root != "" {
		n, err := strconv.Atoi(at.root) // see useRoots
		if err != nil {
			return nil, err
		}
		fsys = h.rootFS[n-1]
	}
	if fsys == nil {
		return nil, ErrNotFound
	}
	f, err := fsys.Open(at.file)
	if errors.Is(err, fs.ErrNotExist) {
		if name, ok := foldName(fsys, at.file); ok {
			return fsys.Open(name)
		}
	}
	return f, err
}

// foldName returns the name of a file that differs from a name in nothing but case, if there is exactly one.
func foldName(fsys fs.FS, name string) (string, bool) {
	dir := "."
	for element := range strings.SplitSeq(name, "/") {
		list, err := fs.ReadDir(fsys, dir)
		if err != nil {
			return "", false
		}
		found := ""
		for _, d := range list {
			if d.Name() == element {
				found = element
				break
			}
			if strings.EqualFold(d.Name(), element) {
				if found != "" {
					return "", false
				}
				found = d.Name()
			}
		}
		if found == "" {
			return "", false
		}
		if dir = dir + "/" + found; strings.HasPrefix(dir, "./") {
			dir = dir[2:]
		}
	}
	return dir, true
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
