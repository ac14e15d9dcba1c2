package validate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"github.com/smoothkit/smoothkit/smooth"
)

// Handler checks what a handler serves, without a network: path is that of the manifest or of the presentation, such
// as "/film.ism". Every request runs on the goroutine that checks its answer.
func Handler(ctx context.Context, h http.Handler, path string, opts *Options) (*Report, error) {
	o := opts.withDefaults()
	o.Client = HandlerClient(h)
	return URL(ctx, "http://localhost"+path, &o)
}

// Source checks the presentation called name of a source as [smooth.Handler] serves it.
func Source(ctx context.Context, src smooth.Source, name string, opts *Options) (*Report, error) {
	// Half of the requests are meant to fail; they do not belong in the application's log.
	h := smooth.NewHandler(src, &smooth.HandlerOptions{Logger: slog.New(slog.DiscardHandler)})
	return Handler(ctx, h, (&url.URL{Path: "/" + name + "/Manifest"}).EscapedPath(), opts)
}

// HandlerClient returns a client whose requests h answers, without a network and whatever their host. Every request
// runs on the goroutine that sends it; a panic of h is a lost connection. Validators of other formats use it.
func HandlerClient(h http.Handler) *http.Client { return &http.Client{Transport: handlerTransport{h}} }

// handlerTransport answers requests by a handler.
type handlerTransport struct{ h http.Handler }

// RoundTrip implements [http.RoundTripper]. A panic of the handler is a lost connection, as it is on a server.
func (t handlerTransport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	r = r.Clone(r.Context())
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "127.0.0.1:0"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &answerWriter{header: make(http.Header)}
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, fmt.Errorf("the handler panicked: %v", p)
		}
	}()
	t.h.ServeHTTP(w, r)
	return w.response(r), nil
}

// answerWriter collects a response in memory.
type answerWriter struct {
	header http.Header
	sent   http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (w *answerWriter) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

// Write implements [http.ResponseWriter].
func (w *answerWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// response completes the answer as net/http's server does.
func (w *answerWriter) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	length := int64(-1)
	stated := w.sent.Get("Content-Length")
	if n, err := strconv.ParseInt(stated, 10, 64); err == nil {
		length = n
	}
	var body io.Reader = &w.body
	switch {
	case r.Method == http.MethodHead || w.status == http.StatusNotModified:
		body = http.NoBody
	case length < 0:
		length = int64(w.body.Len())
	case int64(w.body.Len()) < length:
		body = io.MultiReader(&w.body, cutOff{})
	default:
		body = io.LimitReader(&w.body, length)
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}
}

// cutOff is the end of a body that is too short.
type cutOff struct{}

// Read implements [io.Reader].
func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
