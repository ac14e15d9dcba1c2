package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// inForce bounds how long it may take until a configuration is in force, on a machine that is busy.
const inForce = 10 * time.Second

// reconfigure changes the configuration again and again, and finds out that it is in force. Every fourth time it cannot be used,
// and then the one before stays.
func (m *mix) reconfigure(ctx context.Context) {
	c := m.newClient("reloads")
	defer c.close()
	current := m.configuration
	for n := 1; pause(ctx, max(m.length/60, time.Second)); n++ {
		next := current
		next.broken = n%4 == 0
		if !next.broken {
			next.number = (current.number + 1) % 10
		}
		if err := m.server.Rewrite(next.text(m.site)); err != nil {
			c.fault(c.kind, broken, "%v", err)
			return
		}
		if n%2 == 0 { // otherwise it has to notice by itself
			if err := m.server.Signal(syscall.SIGHUP); err != nil {
				c.fault(c.kind, broken, "%v", err)
			}
		}
		if next.broken {
			pause(ctx, 1500*time.Millisecond)
		} else {
			m.reloads.Add(1)
			current = next
			c.waitFor(ctx, current.number)
		}
		path := fmt.Sprintf("/only%d/here.txt", current.number)
		if a := c.get(ctx, path, nil); a.ok {
			c.compare(path, a.body, []byte("here"))
		}
	}
}

// waitFor waits until a configuration is in force.
func (c *client) waitFor(ctx context.Context, number int) {
	path := fmt.Sprintf("/only%d/here.txt", number)
	for start := time.Now(); time.Since(start) < inForce; {
		a := c.get(ctx, path, nil, 404)
		if a.status == 200 || !pause(ctx, 100*time.Millisecond) {
			return
		}
	}
	if ctx.Err() == nil {
		c.fault(c.kind, failed, "configuration %d is not in force after %v", number, inForce)
	}
}
