package listen

import (
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Bounds of the search. Beyond them the holder of an address stays unknown.
const (
	maxTable       = 8 << 20 // bytes of /proc/net/tcp
	maxDescriptors = 200_000 // links of /proc/PID/fd
)

// holder returns who has the address of a place, or an empty string. It is looked for in the tables of the system, and
// below /proc among the descriptors that this user may see. See proc(5), proc_pid_fd(5).
func holder(p place) string {
	var found *owner
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, o := range readTable(name) {
			if o.blocks(p) && (found == nil || !o.addr.Addr().IsUnspecified()) {
				found = &o
			}
		}
	}
	if found == nil {
		return ""
	}
	if pid := processOf(found.inode); pid == os.Getpid() {
		return fmt.Sprintf("this program itself (as %s)", found.addr)
	} else if pid != 0 {
		return fmt.Sprintf("%s (pid %d)", commandOf(pid), pid)
	}
	name := strconv.FormatUint(found.uid, 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return "a program of user " + name
}

// readTable returns the listening sockets of a table.
func readTable(name string) []owner {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxTable)) // what there is until an error is as good as nothing more
	return parseTable(string(b))
}

// processOf returns the process that has a socket, or 0.
func processOf(inode uint64) int {
	want, left := "socket:["+strconv.FormatUint(inode, 10)+"]", maxDescriptors
	procs, _ := os.ReadDir("/proc")
	for _, proc := range procs {
		pid, err := strconv.Atoi(proc.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", proc.Name(), "fd")
		fds, _ := os.ReadDir(dir) // that of another user cannot be read
		for _, fd := range fds {
			if left--; left < 0 {
				return 0
			}
			if target, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && target == want {
				return pid
			}
		}
	}
	return 0
}

// commandOf returns the name of a process.
func commandOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if name := strings.TrimSpace(string(b)); err == nil && name != "" {
		return name
	}
	return "a program"
}
