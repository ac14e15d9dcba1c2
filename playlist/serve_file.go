package playlist

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// meterStep is how many bytes of a locked entry are sent before they count, so that a connection that is never closed
// still gets on.
const meterStep = 1 << 20

// medium is a file that is being sent.
type medium struct {
	entry   *entry
	file    io.ReadSeeker
	name    string // ends in the extension
	size    int64
	changed time.Time
}

type mediumKey struct{}

// serveFile answers with the file of an entry.
func (h *Handler) serveFile(w http.ResponseWriter, r *http.Request, e *entry, at place) error {
	f, err := h.open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	body, ok := f.(io.ReadSeeker)
	if !ok || !info.Mode().IsRegular() {
		return ErrNotFound
	}
	m := &medium{entry: e, file: body, name: at.file, size: info.Size(), changed: info.ModTime()}
	e.Duration = h.length(r.Context(), m, e)
	r, from, err := m.ranged(r)
	if err != nil {
		return err
	}
	if err := h.admit(r, e, from); err != nil {
		return err
	}
	h.noCache(w.Header())
	meter := h.newMeter(w, r, e, m.size)
	// What is around the media handler, such as a throttle, is told neither the path of the file nor the query.
	named := r.WithContext(context.WithValue(r.Context(), mediumKey{}, m))
	u := *r.URL
	u.Path, u.RawPath, u.RawQuery = "/"+e.session.String()+"/"+e.path.String()+strings.ToLower(extension(at.file)), "", ""
	named.URL = &u
	defer func() { meter.finish(meter.status) }()
	h.media.ServeHTTP(meter, named)
	return nil
}

// sendFile sends the file in the context.
func (h *Handler) sendFile(w http.ResponseWriter, r *http.Request) {
	m := r.Context().Value(mediumKey{}).(*medium)
	header := w.Header()
	header.Set("Etag", `"`+strconv.FormatInt(m.size, 36)+"-"+strconv.FormatInt(m.changed.UnixNano(), 36)+`"`)
	if t := typeByExtension(extension(m.name)); t != "" {
		header.Set("Content-Type", t)
	} else {
		header.Set("Content-Type", "application/octet-stream") // never sniffed: the name says nothing, so neither do we
	}
	http.ServeContent(w, r, "", m.changed, m.file)
}

// ranged returns the request with a range that may be answered, and the first byte of it. Where seeking is locked, several
// ranges become the whole file, and one in an index at the end, without which an MP4 cannot begin, is cut to the index.
func (m *medium) ranged(r *http.Request) (*http.Request, int64, error) {
	value := r.Header.Get("Range")
	if value == "" {
		return r, 0, nil
	}
	q, ok := parseRange(value)
	if !ok {
		if m.entry.Locked() {
			return withRange(r, ""), 0, nil
		}
		return r, 0, nil
	}
	from, to := q.from, m.size-1
	if from < 0 { // a suffix
		from = max(m.size-q.size, 0)
	}
	if q.to >= 0 {
		to = min(to, q.to)
	}
	if !m.entry.NoSeek || from == 0 {
		return r, from, nil
	}
	if index, ok := m.index(); ok && from >= index.From && from < index.To {
		return withRange(r, "bytes="+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(min(to, index.To-1), 10)), 0, nil
	}
	return r, from, nil
}

func withRange(r *http.Request, value string) *http.Request {
	copied := *r
	copied.Header = r.Header.Clone()
	copied.Header.Del("Range")
	if value != "" {
		copied.Header.Set("Range", value)
	}
	return &copied
}

// index returns where the moov box of an MP4 is, with what follows it that is no media. Boxes are skipped by their
// headers.
func (m *medium) index() (span, bool) {
	r, ok := m.file.(io.ReaderAt)
	if !ok {
		return span{}, false
	}
	boxes := fmp4.NewScanner(r, 0, m.size)
	var at span
	for range 64 {
		b, err := boxes.Next()
		if err != nil {
			break
		}
		switch b.Type.String() {
		case "moov":
			at = span{b.Offset, b.End()}
		case "free", "skip", "udta", "meta", "uuid", "mfra", "wide":
			if at.To == b.Offset {
				at.To = b.End()
			}
		}
	}
	return at, at.To > at.From
}

// lengths are durations of files, by name, size and time of change.
type lengths struct {
	mu    sync.Mutex // guards known
	known map[lengthKey]time.Duration
}

