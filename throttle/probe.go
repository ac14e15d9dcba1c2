package throttle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// probeTimeout bounds all questions of one detection to the handler inside.
const probeTimeout = 5 * time.Second

// inside reads a resource by asking its handler for ranges of it, as a client would.
type inside struct {
	next  http.Handler
	r     *http.Request
	total int64
	until time.Time // it may take
}

// size asks for the first byte to learn the size of the resource, -1 if it is not said.
func (f *inside) size() int64 {
	w, err := f.ask(make([]byte, 1), 0)
	if err != nil {
		return -1
	}
	_, total, _ := contentRange(w.header.Get("Content-Range"))
	return total
}

// ReadAt implements io.ReaderAt.
func (f *inside) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.total {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), f.total-off))
	w, err := f.ask(p[:n], off)
	if err != nil {
		return 0, err
	}
	want := fmt.Sprintf("bytes %d-%d/%d", off, off+int64(n)-1, f.total)
	if got := w.header.Get("Content-Range"); got != want || len(w.buf) != n {
		return 0, fmt.Errorf("%w: asked for %s, it answers %.60q and %d bytes", errNoContent, want, got, len(w.buf))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// ask reads a range into p.
func (f *inside) ask(p []byte, off int64) (w *rangeWriter, err error) {
	defer func() { // a reverse proxy panics when what it copies to fails
		if v := recover(); v != nil {
			err = fmt.Errorf("throttle: the handler panicked when it was asked for a range: %v", v)
		}
	}()
	ctx, cancel := context.WithDeadline(f.r.Context(), f.until)
	defer cancel()
	r := f.r.Clone(ctx)
	r.Method, r.Body = http.MethodGet, http.NoBody
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Accept-Encoding"} {
		r.Header.Del(name)
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1))
	w = &rangeWriter{header: make(http.Header), buf: p[:0:len(p)]}
	f.next.ServeHTTP(w, r)
	if err := ctx.Err(); err != nil {
		return nil, err // what came is not an answer
	}
	switch {
	case w.status == http.StatusPartialContent:
		return w, nil
	case w.status == 0 || w.status >= 500 || w.status == http.StatusTooManyRequests: // may pass
		return nil, fmt.Errorf("throttle: asked the handler for a range, got status %d", w.status)
	}
	return nil, fmt.Errorf("%w: asked for a range, it answers %d", errNoContent, w.status)
}

// rangeWriter keeps the body of a response, as far as it fits.
type rangeWriter struct {
	header http.Header
	status int
	buf    []byte // to its capacity
}

var errProbed = errors.New("throttle: more bytes than the range has")

// Header implements http.ResponseWriter.
func (w *rangeWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *rangeWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *rangeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.status != http.StatusPartialContent || len(p) > cap(w.buf)-len(w.buf) {
		return 0, errProbed
	}
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// canProbe reports whether a response says that its handler knows ranges.
func canProbe(status int, h http.Header) bool {
	return status == http.StatusPartialContent || strings.EqualFold(h.Get("Accept-Ranges"), "bytes")
}
