package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// StatusOf returns the HTTP status for the error of a push, as the interfaces of IIS and DASH-IF have them where they say, and
// 200 for nil. See the table in the package documentation.
func StatusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrNoPoint):
		return http.StatusNotFound
	case errors.Is(err, ErrUnauthorized):
		return http.StatusUnauthorized
	case errors.Is(err, ErrNotAccepting), errors.Is(err, ErrForbidden):
		return http.StatusForbidden
	case errors.Is(err, ErrInUse):
		return http.StatusConflict
	case errors.Is(err, ErrNoHeader):
		return http.StatusPreconditionFailed
	case errors.Is(err, ErrMedia):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, ErrLimit):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrMalformed), errors.Is(err, ErrConflict), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, ErrSettings), errors.Is(err, ErrName):
		return http.StatusBadRequest
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	case errors.Is(err, ErrEnding), errors.Is(err, smooth.ErrClosed), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// servePush answers POST and PUT below a publishing point.
func (s *Server) servePush(w http.ResponseWriter, r *http.Request, pp pushPath) {
	rc := http.NewResponseController(w)
	// Else net/http reads on before an answer is sent, and an encoder that is refused in the middle of its body would not
	// learn of it. Where it cannot be had (HTTP/2) it is not needed.
	_ = rc.EnableFullDuplex()
	err := s.takePush(w, r, pp, rc)
	status := StatusOf(err)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", s.opts.Challenge)
	}
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
		return
	}
	s.logPush(r, pp, status, err)
	w.Header().Set("Connection", "close") // the encoder is in the middle of its body
	refuse(w, status)
}

// logPush logs a push that has failed: what the encoder is to blame for at level Info.
func (s *Server) logPush(r *http.Request, pp pushPath, status int, err error) {
	log := s.opts.Logger.Info
	if status == http.StatusInternalServerError {
		log = s.opts.Logger.Error
	}
	log("push", "point", pp.point, "stream", pp.input, "source", r.RemoteAddr, "status", status, "err", err)
}

func (s *Server) takePush(w http.ResponseWriter, r *http.Request, pp pushPath, rc *http.ResponseController) error {
	if r.Method == http.MethodPut && pp.kind == pushProbe && r.ContentLength != 0 {
		return s.takeDefinition(r, pp)
	}
	p, err := s.Point(pp.point)
	if err != nil {
		return err
	}
	info := PushInfo{Point: p.name, Event: pp.event, Input: pp.input, Source: "HTTP Push", Address: host(r.RemoteAddr)}
	if hook := s.opts.AuthorizeEncoder; hook != nil {
		if err := refusal(hook(r, info)); err != nil {
			return err
		}
	}
	if err := p.accepts(); err != nil {
		return err
	}
	if r.ContentLength == 0 || pp.kind == pushProbe || pp.kind == pushManifest {
		return discard(r.Body) // a probe, or a playlist of the encoder's own that nobody needs
	}
	body := &timedBody{body: r.Body, rc: rc, limits: s.opts.Limits}
	body.enter(phaseHeader)
	return p.push(r.Context(), info, body, body.enter, body.interrupt)
}

// refusal gives the error of a hook a sentinel.
func refusal(err error) error {
	if err == nil || errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrForbidden) {
		return err
	}
	return errors.Join(err, ErrForbidden)
}

// maxDefinition is the largest .isml file, in bytes.
const maxDefinition = 1 << 20

// takeDefinition creates a point, or changes one that is idle, by PUT of its .isml file, as the push encoder of IIS did over
// WebDAV.
func (s *Server) takeDefinition(r *http.Request, pp pushPath) error {
	if s.opts.AuthorizeCreate == nil {
		return fmt.Errorf("livesmooth: nobody may create %s: %w", pp.point, ErrForbidden)
	}
	if err := refusal(s.opts.AuthorizeCreate(r, pp.point)); err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxDefinition+1))
	switch {
	case err != nil:
		return err
	case len(data) > maxDefinition:
		return fmt.Errorf("livesmooth: %s: definition of more than %d bytes: %w", pp.point, maxDefinition, ErrLimit)
	}
	settings, err := ParseSettings(data)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrMalformed)
	}
	if p, err := s.Point(pp.point); err == nil {
		return p.SetSettings(r.Context(), settings)
	}
	_, err = s.Create(r.Context(), pp.point, settings)
	return err
}

// serveDelete removes a point, as encoders that have made one do.
func (s *Server) serveDelete(w http.ResponseWriter, r *http.Request, pp pushPath) {
	err := refusal(s.opts.AuthorizeCreate(r, pp.point))
	if err == nil {
		err = s.Remove(r.Context(), pp.point)
	}
	status := StatusOf(err)
	switch status {
	case http.StatusOK:
		w.WriteHeader(http.StatusNoContent)
		return
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", s.opts.Challenge)
	}
	s.logPush(r, pp, status, err)
	refuse(w, status)
}

// maxDiscarded is the most that is read of a body that nobody needs, in bytes.
const maxDiscarded = 1 << 20

func discard(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, maxDiscarded+1))
	if n > maxDiscarded {
		return errors.Join(errors.New("livesmooth: body that is not for a stream"), ErrLimit)
	}
	return err
}

// host returns the address without the port.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

// timedBody is the body of a push with read deadlines: each phase of it has its own.
type timedBody struct {
	body   io.Reader
	rc     *http.ResponseController
	limits Limits

	mu    sync.Mutex // guards the fields below
	until time.Time  // the end of the phase; zero if only silence counts
	set   time.Time  // the deadline that is set
	ended bool
}

// enter begins a phase.
func (b *timedBody) enter(p pushPhase) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	switch p {
	case phaseHeader:
		b.until = now.Add(b.limits.HeaderTimeout)
	case phaseFragment:
		b.until = now.Add(b.limits.FragmentTimeout)
	default:
		b.until = time.Time{}
	}
	b.deadline(now)
}

// deadline sets the read deadline where it has moved by a noticeable amount. mu must be held.
func (b *timedBody) deadline(now time.Time) {
	if b.ended {
		return
	}
	at := now.Add(b.limits.IdleTimeout)
	if !b.until.IsZero() && b.until.Before(at) {
		at = b.until
	}
	if d := at.Sub(b.set); d > -time.Second/8 && d < time.Second/8 {
		return
	}
	b.set = at
	_ = b.rc.SetReadDeadline(at) // a server without connections, as in a test, has none
}

// interrupt makes a Read return.
func (b *timedBody) interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	_ = b.rc.SetReadDeadline(time.Now().Add(-time.Second))
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deadline(time.Now())
	return n, err
}
