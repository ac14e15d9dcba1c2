package program

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// RaiseFiles lets this process and its children have n files open, or as many as they may, and returns how many.
func RaiseFiles(n int) (int, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	want := uint64(n)
	raised := unix.Rlimit{Cur: max(want, l.Cur), Max: max(want, l.Max)}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil { // above the hard limit with a privilege only
		return int(min(raised.Cur, math.MaxInt32)), nil
	}
	l.Cur = l.Max
	return int(min(l.Cur, math.MaxInt32)), unix.Setrlimit(unix.RLIMIT_NOFILE, &l)
}

// InNamespace runs this program again, with other arguments, in a network namespace of its own.
func InNamespace(args ...string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	return cmd.Run()
}

// SetUpNamespace brings loopback up in a new namespace and chooses reno, with which loopback is measured best.
func SetUpNamespace() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/tcp_congestion_control", []byte("reno"), 0o644)
}
