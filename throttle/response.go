package throttle

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// response stands between a handler and its client. Until the header is there it does not know what it is; then it
// either steps aside or, with the first byte of the body, finds its plan and becomes a paced one.
type response struct {
	http.ResponseWriter
	h       *Handler
	r       *http.Request
	table   *table
	setting *Setting // by extension, then by media type

	status  int  // zero before the header
	waiting bool // the header has been decided on but not sent, as it may get one more field
	aside   bool // no pacing
	refused bool // 503 has been sent in the place of the response
	vars    Variables
	group   *group // that counts the response
	from    int64  // first byte of the body in the file
	total   int64  // size of the file, -1 if it is not known
	length  int64  // of the body, -1 if it is not known
	encoded bool   // by Content-Encoding

	sent int64
	pace *pace // nil while there is no plan
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status != 0 {
		if !w.refused {
			w.sendHeader()
			w.ResponseWriter.WriteHeader(status) // net/http says what is wrong about it
		}
		return
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.takeVariables() // which count for the response that follows
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
	w.decide()
	if w.refused {
		return
	}
	if w.waiting = !w.aside && w.h.opts.DebugHeader; !w.waiting {
		w.ResponseWriter.WriteHeader(status)
	}
}

// decide chooses between stepping aside and pacing, and takes the variables out of the header.
func (w *response) decide() {
	header := w.ResponseWriter.Header()
	w.takeVariables()
	body := w.r.Method != http.MethodHead && (w.status == http.StatusOK || w.status == http.StatusPartialContent)
	if !body {
		w.aside = true
		return
	}
	if w.setting == nil && !w.table.Disabled {
		w.setting = w.table.byType(header.Get("Content-Type"))
		if !w.enter() {
			w.refuse()
			_ = http.NewResponseController(w.ResponseWriter).Flush()
			return
		}
	}
	v := &w.vars
	w.aside = w.table.Disabled || v.Off || w.setting == nil && v.Rate == 0 && (v.FileExtension == "" || v.EncodedRate == 0)
	if w.aside {
		return
	}
	w.place(header)
	if w.length >= 0 && w.length <= probeSize {
		w.aside = true // a player asks whether there are ranges, as with bytes=0-1: it is answered at once and costs nothing
	}
}

// takeVariables takes the variables out of the header.
func (w *response) takeVariables() {
	for _, err := range w.vars.take(w.ResponseWriter.Header()) {
		w.h.opts.Logger.Warn("throttle variable", "path", w.r.URL.Path, "err", err)
	}
}

// place reads from the header which part of which size the body is.
func (w *response) place(header http.Header) {
	w.length, w.total = -1, -1
	if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
	if e := header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		w.encoded = true
	}
	if w.status == http.StatusOK {
		if !w.encoded {
			w.total = w.length
		}
		return
	}
	if from, total, ok := contentRange(header.Get("Content-Range")); ok {
		w.from, w.total = from, total
		return
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(w.r.Header.Get("Range"), "bytes="), "-") // of several ranges
	if from, err := strconv.ParseInt(first, 10, 64); err == nil && from > 0 {
		w.from = from
	}
}

// contentRange reads the first byte and the complete length of a Content-Range. See RFC 9110 14.4.
func contentRange(v string) (from, total int64, ok bool) {
	unit, v, _ := strings.Cut(v, " ")
	span, size, _ := strings.Cut(v, "/")
	first, _, _ := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 || !strings.EqualFold(unit, "bytes") {
		return 0, 0, false
	}
	if total, err = strconv.ParseInt(size, 10, 64); err != nil || total <= from {
		total = -1
	}
	return from, total, true
}

// enter counts the response in the group of its setting, or reports that the group is full.
func (w *response) enter() bool {
	g := w.h.groups.named(w.setting)
	if g == nil || w.group != nil {
		return true
	}
	if !g.enter() {
		return false
	}
	w.group = g
	return true
}

// refuse answers 503 in the place of the response. What the handler then writes is refused too, so that it does not read
// a file to its end for nothing; as it may end the connection for that, the answer leaves at once.
func (w *response) refuse() {
	w.refused, w.aside = true, true
	w.status = http.StatusServiceUnavailable
	header := w.ResponseWriter.Header()
	for name := range header {
		switch name { // those that describe the body of another response
		case "Content-Range", "Content-Encoding", "Transfer-Encoding", "Content-Disposition", "Etag", "Last-Modified", "Accept-Ranges", "Expires":
			delete(header, name)
		}
	}
	header.Set("Retry-After", strconv.Itoa(retryAfter))
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(refusal)))
	w.ResponseWriter.WriteHeader(w.status)
	_, _ = io.WriteString(w.ResponseWriter, refusal)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (n int, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.refused:
		return 0, errRefused
	case len(p) == 0 && w.waiting:
		return 0, nil
	case len(p) == 0 || !w.begin(nil, p):
		return w.ResponseWriter.Write(p)
	}
	for n < len(p) {
		granted, err := w.pace.grant(int64(len(p) - n))
		if err != nil {
			return n, err
		}
		m, err := w.ResponseWriter.Write(p[n : n+int(granted)])
		n += m
		w.sent += int64(m)
		w.pace.use(int64(m))
		if err == nil && int64(m) < granted {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// ReadFrom implements io.ReaderFrom. What is not paced is left to the writer below, which knows sendfile; so is every
// quantum of what is.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.refused:
		return 0, errRefused
	case !w.begin(src, nil):
		return io.Copy(w.ResponseWriter, src)
	}
	return copyQuanta(w.ResponseWriter, src, w.pace.grant, func(_, used int64) {
		w.sent += used
		w.pace.use(used)
	})
}

