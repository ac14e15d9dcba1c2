package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
		for i, s := range servers {
			r, err := once(c, s, script, lists[i])
			if err != nil {
				return err
			}
			if round > 0 { // the first one warms up
				results[i] = append(results[i], r)
			}
		}
	}
	for i, s := range servers {
		fmt.Printf("%-9s %-9s %10.0f %12.1f %10d\n", l.name, s.name,
			median(results[i], func(s sample) float64 { return s.rate }),
			median(results[i], func(s sample) float64 { return s.micros }), size/int64(len(l.pieces)))
	}
	return nil
}

func median(list []sample, f func(sample) float64) float64 {
	v := make([]float64, len(list))
	for i, s := range list {
		v[i] = f(s)
	}
	slices.Sort(v)
	return v[len(v)/2]
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

func once(c config, s server, script, list string) (sample, error) {
	before, err := cpuSeconds(s.pids)
	if err != nil {
		return sample{}, err
	}
	out, err := exec.Command("wrk", "-t1", "-c64", fmt.Sprintf("-d%ds", c.seconds), "-s", script, "http://"+s.addr, "--", list).CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %v: %s", err, out)
	}
	after, err := cpuSeconds(s.pids)
	if err != nil {
		return sample{}, err
	}
	m := requests.FindSubmatch(out)
	if m == nil || !strings.Contains(string(out), "errors 0\n") {
		return sample{}, fmt.Errorf("%s: %s", s.name, out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	return sample{n / float64(c.seconds), (after - before) / n * 1e6}, err
}
