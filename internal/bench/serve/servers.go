package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

func writeIndex(file string, loads []load) error {
	var all []piece
	for _, l := range loads {
		all = append(all, l.pieces...)
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// serveChild is the serving process of our variants.
func serveChild(variant, addr, work, root string) error {
	var h http.Handler
	switch variant {
	case "ours":
		h = smooth.NewHandler(smooth.Dir(root, nil), &smooth.HandlerOptions{Logger: slog.New(slog.DiscardHandler)})
	case "bare":
		b, err := newBare(work)
		if err != nil {
			return err
		}
		h = b
	case "cold", "hot":
		h = hlsHandler(root, variant == "hot")
	default:
		return fmt.Errorf("no variant %q", variant)
	}
	return http.ListenAndServe(addr, h)
}

// bareLimit is where sending from the file becomes cheaper than one read and one write.
const bareLimit = 64 << 10

// bare sends pieces of files: small ones by one read into pooled memory and one Write, large ones by sendfile from an
// exclusively held file. It sets the headers that our handler sets.
type bare struct {
	pieces map[string]barePiece
	memory sync.Pool
}

type barePiece struct {
	piece
	file   *bareFile
	length []string // Content-Length
	mime   []string
}

// bareFile is an open file and idle descriptors of it.
type bareFile struct {
	*os.File
	mu   sync.Mutex
	idle []*os.File
}

func newBare(work string) (*bare, error) {
	data, err := os.ReadFile(filepath.Join(work, "index.json"))
	if err != nil {
		return nil, err
	}
	var list []piece
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	b := &bare{pieces: make(map[string]barePiece, len(list))}
	files := make(map[string]*bareFile)
	for _, p := range list {
		f, ok := files[p.File]
		if !ok {
			file, err := os.Open(p.File)
			if err != nil {
				return nil, err
			}
			f = &bareFile{File: file}
			files[p.File] = f
		}
		b.pieces["/"+p.Path] = barePiece{p, f, []string{fmt.Sprint(p.Size)}, []string{p.Type}}
	}
	b.memory.New = func() any { return new([bareLimit]byte) }
	return b, nil
}

var bareHeaders = map[string][]string{
	"Accept-Ranges":                 {"bytes"},
	"Access-Control-Allow-Origin":   {"*"},
	"Access-Control-Expose-Headers": {"Content-Length, Content-Range, Date, ETag, Last-Modified"},
	"Cache-Control":                 {"public, max-age=3600"},
	"Etag":                          {`"8e18d03db01ff280aa9d-3armk5obu1r68"`},
	"Last-Modified":                 {"Sun, 22 Nov 2026 00:21:17 GMT"},
}

func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := b.pieces[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	for k, v := range bareHeaders {
		h[k] = v
	}
	h["Content-Type"] = p.mime
	h["Content-Length"] = p.length
	if p.Size <= bareLimit {
		buf := b.memory.Get().(*[bareLimit]byte)
		defer b.memory.Put(buf)
		if _, err := p.file.ReadAt(buf[:p.Size], p.Offset); err == nil {
			w.Write(buf[:p.Size])
		}
		return
	}
	f := p.file.lease()
	if f == nil {
		return
	}
	if _, err := f.Seek(p.Offset, io.SeekStart); err == nil {
		io.CopyN(w, f, p.Size)
	}
	p.file.mu.Lock()
	p.file.idle = append(p.file.idle, f)
	p.file.mu.Unlock()
}

func (b *bareFile) lease() *os.File {
	b.mu.Lock()
	if n := len(b.idle); n > 0 {
		f := b.idle[n-1]
		b.idle = b.idle[:n-1]
		b.mu.Unlock()
		return f
	}
	b.mu.Unlock()
	f, err := os.Open(b.Name())
	if err != nil {
		return nil
	}
	return f
}

// server is a running server.
type server struct {
	name, addr string
	pids       []int
	stop       func()
	paths      map[string][]string // of a peer, by case, if they differ from ours
}

// newPeer reads the manifest of another origin for the paths of its fragments.
func newPeer(spec string, playlist bool) (server, error) {
	f := strings.Split(spec, ",")
	if len(f) < 3 {
		return server{}, fmt.Errorf("-peer %q: want NAME,URL,PID", spec)
	}
	u, err := url.Parse(f[1])
	if err != nil {
		return server{}, err
	}
	s := server{name: f[0], addr: u.Host, stop: func() {}, paths: map[string][]string{"manifest": {u.Path}}}
	for _, p := range f[2:] {
		pid, err := strconv.Atoi(p)
		if err != nil {
			return server{}, err
		}
		s.pids = append(s.pids, pid)
	}
	if playlist {
		s.paths, err = hlsPeerPaths(u)
		return s, err
	}
	resp, err := http.Get(f[1])
	if err != nil {
		return server{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, smooth.MaxManifestBytes))
	if err != nil {
		return server{}, err
	}
	m, err := smooth.ParseManifest(data)
	if err != nil {
		return server{}, err
	}
	for _, st := range m.Streams {
		for _, c := range st.Timeline {
			t := strings.NewReplacer("{bitrate}", fmt.Sprint(st.Levels[0].Bitrate), "{start time}", fmt.Sprint(c.Time)).Replace(st.URL)
			s.paths[string(st.Type)] = append(s.paths[string(st.Type)], path.Join(path.Dir(u.Path), t))
		}
	}
	return s, nil
}

func startServers(c config, dir string) ([]server, error) {
	var list []server
	variants := []string{"bare", "ours"}
	if c.format != "" {
		variants = []string{"cold", "hot"}
	}
	for _, variant := range variants {
		s, err := startChild(c, dir, variant)
		if err != nil {
			return list, err
		}
		list = append(list, s)
	}
	if _, err := exec.LookPath("nginx"); err == nil {
		s, err := startNginx(dir)
		if err != nil {
			return list, err
		}
		list = append(list, s)
	}
	return list, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func startChild(c config, dir, variant string) (server, error) {
	addr, err := freeAddr()
	if err != nil {
		return server{}, err
	}
	exe, err := os.Executable()
	if err != nil {
		return server{}, err
	}
	cmd := exec.Command(exe, "-child", variant, "-addr", addr, "-work", dir, "-root", c.root)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return server{}, err
	}
	stop := func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	return server{name: variant, addr: addr, pids: []int{cmd.Process.Pid}, stop: stop}, waitFor(addr)
}

func startNginx(dir string) (server, error) {
	addr, err := freeAddr()
	if err != nil {
		return server{}, err
	}
	conf := fmt.Sprintf(`daemon off; worker_processes 2; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log; user root;
events { use epoll; multi_accept on; worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; gzip off;
open_file_cache max=4096; types { video/mp4 mp4; } default_type video/mp4;
server { listen %[2]s reuseport; root %[1]s/static; } }`, dir, addr)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return server{}, err
	}
	cmd := exec.Command("nginx", "-c", file, "-p", dir)
	if err := cmd.Start(); err != nil {
		return server{}, err
	}
	stop := func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
	if err := waitFor(addr); err != nil {
		return server{stop: stop}, err
	}
	time.Sleep(200 * time.Millisecond) // the workers
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		return server{stop: stop}, err
	}
	s := server{name: "nginx", addr: addr, stop: stop}
	for _, f := range strings.Fields(string(children)) {
		var pid int
		fmt.Sscan(f, &pid)
		s.pids = append(s.pids, pid)
	}
	return s, nil
}

func waitFor(addr string) error {
	for range 100 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing answers at %s", addr)
}
