package access

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// request returns the question about a request.
func (h *Hook) request(ctx context.Context, r *http.Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.opts.URL, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range h.opts.Headers {
		if values := r.Header[name]; values != nil {
			req.Header[name] = append([]string(nil), values...)
		}
	}
	req.Header.Set("X-Original-Uri", r.URL.RequestURI())
	req.Header.Set("X-Original-Method", r.Method)
	req.Header.Set("X-Original-Host", r.Host)
	req.Header.Set("X-Presentation", escapePath(h.opts.Presentation(r)))
	if h.opts.Role != "" {
		req.Header.Set("X-Role", h.opts.Role)
	}
	if a := h.opts.Address(r); a.IsValid() {
		req.Header.Set("X-Forwarded-For", a.String())
	}
	return req, nil
}

// answer asks and reads the answer.
func (h *Hook) answer(req *http.Request) *hookAnswer {
	resp, err := h.client.Do(req)
	if err != nil {
		return &hookAnswer{err: fmt.Errorf("access: hook: %w: %w", err, ErrUnavailable)}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	now := h.opts.Now()
	life := cacheLife(resp.Header, h.opts.CacheFor)
	switch status := resp.StatusCode; {
	case status >= 200 && status < 300:
		id, err := identityOf(resp.Header)
		return &hookAnswer{id: id, err: err, until: now.Add(life)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &hookAnswer{err: refusalOf(resp), until: now.Add(min(life, refusalFor))}
	default:
		return &hookAnswer{err: fmt.Errorf("access: hook: status %d: %w", status, ErrUnavailable)}
	}
}

// identityOf returns whom the service has let in.
func identityOf(header http.Header) (*Identity, error) {
	id := &Identity{Method: MethodHook, Name: header.Get("X-User"), Session: header.Get("X-Session")}
	if len(id.Name) > maxHookHeader || len(id.Session) > maxHookHeader {
		return nil, fmt.Errorf("access: hook: user of %d and session of %d bytes, at most %d: %w",
			len(id.Name), len(id.Session), maxHookHeader, ErrUnavailable)
	}
	return id, nil
}

// refusalOf returns the error for a refusal, with the challenges of the service.
func refusalOf(resp *http.Response) error {
	if resp.StatusCode == http.StatusForbidden {
		return fmt.Errorf("access: hook: status 403: %w", ErrForbidden)
	}
	challenges := resp.Header["Www-Authenticate"]
	return &RefusedError{
		Challenges: challenges[:min(len(challenges), maxChallenges)],
		Err:        fmt.Errorf("access: hook: status 401: %w", ErrUnauthenticated),
	}
}

// cacheLife returns how long an answer may be remembered: at most the given time, and zero if that is negative.
func cacheLife(header http.Header, most time.Duration) time.Duration {
	life := max(most, 0)
	for _, line := range header["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
			switch name {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				seconds, err := strconv.ParseUint(strings.Trim(value, `" `), 10, 31)
				if err != nil {
					return 0
				}
				life = min(life, time.Duration(seconds)*time.Second)
			}
		}
	}
	return life
}

// escapePath makes a path printable, as header values are.
func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }
