package smooth

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

// exchange is one request on its way through a handler, and the response writer that outputs and http.ServeContent
// see: it counts what is written and keeps the way to sendfile open.
type exchange struct {
	w     http.ResponseWriter
	r     *http.Request
	req   Request
	start time.Time // set if somebody wants it

	status int   // sent; 0 before
	bytes  int64 // of the body
	size   int64 // Content-Length that http.ServeContent leaves out; -1 if none
	err    error

	shared bool // an output has seen it, so that it is not used again
}

// exchanges keeps those that nobody else has seen.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// Header implements [http.ResponseWriter].
func (x *exchange) Header() http.Header { return x.w.Header() }

// WriteHeader implements [http.ResponseWriter].
func (x *exchange) WriteHeader(status int) {
	if status >= 200 && x.status == 0 {
		x.status = status
		header := x.w.Header()
		switch {
		case status == http.StatusOK && x.size >= 0 && header["Content-Length"] == nil:
			header.Set("Content-Length", strconv.FormatInt(x.size, 10))
		case status == http.StatusPreconditionFailed:
			header.Set("Cache-Control", "no-store")
		}
	}
	x.w.WriteHeader(status)
}

// Write implements [io.Writer].
func (x *exchange) Write(p []byte) (int, error) {
	x.begin()
	n, err := x.w.Write(p)
	x.bytes += int64(n)
	return n, err
}

// ReadFrom implements [io.ReaderFrom], through which net/http reaches sendfile.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	x.begin()
	var n int64
	var err error
	if rf, ok := x.w.(io.ReaderFrom); ok {
		n, err = rf.ReadFrom(src)
	} else {
		buf := sendBuffers.Get().(*[sendBufferSize]byte)
		defer sendBuffers.Put(buf)
		n, err = io.CopyBuffer(struct{ io.Writer }{x.w}, src, buf[:])
	}
	x.bytes += n
	return n, err
}

// Unwrap lets [http.ResponseController] reach the writer below.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }

func (x *exchange) begin() {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
}

// document is a complete small body with its headers.
type document struct {
	data     []byte
	mime     []string
	cache    []string
	etag     string
	vary     []string
	encoding []string
	modified []string  // of the headers; nil if unknown
	modTime  time.Time // the same
}

// sendBytes answers with a document.
func (x *exchange) sendBytes(d *document) error {
	h := x.w.Header()
	h["Content-Type"] = d.mime
	h["Cache-Control"] = d.cache
	h["Accept-Ranges"] = acceptRanges
	text := [...]string{d.etag, strconv.Itoa(len(d.data))} // one allocation for both
	h["Etag"] = text[:1:1]
	if d.vary != nil {
		addVary(h, d.vary)
	}
	if d.encoding != nil {
		h["Content-Encoding"] = d.encoding
	}
	if d.modified != nil {
		h["Last-Modified"] = d.modified
	}
	x.size = int64(len(d.data))
	if httpx.Conditional(x.r) {
		http.ServeContent(x, x.r, "", d.modTime, bytes.NewReader(d.data))
		return nil
	}
	h["Content-Length"] = text[1:]
	x.WriteHeader(http.StatusOK)
	if x.r.Method == http.MethodHead {
		return nil
	}
	_, err := x.Write(d.data)
	return err
}
