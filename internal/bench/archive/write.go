package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"time"
)

// written is what a child tells that has written.
type written struct {
	Bytes int64 // of all files
	// Wall is from the first byte until all are on the disk, CPU the user and system time of the process meanwhile.
	Wall, CPU time.Duration
	// Append are quantiles of the time of a call: one half, 99 percent, 99.9 percent, all.
	Append [4]time.Duration
	Calls  int
}

// recordAll records an event as fast as it goes.
func recordAll(c *config) (*written, error) {
	event := eight(c.inputs)
	event.each = min(max(c.each, 1), perTrack)
	f, err := newFeed(event)
	if err != nil {
		return nil, err
	}
	n := f.count(c.bytes)
	if c.profile != "" {
		p, err := os.Create(c.profile)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		if err := pprof.StartCPUProfile(p); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	a, err := open(c.dir)
	if err != nil {
		return nil, err
	}
	took := make([]time.Duration, 0, n*len(f.tracks))
	begun, used := time.Now(), processTime()
	r, err := f.begin(a)
	if err != nil {
		return nil, err
	}
	if err := f.push(r, 0, n, func(d time.Duration) { took = append(took, d) }); err != nil {
		return nil, err
	}
	if err := r.Close(context.Background(), true); err != nil {
		return nil, err
	}
	w := &written{Wall: time.Since(begun), CPU: processTime() - used, Calls: len(took)}
	slices.Sort(took)
	for i, part := range []float64{0.5, 0.99, 0.999, 1} {
		w.Append[i] = quantile(took, part)
	}
	if err := a.Close(); err != nil {
		return nil, err
	}
	w.Bytes, err = sizeOf(c.dir)
	return w, err
}

// blockSize is that of the loop that shows what the disk takes.
const blockSize = 1 << 20

// writeBlocks writes one file in blocks, and syncs it at the end if that is what is measured.
func writeBlocks(c *config) (*written, error) {
	source := rand.NewChaCha8([32]byte{1})
	blocks := make([][]byte, 16)
	for i := range blocks {
		blocks[i] = make([]byte, blockSize)
		_, _ = source.Read(blocks[i])
	}
	begun, used := time.Now(), processTime()
	file, err := os.Create(filepath.Join(c.dir, "blocks"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	n := int(c.bytes / blockSize)
	for i := range n {
		if _, err := file.Write(blocks[i%len(blocks)]); err != nil {
			return nil, err
		}
	}
	if c.child == "blocks" {
		if err := file.Sync(); err != nil {
			return nil, err
		}
	}
	return &written{Bytes: int64(n) * blockSize, Wall: time.Since(begun), CPU: processTime() - used}, nil
}

// A contestant writes as many bytes as the others.
type contestant struct {
	name string
	run  func(c *config, dir, recorded string) (spent, *written, error)
	cpu  []float64 // seconds per GB
	rate []float64 // MB/s
}

// contestants of mode write. The first makes the files that cp copies.
func contestants() []*contestant {
	return []*contestant{
		{name: "smoothkit", run: func(c *config, dir, _ string) (spent, *written, error) {
			w := new(written)
			_, err := c.spawn("record", dir, w)
			return spent{w.Wall, w.CPU}, w, err
		}},
		{name: "cp", run: func(c *config, dir, recorded string) (spent, *written, error) {
			s, _, err := command("cp", "-r", "--reflink=never", "--sparse=never", recorded, filepath.Join(dir, "copy"))
			return s, &written{Bytes: c.bytes, Wall: s.wall}, err
		}},
		{name: "cp and fdatasync", run: func(c *config, dir, recorded string) (spent, *written, error) {
			s, _, err := command("sh", "-c", `cp -r --reflink=never --sparse=never "$0" "$1" && find "$1" -type f -print0 | xargs -0 sync -d`,
				recorded, filepath.Join(dir, "copy"))
			return s, &written{Bytes: c.bytes, Wall: s.wall}, err
		}},
		{name: "blocks of 1 MB", run: func(c *config, dir, _ string) (spent, *written, error) {
			w := new(written)
			_, err := c.spawn("blocks", dir, w)
			return spent{w.Wall, w.CPU}, w, err
		}},
		{name: "dd", run: func(c *config, dir, _ string) (spent, *written, error) {
			n := c.bytes / blockSize
			s, _, err := command("dd", "if=/dev/zero", "of="+filepath.Join(dir, "zeros"), "bs=1M", fmt.Sprint("count=", n), "conv=fdatasync",
				"status=none")
			return s, &written{Bytes: n * blockSize, Wall: s.wall}, err
		}},
	}
}

// measureWrite prints a row for each contestant.
func measureWrite(c *config) error {
	if c.bytes < 0 {
		c.bytes = 4e9
	}
	list := contestants()
	for round := range c.rounds + 1 { // the first one warms up
		recorded, err := os.MkdirTemp(c.dir, "recorded-")
		if err != nil {
			return err
		}
		for i := range list {
			x := list[i]
			if i > 0 && round%2 == 1 { // the others in turn
				x = list[len(list)-i]
			}
			dir := recorded
			if i > 0 {
				if dir, err = os.MkdirTemp(c.dir, "other-"); err != nil {
					return err
				}
			}
			if err := errors.Join(settle(), c.touch()); err != nil {
				return err
			}
			s, w, err := x.run(c, dir, recorded)
			if err != nil {
				return fmt.Errorf("%s: %w", x.name, err)
			}
			if i > 0 {
				if err := os.RemoveAll(dir); err != nil {
					return err
				}
			}
			gb := float64(w.Bytes) / 1e9
			fmt.Printf("# round %d %-17s %5.2f GB, CPU %.3f s, wall %.3f s", round, x.name, gb, s.cpu.Seconds(), w.Wall.Seconds())
			if w.Calls > 0 {
				fmt.Printf(", Append %v median, %v p99, %v p99.9, %v most of %d", w.Append[0], w.Append[1], w.Append[2], w.Append[3], w.Calls)
			}
			fmt.Println()
			if round > 0 {
				x.cpu, x.rate = append(x.cpu, s.cpu.Seconds()/gb), append(x.rate, gb*1e3/w.Wall.Seconds())
			}
		}
		if err := os.RemoveAll(recorded); err != nil {
			return err
		}
	}
	fmt.Println("load", load())
	fmt.Printf("%-17s %10s %10s %8s %8s %12s\n", "", "CPU/GB, s", "least", "x cp", "MB/s", "% of blocks")
	cp, blocks := list[1], list[3]
	for _, x := range list {
		var cost, speed []float64
		for i := range x.cpu {
			cost, speed = append(cost, x.cpu[i]/cp.cpu[i]), append(speed, 100*x.rate[i]/blocks.rate[i])
		}
		fmt.Printf("%-17s %10.3f %10.3f %8.2f %8.0f %8.0f (%.0f to %.0f)\n", x.name, middle(x.cpu), slices.Min(x.cpu),
			middle(cost), middle(x.rate), middle(speed), slices.Min(speed), slices.Max(speed))
	}
	return nil
}
