package edge

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// runChecks checks the upstreams until the cache is closed.
func (c *Cache) runChecks() {
	ticker := time.NewTicker(c.opts.Health.Interval)
	defer ticker.Stop()
	for {
		c.checkAll()
		select {
		case <-ticker.C:
		case <-c.ctx.Done():
			return
		}
	}
}

// checkAll checks all upstreams at once and waits for the results.
func (c *Cache) checkAll() {
	var wg sync.WaitGroup
	for _, u := range c.upstreams.Load().list {
		wg.Go(func() {
			err := c.check(u)
			if c.ctx.Err() == nil {
				c.note(u, event{ok: err == nil, check: true}, err)
			}
		})
	}
	wg.Wait()
}

// check asks an upstream for its health.
func (c *Cache) check(u *upstream) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.opts.Health.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return err
	}
	if r.URL, err = url.Parse(c.opts.Health.Path); err != nil {
		return err
	}
	r.Header.Set("Cache-Control", "no-cache") // where the upstream is a cache, its own health counts
	u.target(r)
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("edge: health check: status %d", resp.StatusCode)
	}
	return nil
}
