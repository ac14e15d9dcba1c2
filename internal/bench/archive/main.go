// Command archive measures recording on a real disk: what it costs beside cp, what the end of a long event takes, and how
// far behind the disk is.
//
//	go run ./internal/bench/archive -mode write  [-dir DIR] [-bytes 4e9] [-rounds 5] [-inputs 8] [-each 8]
//	go run ./internal/bench/archive -mode event  [-dir DIR] [-bytes 0] [-inputs 8]
//	go run ./internal/bench/archive -mode memory [-dir DIR]
//	go run ./internal/bench/archive -mode repair [-dir DIR] [-bytes 10e9] [-real]
//	go run ./internal/bench/archive -mode pace   [-dir DIR] [-seconds 60]
//
// The event has eight tracks in fragments of two seconds: six video levels from 0.3 to 6 Mbit/s and two languages, 15.3 Mbit/s
// in all. Its fragments are in memory before the clock starts, in the form that a publishing point gives them; what is
// done for each is a new time in the moof box.
//
// write: an event of that many bytes as fast as it goes, with default options, by a process of its own; beside it cp of the
// files that it has made, cp followed by fdatasync, and a loop that writes as many bytes in blocks of 1 MB and syncs
// once. The CPU time is that of the process, of ours from the first fragment on.
//
// event: six hours, 86,400 fragments, small ones or as large as they have to be for that many bytes: the end, the first
// manifest after it, the manifest of the event while it grows, and what a restart takes after a crash.
//
// memory: what the heap has grown by when such an event has been recorded.
//
// repair: a file of that many bytes without an index: one with holes for samples, or with -real one that was recorded and is not
// in memory.
//
// pace: 50 Mbit/s in real time: how long Append takes, and how old a fragment is when it is durable.
//
// It needs cp, dd and sync. BENCHMARKS.md has figures.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"time"
)

// config is the command line.
type config struct {
	mode, child, dir, profile string
	bytes                     int64
	rounds, inputs, each      int
	length                    time.Duration
	real                      bool
}

func main() {
	log.SetFlags(0)
	var c config
	var size float64
	var seconds int
	flag.StringVar(&c.mode, "mode", "write", "what to measure: write, event, memory, repair or pace")
	flag.StringVar(&c.dir, "dir", os.TempDir(), "directory on the disk to measure; a directory is made in it")
	flag.Float64Var(&size, "bytes", -1, "size of the event or file; the default is that of the mode")
	flag.IntVar(&c.rounds, "rounds", 5, "rounds of mode write")
	flag.IntVar(&c.inputs, "inputs", 8, "input streams, and so files, that the eight tracks come in: 1 or 8")
	flag.IntVar(&c.each, "each", perTrack, "different fragments of a track in mode write, 3.8 MB for all tracks; they are used in turn")
	flag.IntVar(&seconds, "seconds", 60, "length of mode pace")
	flag.BoolVar(&c.real, "real", false, "record the file of mode repair")
	flag.StringVar(&c.profile, "profile", "", "write a CPU profile of the recording process to this `file`, in mode write")
	flag.StringVar(&c.child, "child", "", "what to do as a child (used by the program itself)")
	flag.Parse()
	c.bytes, c.length = int64(size), time.Duration(seconds)*time.Second
	if err := c.run(); err != nil {
		log.Fatal("archive: ", err)
	}
}

func (c *config) run() error {
	if c.child != "" {
		result, err := c.runChild()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(result)
	}
	root, err := os.MkdirTemp(c.dir, "smoothkit-archive-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	c.dir = root
	switch c.mode {
	case "write":
		return measureWrite(c)
	case "event":
		return measureEvent(c)
	case "memory":
		return measureMemory(c)
	case "repair":
		return measureRepair(c)
	case "pace":
		return measurePace(c)
	}
	return fmt.Errorf("no mode %q", c.mode)
}

// runChild does the part of a measurement that has a process of its own.
func (c *config) runChild() (any, error) {
	switch c.child {
	case "record":
		return recordAll(c)
	case "blocks", "touch":
		return writeBlocks(c)
	case "event":
		return recordEvent(c)
	case "crash":
		return crashEvent(c)
	case "restart":
		return restartEvent(c)
	case "memory":
		return recordMemory(c)
	}
	return nil, fmt.Errorf("no child %q", c.child)
}
