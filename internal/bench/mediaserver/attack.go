package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/internal/bench/mediaserver/program"
)

// attack is an attacker at work, in a process of its own.
type attack struct {
	*config
	ctx  context.Context
	work sync.WaitGroup

	opened, closed atomic.Int64 // connections, and those that the server closed
	refused        atomic.Int64 // requests that it answered with 4xx
}

// maxDials bounds how many connections are being made at a time: the kernel keeps no more waiting.
const maxDials = 64

// attackChild attacks until its input ends, and then says what it saw.
func (c *config) attackChild() error {
	if _, err := program.RaiseFiles(c.idle + c.slow + c.stalled + 1000); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := &attack{config: c, ctx: ctx}
	var err error
	switch c.attack {
	case slowHeaders:
		err = a.many(c.slow, a.sendSlowly)
	case largeHeaders:
		err = a.many(20, a.sendLarge)
	case stalled:
		err = a.many(c.stalled, a.stall)
	case idleConns:
		err = a.many(c.idle, a.idleAfterOne)
	default:
		err = fmt.Errorf("no attack %q", c.attack)
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	said := fmt.Sprintf("%s: %d opened, %d closed by the server, %d answered 4xx", c.attack, a.opened.Load(), a.closed.Load(), a.refused.Load())
	cancel()
	a.work.Wait()
	fmt.Println(said)
	return nil
}

// many makes connections, hands each to f, and returns when all have been used for the first time.
func (a *attack) many(n int, f func(i int, ready func())) error {
	var first sync.WaitGroup
	first.Add(n)
	turn := make(chan struct{}, maxDials)
	for i := range n {
		turn <- struct{}{}
		a.work.Go(func() {
			once := sync.OnceFunc(func() {
				first.Done()
				<-turn
			})
			defer once()
			f(i, once)
		})
	}
	first.Wait()
	if a.opened.Load() < int64(n) {
		return fmt.Errorf("%d of %d connections could be made", a.opened.Load(), n)
	}
	return nil
}

// dial connects from one of several addresses, since one has not enough ports.
func (a *attack) dial(i int) (net.Conn, error) {
	d := dialerFrom(0x8000 + i/5000)
	c, err := d.DialContext(a.ctx, "tcp", a.addr)
	if err == nil {
		a.opened.Add(1)
		context.AfterFunc(a.ctx, func() { c.Close() })
	}
	return c, err
}

// sendSlowly sends headers a line a second and never ends, and comes back when it is thrown out.
func (a *attack) sendSlowly(i int, ready func()) {
	for a.ctx.Err() == nil {
		c, err := a.dial(i)
		if err != nil {
			return
		}
		_, err = fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n", a.addr)
		ready()
		for err == nil && pause(a.ctx, time.Second) {
			_, err = io.WriteString(c, "X-Wait: for it\r\n")
		}
		if a.ctx.Err() == nil {
			a.closed.Add(1)
		}
		c.Close()
	}
}

// sendLarge sends headers of a megabyte, one connection after the other.
func (a *attack) sendLarge(i int, ready func()) {
	line := "X-Large: " + strings.Repeat("x", 1000) + "\r\n"
	for a.ctx.Err() == nil {
		c, err := a.dial(i)
		if err != nil {
			return
		}
		go func() { // it may answer before it has read all
			_, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n", a.addr)
			for n := 0; n < 1000 && err == nil; n++ {
				_, err = io.WriteString(c, line)
			}
		}()
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && resp.StatusCode/100 == 4 {
			a.refused.Add(1)
		}
		a.closed.Add(1)
		c.Close()
		ready()
	}
}

// stall asks for a large file, reads the beginning, and then nothing.
func (a *attack) stall(i int, ready func()) {
	for a.ctx.Err() == nil {
		c, err := a.dial(i)
		if err != nil {
			return
		}
		if t, ok := c.(*net.TCPConn); ok {
			t.SetReadBuffer(4 << 10)
		}
		_, err = fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n", largeFile, a.addr)
		if err == nil {
			_, err = c.Read(make([]byte, 512))
		}
		ready()
		if err == nil {
			a.waitForReset(c)
		}
		if a.ctx.Err() == nil {
			a.closed.Add(1)
		}
		c.Close()
	}
}

// idleAfterOne sends a request, reads the answer and keeps the connection.
func (a *attack) idleAfterOne(i int, ready func()) {
	c, err := a.dial(i)
	if err != nil {
		return
	}
	defer c.Close()
	_, err = fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", a.addr)
	if err == nil {
		_, err = c.Read(make([]byte, 2048))
	}
	ready()
	if err == nil {
		_, err = c.Read(make([]byte, 1)) // nothing comes until the server has had enough
	}
	if a.ctx.Err() == nil && err != nil {
		a.closed.Add(1)
	}
}

// waitForReset waits until a connection whose data nobody reads is reset.
func (a *attack) waitForReset(c net.Conn) {
	for pause(a.ctx, time.Second) && !isReset(c) {
	}
}
