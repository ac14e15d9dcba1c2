package listen

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// silentTime is how long a new connection may say nothing before draining no longer waits for it, as in http.Server.Shutdown.
const silentTime = 5 * time.Second

// Conns knows the connections of http.Servers, and drains them without losing a request. Its zero value is ready, and its methods
// are safe for concurrent use. It is for the Drain function of [Options], as Shutdown of http.Server alone hangs up on
// requests that it has just read, which in a handover are those of clients that were accepted a moment before.
//
//	var conns listen.Conns
//	srv := &http.Server{Handler: h, ConnState: conns.ConnState}
//	opts.Drain = func(ctx context.Context) error { return conns.Drain(ctx, srv) }
type Conns struct {
	mu      sync.Mutex             // guards what follows
	busy    map[net.Conn]time.Time // with a request since then
	silent  map[net.Conn]time.Time // accepted then, without a request so far
	changed chan struct{}          // closed and replaced when fewer are busy or silent, nil while nobody waits
}

// ConnState is for http.Server.ConnState.
func (c *Conns) ConnState(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == nil {
		c.busy, c.silent = make(map[net.Conn]time.Time), make(map[net.Conn]time.Time)
	}
	delete(c.silent, conn)
	switch state {
	case http.StateNew:
		c.silent[conn] = time.Now()
		return
	case http.StateActive:
		c.busy[conn] = time.Now()
		return
	case http.StateIdle, http.StateHijacked, http.StateClosed:
		delete(c.busy, conn)
	}
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Drain lets every request of the servers be answered, also those that new connections are about to send, and then shuts
// the servers down. Nothing must be accepted any more. On an error, that of the context, there are still requests: close the
// servers.
func (c *Conns) Drain(ctx context.Context, servers ...*http.Server) error {
	for _, srv := range servers {
		srv.SetKeepAlivesEnabled(false) // each connection ends with its request
	}
	for {
		wait, changed := c.pending()
		if wait == 0 {
			break
		}
		if err := sleepUnless(ctx, wait, changed); err != nil && err != errEarly {
			return err
		}
	}
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settleTime is how long Settle waits for a request that has come, or is about to come on a new connection. Those of players are
// answered in a fraction of it; longer ones are pushes, downloads and what is paced.
const settleTime = 250 * time.Millisecond

// Settle waits until the requests that have just come, or are about to come on connections that have just been accepted, are
// answered or are seen to take longer. It is for the Release function of [Options], before it ends what answers them, and takes a
// quarter of a second at most, as nothing is accepted any more and keep-alives are off.
func (c *Conns) Settle(ctx context.Context) error {
	for {
		wait, changed := c.young()
		if wait <= 0 {
			return nil
		}
		if err := sleepUnless(ctx, wait, changed); err != nil && err != errEarly {
			return err
		}
	}
}

// young returns how long the youngest request has to be waited for, and what tells that one is answered.
func (c *Conns) young() (time.Duration, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var wait time.Duration
	for _, conns := range []map[net.Conn]time.Time{c.silent, c.busy} {
		for _, since := range conns {
			wait = max(wait, settleTime-time.Since(since))
		}
	}
	if wait > 0 && c.changed == nil {
		c.changed = make(chan struct{})
	}
	return wait, c.changed
}

// pending returns zero when nobody has to be waited for, else a time after which it has to be looked again unless something
// changes before.
func (c *Conns) pending() (time.Duration, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var wait time.Duration
	for _, since := range c.silent {
		wait = max(wait, silentTime-time.Since(since))
	}
	if len(c.busy) > 0 {
		wait = max(wait, silentTime)
	}
	if wait > 0 && c.changed == nil {
		c.changed = make(chan struct{})
	}
	return wait, c.changed
}
