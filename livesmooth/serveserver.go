package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// keepAliveHeader tells how often, in seconds, a stream shows that it is alive if there is nothing else to send.
const keepAliveHeader = "Live-Keep-Alive"

// serveServer answers GET and HEAD of another server. See [MS-SSTR] 2.2.8.
func (s *Server) serveServer(w http.ResponseWriter, r *http.Request, pp pushPath) {
	b, p, err := s.openForServer(r, pp)
	switch {
	case err != nil:
	case pp.kind == pushServerManifest:
		err = p.serveStreamManifest(w, r, b)
	default:
		err = p.serveStream(w, r, b, pp)
	}
	if err == nil || r.Context().Err() != nil {
		return
	}
	status := serverStatus(err)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", s.opts.Challenge)
	}
	s.opts.Logger.Info("server", "point", pp.point, "stream", pp.input, "source", r.RemoteAddr, "status", status, "err", err)
	refuse(w, status)
}

// serverStatus returns the status for an error before the first byte of an answer.
func serverStatus(err error) int {
	if errors.Is(err, smooth.ErrNotFound) {
		return http.StatusNotFound
	}
	return StatusOf(err)
}

// openForServer returns the event that another server asks for. The request starts a point that has AutoStart.
func (s *Server) openForServer(r *http.Request, pp pushPath) (*broadcast, *Point, error) {
	p, err := s.Point(pp.point)
	if err != nil {
		return nil, nil, err
	}
	if hook := s.opts.AuthorizeServer; hook != nil {
		if err := hook(r, p.name); err != nil {
			if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrForbidden) {
				return nil, nil, err
			}
			return nil, nil, errors.Join(err, ErrForbidden)
		}
	}
	if !p.Settings().Servers.Enabled {
		return nil, nil, fmt.Errorf("livesmooth: %s: servers: %w", p.name, ErrForbidden)
	}
	b, err := p.approach(onRequest)
	return b, p, err
}

// serveStreamManifest answers with the list of input streams. It waits a little for the first one, so that a server that asks
// right after the start does not have to ask again.
func (p *Point) serveStreamManifest(w http.ResponseWriter, r *http.Request, b *broadcast) error {
	ctx, cancel := context.WithTimeout(r.Context(), p.srv.distribution.listWait)
	defer cancel()
	list := b.awaitRelayed(ctx, func(list []relayedInput) bool { return len(list) > 0 || b.isClosed() })
	if err := r.Context().Err(); err != nil {
		return err
	}
	var refs []streamRef
	for _, in := range list {
		refs = append(refs, in.ref)
	}
	text := appendStreamManifest(nil, refs)
	h := w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodHead {
		_, _ = w.Write(text)
	}
	return nil
}

// awaitRelayed returns the input streams as soon as they satisfy a condition, or as they are when ctx ends.
func (b *broadcast) awaitRelayed(ctx context.Context, ok func([]relayedInput) bool) []relayedInput {
	for {
		changed := b.relays.wait()
		list := b.relayed()
		if ok(list) {
			return list
		}
		select {
		case <-ctx.Done():
			return list
		case <-changed:
		}
	}
}

// findRelayed returns the input stream of a reference. Without an event in it the one that is on counts.
func findRelayed(list []relayedInput, event, id string) *input {
	for _, in := range list {
		if in.ref.id == id && (event == "" || event == in.ref.event) {
			return in.in
		}
	}
	return nil
}

// serveStream answers with an input stream: a body that lasts as long as it does.
func (p *Point) serveStream(w http.ResponseWriter, r *http.Request, b *broadcast, pp pushPath) error {
	from, err := queryTime(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.srv.distribution.headerWait)
	list := b.awaitRelayed(ctx, func(list []relayedInput) bool { return findRelayed(list, pp.event, pp.input) != nil || b.isClosed() })
	cancel()
	in := findRelayed(list, pp.event, pp.input)
	if in == nil {
		return fmt.Errorf("livesmooth: %s: no stream %q: %w", p.name, pp.input, smooth.ErrNotFound)
	}
	h := w.Header()
	h.Set("Content-Type", "video/mp4")
	h.Set("Cache-Control", "no-store")
	h.Set(keepAliveHeader, strconv.Itoa(int(max(p.srv.distribution.keepAlive/time.Second, 1))))
	if r.Method == http.MethodHead {
		return nil
	}
	f := newFeed(b, in, from)
	l := b.relays.attach("HTTP Pull", host(r.RemoteAddr), f)
	defer b.relays.detach(l, f)
	out := &streamWriter{w: w, rc: http.NewResponseController(w), limit: b.opts.Limits.FragmentTimeout}
	defer out.end()
	err = p.sendStream(r.Context(), out, f)
	b.log.Info("server is not fed any more", "stream", pp.input, "source", r.RemoteAddr, "skipped", f.dropped.Load(), "err", err)
	if err != nil && r.Context().Err() == nil {
		panic(http.ErrAbortHandler) // else the end of the body would look like one that was meant
	}
	return nil
}

// queryTime returns the time in the query that a stream is to begin with, zero if there is none.
func queryTime(r *http.Request) (uint64, error) {
	text := r.URL.Query().Get("from")
	if text == "" {
		return 0, nil
	}
	t, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("livesmooth: from=%q: %w", text, ErrMalformed)
	}
	return t, nil
}

// sendStream sends a feed to its end.
func (p *Point) sendStream(ctx context.Context, w *streamWriter, f *feed) error {
	alive := time.NewTicker(p.srv.distribution.keepAlive)
	defer alive.Stop()
	for {
		item, wait, err := f.next(ctx)
		switch {
		case err == io.EOF:
			return p.sendEnd(w, f.b)
		case err != nil:
			return err
		case wait == nil:
			if err := w.send(item.writeTo); err != nil {
				return err
			}
			alive.Reset(p.srv.distribution.keepAlive)
			continue
		}
		select {
		case <-ctx.Done():
		case <-wait:
		case <-alive.C:
			if err := w.text(emptyFree); err != nil {
				return err
			}
		}
	}
}

// sendEnd ends a stream as the settings want it. When the server itself ends, the event does not.
func (p *Point) sendEnd(w *streamWriter, b *broadcast) error {
	if !p.tellsEnd(b) {
		return nil
	}
	return w.text(emptyMfra)
}

// tellsEnd reports whether servers downstream are told of the end of a stream.
func (p *Point) tellsEnd(b *broadcast) bool { return b.set.Servers.EndOnStop && p.srv.ctx.Err() == nil }

// streamWriter writes a stream piece by piece, each of which has its time, so that a server that stops reading is cut.
type streamWriter struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	limit time.Duration
}

func (s *streamWriter) send(write func(io.Writer) error) error {
	_ = s.rc.SetWriteDeadline(time.Now().Add(s.limit)) // a server without connections, as in a test, has none
	if err := write(s.w); err != nil {
		return err
	}
	if err := s.rc.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// end leaves no deadline behind for the next request of the connection.
func (s *streamWriter) end() { _ = s.rc.SetWriteDeadline(time.Time{}) }

func (s *streamWriter) text(text string) error {
	return s.send(func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
}
