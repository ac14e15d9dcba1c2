package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTicks is USER_HZ, in which /proc/PID/stat counts on every Linux.
const clockTicks = 100

// cpuSeconds returns the user and system time of processes.
func cpuSeconds(pids []int) (float64, error) {
	var ticks float64
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, s := range f[11:13] {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return 0, err
			}
			ticks += v
		}
	}
	return ticks / clockTicks, nil
}

type sample struct{ rate, micros float64 }

// measure runs all rounds of one load and prints a row per server.
func measure(c config, dir string, l load, servers []server) error {
	var size int64
	var paths []string
	for _, p := range l.pieces {
		paths = append(paths, "/"+p.Path)
		size += p.Size
	}
	lists := make([]string, len(servers))
	for i, s := range servers {
		own := paths
		if s.paths != nil {
			own = s.paths[l.name]
		}
		lists[i] = filepath.Join(dir, l.name+"."+s.name+".paths")
		if err := os.WriteFile(lists[i], []byte(strings.Join(own, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	script := filepath.Join(dir, "random.lua")
	if err := os.WriteFile(script, []byte(randomPaths), 0o644); err != nil {
		return err
	}
	results := make([][]sample, len(servers))
	for round := range c.rounds + 1 {
		samples, err := together(c, servers, script, lists)
		if err != nil {
			return err
		}
		if round > 0 { // the first one warms up
			for i, r := range samples {
				results[i] = append(results[i], r)
			}
		}
	}
	base := max(slices.IndexFunc(servers, func(s server) bool { return s.name == c.base }), 0)
	for i, s := range servers {
		ratios := values(c.rounds, func(round int) float64 { return results[i][round].micros / results[base][round].micros })
		fmt.Printf("%-9s %-9s %10.0f %12.1f %10d %7.3f  %.3f..%.3f\n", l.name, s.name,
			middle(values(c.rounds, func(round int) float64 { return results[i][round].rate })),
			middle(values(c.rounds, func(round int) float64 { return results[i][round].micros })), size/int64(len(l.pieces)),
			middle(ratios), ratios[len(ratios)/4], ratios[len(ratios)*3/4])
	}
	return nil
}

// values returns f of every round in ascending order.
func values(rounds int, f func(round int) float64) []float64 {
	v := make([]float64, rounds)
	for i := range v {
		v[i] = f(i)
	}
	slices.Sort(v)
	return v
}

// middle returns the median of sorted values.
func middle(v []float64) float64 { return v[len(v)/2] }

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

// slice is how long one server has the machine before it is the next one's turn. The machine's speed changes within
// seconds, by more than the servers differ.
const slice = 50 * time.Millisecond

// together loads all servers in turn, slice by slice, until each had the seconds of the configuration.
func together(c config, servers []server, script string, lists []string) ([]sample, error) {
	before := make([]float64, len(servers))
	loads := make([]*exec.Cmd, len(servers))
	outputs := make([]bytes.Buffer, len(servers))
	defer func() {
		for _, cmd := range loads {
			if cmd != nil && cmd.ProcessState == nil {
				cmd.Process.Kill()
				cmd.Wait()
			}
		}
	}()
	for i, s := range servers {
		var err error
		if before[i], err = cpuSeconds(s.pids); err != nil {
			return nil, err
		}
		cmd := exec.Command("wrk", "-t1", "-c64", "--timeout", "30s", fmt.Sprintf("-d%ds", c.seconds*len(servers)), "-s", script, "http://"+s.addr, "--", lists[i])
		cmd.Stdout, cmd.Stderr = &outputs[i], &outputs[i]
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		loads[i] = cmd
		if err := pause(cmd.Process); err != nil {
			return nil, err
		}
	}
	end := time.Now().Add(time.Duration(c.seconds*len(servers)) * time.Second)
	for turn := 0; time.Now().Before(end); turn++ {
		p := loads[turn%len(loads)].Process
		if err := errors.Join(resume(p), sleep(slice), pause(p)); err != nil {
			return nil, err
		}
	}
	samples := make([]sample, len(servers))
	for i, s := range servers {
		if err := resume(loads[i].Process); err != nil {
			return nil, err
		}
		err := loads[i].Wait()
		out := outputs[i].Bytes()
		m := requests.FindSubmatch(out)
		if err != nil || m == nil || !bytes.Contains(out, []byte("errors 0\n")) {
			return nil, fmt.Errorf("%s: wrk: %v: %s", s.name, err, out)
		}
		n, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return nil, err
		}
		after, err := cpuSeconds(s.pids)
		if err != nil {
			return nil, err
		}
		samples[i] = sample{n / float64(c.seconds), (after - before[i]) / n * 1e6}
	}
	return samples, nil
}

func sleep(d time.Duration) error {
	time.Sleep(d)
	return nil
}
