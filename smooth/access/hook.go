package access

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds and defaults of [HookOptions].
const (
	DefaultHookTimeout  = 5 * time.Second
	DefaultHookCacheFor = 10 * time.Second
	DefaultMaxAsking    = 64

	refusalFor     = 2 * time.Second // that a refusal is remembered at most
	maxHookHeader  = 256             // bytes of X-User and X-Session
	maxChallenges  = 8
	maxHookHeaders = 64 << 10 // bytes of all headers of an answer
)

// HookOptions tune [Hook]. URL is required.
type HookOptions struct {
	// URL of the service.
	URL string
	// Timeout bounds a question. Zero means [DefaultHookTimeout].
	Timeout time.Duration
	// Client asks. It follows no redirects. Nil means one that uses no proxy and takes headers of 64 kB at most.
	Client *http.Client
	// Headers of the request that the service gets. Nil means Authorization and Cookie. The answer is remembered for
	// requests in which they are equal.
	Headers []string
	// Role is sent as X-Role, such as "viewer" or "encoder".
	Role string
	// Presentation returns what a request is about: answers are remembered for it, not for each fragment. Nil means
	// [PresentationPath]. The service has to decide by that; X-Original-URI is only of one of the requests.
	Presentation func(*http.Request) string
	// CacheFor is how long an answer is remembered; its Cache-Control may make that shorter. Refusals are remembered for
	// two seconds at most. Zero means [DefaultHookCacheFor]; negative means not at all.
	CacheFor time.Duration
	// MaxCached bounds the answers that are remembered. Zero means [DefaultMaxCached].
	MaxCached int
	// MaxAsking bounds the questions at a time; further ones are [ErrUnavailable]. Zero means [DefaultMaxAsking].
	MaxAsking int
	// Attempts bounds wrong passwords: refusals of requests with Basic credentials. Nil means one with the defaults for
	// this authenticator alone.
	Attempts *Attempts
	// Address returns the address of a client, which the service gets as X-Forwarded-For. Nil means [RemoteAddress].
	Address func(*http.Request) netip.Addr
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Hook authenticates by asking an HTTP service, as the auth_request of nginx does. The service gets a GET request with
// the headers X-Original-URI, X-Original-Method, X-Original-Host, X-Presentation, X-Role, X-Forwarded-For and those of
// [HookOptions].Headers. Status 2xx lets in; the headers X-User and X-Session say who it is. 401, with WWW-Authenticate,
// and 403 refuse. Everything else, no answer in time included, is [ErrUnavailable]: nobody is let in while the service
// is out. Equal questions are asked once at a time. It is safe for concurrent use.
type Hook struct {
	opts   HookOptions
	client *http.Client
	cached *cache[hookKey, *hookAnswer]

	closeIdle func() // of a client of its own

	mu     sync.Mutex // guards the fields below
	asking map[hookKey]*question
	closed bool
	wg     sync.WaitGroup
}

type hookKey [sha256.Size]byte

// hookAnswer is what the service has said.
type hookAnswer struct {
	id    *Identity // nil if refused
	err   error
	until time.Time
}

// question is one that has not been answered. answer may be read when done is closed.
type question struct {
	done   chan struct{}
	answer *hookAnswer
}

// NewHook returns an authenticator that asks a service. It copies opts. The error wraps [ErrOptions].
func NewHook(opts *HookOptions) (*Hook, error) {
	if opts == nil {
		opts = &HookOptions{}
	}
	u, err := url.Parse(opts.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("access: hook: %q is not an absolute URL: %w", opts.URL, ErrOptions)
	}
	h := &Hook{opts: opts.withDefaults(), asking: make(map[hookKey]*question)}
	client := *h.opts.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.client = &client
	h.closeIdle = func() {}
	if opts.Client == nil {
		h.closeIdle = client.CloseIdleConnections
	}
	if h.opts.CacheFor > 0 {
		h.cached = newCache[hookKey, *hookAnswer](h.opts.MaxCached)
	}
	return h, nil
}

func (o *HookOptions) withDefaults() HookOptions {
	opts := *o
	opts.Timeout = cmp.Or(max(o.Timeout, 0), DefaultHookTimeout)
	opts.CacheFor = cmp.Or(o.CacheFor, DefaultHookCacheFor)
	opts.MaxCached = cmp.Or(max(o.MaxCached, 0), DefaultMaxCached)
	opts.MaxAsking = cmp.Or(max(o.MaxAsking, 0), DefaultMaxAsking)
	opts.Headers = slices.Clone(o.Headers)
	if o.Headers == nil {
		opts.Headers = []string{"Authorization", "Cookie"}
	}
	for i, name := range opts.Headers {
		opts.Headers[i] = http.CanonicalHeaderKey(name)
	}
	if o.Client == nil {
		opts.Client = &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: opts.MaxAsking, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxHookHeaders,
			ForceAttemptHTTP2: true,
		}}
	}
	if o.Presentation == nil {
		opts.Presentation = PresentationPath
	}
	if o.Attempts == nil {
		opts.Attempts = NewAttempts(&AttemptsOptions{Address: o.Address, Now: o.Now})
	}
	if o.Address == nil {
		opts.Address = RemoteAddress
	}
	if o.Now == nil {
		opts.Now = time.Now
	}
	return opts
}

