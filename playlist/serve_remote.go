package playlist

import (
	"context"
	"net/http"
)

// serveRemote sends the client to what is elsewhere, or sends it through this server.
func (h *Handler) serveRemote(w http.ResponseWriter, r *http.Request, e *entry, at place) error {
	if !h.opts.ProxyRemote {
		return h.redirectRemote(w, r, e, at)
	}
	from := int64(0)
	q, ranged := parseRange(r.Header.Get("Range"))
	switch {
	case ranged && q.from > 0:
		from = q.from
	case ranged && q.from < 0 && e.NoSeek:
		return &RuleError{Rule: NoSeek, Entry: e.path.String(), Detail: "the last bytes"}
	}
	if err := h.admit(r, e, from, true); err != nil {
		return err
	}
	m := h.newMeter(w, r, e, -1)
	h.noCache(w.Header())
	res, err := h.opts.Remote.Proxy(m, r, at.remote.String())
	status := res.Status
	if status == 0 {
		status, _ = statusOf(err)
	}
	m.finish(status, err == nil && !m.failed)
	switch {
	case err == nil:
		return nil
	case res.Status != 0:
		h.opts.Logger.Debug("playlist entry", "path", r.URL.Path, "err", err)
		panic(http.ErrAbortHandler) // the client must not take what it has for the whole
	case !ranged || q.from == 0 && q.to < 0: // the client has no part in it
		return faulty(r, err)
	}
	return err
}

// redirectRemote sends the client to what is elsewhere. What is delivered of it is not known: it counts as delivered, and
// where the list tells how long it plays, the clock counts.
func (h *Handler) redirectRemote(w http.ResponseWriter, r *http.Request, e *entry, at place) error {
	if err := h.admit(r, e, anywhere, true); err != nil {
		return err
	}
	if r.Method == http.MethodGet {
		now := h.opts.Now()
		err := h.change(context.WithoutCancel(r.Context()), e, func(s *Session) error {
			s.viewer.deliver(now, &h.rules, e.at, e.path, &e.Entry, 0, 1, 1)
			return nil
		})
		if err != nil {
			return err
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, at.remote.String(), http.StatusFound)
	return nil
}