type lengthKey struct {
	name    string
	size    int64
	changed int64
}

// maxLengths bounds what is remembered of files.
const maxLengths = 16384

// length returns how long an entry plays: what its playlist says, else what the option finds in the file, else zero.
func (h *Handler) length(ctx context.Context, m *medium, e *entry) time.Duration {
	r, ok := m.file.(io.ReaderAt)
	if e.Duration > 0 || !e.NoSkipForward || h.opts.Duration == nil || !ok {
		return e.Duration
	}
	key := lengthKey{m.name, m.size, m.changed.UnixNano()}
	h.lengths.mu.Lock()
	d, known := h.lengths.known[key]
	h.lengths.mu.Unlock()
	if known {
		return d
	}
	d, err := h.opts.Duration(ctx, m.name, r, m.size)
	if err != nil {
		h.opts.Logger.Debug("duration of entry", "name", m.name, "err", err)
		d = 0
	}
	h.lengths.mu.Lock()
	defer h.lengths.mu.Unlock()
	if h.lengths.known == nil || len(h.lengths.known) >= maxLengths {
		h.lengths.known = make(map[lengthKey]time.Duration)
	}
	h.lengths.known[key] = d
	return d
}

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
		if c, ok := parseContentRange(m.Header().Get("Content-Range")); ok && c.from >= 0 {
			m.from, m.size = c.from, max(m.size, c.size)
		} else if n, err := strconv.ParseInt(m.Header().Get("Content-Length"), 10, 64); err == nil && status == http.StatusOK {
			m.size = max(m.size, n)
		}
	}
	m.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (m *meter) Write(p []byte) (int, error) {
	if m.status == 0 {
		m.WriteHeader(http.StatusOK)
	}
	n, err := m.ResponseWriter.Write(p)
	m.add(int64(n))
	return n, err
}

// ReadFrom implements io.ReaderFrom, so that files keep sendfile: in steps where it matters how far the client is.
func (m *meter) ReadFrom(src io.Reader) (n int64, err error) {
	if m.status == 0 {
		m.WriteHeader(http.StatusOK)
	}
	limited, ok := src.(*io.LimitedReader)
	if !ok || !m.e.Locked() || m.counted {
		n, err = io.Copy(m.ResponseWriter, src)
		m.add(n)
		return n, err
	}
	for limited.N > 0 && err == nil {
		var step int64
		step, err = io.Copy(m.ResponseWriter, &io.LimitedReader{R: limited.R, N: min(limited.N, meterStep)})
		limited.N -= step
		n += step
		m.add(step)
		if step == 0 {
			break
		}
	}
	return n, err
}

func (m *meter) add(n int64) {
	m.sent += n
	if m.e.Locked() && !m.counted && m.sent-m.told >= meterStep {
		m.tell()
	}
}

// tell counts what has been sent since the last time.
func (m *meter) tell() (g progress, done bool) {
	from := m.from + m.told
	to := m.from + m.sent
	m.told = m.sent
	if m.status != http.StatusOK && m.status != http.StatusPartialContent {
		return g, false
	}
	ctx := context.WithoutCancel(m.r.Context()) // the client may be gone, and what it got counts
	err := m.h.change(ctx, m.e, func(s *Session) error {
		s.viewer.deliver(m.h.opts.Now(), &m.h.rules, m.e.path, &m.e.Entry, from, to, max(m.size, 0))
		done = s.viewer.done(m.e.path)
		g = progress{}
		if known := s.viewer.state(m.e.path.String()); known != nil {
			g = *known
		}
		return nil
	})
	if err != nil {
		m.h.opts.Logger.Debug("playlist delivery", "path", m.r.URL.Path, "err", err)
	}
	return g, done
}

// finish counts the rest and reports the delivery.
func (m *meter) finish(status int) {
	if m.r.Method == http.MethodHead {
		return
	}
	g, done := m.tell()
	if m.h.opts.Report == nil {
		return
	}
	d := Delivery{
		Session: m.e.session, Playlist: m.e.playlist, Entry: m.e.path.String(), Title: m.e.Title, Role: m.e.Role, Status: status,
		Bytes: m.sent, Delivered: g.delivered(), Size: max(m.size, 0), Completed: done,
	}
	if done {
		d.Delivered = d.Size
	}
	if d.Size > 0 {
		d.Percent = int(d.Delivered * 100 / d.Size)
	}
	m.h.opts.Report(d)
}
