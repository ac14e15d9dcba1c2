package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// peer is the publishing point of another server.
type peer struct {
	base       *url.URL
	credential string
	srv        *Server
	// shown is the URL without password, for people.
	shown string
}

// newPeer returns the peer for an address that [Settings.Validate] has accepted.
func newPeer(srv *Server, r RemotePoint) *peer {
	u, err := url.Parse(r.URL)
	if err != nil {
		u = &url.URL{Scheme: "http"} // requests will say so
	}
	return &peer{base: u, credential: r.Credential, srv: srv, shown: u.Redacted()}
}

// errCredential is why a request is not even sent.
var errCredential = errors.New("livesmooth: no credentials of that name")

// request makes a request for what is below the point: elements of a path, unescaped, and a query.
func (p *peer) request(ctx context.Context, method, below, query string, body io.Reader) (*http.Request, error) {
	u := *p.base
	u.RawPath = u.EscapedPath() + "/" + escapeBelow(below)
	u.Path += "/" + below
	if query != "" {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+query, "&")
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "smoothkit")
	return r, p.authorize(r)
}

// authorize adds the credentials that the settings name. Those in the URL are added by the client.
func (p *peer) authorize(r *http.Request) error {
	if p.credential == "" {
		return nil
	}
	if lookup := p.srv.opts.Credentials; lookup != nil {
		if user, password, ok := lookup(p.credential); ok {
			r.SetBasicAuth(user, password)
			return nil
		}
	}
	return fmt.Errorf("%w: %q", errCredential, p.credential)
}

// escapeBelow escapes a path but for slashes and the parentheses of Streams(id), which servers compare as they are.
func escapeBelow(path string) string {
	elements := strings.Split(path, "/")
	for i, e := range elements {
		e = url.PathEscape(e)
		if open := strings.Index(e, "%28"); open >= 0 && strings.HasSuffix(e, "%29") {
			e = e[:open] + "(" + e[open+3:len(e)-3] + ")"
		}
		elements[i] = e
	}
	return strings.Join(elements, "/")
}

// statusError is the answer of a server that refuses.
type statusError struct {
	url    string
	status string
}

func (e *statusError) Error() string { return fmt.Sprintf("livesmooth: %s: %s", e.url, e.status) }

// expect returns an error unless the answer is in the range 200 to 299, and then closes its body.
func expect(resp *http.Response, shown string) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	_ = discard(resp.Body)
	resp.Body.Close()
	return &statusError{shown, resp.Status}
}
