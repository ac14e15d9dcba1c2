package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// aside are the fragments of each track that come after the disk has caught up, as in the last second of an event, and grown those
// before them, during which manifests are asked for.
const (
	aside = 1
	grown = 40
)

// longShape is the event of six hours, small or of that many bytes.
func longShape(c *config) shape {
	s := eight(c.inputs)
	if c.bytes <= 0 {
		s.payload = 500
		return s
	}
	return s.scaled(float64(c.bytes) * 8 / (15.3e6 * (6 * time.Hour).Seconds()))
}

// ending is what the end of an event takes.
type ending struct {
	Fragments int
	Bytes     int64
	Recorded  time.Duration // all fragments but the last ones
	// Close is the end of the event, and Sync what the system has to write after that.
	Close, Sync time.Duration
	// First is the first manifest after the end at the archive, and Again the next. Stored is the first at a FileSource that has
	// just been made.
	First, Again, Stored time.Duration
	Manifest             int // bytes
	// Growing is the live manifest of the event from its beginning: the first, and those that come right after a fragment of each
	// track, median and most. Compressed is the median of compressed ones.
	Growing            [3]time.Duration
	Compressed         time.Duration
	LiveSize, LiveGzip int // bytes
	// Demand is the first on-demand manifest while the event goes on.
	Demand time.Duration
}

// recordEvent records an event and ends it.
func recordEvent(c *config) (*ending, error) {
	f, err := newFeed(longShape(c))
	if err != nil {
		return nil, err
	}
	a, err := open(c.dir)
	if err != nil {
		return nil, err
	}
	r, err := f.begin(a)
	if err != nil {
		return nil, err
	}
	e := &ending{Fragments: longEvent * len(f.tracks)}
	begun := time.Now()
	if err := f.push(r, 0, longEvent-aside-grown, nil); err != nil {
		return nil, err
	}
	e.Recorded = time.Since(begun)
	if err := e.grow(f, r, smooth.NewHandler(a, nil)); err != nil {
		return nil, err
	}
	if err := waitDurable(r, f.at(longEvent-aside)); err != nil {
		return nil, err
	}
	if err := f.push(r, longEvent-aside, longEvent, nil); err != nil {
		return nil, err
	}
	begun = time.Now()
	if err := r.Close(context.Background(), true); err != nil {
		return nil, err
	}
	e.Close = time.Since(begun)
	begun = time.Now()
	if err := settle(); err != nil {
		return nil, err
	}
	e.Sync = time.Since(begun)
	handler := smooth.NewHandler(a, nil)
	name := "/" + path.Join(eventDir, "bench.ism") + "/manifest"
	if e.First, e.Manifest, err = get(handler, name, false); err != nil {
		return nil, err
	}
	if e.Again, _, err = get(handler, name, false); err != nil {
		return nil, err
	}
	source := smooth.Dir(c.dir, nil)
	if e.Stored, _, err = get(smooth.NewHandler(source, nil), "/"+path.Join(eventDir, "1", "bench.ism")+"/manifest", false); err != nil {
		return nil, err
	}
	if err := errors.Join(source.Close(), a.Close()); err != nil {
		return nil, err
	}
	e.Bytes, err = sizeOf(c.dir)
	return e, err
}

// grow asks for manifests while fragments come.
func (e *ending) grow(f *feed, r smooth.Recording, h http.Handler) error {
	live := "/" + path.Join(eventDir, "bench.isml") + "/manifest"
	var err error
	if e.Growing[0], e.LiveSize, err = get(h, live, false); err != nil {
		return err
	}
	if e.Demand, _, err = get(h, "/"+path.Join(eventDir, "bench.ism")+"/manifest", false); err != nil {
		return err
	}
	var plain, small []time.Duration
	for n := longEvent - aside - grown; n < longEvent-aside; n++ {
		if err := f.push(r, n, n+1, nil); err != nil {
			return err
		}
		d, size, err := get(h, live, n%2 == 0)
		if err != nil {
			return err
		}
		if n%2 == 0 {
			small, e.LiveGzip = append(small, d), size
		} else {
			plain = append(plain, d)
		}
	}
	e.Growing[1], e.Growing[2], e.Compressed = middle(plain), slices.Max(plain), middle(small)
	return nil
}

