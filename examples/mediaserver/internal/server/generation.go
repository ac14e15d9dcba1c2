package server

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/smooth/access"
)

// generation is the server as one state of the configuration has it. Requests stay in the one that they began in, so that a new one
// does not disturb them; what both have in common they share.
type generation struct {
	server *Server
	cfg    *config.Config
	parts  []*part
	sites  []*site
	access *accessRules
	// archive is where events are recorded, nil if they are not, and page what is at the root of a site without an index.
	archive  *archives
	page     *pages
	warnings []string
	// changes are made to what generations share when everything else is there. They can be made again.
	changes []func() error
	users   atomic.Int64 // requests that are in it, and one while it is the current one
}

// own makes something a part that only this generation has.
func (g *generation) own(c io.Closer) { g.parts = append(g.parts, &part{value: c, refs: 1}) }

func (g *generation) holds(p *part) bool { return slices.Contains(g.parts, p) }

// enter counts a request in the current generation. It returns nil when the server has ended.
func (s *Server) enter() *generation {
	for {
		g := s.current.Load()
		if g == nil {
			return nil
		}
		// One that has ended stays so: there is another one by now.
		if n := g.users.Load(); n > 0 && g.users.CompareAndSwap(n, n+1) {
			return g
		}
	}
}

// leave ends what enter began. The last one out closes what no other generation has.
func (g *generation) leave() {
	if g.users.Add(-1) > 0 {
		return
	}
	s := g.server
	go func() { // the last one out may be a request
		defer s.ending.Done()
		if err := s.pool.drop(g); err != nil {
			s.log.Error("close what is not configured any more", "err", err)
		}
	}()
}

// retire tells the parts that the next generation does not have that it is time to end, and waits for that as long as its configuration
// lets requests go on at the end. They are forgotten, as a later generation cannot use them although requests still do.
func (g *generation) retire(next *generation) {
	ctx, cancel := context.WithTimeout(context.Background(), next.cfg.Grace.D())
	defer cancel()
	var done sync.WaitGroup
	for _, p := range g.parts {
		e, ok := p.value.(exclusive)
		if !ok || next.holds(p) {
			continue
		}
		g.server.pool.forget(p)
		done.Go(func() {
			if err := e.release(ctx); err != nil {
				g.server.log.Error("end what is not configured any more", "err", err)
			}
		})
	}
	done.Wait()
}

// visit is what is known of a request on its way through the server.
type visit struct {
	gen      *generation
	listener *config.Listener // nil where the program has not said
	site     *site
	folder   *folder
	role     config.Role
	policy   *access.Policy // that has let it in
	known    bool           // and had to know who sends it
	address  netip.Addr     // of the client
	// allowed is the request as access has let it in, before aliases.
	allowed *http.Request
}

type visitKey struct{}

// visitOf returns what is known of a request that came through Server.ServeHTTP.
func visitOf(r *http.Request) *visit {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	return v
}

// addressOf returns the address of the client of a request that came through Server.ServeHTTP.
func addressOf(r *http.Request) netip.Addr { return visitOf(r).address }

type listenerKey struct{}

// WithListener tells the server the listener of a connection, which is asked for with each request, as it changes with the
// configuration: see http.Server.ConnContext and BaseContext. What it returns is not changed by anybody.
func WithListener(ctx context.Context, current func() *config.Listener) context.Context {
	return context.WithValue(ctx, listenerKey{}, current)
}

// listenerOf returns the listener that a request has come to, or nil.
func listenerOf(r *http.Request) *config.Listener {
	if current, ok := r.Context().Value(listenerKey{}).(func() *config.Listener); ok {
		return current()
	}
	return nil
}
