package main

import (
	"bufio"
	"errors"
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
	addrs    []string
	pids     []int
	children []child
	stop     func()
}

// child is this program, which ends when its input does.
type child struct {
	in  io.Writer
	out *bufio.Reader
}

// spawn starts this program as a child, beside those that p has.
func (p *process) spawn(c *config, args ...string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, append(args, "-n", fmt.Sprint(c.conns), "-rate", c.rate.String(), "-burst", fmt.Sprint(c.burst))...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.pids = append(p.pids, cmd.Process.Pid)
	p.children = append(p.children, child{in, bufio.NewReader(out)})
	others := p.stop
	p.stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
		if others != nil {
			others()
		}
	}
	return nil
}

// tell gives each child a line, and waits for its answer. nginx is no child of this kind.
func (p *process) tell(line string) error {
	for _, c := range p.children {
		if _, err := fmt.Fprintln(c.in, line); err != nil {
			return err
		}
		if _, err := c.out.ReadString('\n'); err != nil {
			return err
		}
	}
	return nil
}

// startServer starts a server and waits until it listens.
func (c *config) startServer(name string) (*process, error) {
	p := &process{stop: func() {}}
	err := c.startProcesses(p, name)
	for _, addr := range p.addrs {
		if err == nil {
			err = waitFor(addr)
		}
	}
	if err == nil && name == nginxName {
		err = p.findWorkers()
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// startProcesses starts nginx, or as many processes as the limit of open files makes necessary.
func (c *config) startProcesses(p *process, name string) error {
	if name == nginxName {
		return c.startNginx(p)
	}
	for i := range c.processes {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		p.addrs = append(p.addrs, addr)
		profile := ""
		if c.profile != "" && i == 0 {
			profile = c.profile + "." + name
		}
		if err := p.spawn(c, "-child", "server", "-server", name, "-addr", addr, "-dir", c.dir, "-cpuprofile", profile); err != nil {
			return err
		}
	}
	return nil
}

// startNginx starts nginx with two workers and its own limit.
func (c *config) startNginx(p *process) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	conf := fmt.Sprintf(`daemon off; worker_processes 2; worker_rlimit_nofile %[4]d; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log;
%[5]s events { use epoll; multi_accept on; worker_connections %[4]d; }
http { access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; gzip off; open_file_cache max=4096; default_type video/mp4;
server { listen %[2]s reuseport backlog=8192; root %[1]s; limit_rate %[3]d; } }`,
		c.dir, addr, int64(c.rate)/8, c.conns+spareFiles, userDirective())
	file := filepath.Join(c.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return err
	}
	cmd := exec.Command("nginx", "-c", file, "-p", c.dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	p.addrs, p.pids = []string{addr}, []int{cmd.Process.Pid}
	p.stop = func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
	return nil
}

// userDirective keeps workers of a master that is root able to read the file.
func userDirective() string {
	if os.Getuid() == 0 {
		return "user root;"
	}
	return ""
}

// findWorkers replaces nginx's master, which does nothing, by its workers.
func (p *process) findWorkers() error {
	master := p.pids[0]
	for range 100 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
		if err != nil {
			return err
		}
		if f := strings.Fields(string(b)); len(f) == 2 {
			p.pids = nil
			for _, s := range f {
				pid, err := strconv.Atoi(s)
				if err != nil {
					return err
				}
				p.pids = append(p.pids, pid)
			}
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("nginx has not started two workers")
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
