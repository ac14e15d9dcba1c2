package program

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stopTime is how long a process may take to end before it is killed. It is longer than the grace of the media server.
const stopTime = 20 * time.Second

// Process is a server in processes of its own. It is safe for concurrent use.
type Process struct {
	// Name in tables.
	Name string
	// Addr is where it listens.
	Addr string
	// PIDs are the processes that serve.
	PIDs []int

	cmd  *exec.Cmd
	once sync.Once
	done chan struct{} // closed when it has ended
	err  error         // of Wait, when done is closed
}

// Start starts a server and waits until it listens on an address.
func Start(name, addr string, cmd *exec.Cmd) (*Process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{Name: name, Addr: addr, PIDs: []int{cmd.Process.Pid}, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := p.waitFor(addr); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// waitFor waits until something listens, or the process has ended.
func (p *Process) waitFor(addr string) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s has ended: %w", p.Name, errors.Join(p.err, errors.New("nothing listens")))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s: nothing answers at %s", p.Name, addr)
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop ends the server as an operator does, and waits. The error is that of a process that did not end well, or not in
// time.
func (p *Process) Stop() error {
	p.once.Do(func() {
		if runtime.GOOS == "windows" || p.Signal(os.Interrupt) != nil {
			p.cmd.Process.Kill()
		}
	})
	select {
	case <-p.done:
		return p.err
	case <-time.After(stopTime):
		p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s does not end by itself", p.Name)
	}
}

// Usage is what processes have used since they began.
type Usage struct {
	// CPU is user and system time.
	CPU time.Duration
	// RSS is the memory that is theirs and in use now, without files, in bytes.
	RSS int64
	// Files are open, sockets and others as well, besides the Unnamed ones that have been deleted, or never had a name: segments that
	// are kept, which are bounded by their size.
	Files, Unnamed int
}

// clockTicks is USER_HZ, in which /proc/PID/stat counts on every Linux.
const clockTicks = 100

// Used returns what the processes of a server have used. It needs /proc.
func (p *Process) Used() (Usage, error) {
	var sum Usage
	for _, pid := range p.PIDs {
		cpu, err := cpuOf(pid)
		if err != nil {
			return sum, err
		}
		rss, err := anonymousOf(pid)
		if err != nil {
			return sum, err
		}
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		files, err := os.ReadDir(dir)
		if err != nil {
			return sum, err
		}
		sum.CPU += cpu
		sum.RSS += rss
		for _, f := range files {
			if to, _ := os.Readlink(filepath.Join(dir, f.Name())); strings.HasSuffix(to, " (deleted)") {
				sum.Unnamed++
			} else {
				sum.Files++
			}
		}
	}
	return sum, nil
}

// Open returns what files, sockets and others the processes have open, by what they are, with numbers.
func (p *Process) Open() map[string]int {
	list := make(map[string]int)
	for _, pid := range p.PIDs {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		files, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, f := range files {
			target, err := os.Readlink(dir + "/" + f.Name())
			if err != nil {
				continue
			}
			if kind, _, ok := strings.Cut(target, ":["); ok { // socket:[4711]
				target = kind
			}
			list[target]++
		}
	}
	return list
}

// cpuOf returns the user and system time of a process: see proc_pid_stat(5).
func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	var sum time.Duration
	for _, s := range f[11:13] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * time.Second / clockTicks
	}
	return sum, nil
}

// anonymousOf returns RssAnon of a process: see proc_pid_status(5).
func anonymousOf(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(b), "RssAnon:")
	var kB int64
	if _, err := fmt.Sscan(after, &kB); err != nil {
		return 0, fmt.Errorf("RssAnon of %d: %w", pid, err)
	}
	return kB << 10, nil
}

// FreeAddr returns an address of this machine that nobody listens on.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// HasProc reports whether the system has /proc as Linux has it.
func HasProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}
