// Package server composes the media server: what a configuration names, from presentations, publishing points, playlists, throttled
// files and caches to limits, access, statistics and the console, in front of one another in the order in which a request meets them.
//
//	request -> statistics -> site -> access -> aliases -> limits -> edge | archive | publishing points
//	                                                             -> playlists | presentations | throttled files
//
// The configuration may change while it runs: see Server.Reload.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth/access"
	"github.com/smoothkit/smoothkit/smooth/usage"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

// Options are what a server has besides its configuration. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Logger gets what happens. Nil means slog.Default().
	Logger *slog.Logger
	// Version of the program, for the console.
	Version string
	// File is the configuration file, for the console.
	File string
	// Listeners says how the addresses are doing, for the console and readiness. Nil means that nobody knows.
	Listeners func() []console.Listener
}

// Server is the media server. It is safe for concurrent use.
type Server struct {
	opts     Options // without Logger, which is log
	log      *slog.Logger
	started  time.Time
	hls      *hls.Output
	attempts *access.Attempts
	limits   *limit.Handler
	usage    *statistics
	console  *console.Console
	events   eventLog
	pool     pool
	current  atomic.Pointer[generation]
	ending   sync.WaitGroup // generations that are not closed yet

	changing sync.Mutex // held while the configuration changes, or what is exclusive comes and goes
	closed   bool       // guarded by changing

	mu    sync.Mutex // guards state
	state console.Config
}

// New returns a server. It fails if something that the configuration names cannot be had.
func New(cfg *config.Config, opts *Options) (*Server, error) {
	s := &Server{started: time.Now()}
	if opts != nil {
		s.opts = *opts
	}
	if s.log = s.opts.Logger; s.log == nil {
		s.log = slog.Default()
	}
	s.hls = hls.NewOutput(&hls.Options{Logger: s.log})
	s.limits = s.newLimits(cfg)
	s.attempts = access.NewAttempts(&access.AttemptsOptions{Address: addressOf})
	var err error
	if s.usage, err = s.newStatistics(); err != nil {
		return nil, errors.Join(err, s.hls.Close())
	}
	s.console = s.newConsole()
	if err := s.Reload(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.usage.Emit(usage.Event{Kind: usage.Started, Subject: "server", Message: "the server serves"})
	return s, nil
}

// Reload serves what another configuration says, from the next request on. Requests under way end as they began; publishing points,
// caches and statistics that both configurations have go on. If it fails, everything stays as it was.
//
// Recordings of points that the new configuration does not have are ended first, which takes until its grace is over at most: an event
// that goes on at another point of the same name then does so in the same recording.
func (s *Server) Reload(cfg *config.Config) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.reload(cfg)
}

// reload is Reload for who changes the configuration.
func (s *Server) reload(cfg *config.Config) error {
	if s.closed {
		return errors.New("the server has ended")
	}
	g, err := s.build(cfg)
	if err != nil {
		s.note(err)
		return err
	}
	old := s.current.Load()
	if old != nil {
		old.retire(g)
	}
	s.limits.SetRules(limitRules(&cfg.Limits))
	s.current.Store(g)
	s.mu.Lock()
	s.state = console.Config{File: s.opts.File, Loaded: time.Now(), Warnings: g.warnings}
	s.mu.Unlock()
	if old != nil {
		s.usage.Emit(usage.Event{Kind: usage.ConfigReloaded, Subject: "configuration", Message: "a new configuration is in force"})
		old.leave()
	}
	return nil
}

// Failed tells the console that the newest state of the configuration cannot be used.
func (s *Server) Failed(err error) {
	s.note(err)
	s.usage.Emit(usage.Event{Kind: usage.ConfigFailed, Subject: "configuration", Message: err.Error()})
}

// note keeps an error for the console.
func (s *Server) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Error, s.state.At = err.Error(), time.Now()
}

// build makes a generation and puts what it shares with others in force. If that fails, nothing has changed.
func (s *Server) build(cfg *config.Config) (*generation, error) {
	g := &generation{server: s, cfg: cfg}
	g.users.Store(1)
	s.ending.Add(1)
	err := g.fill()
	if err == nil {
		err = s.share(g)
	}
	if err != nil {
		s.ending.Done()
		return nil, errors.Join(err, s.pool.drop(g))
	}
	return g, nil
}

// share changes what generations share to what the newest one wants: all of it, or nothing.
func (s *Server) share(g *generation) error {
	recording, err := s.usage.prepare(&g.cfg.Usage, s, g.secrets())
	if err != nil {
		return err
	}
	for _, change := range g.changes {
		if err = change(); err != nil {
			break
		}
	}
	if err == nil {
		recording.apply(s.log)
		return nil
	}
	if old := s.current.Load(); old != nil {
		for _, change := range old.changes {
			err = errors.Join(err, change())
		}
	}
	return errors.Join(err, recording.close())
}

func (g *generation) fill() error {
	cfg := g.cfg
	var err error
	if g.access, err = g.newAccess(&cfg.Access, nil); err != nil {
		return err
	}
	if err := g.openArchive(); err != nil {
		return err
	}
	if err := g.addPage(); err != nil {
		return err
	}
	for i := range cfg.Sites {
		if err := g.addSite(&cfg.Sites[i]); err != nil {
			return fmt.Errorf("site %q: %w", cfg.Sites[i].Name, err)
		}
	}
	return nil
}

// warn tells the operator what is odd about the configuration.
func (g *generation) warn(text string) {
	g.warnings = append(g.warnings, text)
	g.server.log.Warn(text)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := s.enter()
	if g == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the server is ending", http.StatusServiceUnavailable)
		return
	}
	defer g.leave()
	v := &visit{gen: g, listener: listenerOf(r)}
	rules := g.access
	if v.site = g.siteOf(r, v.listener); v.site != nil {
		rules = v.site.access
	}
	v.address = rules.address(r)
	s.usage.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
}

// serve is what statistics hand on.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if s.serveHealth(w, r) {
		return
	}
	if v.site == nil {
		http.Error(w, errNoSite.Error(), http.StatusNotFound)
		return
	}
	v.site.access.serve(w, r)
}

// Release lets go of what only one process can have, publishing points and the archive, so that another one takes over: encoders are
// told to go elsewhere, and come back to the other one; recordings end so that they can be gone on with. Requests under way go on.
func (s *Server) Release(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.pool.release(ctx)
}

// Reclaim takes back what Release has let go of, since nobody has taken over.
func (s *Server) Reclaim(context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	g := s.current.Load()
	if g == nil {
		return errors.New("the server has ended")
	}
	return s.reload(g.cfg)
}

// EndStreams ends the updates of open pages of the console, whose requests do not end by themselves.
func (s *Server) EndStreams() { s.console.Close() }

// Close ends everything. It waits for requests under way, which must be over soon, as those of an http.Server are that has been closed.
func (s *Server) Close() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.usage.Emit(usage.Event{Kind: usage.Stopped, Subject: "server", Message: "the server ends"})
	errs := []error{s.console.Close(), s.usage.Close()} // what is told of sessions comes from presentations that are still there
	if old := s.current.Swap(nil); old != nil {
		old.leave()
	}
	s.ending.Wait()
	return errors.Join(append(errs, s.hls.Close())...)
}

// Drain tells encoders to go elsewhere and ends recordings, so that the server can end.
func (s *Server) Drain(ctx context.Context) error { return s.Release(ctx) }
