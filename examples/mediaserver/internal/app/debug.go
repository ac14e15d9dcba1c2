package app

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// debugServer is the listener for pprof, at an address that changes with the configuration. It is safe for concurrent use.
type debugServer struct {
	log *slog.Logger

	mu      sync.Mutex // guards the rest
	address string     // "" if there is none, or it cannot be had
	srv     *http.Server
	done    sync.WaitGroup
}

// listen serves pprof at an address, or nowhere if it is empty. That it cannot be had is no reason not to run.
func (d *debugServer) listen(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if address == d.address {
		return
	}
	d.end()
	if address == "" {
		return
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		d.log.Error("no pprof", "err", err)
		return
	}
	srv := &http.Server{Handler: profiles(d.log), ReadHeaderTimeout: headerTimeout}
	d.address, d.srv = address, srv
	d.done.Go(func() { srv.Serve(l) })
	d.log.Info("pprof", "address", l.Addr().String())
}

// profiles answers with what goes on in the process, to programs of this machine: what is at a loopback address is also within reach of
// pages in a browser here, and of proxies.
func profiles(log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return access.NewHandler(mux, access.LoopbackOnly(), &access.HandlerOptions{Logger: log})
}

// end ends what there is. mu must be held.
func (d *debugServer) end() {
	if d.srv != nil {
		d.srv.Close()
		d.done.Wait()
	}
	d.srv, d.address = nil, ""
}

// close gives the address up.
func (d *debugServer) close() { d.listen("") }
