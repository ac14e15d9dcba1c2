package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a server in processes of its own.
type process struct {
	name, addr string
	pids       []int
	stop       func()
}

// startChild starts this program as a server.
func startChild(variant, dir string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "-child", variant, "-addr", addr, "-dir", dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: variant, addr: addr, pids: []int{cmd.Process.Pid}, stop: func() {
		cmd.Process.Kill()
		cmd.Wait()
	}}
	if err := waitFor(addr); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// startNginx starts nginx with the files of a directory.
func startNginx(work, dir string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`daemon off; worker_processes 2; worker_rlimit_nofile 16384; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log; user root;
events { use epoll; multi_accept on; worker_connections 8192; }
http { access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; gzip off;
open_file_cache max=4096; types { video/mp4 mp4; } default_type video/mp4;
server { listen %[2]s reuseport backlog=8192; root %[3]s; } }`, work, addr, dir)
	file := filepath.Join(work, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command("nginx", "-c", file, "-p", work)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: "nginx", addr: addr, stop: func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}}
	if err := waitFor(addr); err != nil {
		p.stop()
		return nil, err
	}
	time.Sleep(200 * time.Millisecond) // the workers
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		p.stop()
		return nil, err
	}
	for _, f := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			p.stop()
			return nil, err
		}
		p.pids = append(p.pids, pid)
	}
	return p, nil
}

// waitFor waits until something listens.
func waitFor(addr string) error {
	for range 100 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing answers at %s", addr)
}

// clockTicks is USER_HZ, in which /proc/PID/stat counts on every Linux.
const clockTicks = 100

// usage is what processes have used.
type usage struct {
	cpu time.Duration // user and system
	rss int64         // kB
}

// used returns what the processes of a server have used.
func (p *process) used() (usage, error) {
	var u usage
	for _, pid := range p.pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return u, err
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, s := range f[11:13] {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return u, err
			}
			u.cpu += time.Duration(n) * time.Second / clockTicks
		}
		pages, err := strconv.ParseInt(f[21], 10, 64)
		if err != nil {
			return u, err
		}
		u.rss += pages * int64(os.Getpagesize()) >> 10
	}
	return u, nil
}

// tcpMemory returns what the kernel holds for TCP sockets, in kB.
func tcpMemory() int64 {
	b, _ := os.ReadFile("/proc/net/sockstat")
	_, after, ok := strings.Cut(string(b), "TCP: ")
	if !ok {
		return 0
	}
	f := strings.Fields(after)
	for i := 0; i+1 < len(f); i += 2 {
		if f[i] == "mem" {
			n, _ := strconv.ParseInt(f[i+1], 10, 64)
			return n * int64(os.Getpagesize()) >> 10
		}
	}
	return 0
}
