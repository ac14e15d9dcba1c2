package httpx

import (
	"io"
	"net/http"
	"sync"
)

// ReadErrors passes a body to [http.ServeContent] and keeps the error of a read, which ServeContent does not report. A
// goroutine of ServeContent that puts several ranges together may still read when ServeContent has returned because
// the client is gone; the body is not the request's any more then.
type ReadErrors struct {
	mu    sync.Mutex // guards the fields below
	body  io.ReaderAt
	err   error
	ended bool
}

// NewReadErrors returns a reader of body.
func NewReadErrors(body io.ReaderAt) *ReadErrors { return &ReadErrors{body: body} }

// End waits for a read that is under way, ends further ones, and returns the error of those before.
func (r *ReadErrors) End() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	return r.err
}

// ReadAt implements [io.ReaderAt].
func (r *ReadErrors) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := r.body.ReadAt(p, off)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
