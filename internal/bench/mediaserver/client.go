package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxBody bounds what a client reads.
const maxBody = 64 << 20

// client is one client of a kind. It is for one goroutine.
type client struct {
	*mix
	kind string
	http *http.Client
	// excused says whether a request from then until now may fail, and is nil where none may.
	excused func(from time.Time) bool
}

// reply is a complete answer.
type reply struct {
	status int
	header http.Header
	body   []byte
	// ok means that it is one that should be there, with a status as asked for.
	ok bool
}

// newClient returns a client with an address of its own, as viewers have: much is decided by address.
func (m *mix) newClient(kind string) *client {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4, DialContext: dialerFrom(int(m.clients.Add(1))).DialContext}
	return &client{mix: m, kind: kind, http: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// dialerFrom returns a dialer from one of the addresses of loopback, of which there are more than 65,000 here.
func dialerFrom(n int) *net.Dialer {
	return &net.Dialer{Timeout: 30 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}}
}

// close lets go of the client's connections, so that it leaves nothing behind.
func (c *client) close() { c.http.CloseIdleConnections() }

// get asks for a path, and judges the status: it is 200 or one of those given.
func (c *client) get(ctx context.Context, path string, header http.Header, also ...int) reply {
	url := path
	if path != "" && path[0] == '/' {
		url = c.server.URL(path)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		c.fault(c.kind, broken, "%v", err)
		return reply{}
	}
	for name, values := range header {
		r.Header[name] = values
	}
	start := time.Now()
	resp, err := c.http.Do(r)
	if err != nil {
		return c.lost(ctx, start, err)
	}
	defer resp.Body.Close()
	a := reply{status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return c.lost(ctx, start, fmt.Errorf("%s: %s after %d bytes: %w", path, resp.Status, len(a.body), err))
	}
	a.ok = c.judge(path, &a, start, also)
	return a
}

// lost counts a request without a whole answer.
func (c *client) lost(ctx context.Context, start time.Time, err error) reply {
	switch {
	case ctx.Err() != nil: // it is the client who has left
	case c.excused != nil && c.excused(start):
		c.count(c.kind, func(t *tally) { t.requests++; t.excused++ })
	default:
		c.count(c.kind, func(t *tally) { t.requests++ })
		c.fault(c.kind, broken, "after %.1f s: %v", time.Since(start).Seconds(), err)
	}
	return reply{}
}

// judge counts an answer and reports whether it has a status that was asked for.
func (c *client) judge(path string, a *reply, start time.Time, also []int) bool {
	took := time.Since(start)
	c.count(c.kind, func(t *tally) {
		t.requests++
		t.bytes += int64(len(a.body))
		t.timed(took)
		if a.header.Get("X-Cache") == "STALE" {
			t.stale++
		}
	})
	if a.status == http.StatusOK {
		return true
	}
	for _, s := range also {
		if a.status != s {
			continue
		}
		c.count(c.kind, func(t *tally) {
			switch s {
			case http.StatusPreconditionFailed:
				t.notYet++
			case http.StatusNotFound:
				t.gone++
			}
		})
		return true
	}
	gateway := a.status == http.StatusBadGateway || a.status == http.StatusGatewayTimeout || a.status == http.StatusServiceUnavailable
	switch {
	case gateway && c.excused != nil && c.excused(start):
		c.count(c.kind, func(t *tally) { t.excused++ })
	case a.status >= 500:
		c.fault(c.kind, failed, "%s: %d %.80q", path, a.status, a.body)
	default:
		c.fault(c.kind, refused, "%s: %d %.80q", path, a.status, a.body)
	}
	return false
}

// compare counts a body that is not what it must be.
func (c *client) compare(path string, got, want []byte) {
	if !bytes.Equal(got, want) {
		c.fault(c.kind, wrong, "%s: %d bytes, want %d, others from %d on", path, len(got), len(want), firstOther(got, want))
	}
}

// firstOther returns where two bodies differ.
func firstOther(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// pause waits, and returns false when it is over.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// payload returns what the mdat box of a fragment holds.
func payload(fragment []byte) ([]byte, error) {
	for at := 0; at+8 <= len(fragment); {
		size := int(uint32(fragment[at])<<24 | uint32(fragment[at+1])<<16 | uint32(fragment[at+2])<<8 | uint32(fragment[at+3]))
		if size < 8 || size > len(fragment)-at {
			break
		}
		if string(fragment[at+4:at+8]) == "mdat" {
			return fragment[at+8 : at+size], nil
		}
		at += size
	}
	return nil, errors.New("no mdat box")
}
