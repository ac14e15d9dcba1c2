package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// lawServers are those that have a burst and obey the law.
const lawServers = "handler-250ms,handler-1s,writer-250ms"

// burstTime is how long everything is sent at once at first, before the client can be behind.
const burstTime = 2 * time.Second

// deviation is how far a client was from the law, in bytes.
type deviation struct {
	Ahead, Behind float64
	Bytes         int64
	Error         string
}

// measureLaw compares one connection at each rate with the law.
func (c *config) measureLaw() error {
	if c.only == "" {
		c.only = lawServers
	}
	list, err := c.chosen()
	if err != nil {
		return err
	}
	c.conns, c.processes = 1, 1
	fmt.Fprintf(c.out, "one connection, a burst of a second, %v each\n\n%-14s %-12s %9s %14s %15s %9s\n", c.duration,
		"server", "rate", "quantum", "ahead, quanta", "behind, quanta", "MB")
	for _, s := range list {
		for _, text := range strings.Split(c.rates, ",") {
			if c.rate, err = throttle.ParseRate(text); err != nil {
				return err
			}
			c.burst = c.rate.Bytes(time.Second)
			d, err := c.deviationOf(s.name)
			if err != nil {
				return fmt.Errorf("%s at %v: %w", s.name, c.rate, err)
			}
			q := quantum(c.rate, s.interval)
			fmt.Fprintf(c.out, "%-14s %-12s %9d %14.3f %15.3f %9.2f %s\n", s.name, c.rate, q, d.Ahead/float64(q), d.Behind/float64(q),
				float64(d.Bytes)/1e6, d.Error)
		}
	}
	return nil
}

// quantum is what the package documents: what an interval earns, but from 1 MiB on no more than 8 ms of it, and no less
// than the smallest write.
func quantum(rate throttle.Rate, interval time.Duration) int64 {
	q := min(rate.Bytes(interval), max(1<<20, rate.Bytes(8*time.Millisecond)))
	return max(q, throttle.DefaultMinSendSize)
}

// deviationOf runs a server and one client.
func (c *config) deviationOf(name string) (d deviation, err error) {
	srv, err := c.startServer(name)
	if err != nil {
		return d, err
	}
	defer srv.stop()
	watcher := new(process)
	if err := watcher.spawn(c, "-child", "law", "-server", name, "-addr", srv.addrs[0], "-d", c.duration.String()); err != nil {
		return d, err
	}
	defer watcher.stop()
	return d, json.NewDecoder(watcher.children[0].out).Decode(&d)
}

// lawChild receives for the time measured, and tells how far it was from the law.
func lawChild(c *config) error {
	begun := time.Now()
	body, err := open(c, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewEncoder(os.Stdout).Encode(c.watch(body, begun))
}

// watch compares what is read with the law.
func (c *config) watch(body io.Reader, begun time.Time) (d deviation) {
	buf := make([]byte, readSize)
	for {
		n, err := body.Read(buf)
		since := time.Since(begun)
		due := float64(c.burst) + since.Seconds()*float64(c.rate)/8
		if since > burstTime {
			d.Behind = max(d.Behind, due-float64(d.Bytes))
		}
		d.Bytes += int64(n)
		d.Ahead = max(d.Ahead, float64(d.Bytes)-due)
		if err != nil {
			d.Error = err.Error()
		}
		if err != nil || since > c.duration {
			return d
		}
	}
}
