package playlist

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// isList reports whether a place is a playlist that this server reads. One that is elsewhere is left to the client,
// unless its media are sent through this server.
func (h *Handler) isList(at place) bool {
	if at.remote == nil {
		return strings.EqualFold(extension(at.file), ".isx")
	}
	ext := extension(at.remote.Path)
	return h.opts.ProxyRemote && (strings.EqualFold(ext, ".isx") || strings.EqualFold(ext, ".asx"))
}

// serveNested answers with the playlist that an entry is. It has the session of the outermost one, which goes on with
// the version that it has opened first.
func (h *Handler) serveNested(w http.ResponseWriter, r *http.Request, e *entry, at place, q query) error {
	formatName, format, err := h.format(r, q)
	if err != nil {
		return err
	}
	if len(e.path) >= h.opts.MaxDepth || !e.stateful {
		return faulty(r, fmt.Errorf("playlist: nested %d deep: %w", len(e.path)+1, ErrNotFound))
	}
	if err := h.admit(r, e, anywhere, false); err != nil {
		return err
	}
	v, err := h.openNested(r, e, at, formatName)
	if err != nil {
		return err
	}
	if len(v.list.Entries) == 0 {
		h.excuse(r, e)
	}
	return h.show(w, r, &shown{
		v: v, session: e.text, parent: e.path, name: e.playlist, format: format, formatName: formatName, asked: q["format"], query: q,
	})
}

// openNested returns the version of the list in an entry that the session has, or the present one, which it has then.
func (h *Handler) openNested(r *http.Request, e *entry, at place, format string) (*version, error) {
	if e.opened.Version != "" {
		return h.opened(r.Context(), e.opened.Version)
	}
	p, at, err := h.readNested(r, at, format)
	if err != nil {
		return nil, faulty(r, err)
	}
	v := h.lists.of(p)
	if err := h.keep(r.Context(), v, &Session{TimeToLive: e.life}); err != nil {
		return nil, err
	}
	err = h.change(r.Context(), e, func(s *Session) error { return s.open(e, at.String(), v.digest) })
	if errors.Is(err, errCycle) {
		err = faulty(r, err)
	}
	if err != nil {
		return nil, err
	}
	return h.opened(r.Context(), e.opened.Version)
}

// readNested returns the playlist of a place, and the place where it is after redirects.
func (h *Handler) readNested(r *http.Request, at place, format string) (*Playlist, place, error) {
	switch {
	case at.remote != nil:
		return h.fetchNested(r.Context(), at)
	case at.root == "":
		p, err := h.provider.Playlist(r.Context(), &Request{Path: at.file, Format: format, HTTP: r})
		return p, at, err
	}
	f, err := h.open(at)
	if err != nil {
		return nil, at, err
	}
	defer f.Close()
	p, err := readISX(f)
	return p, at, err
}

// fetchNested gets a playlist from elsewhere: an .isx file, or what a server has made of one.
func (h *Handler) fetchNested(ctx context.Context, at place) (*Playlist, place, error) {
	d, err := h.opts.Remote.Fetch(ctx, at.remote.String(), MaxDocument)
	if err != nil {
		return nil, at, err
	}
	p, err := ParseISX(d.Body)
	if errors.Is(err, ErrNotPlaylist) {
		p, err = ParseASX(d.Body)
	}
	if err != nil {
		return nil, at, fmt.Errorf("%w: %w", ErrRemote, err)
	}
	u, err := parseRemote(d.URL)
	return p, place{remote: u}, err
}

// errCycle: a playlist is nested in itself.
var errCycle = fmt.Errorf("playlist: the list is nested in itself: %w", ErrNotFound)

// open notes that the list in an entry has been opened, unless it was before by a request at the same time. A list cannot
// be nested in itself.
func (s *Session) open(e *entry, name, version string) error {
	in := e.path.String()
	if strings.EqualFold(name, s.Playlist) {
		return errCycle
	}
	for _, l := range s.lists {
		switch {
		case l.Version == "":
		case l.Parent == in:
			e.opened = l
			return nil
		case strings.EqualFold(l.Playlist, name) && strings.HasPrefix(in, l.Parent+"."):
			return errCycle
		}
	}
	if len(s.lists) >= maxOpenLists {
		return ErrBusy
	}
	e.opened = openList{Parent: in, Playlist: name, Version: version}
	s.lists = append(slices.Clip(s.lists), e.opened)
	return nil
}