// get asks for a manifest, and returns how long that has taken and its size.
func get(h http.Handler, name string, compressed bool) (time.Duration, int, error) {
	req := httptest.NewRequest(http.MethodGet, name, nil)
	if compressed {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	w := httptest.NewRecorder()
	begun := time.Now()
	h.ServeHTTP(w, req)
	d := time.Since(begun)
	if w.Code != http.StatusOK {
		return d, 0, fmt.Errorf("%s: %d", name, w.Code)
	}
	size := w.Body.Len()
	if compressed {
		if _, err := gzip.NewReader(w.Body); err != nil {
			return d, 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	return d, size, nil
}

// waitDurable waits until everything before a time is on the disk.
func waitDurable(r smooth.Recording, end uint64) error {
	for range 60_000 {
		if r.Durable() >= end {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("durable up to %d, expected %d", r.Durable(), end)
}

// crashEvent records an event and vanishes.
func crashEvent(c *config) (any, error) {
	f, err := newFeed(longShape(c))
	if err != nil {
		return nil, err
	}
	a, err := open(c.dir)
	if err != nil {
		return nil, err
	}
	r, err := f.begin(a)
	if err != nil {
		return nil, err
	}
	if err := f.push(r, 0, longEvent-aside, nil); err != nil {
		return nil, err
	}
	if err := waitDurable(r, f.at(longEvent-aside)); err != nil {
		return nil, err
	}
	if err := f.push(r, longEvent-aside, longEvent, nil); err != nil {
		return nil, err
	}
	fmt.Println("{}")
	os.Exit(0)
	return nil, nil
}

// restarted is what a restart takes.
type restarted struct{ New, Resume time.Duration }

// restartEvent opens the archive after a crash, and goes on with the event.
func restartEvent(c *config) (*restarted, error) {
	f, err := newFeed(longShape(c))
	if err != nil {
		return nil, err
	}
	var out restarted
	begun := time.Now()
	a, err := open(c.dir)
	if err != nil {
		return nil, err
	}
	out.New = time.Since(begun)
	begun = time.Now()
	r, err := f.begin(a)
	if err != nil {
		return nil, err
	}
	if err := f.push(r, longEvent, longEvent+1, nil); err != nil {
		return nil, err
	}
	out.Resume = time.Since(begun)
	if r.Durable() < f.at(longEvent) {
		return nil, fmt.Errorf("durable up to %d, expected %d", r.Durable(), f.at(longEvent))
	}
	return &out, errors.Join(r.Close(context.Background(), true), a.Close())
}

// measureEvent prints what the end of an event and a restart take.
func measureEvent(c *config) error {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for _, child := range []string{"event", "crash"} {
		dir := filepath.Join(c.dir, child)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		e := new(ending)
		s, err := c.spawn(child, dir, e)
		if err != nil {
			return err
		}
		if child == "event" {
			fmt.Printf("%d fragments, %.2f GB, recorded in %v, CPU %v\n", e.Fragments, float64(e.Bytes)/1e9, e.Recorded, s.cpu)
			fmt.Printf("end of the event                     %v, sync of the system after that %v\n", e.Close, e.Sync)
			fmt.Printf("first manifest after it              %v, the next %v, %d bytes\n", e.First, e.Again, e.Manifest)
			fmt.Printf("first at a new FileSource            %v\n", e.Stored)
			fmt.Printf("live manifest from the beginning     first %v, with each fragment %v median, %v most, %d bytes\n",
				e.Growing[0], e.Growing[1], e.Growing[2], e.LiveSize)
			fmt.Printf("  compressed                         %v median, %d bytes\n", e.Compressed, e.LiveGzip)
			fmt.Printf("on demand while it grows             first %v\n", e.Demand)
		} else {
			var re restarted
			if _, err := c.spawn("restart", dir, &re); err != nil {
				return err
			}
			fmt.Printf("New after a crash                    %v, until the next fragments are written %v\n", re.New, re.Resume)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
