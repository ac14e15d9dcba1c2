package alias

import (
	"fmt"
	"strings"
)

// maxHops bounds how many redirects of this server a client follows for one request. Browsers give up at 20.
const maxHops = 10

// samples are what placeholders take in the check for redirects without end.
var samples = [...]string{number: "1", guid: "00000000-0000-4000-8000-000000000000", name: "x"}

// checkLoop follows a redirect, with samples for its placeholders, until it leads to something else than a redirect to
// a path of this server.
func (m *Map) checkLoop(e *entry) error {
	host := e.rule.Host
	if strings.HasPrefix(host, "*") {
		host = "x" + host[1:]
	}
	for path, hops := e.pattern.sample(), 0; ; hops++ {
		match, ok := m.Lookup(host, path)
		if !ok || !match.Rule.redirects() || match.URL.Host != "" && !strings.EqualFold(match.URL.Host, host) {
			return nil
		}
		if match.URL.Host != "" && match.URL.Path == path {
			return nil // from http to https, most likely
		}
		if hops == maxHops {
			return fmt.Errorf("%w: more than %d of them for %s", ErrLoop, maxHops, shorten(e.pattern.sample()))
		}
		path = match.URL.Path
	}
}

// sample returns a path that the pattern matches.
func (p *pattern) sample() string {
	var b strings.Builder
	for _, s := range p.segments {
		b.WriteByte('/')
		if s.kind == literal {
			b.WriteString(s.text)
			continue
		}
		before, after, _ := strings.Cut(s.exact, "\x00")
		b.WriteString(before + samples[s.kind] + after)
	}
	switch {
	case p.tail:
		b.WriteString("/x")
	case p.slash:
		b.WriteByte('/')
	}
	return b.String()
}
