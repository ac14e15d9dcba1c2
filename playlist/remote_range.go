package playlist

import (
	"strconv"
	"strings"
)

// byteRange is one range of bytes as a request or an answer names it.
type byteRange struct {
	from, to int64 // inclusive; in a request -1 for what is left open
	size     int64 // of the whole, -1 if unknown; in a request the length of a suffix or -1
}

// parseRange reads the value of Range in a request if it is one range of bytes. See RFC 9110 section 14.1.2.
func parseRange(s string) (byteRange, bool) {
	unit, spec, _ := strings.Cut(s, "=")
	if !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return byteRange{}, false
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return byteRange{}, false
	}
	q := byteRange{from: -1, to: -1, size: -1}
	if first == "" {
		q.size, ok = parseOffset(last)
		return q, ok
	}
	if q.from, ok = parseOffset(first); !ok || last == "" {
		return q, ok
	}
	q.to, ok = parseOffset(last)
	return q, ok && q.to >= q.from
}

// parseContentRange reads the value of Content-Range: "bytes 0-9/100", "bytes 0-9/*" or "bytes */100", of which the last
// has no range, so that from and to are -1. See RFC 9110 section 14.4.
func parseContentRange(s string) (byteRange, bool) {
	unit, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return byteRange{}, false
	}
	c := byteRange{from: -1, to: -1, size: -1}
	if size != "*" {
		if c.size, ok = parseOffset(size); !ok {
			return c, false
		}
	}
	if span == "*" {
		return c, c.size >= 0
	}
	first, last, _ := strings.Cut(span, "-")
	from, ok := parseOffset(first)
	to, also := parseOffset(last)
	c.from, c.to = from, to
	return c, ok && also && to >= from && (c.size < 0 || to < c.size)
}

// parseOffset reads a number of bytes: digits only, at most 18 of them.
func parseOffset(s string) (int64, bool) {
	if s == "" || len(s) > 18 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// answers reports whether a range is what a request asked for: it begins where that does and does not go beyond it. A
// server may send less, but from another place it would not be what the rules of an entry were asked about.
func (c byteRange) answers(q byteRange) bool {
	switch {
	case c.from < 0:
		return false
	case q.from >= 0:
		return c.from == q.from && (q.to < 0 || c.to <= q.to)
	}
	return c.size >= 0 && c.from == max(c.size-q.size, 0)
}

// rangeValue returns the value of Range in a request.
func (c byteRange) rangeValue() string {
	switch {
	case c.from < 0:
		return "bytes=-" + strconv.FormatInt(c.size, 10)
	case c.to < 0:
		return "bytes=" + strconv.FormatInt(c.from, 10) + "-"
	}
	return "bytes=" + strconv.FormatInt(c.from, 10) + "-" + strconv.FormatInt(c.to, 10)
}

// String returns the value of Content-Range.
func (c byteRange) String() string {
	b := []byte("bytes ")
	if c.from < 0 {
		b = append(b, '*')
	} else {
		b = strconv.AppendInt(b, c.from, 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, c.to, 10)
	}
	b = append(b, '/')
	if c.size < 0 {
		return string(append(b, '*'))
	}
	return string(strconv.AppendInt(b, c.size, 10))
}
