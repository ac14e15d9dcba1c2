package playlist

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// watchedTransport sends each request, redirects too, with the credential of its own URL, and ends it when nothing comes:
// no answer within begin, or no further part of a body within idle.
type watchedTransport struct {
	base        http.RoundTripper
	credentials credentials
	begin, idle time.Duration
}

// RoundTrip implements [http.RoundTripper].
func (t *watchedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(t.begin, func() { cancel(errStalled) })
	sent := r.Clone(ctx)
	sent.Header.Del("Referer") // the client adds it after a redirect; it may hold a token
	t.credentials.add(sent)
	resp, err := t.base.RoundTrip(sent)
	timer.Stop()
	if err != nil {
		err = stalledOr(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Request = r // without the credential
	resp.Body = &watchedBody{body: resp.Body, ctx: ctx, cancel: cancel, timer: timer, idle: t.idle}
	return resp, nil
}

// stalledOr returns errStalled if that is why the context has ended, else err.
func stalledOr(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// watchedBody is a body whose reads are bounded in time, each on its own: between them the reader may take as long as it
// likes.
type watchedBody struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
}

// Read implements [io.Reader].
func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.body.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF {
		err = stalledOr(b.ctx, err)
	}
	return n, err
}

// Close implements [io.Closer].
func (b *watchedBody) Close() error {
	err := b.body.Close()
	b.timer.Stop()
	b.cancel(nil)
	return err
}
