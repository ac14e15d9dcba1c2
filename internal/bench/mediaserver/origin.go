package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// originFiles is how many there are, of originSize: more than the cache may hold in memory, and on disk.
	originFiles, originSize = 400, 100_000
	// recovery is how long after the origin has come back the cache may still take it for one that is away: an interval of
	// health checks, and what is under way by then. See edge.Health.
	recovery = 8 * time.Second
)

// origin is a server behind the edge cache, which goes away now and then.
type origin struct {
	addr  string
	noise []byte
	asked atomic.Int64

	mu     sync.Mutex // guards the rest
	server *http.Server
	// down is when it last went away, and up when it came back; zero if it has not.
	down, up time.Time
}

// startOrigin starts one.
func startOrigin() (*origin, error) {
	o := &origin{addr: "127.0.0.1:0", noise: noise(9, 1<<20)}
	return o, o.listen()
}

func (o *origin) listen() error {
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addr = l.Addr().String()
	o.server = &http.Server{Handler: o}
	o.up = time.Now()
	go o.server.Serve(l) // until it goes away
	return nil
}

// goAway closes everything, in the middle of bodies too.
func (o *origin) goAway() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down, o.up = time.Now(), time.Time{}
	return o.server.Close()
}

// excused reports whether a request of the cache from a time until now may have failed, because the origin was away.
func (o *origin) excused(from time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.down.IsZero() && (o.up.IsZero() || from.Before(o.up.Add(recovery)))
}

// file returns the body of a file, which is a part of noise.
func (o *origin) file(i int) []byte {
	at := i * 512 % (len(o.noise) - originSize)
	return o.noise[at : at+originSize]
}

// ServeHTTP implements http.Handler: files with a number, the odd ones with a lifetime of two seconds.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.asked.Add(1)
	if r.URL.Path == "/healthz" {
		return
	}
	i, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/file/"))
	if err != nil || i < 0 || i >= originFiles {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "video/mp4")
	h.Set("Etag", strconv.Quote(strconv.Itoa(i)))
	h.Set("Cache-Control", "max-age=3600")
	if i%2 == 1 {
		h.Set("Cache-Control", "max-age=2")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.file(i)))
}

// outages takes the origin away and back, the more often the shorter the load is.
func (m *mix) outages(ctx context.Context) {
	every := m.length / 4
	for pause(ctx, every*2/3) {
		m.tell("the origin goes away")
		if err := m.origin.goAway(); err != nil {
			m.fault("origin", broken, "%v", err)
		}
		pause(ctx, min(every/6, 8*time.Second))
		m.tell("the origin is back")
		if err := m.origin.listen(); err != nil {
			m.fault("origin", broken, "%v", err)
			return
		}
		pause(ctx, every/6)
	}
}

// useCache asks a part of the site that comes from the origin.
func (m *mix) useCache(ctx context.Context, mount string) {
	c := m.newClient("edge " + mount)
	defer c.close()
	c.excused = m.origin.excused
	for pause(ctx, rand.N(100*time.Millisecond)) {
		i := rand.IntN(originFiles)
		if rand.IntN(2) == 0 {
			i %= 20 // some are asked for more often than others
		}
		path := fmt.Sprintf("%s/file/%d", mount, i)
		if a := c.get(ctx, path, nil); a.ok {
			c.compare(path, a.body, m.origin.file(i))
		}
	}
}
