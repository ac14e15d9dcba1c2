package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/smooth"
)

// counted is a store that counts what is read of its files and written to them. It lends no files.
type counted struct {
	archive.Store
	reads, read, written atomic.Int64
}

func (s *counted) Open(ctx context.Context, name string) (smooth.File, error) {
	f, err := s.Store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return countedFile{f, s}, nil
}

func (s *counted) Append(ctx context.Context, name string) (archive.Appender, error) {
	a, err := s.Store.Append(ctx, name)
	if err != nil {
		return nil, err
	}
	return countedAppender{a, s}, nil
}

func (s *counted) Replace(ctx context.Context, name string, data []byte) error {
	s.written.Add(int64(len(data)))
	return s.Store.Replace(ctx, name, data)
}

type countedFile struct {
	smooth.File
	s *counted
}

func (f countedFile) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := f.File.ReadAtContext(ctx, p, off)
	f.s.reads.Add(1)
	f.s.read.Add(int64(n))
	return n, err
}

type countedAppender struct {
	archive.Appender
	s *counted
}

func (a countedAppender) Write(p []byte) (int, error) {
	n, err := a.Appender.Write(p)
	a.s.written.Add(int64(n))
	return n, err
}

func (a countedAppender) ReadAt(p []byte, off int64) (int, error) {
	n, err := a.Appender.ReadAt(p, off)
	a.s.reads.Add(1)
	a.s.read.Add(int64(n))
	return n, err
}

// sparseEvent writes what a recorder has left that died: one media file with all tracks, holes for samples, and nothing else.
func sparseEvent(f *feed, dir string, n int) (int64, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	file, err := os.Create(filepath.Join(dir, "input1.ismv"))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.Write(f.inputs[0].Header); err != nil {
		return 0, err
	}
	at := int64(len(f.inputs[0].Header))
	for i := range n {
		for _, t := range f.tracks {
			head, payload, err := f.head(t, i)
			if err != nil {
				return 0, err
			}
			if _, err := file.WriteAt(head, at); err != nil {
				return 0, err
			}
			at += int64(len(head) + len(payload))
		}
	}
	return at, file.Truncate(at)
}

// wholeEvent records an event, and takes away what is written at its end.
func wholeEvent(f *feed, root, dir string, n int) (int64, error) {
	a, err := open(root)
	if err != nil {
		return 0, err
	}
	r, err := f.begin(a)
	if err != nil {
		return 0, err
	}
	if err := f.push(r, 0, n, nil); err != nil {
		return 0, err
	}
	if err := errors.Join(r.Close(context.Background(), false), a.Close()); err != nil {
		return 0, err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, e := range list {
		name := filepath.Join(dir, e.Name())
		if !strings.HasSuffix(name, ".ismv") {
			if err := os.Remove(name); err != nil {
				return 0, err
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	if err := os.Remove(filepath.Join(root, eventDir, "event.json")); err != nil {
		return 0, err
	}
	return total, settle()
}

// measureRepair prints what looking at a file without an index, and repairing it, takes.
func measureRepair(c *config) error {
	if c.bytes < 0 {
		c.bytes = 10e9
	}
	f, err := newFeed(eight(1))
	if err != nil {
		return err
	}
	dir := filepath.Join(c.dir, eventDir, "1")
	n := f.count(c.bytes)
	var size int64
	if c.real {
		size, err = wholeEvent(f, c.dir, dir, n)
	} else {
		size, err = sparseEvent(f, dir, n)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%.2f GB, %d fragments\n", float64(size)/1e9, n*len(f.tracks))
	return repairTwice(c.dir, dir)
}

// repairTwice checks, repairs, and checks again.
func repairTwice(root, dir string) error {
	for _, step := range []string{"check", "repair", "check again"} {
		if err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			return forget(name)
		}); err != nil {
			return err
		}
		store, err := archive.Dir(root)
		if err != nil {
			return err
		}
		s := &counted{Store: store}
		begun := time.Now()
		var report *repair.Report
		if step == "repair" {
			report, err = repair.Repair(context.Background(), s, ".", nil)
		} else {
			report, err = repair.Check(context.Background(), s, ".", nil)
		}
		took := time.Since(begun)
		if err = errors.Join(err, store.Close()); err != nil {
			return err
		}
		plays := len(report.Assets) > 0
		for _, a := range report.Assets {
			plays = plays && a.Plays
		}
		fmt.Printf("%-12s %8.3f s, read %.2f MB in %d reads, wrote %.2f MB; faults %d, done %d, plays %v\n", step, took.Seconds(),
			float64(s.read.Load())/1e6, s.reads.Load(), float64(s.written.Load())/1e6, report.Faults(), report.Done(), plays)
	}
	return nil
}
