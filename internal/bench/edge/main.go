// Command edge measures the caching handler of smooth/edge, alone in a process and mounted in the media server, with nginx's
// proxy_cache beside it.
//
//	go run ./internal/bench/edge -mode cache [-netns] [-rounds 3] [-seconds 3] [-server nginx,cache,mediaserver]
//	go run ./internal/bench/edge -mode herd  [-viewers 1000]
//
// cache: all have an origin in front of them with fragments of 750 kB and of 33 kB, and have fetched each before. wrk asks
// them for fragments at random, one thread and 64 connections, by turns of 50 ms, as the machine's speed changes within
// seconds by more than the servers differ. CPU time is that of the serving processes (utime and stime of /proc/PID/stat)
// per request; the table has medians over the rounds. The ratio is the median, and the least and the most, of the cost
// beside that of nginx in the same round. -netns runs all in a network namespace of its own with reno, see BENCHMARKS.md.
//
// herd: viewers of a live event ask for the same fragment at once, through each of our two. It is not there yet, or it has
// just been announced. It fails if the origin was asked more than once or if a viewer got other bytes than it sent.
//
// It needs Linux; wrk and nginx for cache; and the go command, to build the media server.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/bench/mediaserver/program"
)

// config is the command line.
type config struct {
	mode, only      string
	rounds, seconds int
	viewers         int
	profile         string
	netns           bool
	child           string
	addr, debug     string
	origin, dir     string
	out             io.Writer
	loads           []load
}

func main() {
	log.SetFlags(0)
	c := config{out: os.Stdout, loads: loads()}
	flag.StringVar(&c.mode, "mode", "cache", "what to measure: cache or herd")
	flag.StringVar(&c.only, "server", "", "only these servers: nginx, cache (ours alone), mediaserver; separated by commas")
	flag.IntVar(&c.rounds, "rounds", 3, "rounds over all servers")
	flag.IntVar(&c.seconds, "seconds", 3, "seconds of load per server, case and round")
	flag.IntVar(&c.viewers, "viewers", 1000, "viewers of a herd")
	flag.StringVar(&c.profile, "profile", "", "write CPU profiles of our servers to files that begin with this `prefix`, in mode cache")
	flag.BoolVar(&c.netns, "netns", false, "run in a network namespace with reno")
	flag.StringVar(&c.child, "child", "", "what to be as a child (used by the program itself)")
	flag.StringVar(&c.addr, "addr", "", "address of the child")
	flag.StringVar(&c.debug, "debug", "", "address of the child's pprof")
	flag.StringVar(&c.origin, "origin", "", "address of the child's origin")
	flag.StringVar(&c.dir, "dir", "", "directory of the child")
	flag.Parse()
	if err := c.run(); err != nil {
		log.Fatal("edge: ", err)
	}
}

func (c *config) run() error {
	switch c.child {
	case "":
	case "namespace":
		if err := program.SetUpNamespace(); err != nil {
			return err
		}
	case "cache":
		return c.serveCache()
	default:
		return fmt.Errorf("no child %q", c.child)
	}
	if c.netns {
		return program.InNamespace(append(slices.Clone(os.Args[1:]), "-netns=false", "-child", "namespace")...)
	}
	if !program.HasProc() {
		return errors.New("no /proc")
	}
	switch c.mode {
	case "cache":
		return c.withDir(c.measureCaches)
	case "herd":
		return c.withDir(c.measureHerds)
	}
	return fmt.Errorf("no mode %q", c.mode)
}

// withDir calls f with a directory in place.
func (c *config) withDir(f func() error) (err error) {
	if c.dir, err = os.MkdirTemp("", "smoothkit-edge-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.dir)) }()
	return f()
}

// wants reports whether a server takes part.
func (c *config) wants(name string) bool {
	return c.only == "" || slices.Contains(strings.Split(c.only, ","), name)
}
