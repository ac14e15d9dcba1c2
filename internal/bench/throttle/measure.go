package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// figures are what one server has taken.
type figures struct {
	cores, perConn float64 // microseconds of CPU per connection and second
	memory, live   float64 // kB per connection
	resent         int64   // TCP segments of the whole machine or namespace
	received       received
}

// measureAll measures the servers in turn and prints the table.
func (c *config) measureAll() error {
	list, err := c.chosen()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%d connections at %v, %v after %v; servers in Go are %d process(es)\n",
		c.conns, c.rate, c.duration, c.settle, c.processes)
	all := make(map[string][]figures)
	for i := range c.rounds {
		fmt.Fprintf(c.out, "\nround %d, load %s\n%s\n", i+1, firstWord("/proc/loadavg"), columns)
		for _, s := range list {
			f, err := c.measure(s.name)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			all[s.name] = append(all[s.name], f)
			c.row(s, f, last(all[nginxName]), last(all[stalledName]))
		}
	}
	if c.rounds == 1 {
		return nil
	}
	fmt.Fprintf(c.out, "\nmedians\n%s\n", columns)
	for _, s := range list {
		c.row(s, medians(all[s.name]), medians(all[nginxName]), medians(all[stalledName]))
	}
	return nil
}

// columns are those of row.
const columns = "server           quanta     cores  us/conn*s x nginx  kB/conn after GC    above  " +
	"kB/s: mean, sd, least..most; failures; resent"

// last returns the figures of the latest round, or none.
func last(rounds []figures) figures {
	if len(rounds) == 0 {
		return figures{}
	}
	return rounds[len(rounds)-1]
}

// row prints one line of the table.
func (c *config) row(s server, f, nginx, stalled figures) {
	beside := func(there bool, format string, v float64) string {
		if !there {
			return "-"
		}
		return fmt.Sprintf(format, v)
	}
	r := f.received
	fmt.Fprintf(c.out, "%-16s %-8s %7.3f %10.1f %7s %8.1f %8s %8s  %.1f, %.2f, %.1f..%.1f; %d; %d %s\n",
		s.name, s.quanta, f.cores, f.perConn, beside(nginx.cores > 0 && s.name != stalledName, "%.2f", f.cores/nginx.cores), f.memory,
		beside(s.h != nil, "%.1f", f.live), beside(s.h != nil && stalled.live > 0, "%.1f", f.live-stalled.live),
		r.Mean/1e3, r.Dev/1e3, r.Least/1e3, r.Most/1e3, r.Failures, f.resent, r.Error)
}

// medians returns the medians of the rounds, but of the rates the widest range and of failures and what was sent again the sum.
func medians(rounds []figures) figures {
	if len(rounds) == 0 {
		return figures{}
	}
	of := func(get func(f *figures) float64) float64 {
		var v []float64
		for i := range rounds {
			v = append(v, get(&rounds[i]))
		}
		slices.Sort(v)
		return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	m := figures{
		cores: of(func(f *figures) float64 { return f.cores }), perConn: of(func(f *figures) float64 { return f.perConn }),
		memory: of(func(f *figures) float64 { return f.memory }), live: of(func(f *figures) float64 { return f.live }),
		resent: rounds[0].resent, received: rounds[0].received,
	}
	m.received.Mean = of(func(f *figures) float64 { return f.received.Mean })
	m.received.Dev = of(func(f *figures) float64 { return f.received.Dev })
	for _, f := range rounds[1:] {
		m.received.Least, m.received.Most = min(m.received.Least, f.received.Least), max(m.received.Most, f.received.Most)
		m.resent += f.resent
		m.received.Failures += f.received.Failures
		m.received.Error += f.received.Error
	}
	return m
}

// measure runs one server with clients.
func (c *config) measure(name string) (f figures, err error) {
	srv, err := c.startServer(name)
	if err != nil {
		return f, err
	}
	defer srv.stop()
	if err := srv.tell("free"); err != nil {
		return f, err
	}
	idle, err := srv.memory()
	if err != nil {
		return f, err
	}
	clients, err := c.startClients(name, srv.addrs)
	if err != nil {
		return f, err
	}
	defer clients.stop()
	if _, err := clients.children[0].out.ReadString('\n'); err != nil {
		return f, fmt.Errorf("clients: %w", err)
	}
	if err := c.window(srv, clients, name, &f); err != nil {
		return f, err
	}
	perConn := func() (float64, error) {
		now, err := srv.memory()
		return float64(now-idle) / float64(c.conns), err
	}
	if f.memory, err = perConn(); err != nil {
		return f, err
	}
	if err := srv.tell("free"); err != nil {
		return f, err
	}
	f.live, err = perConn()
	return f, err
}

// startClients starts the clients, which then have as long as they take to begin and to settle.
func (c *config) startClients(name string, addrs []string) (*process, error) {
	p := new(process)
	return p, p.spawn(c, "-child", "clients", "-server", name, "-addr", strings.Join(addrs, ","),
		"-settle", c.settle.String(), fmt.Sprintf("-stalled=%v", name == stalledName))
}

// window lets the time pass that is measured.
func (c *config) window(srv, clients *process, name string, f *figures) error {
	begin, err := srv.cpu()
	begun, resent := time.Now(), resentSegments()
	if err = errors.Join(err, srv.tell("begin")); err != nil {
		return err
	}
	d := c.duration
	if name == stalledName {
		d = min(d, time.Second) // nothing happens
	}
	time.Sleep(d)
	end, err := srv.cpu()
	f.cores = (end - begin).Seconds() / time.Since(begun).Seconds()
	f.resent = resentSegments() - resent
	f.perConn = f.cores * 1e6 / float64(c.conns)
	if err = errors.Join(err, srv.tell("end")); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(clients.children[0].in, "result"); err != nil {
		return err
	}
	return json.NewDecoder(clients.children[0].out).Decode(&f.received)
}
