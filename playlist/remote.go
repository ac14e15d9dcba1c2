package playlist

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// maxRemoteHeader bounds the header of an answer, in bytes.
const maxRemoteHeader = 64 << 10

// userAgent is what servers elsewhere see. Nothing of the client's own request but a range is passed on.
const userAgent = "smoothkit-playlist"

// Remote asks servers elsewhere: for the place of an entry, for playlists and for media. It connects to no address that is
// not public, whatever a name means at that moment and wherever a redirect leads, unless its options allow it; it uses no
// proxy. Errors do not tell the URL; those that have a method Debug tell it there. It is safe for concurrent use.
type Remote struct {
	opts   RemoteOptions
	hosts  hosts // trusted
	client http.Client
	own    *http.Transport // nil if the caller's is used
}

// NewRemote returns a Remote. It returns an error for a host or a prefix of a credential that cannot be one.
func NewRemote(opts *RemoteOptions) (*Remote, error) {
	r := &Remote{opts: opts.withDefaults()}
	var err error
	if r.hosts, err = newHosts(r.opts.AllowedHosts); err != nil {
		return nil, err
	}
	creds, err := newCredentials(r.opts.Credentials)
	if err != nil {
		return nil, err
	}
	base := r.opts.Transport
	if base == nil {
		r.own = r.transport()
		base = r.own
	}
	r.client.Transport = &watchedTransport{
		base: base, credentials: creds, idle: r.opts.ReceiveTimeout,
		begin: r.opts.ResolveTimeout + 2*r.opts.ConnectTimeout + r.opts.SendTimeout + r.opts.ReceiveTimeout,
	}
	r.client.CheckRedirect = r.checkRedirect
	return r, nil
}

// transport returns the transport of all requests. HTTP/2 is off, so each connection is one that was checked for the host
// of its request.
func (r *Remote) transport() *http.Transport {
	return &http.Transport{
		DialContext: r.dial, TLSHandshakeTimeout: r.opts.ConnectTimeout, ResponseHeaderTimeout: r.opts.ReceiveTimeout,
		MaxResponseHeaderBytes: maxRemoteHeader, DisableCompression: true, MaxIdleConns: 256, MaxIdleConnsPerHost: 16,
		IdleConnTimeout: 90 * time.Second,
	}
}

// Close closes idle connections. Requests under way go on.
func (r *Remote) Close() error {
	if r.own != nil {
		r.own.CloseIdleConnections()
	}
	return nil
}

// checkRedirect is called before a redirect is followed.
func (r *Remote) checkRedirect(next *http.Request, via []*http.Request) error {
	why, limit := badRemote(next.URL), max(r.opts.MaxRedirects, 0)
	switch {
	case why != "":
		return forbidden("redirect to a "+why, next.URL.String())
	case len(via) > limit:
		why = fmt.Sprintf("more than %d redirects", limit)
		return &sourceError{kind: ErrRemote, why: why, source: next.URL.String()}
	case r.hosts.hasURL(next.URL) && !r.hosts.hasURL(via[0].URL):
		return forbidden("redirect to a host that only playlists may name", next.URL.String())
	}
	next.URL.RawQuery = escapeQuery(next.URL.RawQuery)
	return nil
}

// answer is the answer to one request, of which the body has not been read.
type answer struct {
	*http.Response
	ctx   context.Context // the caller's
	total *time.Timer     // ends the request unless it is stopped
	end   context.CancelFunc
}

// Close ends the request.
func (a *answer) Close() {
	a.total.Stop()
	a.end()
	_ = a.Body.Close()
}

// failed returns the error of a request that was answered.
func (a *answer) failed(kind error, why string) error {
	return &sourceError{kind: kind, why: why, source: a.Request.URL.String()}
}

// send sends a request. The caller closes the answer.
func (r *Remote) send(ctx context.Context, method, target string, header http.Header) (*answer, error) {
	u, err := parseRemote(target)
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(inner, method, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, forbidden("no valid URL", target)
	}
	req.Header = header
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept-Encoding", "identity")
	total := time.AfterFunc(r.opts.TotalTimeout, func() { cancel(errStalled) })
	a := &answer{ctx: ctx, total: total, end: func() { cancel(nil) }}
	if a.Response, err = r.client.Do(req); err != nil {
		err = stalledOr(inner, err) // before the context ends for another reason
		total.Stop()
		cancel(nil)
		return nil, remoteFailure(ctx, u, err)
	}
	if encoding := a.Header.Get("Content-Encoding"); isCompressed(encoding) {
		a.Close()
		return nil, a.failed(ErrRemote, "compressed, which was not asked for")
	}
	return a, nil
}

// isCompressed reports whether a Content-Encoding is one that changes bytes. Servers also say "none", "binary" or
// "aws-chunked".
func isCompressed(encoding string) bool {
	for coding := range strings.SplitSeq(strings.ToLower(encoding), ",") {
		switch strings.TrimSpace(coding) {
		case "gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress":
			return true
		}
	}
	return false
}

// statusError returns the error for the status of an answer that is not the one needed.
func (a *answer) statusError() error {
	kind := ErrRemote
	switch a.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		kind = ErrNotFound
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		kind = ErrRemoteTimeout
	}
	return a.failed(kind, fmt.Sprintf("status %d", a.StatusCode))
}
