package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// config is the command line.
type config struct {
	conns            int
	rate             throttle.Rate
	burst            int64
	settle, duration time.Duration
	rounds           int
	only             string
	rates            string
	law, netns       bool
	profile          string
	dir              string

	child, server, addr string
	stalled             bool

	processes int // of a server in Go
	out       io.Writer
}

func main() {
	log.SetFlags(0)
	c := config{out: os.Stdout}
	var rate string
	flag.IntVar(&c.conns, "n", 2000, "number of connections")
	flag.StringVar(&rate, "rate", "1 Mbit/s", "rate of each")
	flag.DurationVar(&c.settle, "settle", 3*time.Second, "time between the last connection and the measurement")
	flag.DurationVar(&c.duration, "d", 0, "time measured; zero means 12 s, or 10 s for each rate with -law")
	flag.IntVar(&c.rounds, "rounds", 1, "rounds over all servers, of which the table shows medians")
	flag.StringVar(&c.only, "only", "", "servers to measure, separated by commas")
	flag.BoolVar(&c.law, "law", false, "compare what single connections receive with the law")
	flag.StringVar(&c.rates, "rates", "64 kbit/s,1 Mbit/s,10 Mbit/s,100 Mbit/s,1 Gbit/s", "rates of -law, separated by commas")
	flag.BoolVar(&c.netns, "netns", false, "run in a network namespace of its own, with reno")
	flag.StringVar(&c.profile, "cpuprofile", "", "write CPU profiles of servers in Go to this `file` and a dot and the server")
	flag.StringVar(&c.child, "child", "", "what to do as a child (used by the program itself)")
	flag.StringVar(&c.server, "server", "", "server of the child")
	flag.StringVar(&c.addr, "addr", "", "address of the server, for the child")
	flag.StringVar(&c.dir, "dir", "", "directory of the file, for the child")
	flag.Int64Var(&c.burst, "burst", 0, "burst in bytes, for the child")
	flag.BoolVar(&c.stalled, "stalled", false, "clients read nothing but the header, for the child")
	flag.Parse()
	var err error
	if c.rate, err = throttle.ParseRate(rate); err == nil {
		err = c.run()
	}
	if err != nil {
		log.Fatal("throttle: ", err)
	}
}

func (c *config) run() error {
	if c.conns < 1 || c.rate < 8 || c.rounds < 1 {
		return fmt.Errorf("%d connections at %v in %d rounds: want at least one, at 8 bit/s, in one", c.conns, c.rate, c.rounds)
	}
	if err := c.allow(); err != nil {
		return err
	}
	switch c.child {
	case "server":
		return serveChild(c)
	case "law":
		return lawChild(c)
	case "clients":
		return clientsChild(c, os.Stdin, os.Stdout)
	}
	if c.netns {
		return c.inNamespace()
	}
	if c.child == "namespace" {
		if err := setUpNamespace(); err != nil {
			return err
		}
	}
	c.head()
	return c.withFile(func() error {
		if c.law {
			c.duration = cmp.Or(c.duration, 10*time.Second)
			return c.measureLaw()
		}
		c.duration = cmp.Or(c.duration, 12*time.Second)
		return c.measureAll()
	})
}

// spareFiles are those that a process has open besides connections and what it sends on them.
const spareFiles = 100

// allow sees to it that processes may have as many files open as they have to: a server two for each connection. Where
// the system does not let it, servers in Go are several processes.
func (c *config) allow() error {
	limit, err := raiseFiles(2*c.conns + spareFiles)
	if err != nil {
		return err
	}
	if limit < c.conns+spareFiles {
		return fmt.Errorf("%d connections: the system allows %d open files", c.conns, limit)
	}
	c.processes = (2*c.conns + limit - spareFiles - 1) / (limit - spareFiles)
	return nil
}

// head says under which conditions the figures come about.
func (c *config) head() {
	where := "the network of the machine"
	if c.child == "namespace" {
		where = "a network namespace of its own"
	}
	control := firstWord("/proc/sys/net/ipv4/tcp_congestion_control")
	fmt.Fprintf(c.out, "congestion control %s, %s, load %s\n", control, where, firstWord("/proc/loadavg"))
}

// firstWord returns what a file of the system begins with.
func firstWord(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	return first
}

// fileName is what everybody asks for.
const fileName = "big.bin"

// fileSize is enough for ten seconds of 1 Gbit/s with its burst.
const fileSize = 4 << 30

// withFile makes the file, and removes it after f.
func (c *config) withFile(f func() error) error {
	dir, err := os.MkdirTemp("", "smoothkit-bench-")
	if err != nil {
		return err
	}
	c.dir = dir
	file, err := os.Create(filepath.Join(dir, fileName))
	if err == nil {
		err = errors.Join(file.Truncate(fileSize), file.Close(), os.Chmod(dir, 0o755))
	}
	if err == nil {
		err = f()
	}
	return errors.Join(err, os.RemoveAll(dir))
}
