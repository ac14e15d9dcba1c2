package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// spent is what a process has taken.
type spent struct {
	wall, cpu time.Duration // cpu is user and system time
}

// command runs a program, and returns what it has taken and written.
func command(name string, args ...string) (spent, []byte, error) {
	cmd := exec.Command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return spent{}, nil, fmt.Errorf("%s: %w: %s", name, err, errs.Bytes())
	}
	s := spent{time.Since(begun), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	return s, out.Bytes(), nil
}

// spawn runs a child of this program, and decodes what it tells into result.
func (c *config) spawn(child, dir string, result any) (spent, error) {
	exe, err := os.Executable()
	if err != nil {
		return spent{}, err
	}
	args := []string{
		"-child", child, "-dir", dir, "-mode", c.mode, "-bytes", fmt.Sprint(c.bytes), "-inputs", fmt.Sprint(c.inputs),
		"-each", fmt.Sprint(c.each),
	}
	if child == "record" && c.profile != "" {
		args = append(args, "-profile", c.profile)
	}
	s, out, err := command(exe, args...)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(out, result)
}

// settle waits until the disk has nothing to do for us.
func settle() error {
	_, _, err := command("sync")
	return err
}

// touch has the system use as much of its cache as will be written, and give it back: a virtual machine that gets memory from its
// host only when it uses it charges that to whom it happens to, and several times what writing costs.
func (c *config) touch() error {
	dir, err := os.MkdirTemp(c.dir, "touch-")
	if err != nil {
		return err
	}
	_, err = c.spawn("touch", dir, new(written))
	return errors.Join(err, os.RemoveAll(dir))
}

// forget takes a file out of the page cache.
func forget(name string) error {
	_, _, err := command("dd", "if="+name, "iflag=nocache", "count=0", "status=none")
	return err
}

// sizeOf returns the bytes in all files below a directory.
func sizeOf(dir string) (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// middle returns the median.
func middle[T float64 | time.Duration](v []T) T {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// quantile returns the value below which a part of sorted values lies.
func quantile(v []time.Duration, part float64) time.Duration {
	if len(v) == 0 {
		return 0
	}
	return v[min(int(part*float64(len(v))), len(v)-1)]
}

// load returns how many processes wanted to run in the last minute, which may have spoilt the figures; nothing if it is not known.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
