// Command live measures a publishing point under load, each part in a process of its own: encoders push over HTTP as ffmpeg
// does, viewers follow over HTTP, and the CPU time is that of the serving process.
//
//	go run ./internal/bench/live -mode viewers [-viewers 2000] [-seconds 60] [-server ours,nginx,bare] [-edge]
//	go run ./internal/bench/live -mode latency [-seconds 60] [-aligned] [-viewers 1]
//	go run ./internal/bench/live -mode hls     [-seconds 60] [-aligned]
//	go run ./internal/bench/live -mode ingest  [-seconds 30]
//
// viewers: one point with six bit rates of 1 Mbit/s on average, and as many viewers as are asked for, each with a
// connection of its own. Each asks for a fragment every two seconds, at a time of its own, or, with -edge, as soon as it
// has the one before, so that all are held and woken at once. They check sizes, times, announcements and now and then the
// content. nginx, and a net/http handler that sends memory it finds in a map (bare), get the same requests for the same
// bytes.
//
// latency: 20 tracks, each pushed by an encoder of its own, and viewers of each, one if not told otherwise, whose requests
// are held. It is the time from before the write with the last byte of the fragment that completes the look-ahead to the first
// byte of the answer. -aligned has all encoders send at once, as fast as the machine lets them.
//
// hls: the same tracks, and from the last byte of the last fragment of a segment to the first byte of the segment, at a
// viewer that is told of new snapshots.
//
// ingest: ten encoders that push 100 Mbit/s in all.
//
// It needs Linux, for /proc; and nginx for its rows. BENCHMARKS.md has figures.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"
)

// config is the command line.
type config struct {
	mode, child, addr, dir string
	servers                []string
	viewers                int
	length                 time.Duration
	edge, aligned          bool
	profile                string
	start                  int64
}

func main() {
	log.SetFlags(0)
	var c config
	var seconds int
	var servers string
	flag.StringVar(&c.mode, "mode", "viewers", "what to measure: viewers, latency, hls or ingest")
	flag.StringVar(&servers, "server", "ours,nginx,bare", "servers of mode viewers, in this order")
	flag.IntVar(&c.viewers, "viewers", 0, "number of viewers, of each track in mode latency; zero means 2000, or 1")
	flag.IntVar(&seconds, "seconds", 60, "length of the event in seconds")
	flag.BoolVar(&c.edge, "edge", false, "viewers wait at the live edge")
	flag.BoolVar(&c.aligned, "aligned", false, "encoders send at the same time")
	flag.StringVar(&c.profile, "profile", "", "write a CPU profile of the server to this `file`, in mode viewers with its name at the end")
	flag.StringVar(&c.child, "child", "", "what to do as a child (used by the program itself)")
	flag.StringVar(&c.addr, "addr", "", "address of the server, for the child")
	flag.StringVar(&c.dir, "dir", "", "directory of fragments, for the child")
	flag.Int64Var(&c.start, "start", 0, "when the event starts, in nanoseconds of Unix time, for the child")
	flag.Parse()
	c.servers, c.length = strings.Split(servers, ","), time.Duration(seconds)*time.Second
	if err := c.run(); err != nil {
		log.Fatal("live: ", err)
	}
}

func (c *config) run() error {
	switch c.child {
	case "ours", "bare":
		return serveChild(c)
	case "viewers":
		return watchChild(c)
	case "encoders":
		return encodersChild(c)
	case "waiters":
		return waitersChild(c)
	}
	switch c.mode {
	case "viewers":
		c.viewers = cmp.Or(c.viewers, 2000)
		return measureViewers(c)
	case "latency":
		c.viewers = cmp.Or(c.viewers, 1)
		return measureLatency(c)
	case "hls":
		return measureHLS(c)
	case "ingest":
		return measureIngest(c)
	}
	return fmt.Errorf("no mode %q", c.mode)
}
