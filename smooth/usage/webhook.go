package usage

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Defaults of [WebhookOptions].
const (
	DefaultWebhookTimeout  = 10 * time.Second
	DefaultWebhookQueue    = 1000
	DefaultWebhookAttempts = 10
	DefaultMinBackoff      = time.Second
	DefaultMaxBackoff      = 5 * time.Minute
)

// WebhookOptions say where events are sent.
type WebhookOptions struct {
	// URL of the target, http or https. It is required. It may have a password, which is never logged.
	URL string
	// Secret, if set, signs each request, see [SignatureHeader]. It has at least 16 bytes.
	Secret []byte
	// Kinds are the events that are sent. Nil means all.
	Kinds []EventKind
	// Source is in each event, to tell servers apart.
	Source string
	// Header is added to each request.
	Header http.Header
	// Client sends the requests. Nil means a client of its own. Redirects are not followed, as they would carry the
	// signature elsewhere.
	Client *http.Client
	// Timeout bounds one attempt. Zero means [DefaultWebhookTimeout].
	Timeout time.Duration
	// Queue is how many events wait at most. When it is full the oldest is dropped, and the next one that is sent says how
	// many were. Zero means [DefaultWebhookQueue].
	Queue int
	// Attempts is how often an event is sent before it is given up. Zero means [DefaultWebhookAttempts]. Between attempts
	// the time doubles from MinBackoff to MaxBackoff, or is what Retry-After says if that is longer, up to MaxBackoff.
	Attempts               int
	MinBackoff, MaxBackoff time.Duration
	// Logger gets events that were given up. Nil means slog.Default().
	Logger *slog.Logger
	// Now tells the time for signatures. Nil means time.Now.
	Now func() time.Time
}

// WebhookStats says how a webhook is doing.
type WebhookStats struct {
	// URL is that of the target without password and query.
	URL string
	// Delivered, Failed (given up) and Dropped (from a full queue, or when it was closed) are numbers of events.
	Delivered, Failed, Dropped int64
	// Waiting is the number in the queue, that which is being sent included.
	Waiting int
	// Err is why the last attempt failed, or nil. It wraps [ErrWebhook].
	Err error
}

// Webhook sends events to one target, as JSON by POST, one after the other in the order in which they come: one that is
// tried again holds back those behind it. An answer of 2xx means that the event is taken. Other answers of 4xx but 408, 425
// and 429 mean that it never will be; everything else is tried again. A target may get an event twice and knows it by its id.
//
//	{"id":"9f86d081884c7d65-1","kind":"encoder_lost","time":"2026-11-26T10:00:00Z","source":"edge1",
//	 "subject":"/live/event.isml","message":"...","count":1,"dropped":0,"attrs":{"address":"192.0.2.1"}}
//
// It has a goroutine until it is closed, and is safe for concurrent use.
type Webhook struct {
	opts   WebhookOptions
	client http.Client
	told   string // the URL that may be told
	id     string
	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // capacity 1

	mu      sync.Mutex // guards the fields below
	queue   []queued
	number  int64
	missing int64 // dropped since the last one that was sent
	stats   WebhookStats
	sending bool
	closing bool
}

// queued is an event that waits.
type queued struct {
	event  Event
	number int64
}

