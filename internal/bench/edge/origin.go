package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// load is a set of fragments of one size.
type load struct {
	name    string
	size, n int
}

// loads are those that are measured: fragments of two seconds of video at 3 Mbit/s and of sound at 128 kbit/s. All of one kind
// are more than the processor's caches hold.
func loads() []load { return []load{{"video", 753_900, 150}, {"audio", 32_800, 300}} }

// path returns the path of a fragment.
func (l *load) path(i int) string {
	return fmt.Sprintf("/film.ism/QualityLevels(%d)/Fragments(%s=%d)", l.size, l.name, uint64(i)*20_000_000)
}

// origin is a server of fragments that counts how often it is asked.
type origin struct {
	addr    string
	asked   atomic.Int64
	bodies  map[string][]byte
	noise   []byte
	server  *http.Server
	started time.Time
}

// startOrigin starts an origin with the fragments of some loads. They are parts of the same noise.
func startOrigin(loads []load) (*origin, error) {
	o := &origin{bodies: make(map[string][]byte), noise: make([]byte, 1<<20), started: time.Now().Truncate(time.Second)}
	rnd := rand.NewChaCha8([32]byte{1})
	rnd.Read(o.noise) // never fails
	for _, l := range loads {
		for i := range l.n {
			at := i * 64 % (len(o.noise) - l.size)
			o.bodies[l.path(i)] = o.noise[at : at+l.size]
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o.addr = l.Addr().String()
	o.server = &http.Server{Handler: o}
	go o.server.Serve(l) // until close
	return o, nil
}

func (o *origin) close() error { return o.server.Close() }

// ServeHTTP implements http.Handler.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.asked.Add(1)
	body, ok := o.bodies[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "video/mp4")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Last-Modified", o.started.UTC().Format(http.TimeFormat))
	h.Set("Etag", strconv.Quote(strings.TrimPrefix(r.URL.Path, "/film.ism/")))
	w.Write(body)
}
