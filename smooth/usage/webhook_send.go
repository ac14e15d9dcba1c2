package usage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// payload is the body of a request.
type payload struct {
	ID      string            `json:"id"`
	Kind    EventKind         `json:"kind"`
	Time    time.Time         `json:"time"`
	Source  string            `json:"source,omitempty"`
	Subject string            `json:"subject,omitempty"`
	Message string            `json:"message,omitempty"`
	Count   int               `json:"count"`
	Dropped int64             `json:"dropped"`
	Attrs   map[string]string `json:"attrs,omitempty"`
}

// deliver sends an event until it is taken or given up.
func (h *Webhook) deliver(ctx context.Context, e queued, missing int64) error {
	p := payload{
		ID: h.id + "-" + strconv.FormatInt(e.number, 10), Kind: e.event.Kind, Time: e.event.At, Source: h.opts.Source,
		Subject: e.event.Subject, Message: e.event.Message, Count: max(e.event.Count, 1), Dropped: missing,
	}
	if len(e.event.Attrs) > 0 {
		p.Attrs = make(map[string]string, len(e.event.Attrs))
		for _, a := range e.event.Attrs {
			p.Attrs[a[0]] = a[1]
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWebhook, err) // a time that JSON has no form for
	}
	backoff := h.opts.MinBackoff
	for attempt := 1; ; attempt++ {
		after, again, err := h.attempt(ctx, body, p.ID)
		h.note(err)
		if err == nil || !again || attempt == h.opts.Attempts {
			return err
		}
		if !pause(ctx, min(max(backoff, after), h.opts.MaxBackoff)) {
			return err
		}
		backoff = min(2*backoff, h.opts.MaxBackoff)
	}
}

// note keeps the error of the last attempt.
func (h *Webhook) note(err error) {
	h.mu.Lock()
	h.stats.Err = err
	h.mu.Unlock()
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt sends a body once. If it was not taken, again says whether it may be another time, no sooner than after.
func (h *Webhook) attempt(ctx context.Context, body []byte, id string) (after time.Duration, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.opts.URL, bytes.NewReader(body))
	if err != nil {
		return 0, false, fmt.Errorf("%w: no request for %s", ErrWebhook, h.told)
	}
	for name, values := range h.opts.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Smoothkit-Delivery", id)
	if len(h.opts.Secret) > 0 {
		req.Header.Set(SignatureHeader, Sign(h.opts.Secret, body, h.opts.Now()))
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return 0, true, fmt.Errorf("%w: %w", ErrWebhook, withoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return 0, false, nil
	}
	return retryAfter(resp), retryable(resp.StatusCode), fmt.Errorf("%w: %s answered %d", ErrWebhook, h.told, resp.StatusCode)
}

// withoutURL returns an error of a client without the URL, which may have secrets.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func retryable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

func retryAfter(resp *http.Response) time.Duration {
	n, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}
