package alias

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Bounds of a map.
const (
	// MaxPath bounds a path in bytes, and what a rule leads to. Longer paths of requests match nothing; IIS refuses them
	// too by default (maxUrl of request filtering).
	MaxPath = 4096
	// MaxSegments bounds the segments of a pattern, besides "*".
	MaxSegments = 32
	// MaxRules bounds the rules of a map.
	MaxRules = 1 << 20
	// MaxForms bounds the different forms that the patterns of one host have: which of their segments are placeholders
	// and of what kind. Each costs a look-up per request; literal text is not part of the form.
	MaxForms = 128
)

// Rule says what becomes of the requests for some paths. It is a plain value.
type Rule struct {
	// Host is the name of the host whose requests the rule is for, without port. "*.example.com" stands for all names
	// below example.com. Empty means any host.
	Host string
	// From is the pattern of paths, as in the map file: see the package documentation.
	From string
	// To is the path, or for redirects the path or absolute URL, that takes its place. Empty if Status is 410.
	To string
	// Status is 301, 302, 307 or 308 for a redirect and 410 for what is gone. Zero rewrites the request inside.
	Status int
	// ExactCase makes the literal text of From match in its own case only. Captured text keeps its case anyway.
	ExactCase bool
	// Line is that of the map file, from 1, or 0.
	Line int
}

// exactCase is how a map file says Rule.ExactCase.
const exactCase = "exact-case"

// AppendText appends the rule as a line of a map file, without the line break. It is never an error.
func (r Rule) AppendText(b []byte) ([]byte, error) {
	b = append(append(b, r.Host...), r.From...)
	if r.To != "" {
		b = append(append(b, ' '), r.To...)
	}
	if r.Status != 0 {
		b = strconv.AppendInt(append(b, ' '), int64(r.Status), 10)
	}
	if r.ExactCase {
		b = append(append(b, ' '), exactCase...)
	}
	return b, nil
}

// String returns the rule as a line of a map file.
func (r Rule) String() string {
	b, _ := r.AppendText(nil)
	return string(b)
}

func (r Rule) redirects() bool { return r.Status != 0 && r.Status != http.StatusGone }

// checkStatus checks what status and target the rule has.
func (r Rule) checkStatus() error {
	switch r.Status {
	case http.StatusGone:
		if r.To != "" {
			return fmt.Errorf("%w: what is gone (410) leads nowhere, not to %q", ErrTarget, shorten(r.To))
		}
		return nil
	case 0, http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if r.To == "" {
			return fmt.Errorf("%w: none, which only 410 has", ErrTarget)
		}
		return nil
	}
	return fmt.Errorf("%w: %d is none of 301, 302, 307, 308 and 410", ErrStatus, r.Status)
}

// checkHost returns the host in lower case.
func checkHost(host string) (string, error) {
	name := strings.TrimPrefix(host, "*.")
	if host == "" {
		return "", nil
	}
	if len(host) > 253 {
		return "", fmt.Errorf("%w: host of %d bytes, at most 253", ErrPattern, len(host))
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.ContainsFunc(label, func(c rune) bool { return !isHostByte(c) }) {
			return "", fmt.Errorf("%w: host %q; names are of letters, digits and \"-\", without port", ErrPattern, shorten(host))
		}
	}
	return strings.ToLower(host), nil
}

func isHostByte(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
