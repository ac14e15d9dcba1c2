package usage

import (
	"bufio"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
)

// filePart is how much of a file goes out by one call of ReadFrom, so that a long download is counted as it goes: eight
// seconds at 1 Mbit/s.
const filePart = 1 << 20

// response counts what is sent. It is for one goroutine, as every http.ResponseWriter.
type response struct {
	http.ResponseWriter
	rec       *Recorder
	request   *http.Request
	privacy   *Privacy
	session   *session
	stream    *stream // counts what is sent: that of the session, or of what is pushed or pulled
	part      uint8   // of striped counters
	failed    bool    // a write failed
	hijacked  bool
	sessionID string // from Options.Session or Annotate
	address   netip.Addr
	who       who
	record    Record

	mu sync.Mutex // guards the fields below and record.Class: a body may be read on another goroutine
	// received are bytes of the request's body, pushed the stream that they are of. It is released at the end.
	received int64
	pushed   *stream
	ended    bool // nobody would release it
}

// Unwrap is for [http.ResponseController].
func (x *response) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (x *response) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		x.begin(status)
	}
	x.ResponseWriter.WriteHeader(status)
}

// begin is called when the status is known: a good answer to a viewer belongs to a session.
func (x *response) begin(status int) {
	if x.record.Status != 0 {
		return
	}
	x.record.Status = status
	x.record.FirstByte = max(x.rec.opts.Now().Sub(x.record.Start), 0)
	c := &x.record.Class
	if !good(status) || c.Stream == "" {
		return
	}
	switch {
	case c.Kind.watched() && x.request.Method == http.MethodGet:
		x.identify()
		if x.session = x.rec.join(x, true); x.session != nil {
			x.stream = x.session.stream
		}
	case c.Kind == Push || c.Kind == Distribution:
		x.mu.Lock()
		x.acquire()
		x.stream = x.pushed
		x.mu.Unlock()
	}
}

// acquire gives a push, or what another server pulls, the counters of its stream. mu must be held.
func (x *response) acquire() {
	if x.pushed == nil {
		x.pushed = x.rec.streams.acquire(x.record.Class.Stream)
		x.pushed.received.Add(x.received)
	}
}

// identify makes up who asks.
func (x *response) identify() {
	x.who = identify(x.sessionID, &x.record.CMCD, x.request, x.address)
}

// good reports whether an answer is something to watch, neither an error nor a redirect.
func good(status int) bool { return status >= 200 && status < 300 || status == http.StatusNotModified }

// Write implements [io.Writer].
func (x *response) Write(p []byte) (int, error) {
	x.begin(http.StatusOK)
	n, err := x.ResponseWriter.Write(p)
	x.count(int64(n), err)
	return n, err
}

// WriteString implements [io.StringWriter].
func (x *response) WriteString(s string) (int, error) {
	x.begin(http.StatusOK)
	n, err := io.WriteString(x.ResponseWriter, s)
	x.count(int64(n), err)
	return n, err
}

// count counts bytes that were sent, where others can see it at once. Answers to HEAD have none, whatever was written.
func (x *response) count(n int64, err error) {
	if x.request.Method == http.MethodHead {
		return
	}
	x.failed = x.failed || err != nil && err != http.ErrBodyNotAllowed
	if n <= 0 {
		return
	}
	x.record.Sent += n
	x.rec.counters.sent.add(x.part, n)
	if x.stream != nil {
		x.stream.sent.Add(n)
	}
	if x.session != nil {
		x.session.sent.Add(n)
	}
}

// ReadFrom implements [io.ReaderFrom] and keeps sendfile.
func (x *response) ReadFrom(src io.Reader) (n int64, err error) {
	x.begin(http.StatusOK)
	// A limit that is there already is taken over, as the operating system's copying sees through one only.
	part, whole := &io.LimitedReader{R: src}, int64(math.MaxInt64)
	outer, limited := src.(*io.LimitedReader)
	if limited {
		part.R, whole = outer.R, outer.N
	}
	for n < whole {
		want := min(filePart, whole-n)
		part.N = want
		m, err := x.copy(part)
		n += m
		if limited {
			outer.N -= want - part.N
		}
		x.count(m, err)
		if err != nil || m < want {
			return n, err
		}
	}
	return n, nil
}

// copy copies with what the inner writer has for it.
func (x *response) copy(src io.Reader) (int64, error) {
	if to, ok := x.ResponseWriter.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	buf := x.rec.buffers.Get().(*[32 << 10]byte)
	defer x.rec.buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{x.ResponseWriter}, struct{ io.Reader }{src}, buf[:])
}

// Flush implements [http.Flusher].
func (x *response) Flush() { _ = x.FlushError() }

// FlushError is for [http.ResponseController].
func (x *response) FlushError() error {
	x.begin(http.StatusOK)
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. What goes over the connection afterwards is not counted.
func (x *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	x.hijacked = x.hijacked || err == nil
	return c, rw, err
}

// incomplete reports whether less was sent than the header has announced.
func (x *response) incomplete() bool {
	if x.request.Method == http.MethodHead || x.record.Status < 200 || x.record.Status == http.StatusNoContent ||
		x.record.Status == http.StatusNotModified {
		return false
	}
	values := x.Header()["Content-Length"]
	if len(values) == 0 {
		return false
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	return err == nil && x.record.Sent < n
}