// NewWebhook returns a webhook. It copies opts. The error wraps [ErrOptions].
func NewWebhook(opts *WebhookOptions) (*Webhook, error) {
	d, u, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	var id [8]byte
	rand.Read(id[:])
	ctx, cancel := context.WithCancel(context.Background())
	h := &Webhook{
		opts: d, told: u.Scheme + "://" + u.Host + u.Path, id: hex.EncodeToString(id[:]),
		cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	if d.Client != nil {
		h.client = *d.Client
	}
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.stats.URL = h.told
	go h.run(ctx)
	return h, nil
}

func (o *WebhookOptions) withDefaults() (WebhookOptions, *url.URL, error) {
	var d WebhookOptions
	if o != nil {
		d = *o
	}
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return d, nil, fmt.Errorf("%w: the URL of a webhook must be http or https with a host", ErrOptions)
	}
	if len(d.Secret) > 0 && len(d.Secret) < minSecret {
		return d, nil, fmt.Errorf("%w: Secret has %d bytes, at least %d", ErrOptions, len(d.Secret), minSecret)
	}
	if d.Timeout < 0 || d.Queue < 0 || d.Attempts < 0 || d.MinBackoff < 0 || d.MaxBackoff < 0 {
		return d, nil, fmt.Errorf("%w: numbers and times of a webhook must not be negative", ErrOptions)
	}
	d.Timeout = cmp.Or(d.Timeout, DefaultWebhookTimeout)
	d.Queue = cmp.Or(d.Queue, DefaultWebhookQueue)
	d.Attempts = cmp.Or(d.Attempts, DefaultWebhookAttempts)
	d.MinBackoff = cmp.Or(d.MinBackoff, DefaultMinBackoff)
	d.MaxBackoff = max(cmp.Or(d.MaxBackoff, DefaultMaxBackoff), d.MinBackoff)
	d.Logger = cmp.Or(d.Logger, slog.Default())
	if d.Now == nil {
		d.Now = time.Now
	}
	d.Secret, d.Kinds, d.Header = slices.Clone(d.Secret), slices.Clone(d.Kinds), d.Header.Clone()
	return d, u, nil
}

// Send queues an event, if its kind is one of those that are sent. It never blocks. After the webhook has been closed the
// event is dropped.
func (h *Webhook) Send(e Event) {
	if h.opts.Kinds != nil && !slices.Contains(h.opts.Kinds, e.Kind) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		h.stats.Dropped++
		return
	}
	h.number++
	if len(h.queue) >= h.opts.Queue {
		h.stats.Dropped++
		h.missing++
		h.queue = slices.Delete(h.queue, 0, 1)
	}
	h.queue = append(h.queue, queued{e, h.number})
	h.wakeUp()
}

// wakeUp tells the goroutine that something has changed.
func (h *Webhook) wakeUp() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Stats says how it is doing.
func (h *Webhook) Stats() WebhookStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	if s.Waiting = len(h.queue); h.sending {
		s.Waiting++
	}
	return s
}

// Shutdown takes no further events, and waits until all are sent or given up, or ctx ends; then the rest is dropped. The
// error is that of ctx.
func (h *Webhook) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	h.wakeUp()
	select {
	case <-h.done:
	case <-ctx.Done():
		h.cancel()
		<-h.done
		return ctx.Err()
	}
	h.cancel()
	return nil
}

// Close drops what has not been sent and waits for the goroutine to end. What is being sent is broken off.
func (h *Webhook) Close() error {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	h.cancel()
	<-h.done
	return nil
}

// run sends events until the webhook is closed.
func (h *Webhook) run(ctx context.Context) {
	defer close(h.done)
	for ctx.Err() == nil {
		e, missing, ok := h.next()
		if ok {
			h.finish(e, h.deliver(ctx, e, missing), ctx)
			continue
		}
		if h.ended() {
			return
		}
		select {
		case <-h.wake:
		case <-ctx.Done():
		}
	}
	h.mu.Lock()
	h.stats.Dropped += int64(len(h.queue))
	h.queue = nil
	h.mu.Unlock()
}

// next returns the next event, and how many before it were dropped.
func (h *Webhook) next() (e queued, missing int64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		return queued{}, 0, false
	}
	e, missing = h.queue[0], h.missing
	h.queue, h.missing, h.sending = slices.Delete(h.queue, 0, 1), 0, true
	return e, missing, true
}

func (h *Webhook) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closing && len(h.queue) == 0
}

// finish counts an event that has been sent or given up.
func (h *Webhook) finish(e queued, err error, ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sending = false
	switch {
	case err == nil:
		h.stats.Delivered++
	case ctx.Err() != nil:
		h.stats.Dropped++
	default:
		h.stats.Failed++
		h.opts.Logger.Error("webhook", slog.String("url", h.told), slog.String("event", string(e.event.Kind)),
			slog.String("subject", e.event.Subject), slog.Any("err", err))
	}
}
