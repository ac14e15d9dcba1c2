package playlist

import (
	"context"
	"io"
	"math"
	"net/http"
	"strconv"
)

// meterStep is how many bytes of a locked entry are sent before they count, so that a connection that is never closed
// still gets on.
const meterStep = 1 << 20

// meter counts what is sent of an entry.
type meter struct {
	http.ResponseWriter
	h      *Handler
	r      *http.Request
	e      *entry
	size   int64 // -1 if it is not known before the header
	status int
	from   int64 // where the body begins in the entry
	sent   int64
	told   int64 // of sent, that has been counted
	failed bool  // not all that was written has been sent
	// counted says that somebody else counts, and only the bytes are wanted.
	counted bool
}

func (h *Handler) newMeter(w http.ResponseWriter, r *http.Request, e *entry, size int64) *meter {
	return &meter{ResponseWriter: w, h: h, r: r, e: e, size: size}
}

// Unwrap lets http.ResponseController reach the writer below.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (m *meter) WriteHeader(status int) {
	if m.status == 0 && status >= 200 {
		m.status = status
		m.look(m.Header())
	}
	m.ResponseWriter.WriteHeader(status)
}

// look finds out what the body will be. Of several ranges in one body nothing counts but the bytes.
func (m *meter) look(header http.Header) {
	c, ok := parseContentRange(header.Get("Content-Range"))
	switch {
	case m.status == http.StatusPartialContent && ok && c.from >= 0:
		m.from, m.size = c.from, max(m.size, c.size)
	case m.status == http.StatusPartialContent:
		m.counted = true
	case m.status == http.StatusOK:
		if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
			m.size = max(m.size, n)
		}
	}
}

// Write implements http.ResponseWriter.
func (m *meter) Write(p []byte) (int, error) {
	if m.status == 0 {
		m.WriteHeader(http.StatusOK)
	}
	n, err := m.ResponseWriter.Write(p)
	m.add(int64(n), err)
	return n, err
}

// ReadFrom implements io.ReaderFrom, so that files keep sendfile: in steps where it matters how far the client is.
func (m *meter) ReadFrom(src io.Reader) (n int64, err error) {
	if m.status == 0 {
		m.WriteHeader(http.StatusOK)
	}
	if !m.e.Locked() || m.counted {
		n, err = io.Copy(m.ResponseWriter, src)
		m.add(n, err)
		return n, err
	}
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	for limited.N > 0 && err == nil {
		var step int64
		step, err = io.Copy(m.ResponseWriter, &io.LimitedReader{R: limited.R, N: min(limited.N, meterStep)})
		limited.N -= step
		n += step
		m.add(step, err)
		if step == 0 {
			break
		}
	}
	return n, err
}

func (m *meter) add(n int64, err error) {
	m.sent += n
	m.failed = m.failed || err != nil
	if m.e.Locked() && !m.counted && m.sent-m.told >= meterStep {
		m.tell()
	}
}

// tell counts what has been sent since the last time, and returns what the session has of the entry.
func (m *meter) tell() (g progress, done bool) {
	from, to := m.from+m.told, m.from+m.sent
	if m.counted || m.status != http.StatusOK && m.status != http.StatusPartialContent {
		from, to = 0, 0
	}
	m.told = m.sent
	return m.h.count(m.r, m.e, from, to, max(m.size, 0))
}

// count notes what has been delivered of an entry, and returns what the session has of it then. The client may be gone:
// what it got counts.
func (h *Handler) count(r *http.Request, e *entry, from, to, size int64) (g progress, done bool) {
	err := h.change(context.WithoutCancel(r.Context()), e, func(s *Session) error {
		v := e.viewerOf(s)
		v.deliver(h.opts.Now(), &h.rules, e.at, e.path, &e.Entry, from, to, size)
		done, g = v.done(e.path), progress{}
		if known := v.state(e.path.String()); known != nil {
			g = *known
		}
		return nil
	})
	if err != nil {
		h.opts.Logger.Debug("playlist delivery", "path", r.URL.Path, "err", err)
	}
	return g, done
}

// finish counts the rest and reports the delivery. ended says that the body has been sent to its end, which is then the
// size where that is not known.
func (m *meter) finish(status int, ended bool) {
	if m.r.Method == http.MethodHead {
		return
	}
	if ended && m.size < 0 && m.status == http.StatusOK {
		m.size = m.sent
	}
	g, done := m.tell()
	m.h.report(m.e, status, m.sent, max(m.size, 0), &g, done)
}

// report tells the hook of a delivery.
func (h *Handler) report(e *entry, status int, sent, size int64, g *progress, done bool) {
	if h.opts.Report == nil {
		return
	}
	d := Delivery{
		Session: e.session, Playlist: e.playlist, Entry: e.path.String(), Title: e.Title, Role: e.Role, Stitched: e.stitched, Status: status,
		Bytes: sent, Delivered: g.delivered(), Size: size, Completed: done,
	}
	if done && len(g.Spans) == 0 { // what was counted of an entry that is done is forgotten when the viewer is elsewhere
		d.Delivered = size
	}
	if size > 0 {
		d.Percent = int(min(d.Delivered, size) * 100 / size)
	}
	h.opts.Report(d)
}

// share returns the part of [from, to) that a response to a range has sent, in proportion to its bytes: there are players
// that ask for segments in no other way.
func (m *meter) share(from, to int64) (int64, int64) {
	if m.size <= 0 || m.size > math.MaxInt64/max(to, 1) {
		return 0, 0
	}
	return from + (to-from)*m.from/m.size, from + (to-from)*(m.from+m.sent)/m.size
}
