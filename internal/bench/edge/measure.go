package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/bench/mediaserver/program"
)

// sample is what a server took in one round.
type sample struct {
	rate   float64 // requests per second of its turns
	micros float64 // CPU time per request
}

// measureCaches measures all caches with all loads.
func (c *config) measureCaches() error {
	o, err := startOrigin(c.loads)
	if err != nil {
		return err
	}
	defer o.close()
	servers, err := c.startServers(o.addr, nginxName, cacheName, mediaserverName)
	defer func() { stopAll(servers) }()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "| %-8s | %9s | %-12s | %8s | %11s | %6s | %s |\n", "fragment", "bytes", "server", "req/s", "CPU us/req", "ratio", "least to most")
	fmt.Fprintln(c.out, "|---|---:|---|---:|---:|---:|---|")
	for i := range c.loads {
		if err := c.measure(&c.loads[i], servers, o); err != nil {
			return err
		}
	}
	return nil
}

// measure measures all servers with one load and prints a row of each.
func (c *config) measure(l *load, servers []*server, o *origin) error {
	for _, s := range servers {
		if err := warm(s, l, o); err != nil {
			return err
		}
	}
	script, list, err := c.writeScript(l)
	if err != nil {
		return err
	}
	asked := o.asked.Load()
	results := make([][]sample, len(servers))
	for round := range c.rounds + 1 {
		samples, err := c.together(servers, script, list, l.name, round)
		if err != nil {
			return err
		}
		for i := range samples {
			if round > 0 { // the first one warms up
				results[i] = append(results[i], samples[i])
			}
		}
	}
	if n := o.asked.Load() - asked; n > 0 {
		return fmt.Errorf("%s: the origin was asked %d times, though all is cached", l.name, n)
	}
	for i, s := range servers {
		c.print(l, s.Name, results[i], results[0])
	}
	return nil
}

func (c *config) print(l *load, name string, own, base []sample) {
	ratios := values(own, func(i int) float64 { return own[i].micros / base[i].micros })
	fmt.Fprintf(c.out, "| %-8s | %9d | %-12s | %8.0f | %11.1f | %6.2f | %.2f to %.2f |\n", l.name, l.size, name,
		middle(values(own, func(i int) float64 { return own[i].rate })),
		middle(values(own, func(i int) float64 { return own[i].micros })), middle(ratios), ratios[0], ratios[len(ratios)-1])
}

// values returns f of every round in ascending order.
func values(rounds []sample, f func(round int) float64) []float64 {
	v := make([]float64, len(rounds))
	for i := range v {
		v[i] = f(i)
	}
	slices.Sort(v)
	return v
}

// middle returns the median of sorted values.
func middle(v []float64) float64 { return v[len(v)/2] }

// maxWarm bounds the rounds until everything is in a cache: ours writes to disk when there is time.
const maxWarm = 50

// warm asks for all fragments until all come from the cache, and checks them.
func warm(s *server, l *load, o *origin) error {
	for range maxWarm {
		missing := 0
		for i := range l.n {
			path := l.path(i)
			resp, err := http.Get("http://" + s.Addr + path)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(body, o.bodies[path]) {
				return fmt.Errorf("%s: %s: %s, %d bytes, want %d: %w", s.Name, path, resp.Status, len(body), l.size, errors.Join(err))
			}
			if resp.Header.Get("X-Cache") != "HIT" {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s: not everything gets into the cache", s.Name)
}

// slice is how long one server has the machine before it is the next one's turn.
const slice = 50 * time.Millisecond

// writeScript writes the script for wrk, and the paths it is to ask for.
func (c *config) writeScript(l *load) (script, list string, err error) {
	script, list = filepath.Join(c.dir, "random.lua"), filepath.Join(c.dir, l.name+".paths")
	var paths strings.Builder
	for i := range l.n {
		fmt.Fprintln(&paths, l.path(i))
	}
	err = errors.Join(os.WriteFile(script, []byte(randomPaths), 0o600), os.WriteFile(list, []byte(paths.String()), 0o600))
	return script, list, err
}

const randomPaths = `
local paths = {}
function init(args)
  math.randomseed(os.time())
  for line in io.lines(args[1]) do paths[#paths + 1] = line end
end
function request() return wrk.format("GET", paths[math.random(#paths)]) end
function done(summary) io.write("errors ", summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout, "\n") end
`

var requests = regexp.MustCompile(`(\d+) requests in`)

// client is wrk with one server.
type client struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	before program.Usage
}

// together loads all servers in turn, slice by slice, until each has had its seconds. The order of the turns is another one
// in each round.
func (c *config) together(servers []*server, script, list, name string, round int) ([]sample, error) {
	clients := make([]*client, len(servers))
	defer func() {
		for _, w := range clients {
			if w != nil && w.cmd.ProcessState == nil {
				w.cmd.Process.Kill()
				w.cmd.Wait()
			}
		}
	}()
	length := time.Duration(c.seconds*len(servers)) * time.Second
	for i, s := range servers {
		w := &client{cmd: exec.Command("wrk", "-t1", "-c64", "--timeout", "60s", fmt.Sprintf("-d%ds", int(length.Seconds())),
			"-s", script, "http://"+s.Addr, "--", list)}
		w.cmd.Stdout, w.cmd.Stderr = &w.output, &w.output
		var err error
		if w.before, err = s.Used(); err != nil {
			return nil, err
		}
		if err := w.cmd.Start(); err != nil {
			return nil, err
		}
		clients[i] = w
		if err := pause(w.cmd.Process); err != nil {
			return nil, err
		}
		if c.profile != "" && s.debug != "" && round == c.rounds {
			go c.saveProfile(s, name, length)
		}
	}
	end := time.Now().Add(length)
	for turn := round; time.Now().Before(end); turn++ {
		p := clients[turn%len(clients)].cmd.Process
		if err := resume(p); err != nil {
			return nil, err
		}
		time.Sleep(slice)
		if err := pause(p); err != nil {
			return nil, err
		}
	}
	samples := make([]sample, len(servers))
	for i, s := range servers {
		var err error
		if samples[i], err = c.finish(clients[i], s); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// finish waits for wrk and returns what the server took.
func (c *config) finish(w *client, s *server) (sample, error) {
	if err := resume(w.cmd.Process); err != nil {
		return sample{}, err
	}
	err := w.cmd.Wait()
	out := w.output.Bytes()
	m := requests.FindSubmatch(out)
	if err != nil || m == nil || !bytes.Contains(out, []byte("errors 0\n")) {
		return sample{}, fmt.Errorf("%s: wrk: %v: %s", s.Name, err, out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		return sample{}, err
	}
	after, err := s.Used()
	if err != nil {
		return sample{}, err
	}
	return sample{rate: n / float64(c.seconds), micros: (after.CPU - w.before.CPU).Seconds() / n * 1e6}, nil
}

// saveProfile writes a CPU profile of a server to a file. That it cannot is told and nothing more.
func (c *config) saveProfile(s *server, name string, length time.Duration) {
	file := c.profile + "." + s.Name + "." + name
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.debug, int(length.Seconds())-1))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
