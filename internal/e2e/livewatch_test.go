package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// watchOrder is what the driver is told about a live presentation, see play.mjs.
type watchOrder struct {
	Live     bool    `json:"live"`
	Player   string  `json:"player"`
	URL      string  `json:"url"`
	Name     string  `json:"name,omitempty"`
	Format   string  `json:"format,omitempty"`
	Engine   string  `json:"engine,omitempty"`
	Seconds  float64 `json:"seconds"`
	Rewind   bool    `json:"rewind,omitempty"`
	Over     bool    `json:"over,omitempty"`
	Seek     float64 `json:"seek,omitempty"`
	Last     int     `json:"last,omitempty"`
	Outlast  float64 `json:"outlast,omitempty"`
	Chromium string  `json:"chromium"`

	Screenshot string `json:"screenshot,omitempty"`

	playing func() // called when the player has begun
}

// watchReport is what the driver has seen.
type watchReport struct {
	Played            struct{ Media, Wall float64 }
	Window            *struct{ Start, End float64 }
	Runs              []frameRun
	Rewound, Returned *jumped
	Sought            *jumped
	End               *frameRun
	Unreadable        int
	Waiting           int
	Early             int // answers 412
	Requests          map[string]int
	Failed, Errors    []string
}

// frameRun is a run of frames, whose numbers go with their times; see play.mjs.
type frameRun struct {
	Start, End          float64
	First, Last, Frames int
	Pause               float64
	Height              int
}

// offset returns the time at which the encoder of the run has begun, in seconds.
func (r frameRun) offset() float64 { return r.Start - float64(r.First)/frameRate }

type jumped struct {
	To float64
	frameRun
}

// watch runs the driver once. It may be called by any goroutine.
func watch(t *testing.T, o watchOrder) (*watchReport, error) {
	t.Helper()
	o.Live = true
	arg, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "play.mjs", string(arg))
	cmd.WaitDelay = 5 * time.Second
	var complaints strings.Builder
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var last string
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		last = lines.Text()
		if strings.HasPrefix(last, `{"step":"playing"`) && o.playing != nil {
			o.playing()
		}
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("node play.mjs '%s': %w\n%s", arg, err, complaints.String())
	}
	t.Logf("%s", last)
	var r watchReport
	if err := json.Unmarshal([]byte(last), &r); err != nil {
		return nil, fmt.Errorf("report of the driver: %w\n%s", err, last)
	}
	return &r, r.check(o)
}

// check says what was not as it should be, but for runs.
func (r *watchReport) check(o watchOrder) error {
	var errs []error
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	complaints := r.Errors
	if last := "200 Missing tfrf in live media segment"; o.Last > 0 && len(complaints) == 2 && complaints[0] == last && complaints[1] == last {
		complaints = nil // dash.js says so of the last fragment of picture and sound
	}
	expect(len(complaints) == 0, "the player reports %q", complaints)
	expect(len(r.Failed) == 0, "requests failed: %q", r.Failed)
	expect(r.Played.Media > r.Played.Wall-3, "played %.1f s in %.1f s", r.Played.Media, r.Played.Wall)
	expect(len(r.Runs) > 0, "no frames")
	expect(len(r.Requests) > 1, "fragments asked for: %v", r.Requests)
	expect(r.Unreadable < frameRate, "%d frames without a number", r.Unreadable)
	if r.Sought != nil {
		expect(math.Abs(r.Sought.offset()-r.Runs[0].offset()) < 0.1, "sought to %+v", r.Sought)
	}
	if !o.Rewind || len(errs) > 0 {
		return errors.Join(errs...)
	}
	expect(r.Rewound == nil || math.Abs(r.Rewound.Start-r.Rewound.To) < 3, "sought to %+v", r.Rewound)
	for _, j := range []*jumped{r.Rewound, r.Returned} {
		if j == nil {
			expect(false, "not sought")
			continue
		}
		expect(math.Abs(j.offset()-r.Runs[0].offset()) < 0.1, "sought to %.2f s: frame %d at %.2f s, expected %.2f s", j.To, j.First, j.Start,
			float64(j.First)/frameRate+r.Runs[0].offset())
	}
	return errors.Join(errs...)
}

// even says what was uneven about playback at the live edge: frames left out, and stalls.
func (r *watchReport) even(o watchOrder) error {
	if len(r.Runs) != 1 {
		return fmt.Errorf("the frames shown do not follow each other: %+v", r.Runs)
	}
	run := r.Runs[0]
	if o.Seconds >= 10 && run.Height != highLines {
		return fmt.Errorf("still %d lines after %.1f s", run.Height, o.Seconds)
	}
	if run.Pause > 1 {
		return fmt.Errorf("a stall of %.1f s", run.Pause)
	}
	if want := o.Seconds * frameRate * 0.8; float64(run.Frames) < want {
		return fmt.Errorf("%d frames shown in %.1f s", run.Frames, o.Seconds)
	}
	return nil
}