// PresentationPath returns the part of a request's path that names a presentation, publishing point or playlist, up to
// the first element that ends in .ism, .isml, .isx or .csm, and else all of it.
func PresentationPath(r *http.Request) string {
	path := r.URL.Path
	for end := 0; end < len(path); {
		i := strings.IndexByte(path[end+1:], '/')
		if i < 0 {
			break
		}
		end += 1 + i
		if isPresentation(path[:end]) {
			return path[:end]
		}
	}
	return path
}

func isPresentation(path string) bool {
	for _, ext := range [...]string{".ism", ".isml", ".isx", ".csm"} {
		if n := len(path) - len(ext); n > 0 && strings.EqualFold(path[n:], ext) {
			return true
		}
	}
	return false
}

// Close waits for the questions that are being asked, at most for the timeout. Requests that are under way may still ask
// after that, each for itself, so that a change of the configuration refuses nobody.
func (h *Hook) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.wg.Wait()
	h.closeIdle()
	return nil
}

// Challenge returns "": the answers of the service have challenges.
func (h *Hook) Challenge() string { return "" }

// Authenticate implements [Authenticator]. The service is asked about requests without credentials too.
func (h *Hook) Authenticate(r *http.Request) (*Identity, error) {
	key, now := h.key(r), h.opts.Now()
	if a, ok := h.cached.get(key); ok && now.Before(a.until) {
		return a.id, a.err
	}
	if scheme, _ := authorization(r); !strings.EqualFold(scheme, "Basic") {
		return h.wait(r, key)
	}
	if err := h.opts.Attempts.take(r); err != nil {
		return nil, err
	}
	id, err := h.wait(r, key)
	if err == nil || errors.Is(err, ErrUnavailable) {
		h.opts.Attempts.giveBack(r)
	} else {
		err = fmt.Errorf("%w: %w", err, ErrCredentials)
	}
	return id, err
}

// key returns that of the cache: what the answer may depend on.
func (h *Hook) key(r *http.Request) (key hookKey) {
	sum := sha256.New()
	var b []byte
	add := func(s string) {
		b = append(binary.AppendUvarint(b[:0], uint64(len(s))), s...)
		sum.Write(b)
	}
	add(h.opts.Presentation(r))
	add(r.URL.RawQuery)
	add(r.Host)
	add(methodClass(r.Method))
	add(h.opts.Address(r).String())
	for _, name := range h.opts.Headers {
		values := r.Header[name]
		b = binary.AppendUvarint(b[:0], uint64(len(values)))
		sum.Write(b)
		for _, v := range values {
			add(v)
		}
	}
	sum.Sum(key[:0])
	return key
}

// methodClass returns what stands for a method in the key: GET and HEAD are one question.
func methodClass(method string) string {
	if method == http.MethodHead {
		return http.MethodGet
	}
	return method
}

// wait waits for the answer to a question, which it asks if nobody does.
func (h *Hook) wait(r *http.Request, key hookKey) (*Identity, error) {
	q, err := h.ask(r, key)
	switch {
	case err != nil:
		return nil, err
	case q == nil:
		return h.askAlone(r)
	}
	select {
	case <-q.done:
		return q.answer.id, q.answer.err
	case <-r.Context().Done():
		return nil, fmt.Errorf("access: hook: %w: %w", r.Context().Err(), ErrUnavailable)
	}
}

// ask returns the question that is being asked for a key, which goes on when the request ends as others may wait too; nil
// after Close.
func (h *Hook) ask(r *http.Request, key hookKey) (*question, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q, ok := h.asking[key]; ok {
		return q, nil
	}
	switch {
	case h.closed:
		return nil, nil
	case len(h.asking) >= h.opts.MaxAsking:
		return nil, fmt.Errorf("access: hook: %d questions at a time: %w", len(h.asking), ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.opts.Timeout)
	req, err := h.request(ctx, r)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("access: hook: %w: %w", err, ErrUnavailable)
	}
	q := &question{done: make(chan struct{})}
	h.asking[key] = q
	h.wg.Go(func() {
		defer cancel()
		h.put(q, key, req)
	})
	return q, nil
}

// put asks a question.
func (h *Hook) put(q *question, key hookKey, req *http.Request) {
	q.answer = h.answer(req)
	if h.opts.Now().Before(q.answer.until) {
		h.cached.set(key, q.answer)
	}
	h.mu.Lock()
	delete(h.asking, key)
	h.mu.Unlock()
	close(q.done)
}

// askAlone asks on the goroutine of the request.
func (h *Hook) askAlone(r *http.Request) (*Identity, error) {
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.Timeout)
	defer cancel()
	req, err := h.request(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("access: hook: %w: %w", err, ErrUnavailable)
	}
	a := h.answer(req)
	return a.id, a.err
}
