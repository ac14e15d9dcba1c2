package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// newTransport returns the transport of a cache that was given none.
func newTransport(maxFetches int) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		DisableCompression:     true, // what the upstream sends is what is stored
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    maxFetches,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ReadBufferSize:         64 << 10,
		WriteBufferSize:        16 << 10,
	}
}

// attempt says how a request is sent.
type attempt struct {
	// rank orders the upstreams.
	rank uint64
	// slot makes it wait for its turn, as flights do.
	slot bool
	// once sends it to one upstream only, because it has a body or is not idempotent: RFC 9110 section 9.2.2.
	once bool
	// lastResort sends it even if all upstreams are down.
	lastResort bool
	// unbounded sets no bound to the wait for the header, because the body of the request may take hours.
	unbounded bool
}

// send sends a request, whose URL is path and query only, to one upstream after the other until one answers with
// something else than that it cannot: RFC 9110 section 15.6. If none does, the last answer counts, or else the last
// error. The context of the request rules until the body of the response is closed.
func (c *Cache) send(r *http.Request, a attempt) (*http.Response, error) {
	list := c.upstreams.Load().candidates(a.rank, c.opts.Now(), a.lastResort)
	if a.once && len(list) > 1 {
		list = list[:1]
	}
	var kept *http.Response
	err := error(errAllDown)
	for _, u := range list {
		if r.Context().Err() != nil {
			break
		}
		var resp *http.Response
		if resp, err = c.sendTo(u, r, &a); err != nil {
			continue
		}
		if kept != nil {
			_ = kept.Body.Close()
		}
		if kept = resp; !canRetry(resp.StatusCode) {
			break
		}
	}
	if kept != nil {
		return kept, nil
	}
	return nil, err
}

// errAllDown means that no upstream is up and none is to be tried.
var errAllDown = errors.New("edge: all upstreams are down")

// canRetry reports whether another upstream may do better.
func canRetry(status int) bool {
	return status == http.StatusInternalServerError || isDownStatus(status)
}

// isDownStatus reports whether a status says that the upstream is down, and not only that one resource fails.
func isDownStatus(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// sendTo sends a request to one upstream.
func (c *Cache) sendTo(u *upstream, r *http.Request, a *attempt) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	if !a.unbounded {
		timer := time.AfterFunc(c.opts.HeaderTimeout, func() { cancel(ErrTimeout) })
		defer timer.Stop()
	}
	end := func() { cancel(nil) }
	if a.slot {
		if err := u.acquire(ctx); err != nil {
			end()
			return nil, err
		}
		end = func() { cancel(nil); u.release() }
	}
	out := r.WithContext(ctx)
	out.Header = r.Header.Clone()
	u.target(out)
	u.requests.Add(1)
	resp, err := c.transport.RoundTrip(out)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if r.Context().Err() == nil {
			c.note(u, event{}, err)
		}
		end()
		return nil, err
	}
	c.note(u, event{ok: !isDownStatus(resp.StatusCode)}, nil)
	if resp.StatusCode != http.StatusSwitchingProtocols { // whose body is written to as well, and whose context ends with the request
		resp.Body = &endedBody{ReadCloser: resp.Body, end: end}
	}
	return resp, nil
}

// note takes down what came of a request to an upstream.
func (c *Cache) note(u *upstream, e event, err error) {
	if !e.ok && !e.check {
		u.errors.Add(1)
	}
	if !u.note(e, &c.opts.Health, c.opts.Now()) {
		return
	}
	if e.ok {
		c.opts.Logger.Info("edge: upstream is up", "upstream", u.base.Redacted())
	} else {
		c.opts.Logger.Warn("edge: upstream is down", "upstream", u.base.Redacted(), "err", err)
	}
}

// endedBody calls a function when a body is closed.
type endedBody struct {
	io.ReadCloser
	once sync.Once
	end  func()
}

// Close implements io.Closer.
func (b *endedBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.end)
	return err
}
