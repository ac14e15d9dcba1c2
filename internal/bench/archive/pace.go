package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// paced is the bit rate of mode pace.
const paced = 50e6

// measurePace records in real time.
func measurePace(c *config) error {
	steady := shape{rates: []uint64{paced}, length: 200 * time.Millisecond, payload: 64 << 20, inputs: 1, each: perTrack}
	for _, x := range []struct {
		name  string
		shape shape
	}{
		{"eight tracks, 2 s, at once", eight(c.inputs).scaled(paced / 15.3e6)},
		{"one track, 0.2 s", steady},
	} {
		dir := filepath.Join(c.dir, fmt.Sprint(x.shape.length))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := pace(c, x.name, x.shape, dir); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// pace records one event in real time, and asks every millisecond what is durable.
func pace(c *config, name string, s shape, dir string) error {
	f, err := newFeed(s)
	if err != nil {
		return err
	}
	a, err := open(dir)
	if err != nil {
		return err
	}
	r, err := f.begin(a)
	if err != nil {
		return err
	}
	n := int(c.length / s.length)
	written := make(chan time.Time, n) // when the first of the fragments with each number had been written
	ages, done := []time.Duration(nil), make(chan struct{})
	go func() {
		defer close(done)
		i := 0
		for at := range written {
			i++
			for r.Durable() < f.at(i) {
				time.Sleep(time.Millisecond)
			}
			ages = append(ages, time.Since(at))
		}
	}()
	var took, opening []time.Duration // the first fragments of tracks make files and manifests
	begun := time.Now()
	for i := range n {
		time.Sleep(time.Until(begun.Add(time.Duration(i+1) * s.length)))
		first := time.Now()
		list := &took
		if i == 0 {
			list = &opening
		}
		if err := f.push(r, i, i+1, func(d time.Duration) { *list = append(*list, d) }); err != nil {
			return err
		}
		written <- first
	}
	close(written)
	<-done
	slices.Sort(took)
	slices.Sort(opening)
	slices.Sort(ages)
	fmt.Printf("%s: %d fragments, load %s\n", name, len(opening)+len(took), load())
	for _, x := range []struct {
		what string
		list []time.Duration
	}{{"Append", took}, {"Append of the first", opening}, {"durable after", ages}} {
		fmt.Printf("  %-20s %v median, %v p99, %v most\n", x.what, quantile(x.list, 0.5), quantile(x.list, 0.99), quantile(x.list, 1))
	}
	return errors.Join(r.Close(context.Background(), true), a.Close())
}
