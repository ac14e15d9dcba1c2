package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/internal/bench/mediaserver/program"
)

// Attacks.
const (
	slowHeaders  = "half-sent headers"
	largeHeaders = "oversized headers"
	stalled      = "readers that stall"
	idleConns    = "idle connections"
)

// viewerPace is how long a viewer waits between requests, on average. Fifty viewers ask for a thousand fragments a second.
const viewerPace = 50 * time.Millisecond

// abuse is the server, its viewers, and the table.
type abuse struct {
	*config
	site     *site
	expected *expected
	server   *program.Mediaserver
}

// part is a part of the run.
type part struct {
	name    string
	attacks []string
}

// runAbuse measures viewers alone and under attack.
func (c *config) runAbuse() error {
	c.length = cmp.Or(c.length, 10*time.Second)
	a := &abuse{config: c}
	if err := a.prepare(); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "| attack | requests | p50 ms | p99 ms | most | wrong, failed | RSS MB | goroutines | what the attackers saw |")
	fmt.Fprintln(c.out, "|---|---:|---:|---:|---:|---:|---:|---:|---|")
	all := []string{slowHeaders, largeHeaders, stalled, idleConns}
	parts := []part{{"none", nil}}
	for _, name := range all {
		parts = append(parts, part{name, []string{name}})
	}
	parts = append(parts, part{"all at once", all}, part{"none, afterwards", nil})
	var err error
	for _, p := range parts {
		err = errors.Join(err, a.measure(p))
	}
	if stopped := a.server.Stop(); stopped != nil {
		err = errors.Join(err, fmt.Errorf("the program ended with %w", stopped))
	}
	return err
}

func (a *abuse) prepare() (err error) {
	if _, err = program.RaiseFiles(2*a.idle + a.slow + a.stalled + 1000); err != nil {
		return err
	}
	if a.site, err = writeSite(a.dir); err != nil {
		return err
	}
	if a.expected, err = expect(a.site); err != nil {
		return err
	}
	binary, err := program.Build(a.dir)
	if err != nil {
		return err
	}
	a.server, err = program.StartMediaserver(binary, a.dir, fmt.Sprintf("root: %q\nthrottle: {disabled: true}\n", a.site.root))
	return err
}

// measure measures one part and prints its row.
func (a *abuse) measure(p part) error {
	var attackers []*attacker
	defer func() {
		for _, at := range attackers {
			at.stop()
		}
	}()
	for _, name := range p.attacks {
		at, err := a.start(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		attackers = append(attackers, at)
	}
	m := &mix{config: a.config, score: newScore(a.out), site: a.site, expected: a.expected, server: a.server}
	ctx, cancel := context.WithTimeout(context.Background(), a.length)
	defer cancel()
	m.score.start = time.Now()
	var work sync.WaitGroup
	for range a.viewers {
		work.Go(func() { m.viewFragments(ctx) })
	}
	pause(ctx, a.length*9/10)
	now, err := m.look(false)
	work.Wait()
	if err != nil {
		return err
	}
	seen := ""
	for i, at := range attackers {
		if i > 0 {
			seen += "; "
		}
		seen += at.stop()
	}
	attackers = nil
	t := m.kinds["viewers"]
	if t == nil {
		return fmt.Errorf("%s: nobody was served", p.name)
	}
	bad := t.failed + t.refused + t.broken
	fmt.Fprintf(a.out, "| %s | %d | %.2f | %.2f | %.1f | %d, %d | %.1f | %d | %s |\n", p.name, t.requests, millis(quantile(t.took, 0.5)),
		millis(quantile(t.took, 0.99)), millis(quantile(t.took, 1)), t.wrong, bad, mega(now.rss), now.goroutines, seen)
	if t.wrong+bad > 0 {
		return fmt.Errorf("%s: %d requests of viewers failed", p.name, t.wrong+bad)
	}
	return nil
}

// viewFragments is a viewer who is measured.
func (m *mix) viewFragments(ctx context.Context) {
	c := m.newClient("viewers")
	defer c.close()
	c.http.Timeout = 5 * time.Second
	for pause(ctx, rand.N(2*viewerPace)) {
		name := m.expected.fragments[rand.IntN(len(m.expected.fragments))]
		if a := c.get(ctx, name, http.Header{}); a.ok {
			c.compare(name, a.body, m.expected.bodies[name])
		}
	}
}

// attacker is this program as a child.
type attacker struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	once sync.Once
	said string
}

// start starts an attack, and returns when all of it is in place.
func (a *abuse) start(name string) (*attacker, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	at := &attacker{cmd: exec.Command(exe, "-child", "attack", "-attack", name, "-addr", a.server.Addr, "-slow", fmt.Sprint(a.slow),
		"-stalled", fmt.Sprint(a.stalled), "-idle", fmt.Sprint(a.idle))}
	at.cmd.Stderr = os.Stderr
	if at.in, err = at.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := at.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	at.out = bufio.NewReader(out)
	if err := at.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := at.out.ReadString('\n'); err != nil {
		at.stop()
		return nil, fmt.Errorf("the attacker has ended: %w", err)
	}
	return at, nil
}

// stop ends an attack and returns what the attacker saw.
func (at *attacker) stop() string {
	at.once.Do(func() {
		at.in.Close()
		rest, err := io.ReadAll(at.out)
		at.said = string(bytes.TrimSpace(rest))
		if err := errors.Join(err, at.cmd.Wait()); err != nil {
			at.said += " " + err.Error()
		}
	})
	return at.said
}
