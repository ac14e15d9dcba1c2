// Command mediaserver loads and abuses the media server: the program as it is built, with a configuration file, in a process
// of its own.
//
//	go run ./internal/bench/mediaserver -mode mixed [-for 10m] [-scale 1]
//	go run ./internal/bench/mediaserver -mode abuse [-for 10s] [-viewers 50] [-idle 10000] [-slow 2000] [-stalled 500]
//
// mixed: everything at once for a while: viewers of a live event in Smooth Streaming and HLS whose encoder is cut off and
// comes back, viewers who seek in presentations, throttled downloads, playlists, an edge cache whose origin goes away and
// comes back, consoles, metrics, and a configuration that changes under them, sometimes into one that cannot be used. All
// bodies are compared with what they must be. A table says per kind what was asked and what came of it. It fails if a byte was
// wrong, if a status was another than documented (502 and 504 of the cache, while the origin was away), if a connection was
// cut, if memory, goroutines or open files grew, or if the program did not end well.
//
// abuse: viewers ask for fragments at a steady pace, and are measured alone, under one attack after the other, and alone
// again: half-sent headers that are kept alive a byte at a time (slowloris), headers that are too large, connections that
// ask for large files and never read, idle connections that are kept, and all of these at once. It fails if a request of a
// viewer failed.
//
// It needs Linux and the go command, which builds the program.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/smoothkit/smoothkit/internal/bench/mediaserver/program"
)

// config is the command line.
type config struct {
	mode   string
	length time.Duration
	// fragment is the length of the fragments of the live event.
	fragment time.Duration
	scale    float64
	viewers  int
	idle     int
	slow     int
	stalled  int
	profile  string

	child, addr, attack string
	dir                 string
	out                 io.Writer
}

func main() {
	log.SetFlags(0)
	c := config{out: os.Stdout}
	flag.StringVar(&c.mode, "mode", "mixed", "what to do: mixed or abuse")
	flag.DurationVar(&c.length, "for", 0, "how long: of the load (zero means 10m), or of each part of the abuse (zero means 10s)")
	flag.DurationVar(&c.fragment, "fragment", 2*time.Second, "length of the fragments of the live event, in mode mixed")
	flag.Float64Var(&c.scale, "scale", 1, "how many clients of each kind there are, in mode mixed")
	flag.IntVar(&c.viewers, "viewers", 50, "viewers, in mode abuse")
	flag.IntVar(&c.idle, "idle", 10_000, "idle connections")
	flag.IntVar(&c.slow, "slow", 2000, "connections that send headers slowly")
	flag.IntVar(&c.stalled, "stalled", 500, "connections that do not read")
	flag.StringVar(&c.profile, "profile", "", "write a CPU profile of the middle of the mixed load to this `file`")
	flag.StringVar(&c.child, "child", "", "what to be as a child (used by the program itself)")
	flag.StringVar(&c.addr, "addr", "", "address of the server, for the child")
	flag.StringVar(&c.attack, "attack", "", "what the child does")
	flag.Parse()
	if err := c.run(); err != nil {
		log.Fatal("mediaserver: ", err)
	}
}

func (c *config) run() error {
	if c.child == "attack" {
		return c.attackChild()
	}
	if !program.HasProc() {
		return errors.New("no /proc")
	}
	switch c.mode {
	case "mixed":
		return c.withDir(c.runMixed)
	case "abuse":
		return c.withDir(c.runAbuse)
	}
	return fmt.Errorf("no mode %q", c.mode)
}

// withDir calls f with a directory in place.
func (c *config) withDir(f func() error) (err error) {
	if c.dir, err = os.MkdirTemp("", "smoothkit-load-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.dir)) }()
	return f()
}

// some returns how many clients of a kind there are, one at least.
func (c *config) some(n int) int { return max(1, int(float64(n)*c.scale)) }
