package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// bodyTimeout bounds how long a document may take to arrive.
const bodyTimeout = 30 * time.Second

// Handler serves the management services of a [livesmooth.Server]. It is safe for concurrent use.
type Handler struct {
	server server
	opts   Options
	origin *http.CrossOriginProtection

	closing chan struct{} // closed by Close
	close   sync.Once
	streams chan struct{} // one token for each event stream
}

// NewHandler returns a handler for the publishing points of a server. It returns [ErrNoAuthorize] without
// Options.Authorize, and an error for a base URL or an origin that is none. It copies opts.
func NewHandler(s *livesmooth.Server, opts *Options) (*Handler, error) {
	return newHandler(liveServer{s}, opts)
}

func newHandler(s server, opts *Options) (*Handler, error) {
	h := &Handler{
		server: s, opts: opts.withDefaults(), origin: http.NewCrossOriginProtection(),
		closing: make(chan struct{}), streams: make(chan struct{}, maxStreams),
	}
	if h.opts.Authorize == nil {
		return nil, fmt.Errorf("manage: %w", ErrNoAuthorize)
	}
	if b := h.opts.BaseURL; b != "" {
		if u, err := url.Parse(b); err != nil || u.Scheme == "" || u.Host == "" {
			return nil, fmt.Errorf("manage: base URL %q is not absolute", b)
		}
	}
	for _, o := range h.opts.TrustedOrigins {
		if err := h.origin.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("manage: %w", err)
		}
	}
	return h, nil
}

// Handles reports whether a decoded URL path is one of the management services, in any case: the list of publishing
// points, or settings, state, statistics or events below a path that ends in ".isml". ServeHTTP gives all others to
// Options.Next.
func (h *Handler) Handles(path string) bool {
	res, _ := route(path)
	return res != noResource
}

// Close ends the event streams, which otherwise go on as long as their clients and publishing points do and keep
// [http.Server.Shutdown] waiting. New ones are refused with 503; everything else works on.
func (h *Handler) Close() error {
	h.close.Do(func() { close(h.closing) })
	return nil
}

// exchange is one request with what has been found out about it.
type exchange struct {
	h      *Handler
	w      http.ResponseWriter
	r      *http.Request
	res    resource
	name   string // of the publishing point, as the server spells it
	point  point  // nil if there is none
	base   string // of absolute URLs
	format format
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	res, name := route(r.URL.Path)
	if res == noResource {
		if h.opts.Next != nil {
			h.opts.Next.ServeHTTP(w, r)
		} else {
			http.NotFound(w, r)
		}
		return
	}
	x := &exchange{h: h, w: w, r: r, res: res, name: name, base: h.base(r), format: answerFormat(r)}
	if res == eventsResource {
		x.format = jsonFormat
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept")
	x.finish(x.serve())
}

// serve checks what all resources have in common: the method, then where the request comes from and who sends it, and
// only then what there is, so that strangers learn nothing about publishing points.
func (x *exchange) serve() error {
	if !x.res.allows(x.r.Method) {
		x.w.Header().Set("Allow", methods[x.res])
		return fail(codeMethod, "")
	}
	if err := x.h.origin.Check(x.r); err != nil {
		return &failure{code: codeCrossOrigin, err: err}
	}
	if x.res == listResource || x.res == detailsResource {
		return x.serveCollection()
	}
	missing := x.find()
	if err := x.authorize(x.operation()); err != nil {
		return err
	}
	if missing != nil {
		return missing
	}
	switch x.res {
	case settingsResource:
		return x.serveSettings()
	case stateResource:
		return x.serveState()
	case statisticsResource:
		return x.sendStatistics()
	}
	return x.serveEvents()
}

// find looks for the publishing point, and takes over its spelling of the name.
func (x *exchange) find() error {
	if isReserved(x.name) || hidesSlash(x.r.URL) {
		return fail(codeNotFound, "")
	}
	p, err := x.h.server.find(x.name)
	switch {
	case errors.Is(err, livesmooth.ErrName):
		return &failure{code: codeNotFound, err: err}
	case err != nil:
		return err
	}
	x.point, x.name = p, p.Name()
	return nil
}

// operation returns what a request to a publishing point wants to do.
func (x *exchange) operation() Operation {
	op := Operation{Kind: Read, Point: x.name}
	switch x.r.Method {
	case http.MethodPut:
		op.Kind = Write
	case http.MethodDelete:
		op.Kind = Delete
	}
	return op
}

// authorize asks the application.
func (x *exchange) authorize(op Operation) error {
	err := x.h.opts.Authorize(x.r, op)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnauthenticated):
		return &failure{code: codeUnauthenticated, err: err}
	}
	return &failure{code: codeDenied, err: err}
}