// begin makes the plan when the first bytes of the body come, and reports whether the response is paced.
func (w *response) begin(src io.Reader, prefix []byte) bool {
	if w.pace != nil {
		return true
	}
	if w.aside {
		return false
	}
	p, err := w.table.plan(w.setting, &w.vars, func() (bitrate.Info, error) {
		return w.h.rates.find(w.r.Context(), w.body(src, prefix), w.table.Formats)
	})
	if w.waiting {
		w.describe(&p)
	}
	if p.rate <= 0 {
		w.aside = true
		w.h.counters.unthrottled.Add(1)
		return false
	}
	w.pace = w.h.newPace(w, &p, err)
	return true
}

// body returns what the rate of the file may be found from.
func (w *response) body(src io.Reader, prefix []byte) *body {
	b := &body{path: w.r.URL.Path, header: w.ResponseWriter.Header(), total: w.total, src: src, encoded: w.encoded}
	if w.status == http.StatusOK {
		b.prefix = prefix
	}
	if !w.h.opts.NoProbes && w.r.Method == http.MethodGet && canProbe(w.status, b.header) {
		b.probe = func(total int64) *inside { return &inside{w.h.next, w.r, total, time.Now().Add(probeTimeout)} }
	}
	return b
}

// describe adds the header for debugging, and sends the header.
func (w *response) describe(p *plan) {
	value := "off"
	if p.rate > 0 {
		value = "rate=" + strconv.FormatInt(int64(p.rate), 10) + "; burst=" + strconv.FormatInt(p.burst, 10) + "; source=" + strings.ReplaceAll(p.source, " ", "-")
	}
	w.ResponseWriter.Header().Set("X-Throttle", value)
	w.sendHeader()
}

func (w *response) sendHeader() {
	if w.waiting {
		w.waiting = false
		w.ResponseWriter.WriteHeader(w.status)
	}
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is found by http.ResponseController.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.sendHeader()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack refuses: what leaves on the connection afterwards could not be paced.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, errHijack }

// finish ends the response when its handler has returned or panicked.
func (w *response) finish() {
	if w.status == 0 {
		w.takeVariables()
	}
	w.sendHeader()
	if w.group != nil {
		defer w.group.leave()
	}
	if w.pace != nil {
		w.pace.end(w.sent)
	}
	if w.h.opts.Observe == nil || w.pace == nil && !w.refused {
		return
	}
	o := Observation{Path: w.r.URL.Path, Status: w.status, Refused: w.refused, Length: w.length, Offset: w.from}
	if w.setting != nil {
		o.Group = w.setting.Group
	}
	if w.pace != nil {
		w.pace.observe(&o)
	}
	w.h.opts.Observe(o)
}

// aborted returns whether a body ended too early, and how many bytes were not sent.
func (w *response) aborted() (saved int64, aborted bool) {
	if w.length < 0 {
		return 0, w.r.Context().Err() != nil
	}
	return max(w.length-w.sent, 0), w.sent < w.length
}

// sessionKey names the client and the file.
func (w *response) sessionKey() sessionKey {
	return sessionKey{short(w.h.opts.Client(w.r)), short(cmp.Or(w.r.Host, "-") + w.r.URL.Path)}
}

// short returns a name that is kept for a while: a hash in its place if it is long, as clients choose it.
func short(name string) string {
	if len(name) <= maxName {
		return name
	}
	hash := sha256.Sum256([]byte(name))
	return string(hash[:])
}

// deadline is the rolling write deadline of a response.
type deadline struct {
	set time.Time // zero before the first
}

// extend gives a write from now on the timeout, or up to half as much again. A deadline costs a timer, so that it is not
// moved for every write.
func (d *deadline) extend(rc *http.ResponseController, now time.Time, timeout time.Duration) {
	if timeout <= 0 || d.set.Sub(now) >= timeout {
		return
	}
	d.set = now.Add(timeout + timeout/2)
	_ = rc.SetWriteDeadline(d.set) // a writer without deadlines has none to run into either
}

// restore gives the connection back as the server had it: with its own WriteTimeout, counted from now as the response
// has only been written, or without a deadline.
func (d *deadline) restore(rc *http.ResponseController, ctx context.Context, now time.Time) {
	if d.set.IsZero() {
		return
	}
	var until time.Time
	if srv, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && srv.WriteTimeout > 0 {
		until = now.Add(srv.WriteTimeout)
	}
	_ = rc.SetWriteDeadline(until)
}
