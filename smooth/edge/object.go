package edge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// objectOverhead is what an object takes in memory besides its strings and its body, estimated.
const objectOverhead = 768

// field is a field of a header, as it is assigned to the header of a response: neither part is ever modified.
type field struct {
	name   string
	values []string
}

// object is a response in the cache. It is immutable; a change makes another one.
type object struct {
	status int
	// fields are sorted by name, without Age and X-Cache.
	fields []field
	// vary is what the response depends on.
	vary []selector
	freshness
	// size of the body in bytes, or -1 while it is in flight and unknown.
	size int64
	// body is nil if it is in file, or in flight.
	body []byte
	// file is where the body is on disk, or zero.
	file fileRef
	// aged is the value of Age, for a second.
	aged atomic.Pointer[ageText]
}

// ageText is a value of Age.
type ageText struct {
	seconds int64
	values  []string
}

// acceptRanges is a value that objects share.
var acceptRanges = []string{"bytes"}

// newObject returns the object of a response, without its body. The header belongs to the object afterwards.
func newObject(status int, h http.Header, vary []selector, f freshness, size int64) *object {
	o := &object{status: status, vary: vary, freshness: f, size: size}
	for _, name := range []string{"Age", "X-Cache", "Content-Length"} {
		delete(h, name)
	}
	if size >= 0 {
		h["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // so that nobody guesses one from the body, for which ranges in flight would have to wait
	}
	if status == http.StatusOK {
		h["Accept-Ranges"] = acceptRanges // whatever the upstream can
	}
	o.fields = make([]field, 0, len(h))
	for name, values := range h {
		o.fields = append(o.fields, field{name, slices.Clip(values)})
	}
	slices.SortFunc(o.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return o
}

// with returns a copy with another body, of which the length is the size, and file.
func (o *object) with(body []byte, file fileRef) *object {
	return &object{status: o.status, fields: o.fields, vary: o.vary, freshness: o.freshness, size: o.size, body: body, file: file}
}

// header returns a copy of the header.
func (o *object) header() http.Header {
	h := make(http.Header, len(o.fields)+2)
	for _, f := range o.fields {
		h[f.name] = f.values
	}
	return h
}

// get returns the first value of a field, or "".
func (o *object) get(name string) string {
	for i := range o.fields {
		if f := &o.fields[i]; f.name == name && len(f.values) > 0 {
			return f.values[0]
		}
	}
	return ""
}

// modTime returns Last-Modified, or zero.
func (o *object) modTime() time.Time {
	t, err := http.ParseTime(o.get("Last-Modified"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// writeHeader assigns the fields of a response.
func (o *object) writeHeader(h http.Header, result Result, now time.Time) {
	for i := range o.fields {
		h[o.fields[i].name] = o.fields[i].values
	}
	h["Age"] = o.ageValues(now)
	h["X-Cache"] = result.header()
}

// ageValues returns the value of Age: RFC 9111 section 5.1. It is made once a second.
func (o *object) ageValues(now time.Time) []string {
	seconds := int64(o.age(now) / time.Second)
	if text := o.aged.Load(); text != nil && text.seconds == seconds {
		return text.values
	}
	text := &ageText{seconds, []string{strconv.FormatInt(seconds, 10)}}
	o.aged.Store(text)
	return text.values
}

// cost returns the bytes that an object takes in memory.
func (o *object) cost() int64 {
	n := objectOverhead + len(o.body)
	for _, f := range o.fields {
		n += len(f.name) + 64
		for _, v := range f.values {
			n += len(v)
		}
	}
	return int64(n)
}

// refreshed returns the object with what a 304 says: RFC 9111 section 3.2. The fields that describe the bytes stay.
func (o *object) refreshed(h http.Header) http.Header {
	merged := o.header()
	for name, values := range h {
		switch name {
		case "Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Transfer-Encoding":
		default:
			merged[name] = values
		}
	}
	return merged
}
