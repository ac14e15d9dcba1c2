// Command serve measures what a fragment request costs: our handler, a bare net/http handler that sends the same bytes
// the best known way, and nginx serving them as static files, in turn, with the same client. Another origin of the same
// film that runs already, such as nginx-vod-module, joins in with -peer.
//
//	go run ./internal/bench/serve -root DIR -name NAME.ism [-rounds 5] [-seconds 3] [-peer NAME,MANIFEST-URL,PID[,PID]]
//
// With -format m3u8-aapl-v3, or another format of HLS, it measures segments instead: made for each request (cold), from
// the cache (hot), and as static files. The ratio is then the cost beside that of the server named with -base.
//
// It needs Linux, wrk and, for its rows, nginx. CPU time is that of the serving processes (utime and stime of
// /proc/PID/stat) per request; each round visits all servers, and the table shows medians over the rounds. The ratio is
// the median, and the quartiles, over the rounds of the cost beside that of the bare handler in the same round: the
// machine's speed drifts between rounds by more than the servers differ.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"

	"github.com/smoothkit/smoothkit/smooth"
)

func main() {
	log.SetFlags(0)
	root := flag.String("root", "", "directory of the presentation")
	name := flag.String("name", "", "name of the presentation, such as film.ism")
	rounds := flag.Int("rounds", 5, "rounds over all servers")
	seconds := flag.Int("seconds", 3, "seconds of load per server and round")
	cases := flag.String("case", "", "only this case: video, audio or manifest; segment or playlist")
	format := flag.String("format", "", "measure the segments of this format of HLS")
	base := flag.String("base", "", "server whose cost the ratios are beside; the first one if not given")
	peer := flag.String("peer", "", "another origin: name, URL of its manifest, process ids, separated by commas")
	child := flag.String("child", "", "serve as this variant (used by the program itself)")
	addr := flag.String("addr", "", "address of the child")
	work := flag.String("work", "", "work directory of the child")
	flag.Parse()
	var err error
	if *child != "" {
		err = serveChild(*child, *addr, *work, *root)
	} else {
		err = run(config{*root, *name, *rounds, *seconds, *cases, *peer, *format, *base})
	}
	if err != nil {
		log.Fatal("serve: ", err)
	}
}

type config struct {
	root, name      string
	rounds, seconds int
	only, peer      string
	format, base    string
}

// piece is one response body: a part of the media file, if that holds the very bytes, or else of the file of all
// bodies.
type piece struct {
	Path, Type   string
	File         string
	Offset, Size int64
}

// load is a set of requests of one kind.
type load struct {
	name   string
	pieces []piece
}

func run(c config) error {
	if c.root == "" || c.name == "" {
		return errors.New("-root and -name are needed")
	}
	dir, err := os.MkdirTemp("", "smoothkit-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	loads, err := prepareLoads(c, dir)
	if err != nil {
		return err
	}
	servers, err := startServers(c, dir)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	if c.peer != "" {
		s, err := newPeer(c.peer, c.format != "")
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	fmt.Printf("%-9s %-9s %10s %12s %10s %7s  %s\n", "case", "server", "req/s", "CPU us/req", "bytes", "ratio", "quartiles")
	for _, l := range loads {
		if c.only != "" && c.only != l.name {
			continue
		}
		if err := measure(c, dir, l, servers); err != nil {
			return err
		}
	}
	return nil
}

func prepareLoads(c config, dir string) ([]load, error) {
	if c.format != "" {
		return prepareHLS(c, dir)
	}
	return prepare(c, dir)
}

// prepare writes every fragment to one file, for the bare handler, and to files of their own, for nginx.
func prepare(c config, dir string) ([]load, error) {
	src := smooth.Dir(c.root, nil)
	defer src.Close()
	ctx := context.Background()
	p, err := src.Open(ctx, c.name)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	snap, err := p.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	all, err := os.OpenFile(filepath.Join(dir, "all.bin"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	stored, err := storedFragments(c.root)
	if err != nil {
		return nil, err
	}
	var loads []load
	var offset int64
	add := func(l *load, path, kind string, body func(*os.File) (int64, error)) error {
		n, err := body(all)
		if err != nil {
			return err
		}
		p := piece{path, kind, all.Name(), offset, n}
		if err := stored.replace(&p, all); err != nil {
			return err
		}
		l.pieces = append(l.pieces, p)
		offset += n
		file := filepath.Join(dir, "static", path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = body(f)
		return err
	}
	manifest := load{name: "manifest"}
	xml, err := snap.Manifest.AppendXML(nil, nil)
	if err != nil {
		return nil, err
	}
	err = add(&manifest, c.name+"/Manifest", "text/xml", func(f *os.File) (int64, error) {
		n, err := f.Write(xml)
		return int64(n), err
	})
	if err != nil {
		return nil, err
	}
	for _, st := range snap.Manifest.Streams {
		l := load{name: string(st.Type)}
		for _, chunk := range st.Timeline {
			lv := st.Levels[0]
			f, err := p.Fragment(ctx, smooth.FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Time: chunk.Time})
			if err != nil {
				return nil, err
			}
			path := fmt.Sprintf("%s/QualityLevels(%d)/Fragments(%s=%d)", c.name, lv.Bitrate, st.Name, chunk.Time)
			err = add(&l, path, string(st.Type)+"/mp4", func(w *os.File) (int64, error) { return f.WriteTo(plainWriter{w}) })
			f.Close()
			if err != nil {
				return nil, err
			}
		}
		loads = append(loads, l)
	}
	loads = append(loads, manifest)
	sort.SliceStable(loads, func(i, j int) bool { return loads[i].name > loads[j].name })
	return loads, writeIndex(filepath.Join(dir, "index.json"), loads)
}

// plainWriter hides ReadFrom, so that a fragment's file is copied rather than handed to the kernel.
type plainWriter struct{ f *os.File }

func (w plainWriter) Write(p []byte) (int, error) { return w.f.Write(p) }
