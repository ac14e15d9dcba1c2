package livesmooth

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// ServeHTTP implements [http.Handler]. It takes pushes and the requests of other servers, and gives viewers' requests to a
// [smooth.Handler] with the outputs of the point. What is not for a publishing point goes to Options.Next.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	switch pp, ok := parsePushPath(path); {
	case ok && pp.kind == pushServerManifest && r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	case ok && (r.Method == http.MethodPost || r.Method == http.MethodPut):
		s.servePush(w, r, pp)
		return
	case ok && pp.kind == pushProbe && r.Method == http.MethodDelete && s.opts.AuthorizeCreate != nil:
		s.serveDelete(w, r, pp)
		return
	case ok && pp.kind.toServers() && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.serveServer(w, r, pp)
		return
	}
	if p := s.pointOf(r); p != nil {
		p.serveViewer(w, r)
		return
	}
	if s.opts.Next != nil {
		s.opts.Next.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// pointOf returns the point that a viewer's request is for, or nil.
func (s *Server) pointOf(r *http.Request) *Point {
	q, err := smooth.ParseRequest(r.URL)
	name := q.Presentation
	if err != nil {
		if name = pointPath(r.URL.Path); name == "" { // a malformed request for a point is answered as one
			return nil
		}
	}
	if !isPointName(name) {
		return nil
	}
	p, err := s.Point(name)
	if err != nil {
		return nil
	}
	return p
}

// pointPath returns the path up to the first element that names a publishing point, or "".
func pointPath(path string) string {
	path = strings.TrimPrefix(path, "/")
	for at := 0; at < len(path); {
		end := strings.IndexByte(path[at:], '/')
		if end < 0 {
			end = len(path) - at
		}
		if isPointName(path[at : at+end]) {
			return path[:at+end]
		}
		at += end + 1
	}
	return ""
}

// serveViewer answers a viewer.
func (p *Point) serveViewer(w http.ResponseWriter, r *http.Request) {
	h := p.acquireHandler()
	defer h.release()
	if !h.enabled {
		refuse(w, http.StatusForbidden)
		return
	}
	p.viewers.note(r, p.srv.opts.Now())
	h.handler.ServeHTTP(w, r)
}

// refuse answers with a status and nothing else than its words.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, strings.ToLower(http.StatusText(status)), status)
}

// viewerHandler is the handler of a point with certain settings. It outlives them until its last request is answered.
type viewerHandler struct {
	handler *smooth.Handler
	enabled bool
	closers []io.Closer

	mu      sync.Mutex // guards the fields below
	users   int
	retired bool
}

// RestartMaxAge is the Cache-Control lifetime of fragments of a point with AutoRestart, unless Options.Viewers has another:
// the next event may have the same URLs with other content. Outputs of such a point should not have a longer one.
const RestartMaxAge = 10 * time.Second

// newViewerHandler returns the handler for a point with these settings.
func (s *Server) newViewerHandler(name string, set *Settings) *viewerHandler {
	var opts smooth.HandlerOptions
	if s.opts.Viewers != nil {
		opts = *s.opts.Viewers
	}
	opts.Logger = cmp.Or(opts.Logger, s.opts.Logger)
	if set.AutoRestart && opts.FragmentMaxAge == 0 {
		opts.FragmentMaxAge = RestartMaxAge
	}
	v := &viewerHandler{enabled: set.Viewers.Enabled}
	if s.opts.Outputs != nil {
		own := s.opts.Outputs(name, set.Clone())
		for _, o := range own {
			if c, ok := o.(io.Closer); ok {
				v.closers = append(v.closers, c)
			}
		}
		opts.Outputs = slices.Concat(own, opts.Outputs)
	}
	v.handler = smooth.NewHandler(s, &opts)
	return v
}

// acquireHandler returns the handler of the settings that count now. The caller releases it.
func (p *Point) acquireHandler() *viewerHandler {
	for {
		h := p.handler.Load()
		h.mu.Lock()
		if !h.retired || p.handler.Load() == h { // a removed point keeps its last one
			h.users++
			h.mu.Unlock()
			return h
		}
		h.mu.Unlock()
	}
}

func (h *viewerHandler) release() {
	h.mu.Lock()
	h.users--
	last := h.retired && h.users == 0
	h.mu.Unlock()
	if last {
		h.close()
	}
}

// retire closes the outputs once nobody uses them.
func (h *viewerHandler) retire() {
	h.mu.Lock()
	last := !h.retired && h.users == 0
	h.retired = true
	h.mu.Unlock()
	if last {
		h.close()
	}
}

func (h *viewerHandler) close() {
	for _, c := range h.closers {
		c.Close()
	}
	h.closers = nil
}
