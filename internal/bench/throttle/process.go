package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// process is a server, or the clients, in processes of its own.
type process struct {
	addr string
	pids []int
	stop func()

	in  io.WriteCloser // of a child of this program, which ends with it
	out *bufio.Reader
}

// spawn starts this program as a child.
func (c *config) spawn(args ...string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, append(args, "-n", fmt.Sprint(c.conns), "-rate", c.rate.String(), "-burst", fmt.Sprint(c.burst))...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{pids: []int{cmd.Process.Pid}, in: in, out: bufio.NewReader(out), stop: func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}}, nil
}

// tell gives a child a line, and waits for its answer. Processes that are no children of this program have none.
func (p *process) tell(line string) error {
	if p.in == nil {
		return nil
	}
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		return err
	}
	_, err := p.out.ReadString('\n')
	return err
}

// startServer starts a server and waits until it listens.
func (c *config) startServer(name string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	var p *process
	if name == nginxName {
		p, err = c.startNginx(addr)
	} else {
		profile := ""
		if c.profile != "" {
			profile = c.profile + "." + name
		}
		p, err = c.spawn("-child", "server", "-server", name, "-addr", addr, "-dir", c.dir, "-cpuprofile", profile)
	}
	if err != nil {
		return nil, err
	}
	p.addr = addr
	if err := waitFor(addr); err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, p.findWorkers(name)
}

// startNginx starts nginx with two workers and its own limit.
func (c *config) startNginx(addr string) (*process, error) {
	conf := fmt.Sprintf(`daemon off; worker_processes 2; worker_rlimit_nofile %[4]d; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log;
%[5]s events { use epoll; multi_accept on; worker_connections %[4]d; }
http { access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; gzip off; open_file_cache max=4096; default_type video/mp4;
server { listen %[2]s reuseport backlog=8192; root %[1]s; limit_rate %[3]d; } }`,
		c.dir, addr, int64(c.rate)/8, 3*c.conns+1000, userDirective())
	file := filepath.Join(c.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command("nginx", "-c", file, "-p", c.dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{pids: []int{cmd.Process.Pid}, stop: func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}}, nil
}

// userDirective keeps workers of a master that is root able to read the file.
func userDirective() string {
	if os.Getuid() == 0 {
		return "user root;"
	}
	return ""
}

// findWorkers replaces nginx's master, which does nothing, by its workers.
func (p *process) findWorkers(name string) error {
	if name != nginxName {
		return nil
	}
	master := p.pids[0]
	for range 100 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
		if err != nil {
			p.stop()
			return err
		}
		if f := strings.Fields(string(b)); len(f) == 2 {
			p.pids = nil
			for _, s := range f {
				pid, err := strconv.Atoi(s)
				if err != nil {
					p.stop()
					return err
				}
				p.pids = append(p.pids, pid)
			}
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.stop()
	return fmt.Errorf("nginx has not started two workers")
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// waitFor waits until something listens.
func waitFor(addr string) error {
	for range 250 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("nothing answers at %s", addr)
}

// clockTicks is USER_HZ, in which /proc/PID/stat counts on every Linux.
const clockTicks = 100

// cpu returns the user and system time that the processes have used.
func (p *process) cpu() (time.Duration, error) {
	sum := time.Duration(0)
	for _, pid := range p.pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, s := range f[11:13] {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n) * time.Second / clockTicks
		}
	}
	return sum, nil
}

// memory returns the anonymous memory of the processes, in kB of 1024 bytes.
func (p *process) memory() (int64, error) {
	sum := int64(0)
	for _, pid := range p.pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		_, after, _ := strings.Cut(string(b), "RssAnon:")
		var n int64
		if _, err := fmt.Sscan(after, &n); err != nil {
			return 0, fmt.Errorf("RssAnon of %d: %w", pid, err)
		}
		sum += n
	}
	return sum, nil
}

// resentSegments returns how many TCP segments the system has sent again, which on loopback means that it was too busy.
func resentSegments() int64 {
	b, _ := os.ReadFile("/proc/net/snmp")
	var names []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "Tcp:" {
			continue
		}
		if i := slices.Index(names, "RetransSegs"); i >= 0 && i < len(f) {
			n, _ := strconv.ParseInt(f[i], 10, 64)
			return n
		}
		names = f
	}
	return 0
}