// may reports whether the sender of the request may do something.
func (x *exchange) may(kind Kind, name string) bool {
	return x.h.opts.Authorize(x.r, Operation{Kind: kind, Point: name}) == nil
}

// body reads a document and tells its form.
func (x *exchange) body() ([]byte, format, error) {
	kind := contentFormat(x.r)
	if kind != typeAtom && kind != typeJSON {
		return nil, 0, fail(codeContentType, "")
	}
	rc := http.NewResponseController(x.w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTimeout)) // where it is not supported the server's own has to do
	data, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	_ = rc.SetReadDeadline(time.Time{}) // else it would end the request later
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, 0, fail(codeData, "more than %d bytes", maxBody)
	case err != nil:
		return nil, 0, &failure{code: codeXML, err: err}
	case kind == typeJSON:
		return data, jsonFormat, nil
	}
	return data, atomFormat, nil
}

// sendElement answers with an Atom document.
func (x *exchange) sendElement(status int, e *element) error {
	return x.send(status, typeAtom, e.document())
}

// sendJSON answers with a JSON document.
func (x *exchange) sendJSON(status int, v any) error {
	b, err := encodeJSON(v)
	if err != nil {
		return err
	}
	return x.send(status, typeJSON, b)
}

// send answers with a document; an empty one has no type. That a client has gone meanwhile is no error.
func (x *exchange) send(status int, kind string, body []byte) error {
	header := x.w.Header()
	if len(body) > 0 {
		header.Set("Content-Type", kind)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body)
	}
	return nil
}

// finish answers with an error, if there is one, and logs.
func (x *exchange) finish(err error) {
	log := []any{"operation", x.r.Method + " " + x.resourceName(), "point", x.name}
	if err == nil {
		if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
			x.h.opts.Logger.InfoContext(x.r.Context(), "managed", log...)
		}
		return
	}
	f := failureOf(err)
	x.h.opts.Logger.Log(x.r.Context(), x.level(f), "management request failed",
		append(log, "status", f.code.status, "err", err)...)
	if f.code.status == http.StatusUnauthorized {
		x.w.Header().Set("WWW-Authenticate", x.h.opts.Challenge)
	}
	if x.format == jsonFormat {
		_ = x.sendJSON(f.code.status, jsonError(f)) // strings can be marshalled
		return
	}
	_ = x.send(f.code.status, typeXML, errorElement(f).document()) // see send
}

func (x *exchange) resourceName() string {
	if x.res == listResource || x.res == detailsResource {
		return "publishing points"
	}
	return actions[x.res]
}

// level is that of the log record of an error.
func (x *exchange) level(f *failure) slog.Level {
	switch {
	case errors.Is(x.r.Context().Err(), context.Canceled), f.code == codeNotFound:
		return slog.LevelDebug
	case f.code.status == http.StatusInternalServerError:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// errorElement is an error as IIS wrote it.
func errorElement(f *failure) *element {
	e := node("Error", textNode("ErrorCode", formatHRESULT(f.code.value)), textNode("ErrorMessage", f.message()))
	if f.code.internal != 0 {
		e.add(textNode("InternalError", formatHRESULT(f.code.internal)))
	}
	return node("SmoothStreaming", e)
}

func jsonError(f *failure) any {
	type fields struct {
		Code    string `json:"code"`
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	return struct {
		Error fields `json:"error"`
	}{fields{formatHRESULT(f.code.value), f.code.name, f.message()}}
}
