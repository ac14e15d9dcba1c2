package hls

import (
	"math"
	"strconv"
	"strings"
)

// A urlTemplate writes the URLs of the segments of a playlist, which differ only in their time and the number of their
// fragments: it takes a fifth of the time that [linker.append] takes.
type urlTemplate struct {
	before, between, after string
	// whole tells that the URLs are not of this kind.
	whole bool
}

// Numbers that no segment has, to find where they stand in a URL.
const (
	markTime  = math.MaxUint64
	markCount = maxSegmentFragments + 7_000_003
)

func newURLTemplate(l *linker, t target, extra string) *urlTemplate {
	if t.kind != mediaSegment || l.files != nil {
		return &urlTemplate{whole: true}
	}
	t.key.Time, t.count = markTime, markCount
	url := string(l.append(nil, &t, extra))
	before, rest, ok := strings.Cut(url, strconv.FormatUint(markTime, 10))
	between, after, found := strings.Cut(rest, strconv.Itoa(markCount))
	again := &urlTemplate{before: before, between: between, after: after}
	if !ok || !found || string(again.append(nil, &t)) != url || strings.Contains(before, strconv.Itoa(markCount)) {
		return &urlTemplate{whole: true}
	}
	return again
}

// append appends the URL of a segment.
func (u *urlTemplate) append(dst []byte, t *target) []byte {
	dst = strconv.AppendUint(append(dst, u.before...), t.key.Time, 10)
	dst = strconv.AppendInt(append(dst, u.between...), int64(t.count), 10)
	return append(dst, u.after...)
}
