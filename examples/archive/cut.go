package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/edit"
	"github.com/smoothkit/smoothkit/smooth"
)

// cut joins the segments of an event, or writes a part of it.
func (c *command) cut(ctx context.Context) error {
	dir, name := c.dir, "."
	if strings.EqualFold(filepath.Ext(dir), ".ism") {
		dir, name = filepath.Dir(dir), filepath.Base(dir)
	}
	if err := isDirectory(dir); err != nil {
		return err
	}
	files := smooth.NewDirFiles(dir)
	defer files.Close()
	list, err := edit.Segments(ctx, files, name)
	if err != nil {
		return err
	}
	opts := &edit.Options{Rebase: c.rebase, Progress: c.progress()}
	out, end := c.out, c.to
	if c.name == "merge" {
		out, end = cmp.Or(c.to, c.out), ""
	}
	if opts.From, err = point(c.from, list[0].Start); err == nil {
		opts.To, err = point(end, list[0].Start)
	}
	if err != nil {
		fmt.Fprintf(c.stderr, "archive: %v\n", err)
		return errUsage
	}
	out = cmp.Or(out, c.newName())
	unlock, err := lockAround(ctx, out)
	if err != nil {
		return err
	}
	defer unlock()
	_, statErr := os.Stat(out)
	store, err := archive.Dir(out)
	if err != nil {
		return err
	}
	defer store.Close()
	r, err := edit.Merge(ctx, files, name, store, ".", opts)
	if err != nil && statErr != nil {
		_ = os.Remove(out) // empty, and made for nothing
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: choose another directory", err)
	}
	if errors.Is(err, smooth.ErrNotFound) && c.name == "trim" {
		first, last := list[0], list[len(list)-1]
		return fmt.Errorf("%w: %s is %s long, from ticks %d to %d", err, c.dir, clock(last.End-first.Start), first.Start, last.End)
	}
	if err != nil {
		return err
	}
	return c.print(r, c.describe(out, list, r))
}

// newName returns the directory that is written to if none is given.
func (c *command) newName() string {
	abs, err := filepath.Abs(c.dir)
	if err != nil {
		abs = c.dir
	}
	base := filepath.Base(abs)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	return base + map[string]string{"merge": "-merged", "trim": "-trimmed"}[c.name]
}

// describe tells what was written.
func (c *command) describe(out string, list []edit.Segment, r *edit.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d fragments, %.1f MB in %d files\n", filepath.Join(out, filepath.FromSlash(r.Name)), r.Fragments, float64(r.Bytes)/1e6, len(r.Files))
	start := list[0].Start
	fmt.Fprintf(&b, "from %s to %s of the event (ticks %d to %d)", clock(r.Start-min(start, r.Start)), clock(r.End-min(start, r.End)), r.Start, r.End)
	if r.Shift > 0 {
		fmt.Fprintf(&b, ", times less %d", r.Shift)
	}
	fmt.Fprintln(&b)
	if c.name == "merge" {
		fmt.Fprintf(&b, "%d segments, %d fragments were in two\n", len(list), r.Repeated)
	}
	if r.Missing > 0 {
		fmt.Fprintf(&b, "%d fragments are missing of quality levels while others have them\n", r.Missing)
	}
	return b.String()
}

// progress returns a function that shows how far the work is, if somebody is there to see it.
func (c *command) progress() func(done, total int) {
	f, ok := c.stderr.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	last := time.Now()
	return func(done, total int) {
		if now := time.Now(); done == total || now.Sub(last) > time.Second {
			last = now
			fmt.Fprintf(f, "\r%3d %%\r", done*100/max(total, 1))
		}
	}
}

func isDirectory(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	return err
}
