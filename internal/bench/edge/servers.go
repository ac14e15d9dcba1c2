package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/smoothkit/smoothkit/internal/bench/mediaserver/program"
	"github.com/smoothkit/smoothkit/smooth/edge"
)

// Names of the servers.
const (
	nginxName       = "nginx"
	cacheName       = "cache"
	mediaserverName = "mediaserver"
)

// cacheMemory bounds the memory tier of our caches: small fragments stay in it, large ones are on disk.
const cacheMemory = 256 << 20

// server is a server that is measured.
type server struct {
	*program.Process
	debug string // address of pprof, "" for nginx
}

// startServers starts those servers that are wanted, in front of an origin.
func (c *config) startServers(origin string, names ...string) (list []*server, err error) {
	starters := map[string]func(dir, origin string) (*server, error){
		nginxName: startNginx, cacheName: startCache, mediaserverName: c.startMediaserver,
	}
	for _, name := range names {
		if !c.wants(name) || name == nginxName && !program.HasNginx() {
			continue
		}
		dir := filepath.Join(c.dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return list, err
		}
		s, err := starters[name](dir, origin)
		if err != nil {
			return list, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, s)
	}
	return list, nil
}

func stopAll(list []*server) {
	for _, s := range list {
		if err := s.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", s.Name, err)
		}
	}
}

func startNginx(dir, origin string) (*server, error) {
	p, err := program.StartNginxCache(dir, origin)
	return &server{Process: p}, err
}

// startMediaserver starts the program with nothing but a cache.
func (c *config) startMediaserver(dir, origin string) (*server, error) {
	binary, err := program.Build(dir)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("edge:\n  - path: /\n    upstreams: [{url: \"http://%s\"}]\n    memory: %d\n    directory: %q\n",
		origin, cacheMemory, filepath.Join(dir, "cache"))
	m, err := program.StartMediaserver(binary, dir, text)
	if err != nil {
		return nil, err
	}
	return &server{m.Process, m.Debug}, nil
}

// startCache starts this program as a cache.
func startCache(dir, origin string) (*server, error) {
	addr, err := program.FreeAddr()
	if err != nil {
		return nil, err
	}
	debug, err := program.FreeAddr()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "-child", "cache", "-addr", addr, "-debug", debug, "-origin", origin, "-dir", dir)
	cmd.Stderr = os.Stderr
	p, err := program.Start(cacheName, addr, cmd)
	if err != nil {
		return nil, err
	}
	return &server{p, debug}, nil
}

// serveCache is the child: a cache and nothing else.
func (c *config) serveCache() error {
	cache, err := edge.New(&edge.Options{
		Upstreams: []edge.Upstream{{URL: "http://" + c.origin}}, MemoryBytes: cacheMemory, Dir: filepath.Join(c.dir, "cache"),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer cache.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	failed := make(chan error, 2)
	go func() { failed <- http.ListenAndServe(c.debug, mux) }()
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: cache, ConnContext: edge.ConnContext}
	go func() { failed <- srv.Serve(edge.NewListener(l)) }()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt)
	select {
	case <-asked:
		return nil
	case err := <-failed:
		return err
	}
}
