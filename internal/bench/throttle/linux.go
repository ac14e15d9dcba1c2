//go:build linux

package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// raiseFiles lets the process have n files open, or as many as it may, and returns how many.
func raiseFiles(n int) (int, error) {
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

// inNamespace runs the program again in a network namespace of its own.
func (c *config) inNamespace() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, append(os.Args[1:], "-netns=false", "-child", "namespace")...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	return cmd.Run()
}

// setUpNamespace brings loopback up and chooses reno.
func setUpNamespace() error {
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

// mapped returns the first bytes of a file, as many as an address space has room for.
func mapped(f *os.File, size int64) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, int(min(size, math.MaxInt)), unix.PROT_READ, unix.MAP_SHARED)
}
