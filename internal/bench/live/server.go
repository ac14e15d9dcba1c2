package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// statePath is where a child tells about itself, collectPath the same after a garbage collection, profilePath where it
// begins and ends a CPU profile.
const (
	statePath   = "/bench/state"
	collectPath = "/bench/collect"
	profilePath = "/bench/profile"
)

// state is what a serving child tells about itself.
type state struct {
	Goroutines                int
	Heap, Stacks, Sys         uint64 // bytes
	Allocations, AllocatedSum uint64
	Stats                     livesmooth.Stats
}

// serveChild is a serving process.
func serveChild(c *config) error {
	mux := http.NewServeMux()
	var stats func() livesmooth.Stats
	if c.child == "bare" {
		b, err := newBare(c.dir)
		if err != nil {
			return err
		}
		mux.Handle("/", b)
		stats = func() livesmooth.Stats { return livesmooth.Stats{} }
	} else {
		s, p, err := newPoint(nil)
		if err != nil {
			return err
		}
		defer s.Close()
		mux.Handle("/live/", s)
		stats = p.Stats
	}
	mux.HandleFunc(statePath, func(w http.ResponseWriter, _ *http.Request) { writeState(w, stats()) })
	mux.HandleFunc(collectPath, func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		writeState(w, stats())
	})
	mux.HandleFunc(profilePath, func(w http.ResponseWriter, r *http.Request) {
		if name := r.FormValue("file"); name != "" {
			f, err := os.Create(name)
			if err == nil {
				err = pprof.StartCPUProfile(f)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
			return
		}
		pprof.StopCPUProfile()
	})
	return http.ListenAndServe(c.addr, mux)
}

// newPoint returns a server with a started point, as an application would have it.
func newPoint(outputs []smooth.Output) (*livesmooth.Server, *livesmooth.Point, error) {
	quiet := slog.New(slog.DiscardHandler)
	s, err := livesmooth.NewServer(&livesmooth.Options{
		Logger: quiet, MemoryBudget: 1 << 30,
		Viewers: &smooth.HandlerOptions{Logger: quiet, WaitAtEdge: 10 * time.Second, Outputs: outputs},
	})
	if err != nil {
		return nil, nil, err
	}
	set := livesmooth.DefaultSettings()
	set.Lookahead = lookahead
	set.Viewers.WindowLength = window
	set.AutoStart = true
	p, err := s.Create(context.Background(), pointName, set)
	return s, p, err
}

func writeState(w io.Writer, stats livesmooth.Stats) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	json.NewEncoder(w).Encode(state{
		Goroutines: runtime.NumGoroutine(), Heap: m.HeapInuse, Stacks: m.StackInuse, Sys: m.Sys - m.HeapReleased,
		Allocations: m.Mallocs, AllocatedSum: m.TotalAlloc, Stats: stats,
	})
}

// bare is a handler that sends what a map holds, with the headers that ours sends.
type bare map[string]bareBody

type bareBody struct {
	data   []byte
	length []string
}

// newBare reads the files of a directory.
func newBare(dir string) (bare, error) {
	b := make(bare)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		path, err := filepath.Rel(dir, name)
		b["/"+filepath.ToSlash(path)] = bareBody{data, []string{strconv.Itoa(len(data))}}
		return err
	})
	return b, err
}

var bareHeaders = http.Header{
	"Accept-Ranges":                 {"bytes"},
	"Access-Control-Allow-Origin":   {"*"},
	"Access-Control-Expose-Headers": {"Content-Length, Content-Range, Date, ETag, Last-Modified"},
	"Cache-Control":                 {"public, max-age=3600"},
	"Content-Type":                  {"video/mp4"},
	"Etag":                          {`"8e18d03db01ff280aa9d-3armk5obu1r68"`},
}

// ServeHTTP implements http.Handler.
func (b bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := b[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	for k, v := range bareHeaders {
		h[k] = v
	}
	h["Content-Length"] = body.length
	w.Write(body.data)
}

// freeAddr returns an address to listen on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ask gets the state of a child.
func ask(addr, path string) (state, error) {
	var s state
	answer, err := http.Get("http://" + addr + path)
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%s: %s", path, answer.Status)
	}
	if strings.HasPrefix(path, profilePath) {
		return s, nil
	}
	return s, json.NewDecoder(answer.Body).Decode(&s)
}
