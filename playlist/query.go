package playlist

import (
	"net/url"
	"strings"
)

// Limits of queries.
const (
	maxQuery = 8 << 10 // bytes
	maxPairs = 64
)

// query is a parsed query, the first value of each name.
type query map[string]string

// parseQuery reads a query whose pairs are separated by & or by a delimiter, IIS's being a semicolon, which net/url
// refuses. Names and values are percent-decoded, + is a space. Names are lower case afterwards, as IIS compares them
// so. It reports false for what is too long or wrongly encoded.
func parseQuery(raw, delimiter string) (query, bool) {
	if len(raw) > maxQuery {
		return nil, false
	}
	if delimiter != "" && delimiter != "&" {
		raw = strings.ReplaceAll(raw, delimiter, "&")
	}
	q := make(query)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if len(q) >= maxPairs {
			return nil, false
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, false
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, false
		}
		if name = strings.ToLower(name); name != "" {
			if _, again := q[name]; !again {
				q[name] = value
			}
		}
	}
	return q, true
}
