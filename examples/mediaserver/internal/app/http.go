package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth/access"
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

	conns listen.Conns

	mu      sync.Mutex // guards the rest
	known   map[string]config.Listener
	servers map[string]*http.Server
}

func newServers(a *app, cfg *config.Config) *httpServers {
	s := &httpServers{
		app: a, servers: make(map[string]*http.Server), header: cmp.Or(cfg.Limits.ConnectionAcknowledgement.D(), headerTimeout),
	}
	s.configure(cfg)
	return s
}

// configure says what listeners are like that begin from now on.
func (s *httpServers) configure(cfg *config.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = make(map[string]config.Listener)
	for _, l := range cfg.Listen {
		s.known[l.Address] = l
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
	srv, cfg, err := s.server(spec)
	if err != nil {
		return err
	}
	if srv.TLSConfig != nil {
		if !cfg.Tolerant {
			return srv.ServeTLS(l, "", "")
		}
		l = tls.NewListener(l, srv.TLSConfig)
	}
	if cfg.Tolerant {
		l = livesmooth.TolerantListener(l)
	}
	return srv.Serve(l)
}

// server returns the HTTP server of an address. There may be one from before a handover that did not come about.
func (s *httpServers) server(spec listen.Spec) (*http.Server, *config.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg := s.known[spec.Address] // what systemd passed without being asked for has the zero value
	cfg.Address = spec.Address
	if srv := s.servers[spec.Address]; srv != nil {
		return srv, &cfg, nil
	}
	srv := &http.Server{
		Handler: s, ReadHeaderTimeout: s.header, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(s.app.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return server.WithListener(context.Background(), &cfg) },
		ConnContext: throttle.ConnContext, ConnState: s.conns.ConnState,
	}
	if cfg.TLS != nil {
		var err error
		if srv.TLSConfig, err = tlsConfig(cfg.TLS, s.app.log); err != nil {
			return nil, nil, err
		}
	}
	s.servers[spec.Address] = srv
	return srv, &cfg, nil
}

// tlsConfig has certificates that are read again when their files change.
func tlsConfig(cfg *config.TLS, log *slog.Logger) (*tls.Config, error) {
	var files []access.CertificateFiles
	for _, p := range cfg.Certificates {
		files = append(files, access.CertificateFiles{Certificate: p.Certificate, Key: p.Key})
	}
	certs, err := access.NewCertificates(files, &access.CertificatesOptions{Logger: log, ClientCAs: cfg.ClientCA})
	if err != nil {
		return nil, err
	}
	c := certs.TLSConfig()
	if cfg.Minimum == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	return c, nil
}

// all returns the servers.
func (s *httpServers) all() (list []*http.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, srv := range s.servers {
		list = append(list, srv)
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
	return errors.Join(errs...)
}

// drain waits for requests under way, also those of connections that have just been accepted, and cuts those that are left when ctx
// ends.
func (s *httpServers) drain(ctx context.Context) error {
	servers := s.all()
	err := s.conns.Drain(ctx, servers...)
	if err == nil {
		return nil
	}
	for _, srv := range servers {
		err = errors.Join(err, srv.Close())
	}
	return err
}

// debugServer is the listener for pprof.
type debugServer struct{ srv *http.Server }

// startDebug serves pprof on an address of its own. It is no error if there is none.
func startDebug(address string, log *slog.Logger) (*debugServer, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	d := &debugServer{&http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}}
	go d.srv.Serve(l)
	log.Info("pprof", "address", l.Addr().String())
	return d, nil
}

func (d *debugServer) close() {
	if d != nil {
		d.srv.Close()
	}
}
