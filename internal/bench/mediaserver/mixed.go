package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/internal/bench/mediaserver/program"
)

// mix is the mixed load.
type mix struct {
	*config
	*score
	site          *site
	expected      *expected
	origin        *origin
	event         *event
	sums          sums
	server        *program.Mediaserver
	configuration configuration
	pace          time.Duration // of viewers on demand, at most
	clients       atomic.Int32
	reloads       atomic.Int64
	begun         sync.WaitGroup
}

// maxSettle is how long the server may take to let go of what clients have left.
const maxSettle = 5 * time.Second

// runMixed runs the mixed load.
func (c *config) runMixed() error {
	c.length = cmp.Or(c.length, 10*time.Minute)
	m := &mix{config: c, score: newScore(c.out), pace: 200 * time.Millisecond}
	err := m.prepare()
	if m.origin != nil {
		defer m.origin.goAway()
	}
	if err != nil {
		return err
	}
	idle, err := m.look(true)
	if err != nil {
		return errors.Join(err, m.server.Stop())
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.length)
	defer cancel()
	m.score.start = time.Now()
	m.event = newEvent(c.length, c.fragment)
	m.begin(ctx)
	list := m.watch(ctx)
	m.begun.Wait()
	time.Sleep(min(maxSettle, c.length/4))
	after, err := m.look(true)
	err = errors.Join(err, flat(list), m.left(idle, after))
	m.report(idle, after)
	if stopped := m.server.Stop(); stopped != nil {
		err = errors.Join(err, fmt.Errorf("the program ended with %w", stopped))
	}
	err = errors.Join(err, m.readLog())
	if n := m.print(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d faults", n))
	}
	return err
}

// prepare makes everything that the load needs and starts the server.
func (m *mix) prepare() (err error) {
	if m.site, err = writeSite(m.dir); err != nil {
		return err
	}
	if m.expected, err = expect(m.site); err != nil {
		return err
	}
	if m.origin, err = startOrigin(); err != nil {
		return err
	}
	binary, err := program.Build(m.dir)
	if err != nil {
		return err
	}
	m.configuration = configuration{origin: m.origin.addr}
	m.server, err = program.StartMediaserver(binary, m.dir, m.configuration.text(m.site))
	return err
}

// begin starts all clients.
func (m *mix) begin(ctx context.Context) {
	start := func(n int, f func(n int)) {
		for i := range n {
			m.begun.Go(func() { f(i) })
		}
	}
	start(1, func(int) { m.encode(ctx) })
	start(1, func(int) { m.outages(ctx) })
	start(1, func(int) { m.reconfigure(ctx) })
	start(1, func(int) { m.scrape(ctx) })
	start(1, func(int) { m.profileMiddle(ctx) })
	start(m.some(30), func(n int) {
		pause(ctx, 4*m.fragment) // there must be something to see
		m.watchLive(ctx, n)
	})
	start(m.some(6), func(n int) {
		pause(ctx, 12*m.fragment)
		m.watchHLS(ctx, []string{"m3u8-aapl", "m3u8-cmaf", "m3u8-aapl-v3"}[n%3])
	})
	start(m.some(20), func(int) { m.seek(ctx) })
	start(m.some(10), func(int) { m.watchSegments(ctx) })
	start(m.some(20), func(int) { m.download(ctx) })
	start(m.some(6), func(int) { m.watchPlaylist(ctx) })
	start(m.some(10), func(int) { m.useCache(ctx, "/cdn") })
	start(m.some(5), func(int) { m.useCache(ctx, "/strict") })
	start(m.some(6), func(n int) { m.openConsole(ctx, []string{"", "points", "edge", "limits", "throttle", "events"}[n%6]) })
}

// profileMiddle writes a CPU profile of the middle of the load, if one is wanted.
func (m *mix) profileMiddle(ctx context.Context) {
	if m.profile == "" || !pause(ctx, m.length/2) {
		return
	}
	b, err := m.server.Profile("profile?seconds=10")
	if err == nil {
		err = os.WriteFile(m.profile, b, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// tell prints what happens.
func (m *mix) tell(what string) {
	fmt.Fprintf(m.config.out, "%6.1f s: %s\n", time.Since(m.score.start).Seconds(), what)
}

// keptFiles is how many files with names the server may keep open when nobody is there: media files.
const keptFiles = 200

// left fails if clients who have gone have left something in the server.
func (m *mix) left(idle, after moment) error {
	var errs []error
	if after.goroutines > idle.goroutines+50 {
		errs = append(errs, fmt.Errorf("%d goroutines when all have gone, %d before they came", after.goroutines, idle.goroutines))
	}
	if after.files > idle.files+keptFiles {
		errs = append(errs, fmt.Errorf("%d files open when all have gone, %d before they came: %v", after.files, idle.files, m.server.Open()))
	}
	return errors.Join(errs...)
}

func (m *mix) report(idle, after moment) {
	fmt.Fprintf(m.config.out, "\nBefore: RSS %.1f MB, heap %.1f MB, %d goroutines, %d files. After: %.1f, %.1f MB, %d, %d.\n", mega(idle.rss), mega(idle.heap),
		idle.goroutines, idle.files, mega(after.rss), mega(after.heap), after.goroutines, after.files)
	fmt.Fprintf(m.config.out, "CPU of the server %.1f s, %.0f %% of a core. %d reloads. The origin was asked %d times.\n\n", (after.cpu - idle.cpu).Seconds(),
		100*(after.cpu-idle.cpu).Seconds()/m.length.Seconds(), m.reloads.Load(), m.origin.asked.Load())
}

// readLog fails if the program has told of an error that is none of those which the load makes it meet.
func (m *mix) readLog() error {
	b, err := os.ReadFile(m.server.Log)
	if err != nil {
		return err
	}
	n, first := 0, ""
	for line := range strings.Lines(string(b)) {
		bad := strings.Contains(line, "level=ERROR") && !strings.Contains(line, "the configuration stays as it was") ||
			strings.HasPrefix(line, "panic") || strings.Contains(line, "panic serving")
		if bad {
			if n++; n == 1 {
				first = line
			}
		}
	}
	if n > 0 {
		return fmt.Errorf("%d errors in the log, the first: %s", n, first)
	}
	return nil
}
