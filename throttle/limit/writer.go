package limit

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// Bounds of what is sent at a time.
const (
	quantumTime  = 100 * time.Millisecond // at the rate
	minQuantum   = 4 << 10
	maxQuantum   = 256 << 10
	minWait      = 10 * time.Millisecond // between two parts, which may therefore be larger than maxQuantum at high rates
	measuredPart = 1 << 20               // of a file that is measured but not paced
)

// quantum returns the bytes that are sent at a time at a rate.
func quantum(rate throttle.Rate) int64 {
	return min(max(rate.Bytes(quantumTime), minQuantum), max(rate.Bytes(minWait), maxQuantum))
}

// newPace returns a bucket that lets one quantum out at once.
func newPace(rate throttle.Rate) *throttle.Bucket {
	return throttle.NewBucket(rate, quantum(rate), slack(rate))
}

// slack returns the bytes that may be caught up at a rate, of what was not sent in time: at high rates a quantum lasts
// no longer than a server under load is late.
func slack(rate throttle.Rate) int64 { return max(quantum(rate), rate.Bytes(quantumTime)) }

// response measures and paces what is sent. It is for one goroutine, as every http.ResponseWriter.
type response struct {
	http.ResponseWriter
	h       *Handler
	grant   grant
	ctx     context.Context
	status  int
	quantum int64         // zero: not paced
	timeout time.Duration // the server's WriteTimeout, which is made to roll while a response is paced
	dirty   bool          // something may be buffered
	timer   *time.Timer
}

// newResponse returns the writer for a request, or nil if its own will do.
func (h *Handler) newResponse(w http.ResponseWriter, r *http.Request, g grant) *response {
	q := g.quantum()
	g.measure = g.measure || q > 0
	if !g.measure && g.good {
		return nil
	}
	res := &response{ResponseWriter: w, h: h, grant: g, ctx: r.Context(), quantum: q}
	if s, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && q > 0 {
		res.timeout = s.WriteTimeout
	}
	return res
}

// quantum returns how much is sent at a time, zero if it is not paced.
func (g *grant) quantum() (q int64) {
	for _, b := range g.buckets {
		if b == nil {
			continue
		}
		if n := quantum(b.Rate()); q == 0 || n < q {
			q = n
		}
	}
	return q
}

// good reports whether the answer was something to watch, neither an error nor a redirect, given whether the handler
// returned.
func (w *response) good(returned bool) bool {
	return w.status == 0 && returned || w.status > 0 && w.status < 300 || w.status == http.StatusNotModified
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *response) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [io.Writer].
func (w *response) Write(p []byte) (n int, err error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.quantum == 0 {
		n, err = w.ResponseWriter.Write(p)
		w.count(int64(n))
		return n, err
	}
	for first := true; first || n < len(p); first = false {
		part := p[n:min(len(p), n+int(w.quantum))]
		if err := w.pace(int64(len(part))); err != nil {
			return n, err
		}
		m, err := w.ResponseWriter.Write(part)
		n += m
		w.sent(int64(m), int64(len(part)))
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// ReadFrom implements [io.ReaderFrom] and keeps sendfile.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.quantum == 0 && !w.grant.measure {
		return w.copy(src)
	}
	// A limit that is there already is taken over, as the operating system's copying sees through one only.
	part, whole := &io.LimitedReader{R: src}, int64(math.MaxInt64)
	outer, limited := src.(*io.LimitedReader)
	if limited {
		part.R, whole = outer.R, outer.N
	}
	most := w.quantum
	if most == 0 {
		most = measuredPart
	}
	for n < whole {
		want := min(most, whole-n)
		if err := w.pace(want); err != nil {
			return n, err
		}
		part.N = want
		m, err := w.copy(part)
		n += m
		if limited {
			outer.N -= want - part.N
		}
		w.sent(m, want)
		if err != nil || m < want {
			return n, err
		}
	}
	return n, nil
}

// copy copies with what the inner writer has for it.
func (w *response) copy(src io.Reader) (int64, error) {
	if to, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	buf := w.h.buffers.Get().(*[32 << 10]byte)
	defer w.h.buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w.ResponseWriter}, struct{ io.Reader }{src}, buf[:])
}

// pace waits until n bytes may be sent.
func (w *response) pace(n int64) error {
	if w.quantum == 0 {
		return nil
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	now, wait := w.h.opts.Now(), time.Duration(0)
	for _, b := range w.grant.buckets {
		if b != nil {
			wait = max(wait, b.Take(now, n))
		}
	}
	if wait > 0 {
		if err := w.sleep(wait); err != nil {
			w.giveBack(n)
			return err
		}
	}
	if w.timeout > 0 {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.timeout)) // or it has none
	}
	return nil
}

// sleep waits, with nothing left in buffers.
func (w *response) sleep(d time.Duration) error {
	if w.dirty {
		w.dirty = false
		_ = http.NewResponseController(w.ResponseWriter).Flush() // the next write says what is wrong
	}
	if w.timer == nil {
		w.timer = time.NewTimer(d)
	} else {
		w.timer.Reset(d)
	}
	select {
	case <-w.timer.C:
		return nil
	case <-w.ctx.Done():
		w.timer.Stop()
		return w.ctx.Err()
	}
}

// giveBack returns bytes that were taken and not sent.
func (w *response) giveBack(n int64) {
	for _, b := range w.grant.buckets {
		if b != nil && n > 0 {
			b.Return(n)
		}
	}
}

// sent counts n bytes of those that were taken.
func (w *response) sent(n, taken int64) {
	if w.quantum > 0 {
		w.giveBack(taken - n)
		w.dirty = true
	}
	w.count(n)
}

// count counts n bytes.
func (w *response) count(n int64) {
	if n <= 0 || !w.grant.measure {
		return
	}
	w.grant.session.bytes.Add(n)
	now := w.h.now()
	for _, m := range w.grant.meters {
		if m != nil {
			m.add(now, n)
		}
	}
}

// Flush implements [http.Flusher].
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController].
func (w *response) FlushError() error {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.dirty = false
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. It refuses with [http.ErrNotSupported] if the response is paced, as nothing would
// pace the connection.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.quantum > 0 {
		return nil, nil, http.ErrNotSupported
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
