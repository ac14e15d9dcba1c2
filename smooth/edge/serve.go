package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/smoothkit/smoothkit/internal/httpx"
	"github.com/smoothkit/smoothkit/internal/joined"
)

// outcome is what happened to a request, as it is observed.
type outcome struct {
	result Result
	status int
	bytes  int64
	err    error
	// abort means that the connection must be cut, because the client has a part of the body only.
	abort bool
}

// serveObject answers a request with a complete object. The error is that of a file that is gone or is not what it
// should be; then nothing was sent.
func (c *Cache) serveObject(w http.ResponseWriter, r *http.Request, o *object, result Result, now time.Time, out *outcome) error {
	out.result = result
	if c.watches(r, o.size) {
		defer c.watch.End(c.watch.Begin(w))
	}
	if o.body == nil && o.size > 0 && r.Method != http.MethodHead {
		return c.serveFile(w, r, o, result, now, out)
	}
	o.writeHeader(w.Header(), result, now)
	if o.status == http.StatusOK && httpx.Conditional(r) {
		c.serveContent(w, r, o, bytes.NewReader(o.body), out)
		return nil
	}
	out.status = o.status
	if o.status != http.StatusOK || r.Method == http.MethodHead {
		w.WriteHeader(o.status)
		if r.Method == http.MethodHead {
			return nil
		}
	}
	n, err := writeBody(w, r, o.body)
	out.sent(int64(n), err)
	return nil
}

// writeBody writes a body, with the header in front of it if the connection is one that can do so.
func writeBody(w http.ResponseWriter, r *http.Request, body []byte) (int, error) {
	c := joined.Of(r)
	if c == nil {
		return w.Write(body)
	}
	c.Begin()
	defer c.End() // an error is that of a client who has left
	return w.Write(body)
}

// watchedBody is the size above which it is watched how long a body takes: smaller ones fit into the buffers of a connection.
const watchedBody = 64 << 10

// watches reports whether it is to be watched how long a body takes, whose size is negative if it is not known.
func (c *Cache) watches(r *http.Request, size int64) bool {
	if c.watch == nil || size >= 0 && size <= watchedBody || r.Method == http.MethodHead {
		return false
	}
	s, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	return !ok || s.WriteTimeout <= 0 // which would be in force anyway
}

// serveFile answers a request with an object whose body is on disk. In the usual case the kernel sends it.
func (c *Cache) serveFile(w http.ResponseWriter, r *http.Request, o *object, result Result, now time.Time, out *outcome) error {
	file, err := c.disk.open(o.file, o.size)
	if err != nil {
		c.dropFile(o.file, err)
		return err
	}
	defer file.Close()
	o.writeHeader(w.Header(), result, now)
	if o.status == http.StatusOK && httpx.Conditional(r) {
		c.serveContent(w, r, o, &fileBody{file: file, offset: o.file.offset, size: o.size}, out)
		return nil
	}
	out.status = o.status
	w.WriteHeader(o.status)
	n, err := io.CopyN(w, file, o.size)
	out.sent(n, err)
	out.abort = n < o.size
	return nil
}

// sent takes down how much of the body was sent. An error of the client is none.
func (out *outcome) sent(n int64, err error) {
	out.bytes = n
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // of the file
		out.err = fmt.Errorf("%w: file ended", ErrTruncated)
	}
}

// serveContent answers a request with conditions or ranges: RFC 9110 sections 13 and 14. The header is set already.
func (c *Cache) serveContent(w http.ResponseWriter, r *http.Request, o *object, body io.ReadSeeker, out *outcome) {
	rw := &rangeWriter{ResponseWriter: w}
	http.ServeContent(rw, r, "", o.modTime(), body)
	out.status = rw.status
}

// rangeWriter takes down the status that http.ServeContent sends, and lets the kernel send ranges of files.
type rangeWriter struct {
	http.ResponseWriter
	status int
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *rangeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *rangeWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// ReadFrom implements io.ReaderFrom. http.ServeContent copies by a LimitedReader over what it was given; where that is a
// file, the writer below gets a LimitedReader over the file itself, since only that is sent by sendfile.
func (w *rangeWriter) ReadFrom(src io.Reader) (int64, error) {
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		return io.Copy(onlyWriter{w.ResponseWriter}, src)
	}
	body, ok := limited.R.(*fileBody)
	if !ok {
		return io.Copy(w.ResponseWriter, src)
	}
	n, err := io.Copy(w.ResponseWriter, &io.LimitedReader{R: body.file, N: limited.N})
	limited.N -= n
	return n, err
}

// onlyWriter hides what else a writer is.
type onlyWriter struct{ io.Writer }

// fileBody is the body in a file, from an offset to its end, as http.ServeContent reads it.
type fileBody struct {
	file         *os.File
	offset, size int64
}

// Read implements io.Reader.
func (b *fileBody) Read(p []byte) (int, error) { return b.file.Read(p) }

// Seek implements io.Seeker.
func (b *fileBody) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		offset += b.offset
	}
	n, err := b.file.Seek(offset, whence)
	return n - b.offset, err
}

// flightBody is a body in flight of known size, as http.ServeContent reads it: a read waits until there is something.
type flightBody struct {
	f   *flight
	ctx context.Context // of the request
	pos int64
	err error
}

// Read implements io.Reader.
func (b *flightBody) Read(p []byte) (int, error) {
	for {
		data, wake, err := b.f.next(b.pos)
		switch {
		case len(data) > 0:
			n := copy(p, data)
			b.pos += int64(n)
			return n, nil
		case wake == nil && err == nil:
			return 0, io.EOF
		case wake == nil:
			b.err = err
			return 0, err
		}
		select {
		case <-wake:
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
}

// Seek implements io.Seeker.
func (b *flightBody) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.pos
	case io.SeekEnd:
		offset += b.f.head.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("edge: seek to %d", offset)
	}
	b.pos = offset
	return offset, nil
}
