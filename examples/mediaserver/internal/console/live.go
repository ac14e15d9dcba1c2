package console

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"net/http"
	"strings"
	"time"
)

// Times of a stream of updates.
const (
	writeWithin = 10 * time.Second // else the browser is given up
	beatEvery   = 15 * time.Second // so that proxies keep the connection and a browser that is gone is noticed
)

// serveLive sends the sections of a page as they change, as server-sent events:
//
//	event: part     data: {"id": "...", "html": "..."}
//	event: gone     there is no such thing any more; the stream ends
//	event: trouble  the sections are not what they should be; it goes on
func (c *Console) serveLive(w http.ResponseWriter, r *http.Request, path string) {
	p, ok := c.pages[path]
	if !ok {
		c.serveFault(w, r, http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		c.serveFault(w, r, http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	v, err := p.view(r.Context(), q)
	if err != nil {
		c.serveError(w, r, err)
		return
	}
	if v.every == 0 {
		w.WriteHeader(http.StatusNoContent) // by which browsers do not come back
		return
	}
	watcher := c.hub.join(path+"?"+canonical(q), v.every, func(ctx context.Context) ([]part, error) {
		v, err := p.view(ctx, q)
		if err != nil {
			return nil, err
		}
		return c.draw(v)
	})
	if watcher == nil {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "as many pages of the console are being updated as may be", http.StatusServiceUnavailable)
		return
	}
	defer c.hub.leave(watcher)
	http.NewResponseController(w).SetReadDeadline(time.Time{}) // that of the server would end it, where it has one
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy of nginx would keep it
	c.follow(r.Context(), newStream(w), watcher)
}

// follow sends updates until the browser goes, the page is gone or the console ends.
func (c *Console) follow(ctx context.Context, s *stream, w *watcher) {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	err := s.send("retry: 3000\n\n")
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-c.hub.done:
			return
		case <-beat.C:
			err = s.send(":\n\n")
		case u := <-w.updates:
			err = c.sendUpdate(s, u)
		}
	}
	if !errors.Is(err, errGone) {
		c.opts.Logger.Debug("send updates of the console", "err", err)
	}
}

func (c *Console) sendUpdate(s *stream, u update) error {
	switch {
	case errors.Is(u.err, ErrNotFound):
		return errors.Join(s.event("gone", notice(http.StatusNotFound)), errGone)
	case u.err != nil:
		c.opts.Logger.Warn("update a page of the console", "err", u.err)
		return s.event("trouble", notice(statusOf(u.err)))
	}
	for i := range u.parts {
		if err := s.part(&u.parts[i]); err != nil {
			return err
		}
	}
	return s.flush()
}

// stream writes events. It belongs to one goroutine.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	seed maphash.Seed
	sent map[string]uint64 // hashes of the sections, by their names
}

func newStream(w http.ResponseWriter) *stream {
	return &stream{w: w, rc: http.NewResponseController(w), seed: maphash.MakeSeed(), sent: make(map[string]uint64)}
}

// part writes a section, unless it is as before.
func (s *stream) part(p *part) error {
	sum := maphash.String(s.seed, string(p.HTML))
	if old, ok := s.sent[p.ID]; ok && old == sum {
		return nil
	}
	s.sent[p.ID] = sum
	return s.write("part", p)
}

// event writes an event with a text.
func (s *stream) event(name, text string) error {
	if err := s.write(name, text); err != nil {
		return err
	}
	return s.flush()
}

// write writes an event with JSON, which has no line breaks inside.
func (s *stream) write(name string, data any) error {
	var b strings.Builder
	b.WriteString("event: " + name + "\ndata: ")
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it would be half as much again
	if err := e.Encode(data); err != nil {
		return err
	}
	b.WriteString("\n")
	return s.raw(b.String())
}

func (s *stream) send(text string) error {
	if err := s.raw(text); err != nil {
		return err
	}
	return s.flush()
}

// raw writes within the time that a browser has for it.
func (s *stream) raw(text string) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_, err := strings.NewReader(text).WriteTo(s.w)
	return err
}

func (s *stream) flush() error { return s.rc.Flush() }
