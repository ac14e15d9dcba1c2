package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/smooth"
)

// held is what the heap has grown by.
type held struct {
	Fragments int
	// Plain is the growth per fragment in bytes, after the first fragments of each track. Viewed is that with a live and an on-demand
	// snapshot in use, and Snapshotted that with older ones held, too.
	Plain, Viewed, Snapshotted float64
	// Fixed is that for the event and the first fragments.
	Fixed int64
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// recordMemory records six hours: one track or eight, as the number of inputs says.
func recordMemory(c *config) (*held, error) {
	s := eight(c.inputs)
	if c.inputs == 1 {
		s.rates, s.sounds = s.rates[:1], nil
	}
	s.payload = 500
	f, err := newFeed(s)
	if err != nil {
		return nil, err
	}
	a, err := open(c.dir)
	if err != nil {
		return nil, err
	}
	none := heap()
	r, err := f.begin(a)
	if err != nil {
		return nil, err
	}
	const warm = 2
	if err := f.push(r, 0, warm, nil); err != nil {
		return nil, err
	}
	before := heap()
	h := &held{Fragments: longEvent * len(f.tracks), Fixed: before - none}
	per := func() float64 { return float64(heap()-before) / float64(h.Fragments-warm*len(f.tracks)) }
	if err := f.push(r, warm, longEvent-1, nil); err != nil {
		return nil, err
	}
	h.Plain = per()
	snaps, err := view(a)
	if err != nil {
		return nil, err
	}
	h.Viewed = per()
	if err := f.push(r, longEvent-1, longEvent, nil); err != nil { // the snapshots are old ones now
		return nil, err
	}
	more, err := view(a)
	if err != nil {
		return nil, err
	}
	h.Snapshotted = per()
	runtime.KeepAlive(snaps)
	runtime.KeepAlive(more)
	return h, errors.Join(r.Close(context.Background(), false), a.Close())
}

// view returns a snapshot of the event from its beginning and one of what there is of it.
func view(a *archive.Archive) ([]*smooth.Snapshot, error) {
	var list []*smooth.Snapshot
	for _, name := range []string{"bench.isml", "bench.ism"} {
		p, err := a.Open(context.Background(), path.Join(eventDir, name))
		if err != nil {
			return nil, err
		}
		s, err := p.Snapshot(context.Background())
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// measureMemory prints a row for one track and for eight.
func measureMemory(c *config) error {
	for _, inputs := range []int{1, 8} {
		dir := filepath.Join(c.dir, fmt.Sprint(inputs))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		one := *c
		one.inputs = inputs
		var h held
		if _, err := one.spawn("memory", dir, &h); err != nil {
			return err
		}
		fmt.Printf("%d tracks, %d fragments: %.1f bytes each, %.1f with viewers, %.1f with old snapshots too; %d bytes for the event\n",
			inputs, h.Fragments, h.Plain, h.Viewed, h.Snapshotted, h.Fixed)
	}
	return nil
}
