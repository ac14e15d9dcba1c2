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
		return faulty(r, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return faulty(r, err)
	}
	body, ok := f.(io.ReadSeeker)
	if !ok || !info.Mode().IsRegular() {
		return faulty(r, ErrNotFound)
	}
	m := &medium{entry: e, file: body, name: at.root + "/" + at.file, size: info.Size(), changed: info.ModTime()}
	e.Duration = h.length(r.Context(), m, e)
	r, from := m.ranged(r)
	if err := h.admit(r, e, from, true); err != nil {
		return err
	}
	if m.size == 0 {
		h.excuse(r, e)
	}
	h.noCache(w.Header())
	meter := h.newMeter(w, r, e, m.size)
	ended := false
	defer func() { meter.finish(meter.status, ended) }()
	h.media.ServeHTTP(meter, m.named(r, extension(at.file)))
	ended = !meter.failed
	return nil
}

// named returns the request for the media handler: what is around it, such as a throttle, is told neither the path of the
// file nor the query.
func (m *medium) named(r *http.Request, ext string) *http.Request {
	named := r.WithContext(context.WithValue(r.Context(), mediumKey{}, m))
	u := *r.URL
	u.Path, u.RawPath, u.RawQuery = "/"+m.entry.session.String()+"/"+m.entry.path.String()+strings.ToLower(ext), "", ""
	named.URL, named.RequestURI = &u, u.Path
	return named
}

// sendFile sends the file in the context.
func (h *Handler) sendFile(w http.ResponseWriter, r *http.Request) {
	m := r.Context().Value(mediumKey{}).(*medium)
	header := w.Header()
	header.Set("Etag", m.etag())
	if t := typeByExtension(extension(m.name)); t != "" {
		header.Set("Content-Type", t)
	} else {
		header.Set("Content-Type", "application/octet-stream") // never sniffed: the name says nothing, so neither do we
	}
	http.ServeContent(w, r, "", m.changed, m.file)
}

// etag returns the entity tag of the file. It says nothing of its name.
func (m *medium) etag() string {
	return `"` + strconv.FormatInt(m.size, 36) + "-" + strconv.FormatInt(m.changed.UnixNano(), 36) + `"`
}

// ranged returns the request with a range that may be answered, and the first byte of it, or anywhere. Where there are
// rules, what is not simply one range becomes the whole file, and a range in an index at the end, without which an MP4
// cannot begin, is cut to the index.
func (m *medium) ranged(r *http.Request) (*http.Request, int64) {
	value := r.Header.Get("Range")
	if value == "" {
		return r, 0
	}
	q, ok := parseRange(value)
	if m.entry.Locked() && (!ok || !m.matches(r.Header.Get("If-Range"))) {
		return withRange(r, ""), 0
	}
	if !ok {
		return r, 0
	}
	from, to := q.from, m.size-1
	if from < 0 { // a suffix
		from = max(m.size-q.size, 0)
	}
	if q.to >= 0 {
		to = min(to, q.to)
	}
	if !m.entry.NoSeek || from == 0 {
		return r, from
	}
	if index, ok := m.index(); ok && from >= index.From && from < index.To {
		return withRange(r, "bytes="+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(min(to, index.To-1), 10)), anywhere
	}
	return r, from
}

// matches reports whether If-Range lets a range be answered. See RFC 9110 section 13.1.5.
func (m *medium) matches(ifRange string) bool {
	return ifRange == "" || ifRange == m.etag() || !m.changed.IsZero() && ifRange == m.changed.UTC().Format(http.TimeFormat)
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
