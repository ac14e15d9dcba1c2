package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
	"github.com/smoothkit/smoothkit/smooth/edge"
	"github.com/smoothkit/smoothkit/throttle"
)

const (
	// headerTimeout is how long a client may take to send the header of a request, unless the configuration says otherwise: who sends it
	// a byte at a time holds nothing but a connection until then.
	headerTimeout = 10 * time.Second
	// idleTimeout is how long a connection is kept between requests.
	idleTimeout = 2 * time.Minute
	// maxHeader bounds the header of a request. Real ones have less than 8 kB, with cookies and tokens.
	maxHeader = 64 << 10
)

// httpServers are the HTTP servers of the listeners, one for each address. It is safe for concurrent use.
type httpServers struct {
	app     *app
	handler atomic.Pointer[server.Server]
	header  time.Duration

	conns   listen.Conns
	leaving sync.WaitGroup // servers of addresses that are not configured any more

	mu      sync.Mutex // guards the rest
	known   map[string]*listener
	servers map[string]*addressServer
	gone    map[*addressServer]bool // what leaving waits for
}

// addressServer is the server of an address.
type addressServer struct {
	*http.Server
	now atomic.Pointer[listener]
}

func newServers(a *app, cfg *config.Config) (*httpServers, error) {
	s := &httpServers{
		app: a, servers: make(map[string]*addressServer), gone: make(map[*addressServer]bool),
		header: cmp.Or(cfg.Limits.ConnectionAcknowledgement.D(), headerTimeout),
	}
	known, err := s.prepare(cfg)
	if err != nil {
		return nil, err
	}
	s.configure(known)
	return s, nil
}

// prepare reads what the listeners of a configuration need. Certificates that are used already stay.
func (s *httpServers) prepare(cfg *config.Config) (map[string]*listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[string]*listener)
	for _, l := range cfg.Listen {
		made, err := newListener(l, s.known[l.Address], s.app.log)
		if err != nil {
			return nil, fmt.Errorf("listen %s: %w", l.Address, err)
		}
		known[l.Address] = made
	}
	return known, nil
}

// configure says what listeners are like: for connections that are accepted from now on, and who may use them for requests from now on.
func (s *httpServers) configure(known map[string]*listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = known
	for address, srv := range s.servers {
		if l := known[address]; l != nil {
			srv.now.Store(l)
		}
	}
}

// forget lets the servers of addresses that were configured and are not any more end when the requests that they have do. Nothing must
// be accepted for them.
func (s *httpServers) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, srv := range s.servers {
		if s.known[address] != nil || srv.now.Load().unasked {
			continue
		}
		delete(s.servers, address)
		s.gone[srv] = true
		s.leaving.Go(func() {
			srv.Shutdown(context.Background()) // until then, or until shutdown or drain cuts what is left
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.gone, srv)
		})
	}
}

// set says who answers.
func (s *httpServers) set(h *server.Server) { s.handler.Store(h) }

// ServeHTTP implements http.Handler.
func (s *httpServers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handler.Load().ServeHTTP(w, r)
}

// serve is for listen.Set.Serve.
func (s *httpServers) serve(l net.Listener, spec listen.Spec) error {
	srv := s.server(spec)
	return srv.Serve(edge.NewListener(&accepter{Listener: l, now: &srv.now})) // which leaves alone what is not plain TCP
}

// connContext lets handlers find the connection of a request: caches that of their listener, and the throttle the one below it, on
// which the kernel can pace.
func connContext(ctx context.Context, c net.Conn) context.Context {
	ctx = edge.ConnContext(ctx, c)
	if below, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = below.NetConn()
	}
	return throttle.ConnContext(ctx, c)
}

// server returns the HTTP server of an address. There may be one from before a handover that did not come about.
func (s *httpServers) server(spec listen.Spec) *addressServer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if srv := s.servers[spec.Address]; srv != nil {
		return srv
	}
	srv := &addressServer{}
	if l := s.known[spec.Address]; l != nil {
		srv.now.Store(l)
	} else { // systemd has passed it without being asked
		srv.now.Store(&listener{cfg: config.Listener{Address: spec.Address}, unasked: true})
	}
	current := func() *config.Listener { return &srv.now.Load().cfg }
	srv.Server = &http.Server{
		Handler: s, ReadHeaderTimeout: s.header, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(s.app.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return server.WithListener(context.Background(), current) },
		ConnContext: connContext, ConnState: s.conns.ConnState,
	}
	s.servers[spec.Address] = srv
	return srv
}

// all returns the servers, with those that are leaving.
func (s *httpServers) all() (list []*http.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, srv := range s.servers {
		list = append(list, srv.Server)
	}
	for srv := range s.gone {
		list = append(list, srv.Server)
	}
	return list
}

// keepAlives says whether connections are kept between requests.
func (s *httpServers) keepAlives(on bool) {
	for _, srv := range s.all() {
		srv.SetKeepAlivesEnabled(on)
	}
}

// shutdown waits for requests under way, and cuts those that are left when ctx ends.
func (s *httpServers) shutdown(ctx context.Context) error {
	var all sync.WaitGroup
	servers := s.all()
	errs := make([]error, len(servers))
	for i, srv := range servers {
		all.Go(func() {
			if errs[i] = srv.Shutdown(ctx); errs[i] != nil {
				errs[i] = srv.Close() // who is still there has had its time
			}
		})
	}
	all.Wait()
	s.leaving.Wait()
	return errors.Join(errs...)
}

// drain waits for requests under way, also those of connections that have just been accepted, and cuts those that are left when ctx
// ends.
func (s *httpServers) drain(ctx context.Context) error {
	servers := s.all()
	err := s.conns.Drain(ctx, servers...)
	if err == nil || errors.Is(err, context.Canceled) {
		return err // the program is told to end meanwhile, and gives them the time that they have then
	}
	for _, srv := range servers {
		err = errors.Join(err, srv.Close())
	}
	return err
}
