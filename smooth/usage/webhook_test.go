package usage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// target is a transport that answers what it is told to, and keeps what it got with the time.
type target struct {
	mu      sync.Mutex
	answers []any // statuses, errors or headers; the last one stays
	got     []map[string]any
	at      []time.Time
	headers []http.Header
}

func (g *target) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, err
	}
	g.got, g.at, g.headers = append(g.got, v), append(g.at, time.Now()), append(g.headers, r.Header)
	a := g.answers[0]
	if len(g.answers) > 1 {
		g.answers = g.answers[1:]
	}
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}
	switch a := a.(type) {
	case error:
		return nil, a
	case int:
		resp.StatusCode = a
	case time.Duration:
		resp.StatusCode = 503
		resp.Header.Set("Retry-After", strconv.Itoa(int(a.Seconds())))
	}
	return resp, nil
}

func (g *target) subjects() (all []any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range g.got {
		all = append(all, v["subject"])
	}
	return all
}

func newWebhook(t *testing.T, g *target, opts usage.WebhookOptions) *usage.Webhook {
	t.Helper()
	opts.URL, opts.Client, opts.Logger = "https://user:secret@hooks.example.com/x?key=secret", &http.Client{Transport: g}, quiet()
	h, err := usage.NewWebhook(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func event(subject string) usage.Event {
	return usage.Event{Kind: usage.EncoderLost, At: start(), Subject: subject, Message: "no data", Attrs: [][2]string{{"address", "192.0.2.1"}}}
}

func TestWebhookOverAConnection(t *testing.T) {
	secret := []byte("0123456789abcdef")
	got := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = usage.VerifySignature(secret, r.Header.Get(usage.SignatureHeader), body, time.Now(), time.Minute)
		}
		if !bytes.Contains(body, []byte(`"subject":"/live/a.isml"`)) || r.Header.Get("X-Own") != "1" || r.Header.Get("X-Smoothkit-Delivery") == "" {
			err = errors.New("wrong request: " + string(body))
		}
		w.WriteHeader(http.StatusNoContent)
		got <- err
	}))
	defer srv.Close()
	h, err := usage.NewWebhook(&usage.WebhookOptions{URL: srv.URL, Secret: secret, Header: http.Header{"X-Own": {"1"}}, Logger: quiet()})
	require.NoError(t, err)
	h.Send(event("/live/a.isml"))
	require.NoError(t, <-got)
	require.NoError(t, h.Shutdown(context.Background()))
	assert.Equal(t, usage.WebhookStats{URL: srv.URL, Delivered: 1}, h.Stats())
}

func TestWebhookRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &target{answers: []any{errors.New("refused"), 500, 429, 10 * time.Second, 307, 200}}
		h := newWebhook(t, g, usage.WebhookOptions{Source: "edge1"})
		begin := time.Now()
		h.Send(event("1"))
		h.Send(event("2"))
		time.Sleep(time.Hour)
		synctest.Wait()
		// A redirect is not followed, and not tried again.
		assert.Equal(t, []any{"1", "1", "1", "1", "1", "2"}, g.subjects(), "in order")
		var after []time.Duration
		for _, at := range g.at {
			after = append(after, at.Sub(begin))
		}
		assert.Equal(t, []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 17 * time.Second, 17 * time.Second}, after)
		assert.Equal(t, g.got[0]["id"], g.got[4]["id"], "known by its id")
		assert.NotEqual(t, g.got[0]["id"], g.got[5]["id"])
		assert.Equal(t, map[string]any{"id": g.got[5]["id"], "kind": "encoder_lost", "time": "2026-11-26T10:00:00Z", "source": "edge1", "subject": "2",
			"message": "no data", "count": 1.0, "dropped": 0.0, "attrs": map[string]any{"address": "192.0.2.1"}}, g.got[5])
		s := h.Stats()
		assert.Equal(t, int64(1), s.Delivered)
		assert.Equal(t, int64(1), s.Failed)
		assert.NoError(t, s.Err)
		assert.NotContains(t, s.URL, "secret")
	})
}

func TestWebhookGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &target{answers: []any{500}}
		h := newWebhook(t, g, usage.WebhookOptions{Attempts: 3, MaxBackoff: time.Minute})
		h.Send(event("1"))
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Len(t, g.subjects(), 3)
		assert.Equal(t, int64(1), h.Stats().Failed)
		assert.ErrorIs(t, h.Stats().Err, usage.ErrWebhook)
		assert.NotContains(t, h.Stats().Err.Error(), "secret")
	})
}

func TestWebhookOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &target{answers: []any{500, 200}}
		h := newWebhook(t, g, usage.WebhookOptions{Queue: 3})
		h.Send(event("1"))
		synctest.Wait()
		for i := 2; i <= 10; i++ {
			h.Send(event(strconv.Itoa(i)))
		}
		assert.Equal(t, 4, h.Stats().Waiting)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []any{"1", "1", "8", "9", "10"}, g.subjects(), "the oldest were dropped")
		assert.Equal(t, 6.0, g.got[2]["dropped"])
		assert.Equal(t, 0.0, g.got[3]["dropped"])
		assert.Equal(t, int64(6), h.Stats().Dropped)
		assert.Zero(t, h.Stats().Waiting)
	})
}

func TestWebhookShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &target{answers: []any{500, 200}}
		h := newWebhook(t, g, usage.WebhookOptions{})
		h.Send(event("1"))
		h.Send(event("2"))
		require.NoError(t, h.Shutdown(context.Background()), "waits for what is queued")
		assert.Equal(t, []any{"1", "1", "2"}, g.subjects())
		h.Send(event("3"))
		assert.Equal(t, int64(1), h.Stats().Dropped)

		g = &target{answers: []any{500}}
		h = newWebhook(t, g, usage.WebhookOptions{})
		h.Send(event("1"))
		h.Send(event("2"))
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		assert.ErrorIs(t, h.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, 2*time.Second, time.Since(begin))
		assert.Equal(t, int64(2), h.Stats().Dropped)
	})
}

func TestWebhookKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &target{answers: []any{200}}
		h := newWebhook(t, g, usage.WebhookOptions{Kinds: []usage.EventKind{usage.DiskFull}})
		h.Send(event("1"))
		h.Send(usage.Event{Kind: usage.DiskFull, Subject: "2"})
		synctest.Wait()
		assert.Equal(t, []any{"2"}, g.subjects())
	})
}

func TestWebhookOptions(t *testing.T) {
	for _, o := range []*usage.WebhookOptions{
		nil, {URL: "ftp://a/"}, {URL: "/a"}, {URL: "http://"}, {URL: "%"}, {URL: "http://a", Secret: []byte("short")}, {URL: "http://a", Queue: -1},
	} {
		_, err := usage.NewWebhook(o)
		assert.ErrorIs(t, err, usage.ErrOptions)
	}
}

func TestSignature(t *testing.T) {
	secret, body := []byte("0123456789abcdef"), []byte("{}")
	h := usage.Sign(secret, body, start())
	assert.Equal(t, "t=1795687200,v1=", h[:16])
	require.NoError(t, usage.VerifySignature(secret, h, body, start().Add(time.Minute), time.Minute))
	for name, err := range map[string]error{
		"late":           usage.VerifySignature(secret, h, body, start().Add(61*time.Second), time.Minute),
		"early":          usage.VerifySignature(secret, h, body, start().Add(-61*time.Second), time.Minute),
		"another body":   usage.VerifySignature(secret, h, []byte("[]"), start(), time.Minute),
		"another secret": usage.VerifySignature([]byte("fedcba9876543210"), h, body, start(), time.Minute),
		"another time":   usage.VerifySignature(secret, "t=1795687201"+h[12:], body, start(), time.Minute),
		"empty":          usage.VerifySignature(secret, "", body, start(), time.Minute),
		"cut":            usage.VerifySignature(secret, h[:40], body, start(), time.Minute),
	} {
		assert.ErrorIs(t, err, usage.ErrSignature, name)
	}
}
