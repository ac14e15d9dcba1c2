package playlist

import (
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
)

// Binding is what a session is bound to besides its ID, which is in every URL and may be passed on.
type Binding int

// The bindings of sessions.
const (
	// BindNothing: who knows the URL of an entry may use it.
	BindNothing Binding = iota
	// BindAddress: the client that asked for the playlist, by [HandlerOptions.Client]. Viewers whose network changes have
	// to ask for it again.
	BindAddress
	// BindCookie: a signed cookie for the path of the playlist, which players that are no browsers may not keep. Only
	// playlists set it, so that answers with media can be cached.
	BindCookie
)

// cookieName is that of the cookie of a session. The session is in the name, so that several do not take turns.
func cookieName(id ID) string { return "playlist-" + id.String() }

// setCookie sets the cookie of a new session if it is bound to one.
func (h *Handler) setCookie(w http.ResponseWriter, r *http.Request, s *Session) {
	if h.opts.Bind != BindCookie {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(s.ID), Value: h.tokens.Cookie(s.ID), Path: cookiePath(r), MaxAge: int(min(s.TimeToLive.Seconds(), math.MaxInt32)),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// cookiePath is the path of the playlist as the client wrote it.
func cookiePath(r *http.Request) string {
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil && u.Path != "" {
		return u.EscapedPath()
	}
	return r.URL.EscapedPath()
}

// owns reports whether a request is by whom the session is bound to.
func (h *Handler) owns(r *http.Request, s *Session) bool {
	switch h.opts.Bind {
	case BindAddress:
		return s.Client == h.opts.Client(r)
	case BindCookie:
		c, err := r.Cookie(cookieName(s.ID))
		return err == nil && h.tokens.VerifyCookie(s.ID, c.Value) == nil
	}
	return true
}

// tokenSession returns the session that a text is itself.
func (h *Handler) tokenSession(r *http.Request, name, text string) (Session, error) {
	client := ""
	if h.opts.Bind == BindAddress {
		client = h.opts.Client(r)
	}
	t, err := h.tokens.Verify(h.opts.Now(), text, name, client)
	if err != nil {
		return Session{}, err
	}
	return Session{ID: t.ID, Playlist: name, Version: t.Version, Created: t.Created, TimeToLive: t.TimeToLive}, nil
}

// stateless reports whether sessions of a version can be tokens: nothing has to be remembered of their viewers.
func (h *Handler) stateless(v *version) bool {
	return h.opts.Stateless && !v.locked && h.opts.Bind != BindCookie &&
		!slices.ContainsFunc(v.list.Entries, func(e Entry) bool { return mayBeList(&e) })
}

// addressOf is the default of [HandlerOptions.Client].
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// baseURL is the default of [HandlerOptions.BaseURL].
func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
