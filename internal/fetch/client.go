package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Options tunes a [Client].
type Options struct {
	// Client sends the requests. Nil means one with its own connections, which go through the proxy that the
	// environment names and are not compressed. Its own rule about redirects does not apply.
	Client *http.Client
	// Timeout of one request including its body.
	Timeout time.Duration
	// PerHost is the number of idle connections that are kept per host.
	PerHost int
	// Redirects is how many redirects of one request are followed. One more is the answer.
	Redirects int
}

// Client sends requests as a player does, and without compression. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	timeout time.Duration
	owned   bool // the connections are its own
}

// NewClient returns a client. An [http.Client] in the options is copied.
func NewClient(o Options) *Client {
	c := &Client{timeout: o.Timeout, owned: o.Client == nil}
	if c.owned {
		c.http = &http.Client{Transport: &http.Transport{
			DisableCompression: true, Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: o.PerHost,
		}}
	} else {
		copied := *o.Client
		c.http = &copied
	}
	c.http.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		if len(via) > o.Redirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return c
}

// Close closes the idle connections, if they are the client's own.
func (c *Client) Close() {
	if c.owned {
		c.http.CloseIdleConnections()
	}
}

// Do sends one request and reads at most limit bytes of the body. Extra headers are name-value pairs. A body that ends
// early is no error, see [Answer.Cut].
func (c *Client) Do(ctx context.Context, method, target string, limit int64, headers ...string) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "smoothkit-validate")
	req.Header.Set("Origin", "http://player.example")
	req.Header.Set("Accept-Encoding", "identity")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := &Answer{
		URL: target, Final: resp.Request.URL, Status: resp.StatusCode, Header: resp.Header, Length: resp.ContentLength,
	}
	if err := a.read(resp.Body, limit); err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	return a, nil
}

// read reads the body.
func (a *Answer) read(r io.Reader, limit int64) error {
	var buf bytes.Buffer
	_, err := io.Copy(&buf, io.LimitReader(r, limit+1))
	a.Body = buf.Bytes()
	a.Large = int64(len(a.Body)) > limit
	if errors.Is(err, io.ErrUnexpectedEOF) {
		a.Cut = true
		return nil
	}
	return err
}
