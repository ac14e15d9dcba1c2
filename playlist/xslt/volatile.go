package xslt

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/playlist"
)

const (
	// minVolatile is the shortest string that is replaced: a shorter one could be in a document by chance.
	minVolatile = 16
	// standInPrefix is what all strings begin with that stand in for others; four hexadecimal digits follow. It is
	// random, but the same everywhere, as it is part of what results are kept by.
	standInPrefix = "7d0c5ae94b61"
)

// volatile replaces the strings of one client in a document by others, the same for all clients, and back. A nil value
// replaces nothing.
type volatile struct {
	hider, shower *strings.Replacer
}

// newVolatile returns nil if there is nothing to replace, or if what would stand in for it is in the document.
func newVolatile(document []byte, values []string) *volatile {
	values = fit(values)
	if len(values) == 0 || bytes.Contains(document, []byte(standInPrefix)) {
		return nil
	}
	hide := make([]string, 0, 2*len(values))
	show := make([]string, 0, 2*len(values))
	for i, s := range values {
		standIn := fmt.Sprintf("%s%04x%s", standInPrefix, i, strings.Repeat("0", len(s)-minVolatile))
		hide = append(hide, s, standIn)
		show = append(show, standIn, s)
	}
	return &volatile{strings.NewReplacer(hide...), strings.NewReplacer(show...)}
}

// fit returns those of the values that can be replaced, each once, the longest first, as one may be part of another.
func fit(values []string) []string {
	seen := make(map[string]bool, len(values))
	var out []string
	for _, s := range values[:min(len(values), playlist.MaxEntries)] {
		if len(s) >= minVolatile && isUnreserved(s) && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return out
}

// hide returns the document with what is the same for all clients.
func (v *volatile) hide(document []byte) []byte {
	if v == nil {
		return document
	}
	return []byte(v.hider.Replace(string(document)))
}

// appendShown appends a result with the client's strings back in it.
func (v *volatile) appendShown(dst, result []byte) []byte {
	if v == nil {
		return append(dst, result...)
	}
	return append(dst, v.shower.Replace(string(result))...)
}

// isUnreserved reports whether s has only characters that URLs and XML never escape, RFC 3986 section 2.3.
func isUnreserved(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}
