package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// row is a line of the table, all of it text or numbers.
const row = "%-6s %7d %9d %8.8s %6d %6d %5d %5d %6d %24s %24s %9.9s %7.7s %7.7s %7.7s %7.7s\n"

// measureViewers measures the servers one after the other.
func measureViewers(c *config) error {
	work, err := os.MkdirTemp("", "smoothkit-live-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	files := filepath.Join(work, "files")
	if err := writeFiles(files, int(c.length/length)); err != nil {
		return err
	}
	fmt.Printf(strings.ReplaceAll(row, "d", "s"), "server", "viewers", "fragments", "Mbit/s", "412", "missed", "late", "wrong", "sums",
		"first byte ms 50/99/max", "complete ms 50/99/max", "CPU %core", "us/frag", "kB/view", "RSS MB", "TCP MB")
	for _, name := range c.servers {
		if err := measureServer(c, name, work, files); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// writeFiles writes the fragments of an event as they are served to files with the paths of their URLs.
func writeFiles(dir string, n int) error {
	s, err := livesmooth.NewServer(&livesmooth.Options{MemoryBudget: 1 << 40, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer s.Close()
	ctx := context.Background()
	set := livesmooth.DefaultSettings()
	set.Lookahead, set.AutoStart = lookahead, true
	p, err := s.Create(ctx, pointName, set)
	if err != nil {
		return err
	}
	body := smoothtest.NewEncoder(encoderConfig(viewerLanes()...)).Body(time.Duration(n) * length)
	if err := p.Push(ctx, livesmooth.PushInfo{Input: "1"}, body); err != nil {
		return err
	}
	for _, l := range viewerLanes() {
		for i := range n - lookahead {
			k := smooth.FragmentKey{Stream: l.name, Bitrate: l.bitrate, Time: uint64(i) * ticks}
			if err := p.Wait(ctx, k); err != nil {
				return err
			}
			if err := writeFile(p, k, filepath.Join(dir, filepath.FromSlash(l.path(i)))); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeFile(p smooth.Presentation, k smooth.FragmentKey, name string) error {
	f, err := p.Fragment(context.Background(), k)
	if err != nil {
		return err
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// moment is what a server uses at a moment.
type moment struct {
	usage
	state
}

func (p *process) moment(path string) (moment, error) {
	var m moment
	var err error
	if p.name != "nginx" {
		if m.state, err = ask(p.addr, path); err != nil {
			return m, err
		}
	}
	m.usage, err = p.used()
	return m, err
}

// measureServer measures one server.
func measureServer(c *config, name, work, files string) error {
	p, err := startServer(name, work, files)
	if err != nil {
		return err
	}
	defer p.stop()
	s := schedule{start: time.Now().Add(500 * time.Millisecond), edge: c.edge, n: int(c.length / length)}
	var push *encoders
	if name == "ours" {
		push = runEncoders(p.addr, s.start, newEncoder("1", s.n, viewerLanes()...))
	} else {
		s.start = s.start.Add(3*time.Second - joinAt) // nothing has to fill up
	}
	load, output, err := startChildOf(c, "viewers", p.addr, s.start)
	if err != nil {
		return err
	}
	defer load.Process.Kill()
	at := func(t time.Time, path string) (moment, error) {
		time.Sleep(time.Until(t))
		return p.moment(path)
	}
	idle, err := at(s.start.Add(joinAt-time.Second), collectPath)
	if err != nil {
		return err
	}
	begin := s.due(firstWatched + 2)
	before, err := at(begin, statePath)
	if err != nil {
		return err
	}
	profiled := c.profile != "" && name != "nginx"
	if profiled {
		if _, err := ask(p.addr, profilePath+"?file="+c.profile+"."+name); err != nil {
			return err
		}
	}
	end := s.due(s.lastWatched() - 2)
	kernel := int64(0)
	for t := begin; t.Before(end); t = t.Add(100 * time.Millisecond) {
		time.Sleep(time.Until(t))
		kernel = max(kernel, tcpMemory())
	}
	after, err := at(end, statePath)
	if err != nil {
		return err
	}
	if profiled {
		if _, err := ask(p.addr, profilePath); err != nil {
			return err
		}
	}
	full, err := at(end, collectPath)
	if err != nil {
		return err
	}
	if err := load.Wait(); err != nil {
		return err
	}
	if push != nil {
		if err := push.wait(); err != nil {
			return err
		}
	}
	var r report
	if err := json.Unmarshal(output.Bytes(), &r); err != nil {
		return err
	}
	c.print(name, &r, idle, before, after, full, end.Sub(begin), kernel, load)
	return nil
}

func startServer(name, work, files string) (*process, error) {
	if name == "nginx" {
		return startNginx(work, files)
	}
	return startChild(name, files)
}

// startChildOf starts this program as a load generator for an event that starts at a time.
func startChildOf(c *config, what, addr string, start time.Time) (*exec.Cmd, *bytes.Buffer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	args := []string{
		"-child", what, "-addr", addr, "-viewers", strconv.Itoa(c.viewers), "-seconds", strconv.Itoa(int(c.length / time.Second)),
		"-start", strconv.FormatInt(start.UnixNano(), 10), fmt.Sprintf("-edge=%v", c.edge),
		fmt.Sprintf("-aligned=%v", c.aligned),
	}
	cmd := exec.Command(exe, args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, os.Stderr
	return cmd, &output, cmd.Start()
}

// print prints the row of a server.
func (c *config) print(name string, r *report, idle, before, after, full moment, span time.Duration, kernel int64, load *exec.Cmd) {
	const mb = 1 << 20
	cpu := (after.cpu - before.cpu).Seconds()
	fragments := float64(c.viewers) * float64(span) / float64(length)
	memory := float64(full.rss-idle.rss) * 1024
	if name == "ours" { // the window has moved on in between
		memory = float64(int64(full.Heap+full.Stacks) - int64(idle.Heap+idle.Stacks) - (full.Stats.Memory - idle.Stats.Memory))
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	spread := func(d [3]time.Duration) string {
		return fmt.Sprintf("%.1f/%.1f/%.1f", millis(d[0]), millis(d[1]), millis(d[2]))
	}
	watched := float64(int(c.length/length)-lookahead-firstWatched) * length.Seconds()
	fmt.Printf(row, name, r.Viewers, r.Fragments, number(float64(r.Bytes)*8/1e6/watched), r.NotYet, r.Missed, r.Late,
		r.Wrong+r.WrongSums, r.Sums, spread(r.FirstByte), spread(r.Complete), number(100*cpu/span.Seconds()), number(cpu*1e6/fragments),
		number(memory/1024/float64(max(c.viewers, 1))), number(float64(full.rss)/1024), number(float64(kernel)/1024))
	u := load.ProcessState
	fmt.Printf("       load generator %.1f%% of a core; pool %.1f MB; goroutines %d; heap %.1f MB, stacks %.1f MB, from %.1f and %.1f MB\n",
		100*(u.UserTime()+u.SystemTime()).Seconds()/watched, float64(full.Stats.Memory)/mb, full.Goroutines,
		float64(full.Heap)/mb, float64(full.Stacks)/mb, float64(idle.Heap)/mb, float64(idle.Stacks)/mb)
	if r.Err != "" {
		fmt.Printf("       an error: %s\n", r.Err)
	}
}
