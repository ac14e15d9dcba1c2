package hls

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/smoothkit/smoothkit/internal/httpx"
	"github.com/smoothkit/smoothkit/smooth"
)

// Media types. See RFC 8216 section 4 and 3.
const (
	typePlaylist = "application/vnd.apple.mpegurl"
	typeTS       = "video/mp2t"
	typeVideo    = "video/mp4"
	typeAudio    = "audio/mp4"
	typeVTT      = "text/vtt; charset=utf-8"
)

// A reply is the answer to one request.
type reply struct {
	mime  string
	cache string
	etag  string
	// modTime is the time of the last change, or zero.
	modTime  time.Time
	encoding string // of the content, or empty
	varies   bool   // by Accept-Encoding
	size     int64
	// body is written whole by write, or read in parts from at.
	write func(w io.Writer) (int64, error)
	at    io.ReaderAt
}

// setBytes sets a body in memory.
func (a *reply) setBytes(b []byte) {
	a.size = int64(len(b))
	a.at = bytes.NewReader(b)
	a.write = func(w io.Writer) (int64, error) { n, err := w.Write(b); return int64(n), err }
}

// send answers. Headers are the same for GET and HEAD, whole and in parts.
func (a *reply) send(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", a.mime)
	h.Set("Cache-Control", a.cache)
	h.Set("Accept-Ranges", "bytes")
	h.Set("ETag", a.etag)
	if a.encoding != "" {
		h.Set("Content-Encoding", a.encoding)
	}
	if a.varies {
		h.Add("Vary", "Accept-Encoding")
	}
	if !a.modTime.IsZero() {
		h.Set("Last-Modified", a.modTime.UTC().Format(http.TimeFormat))
	}
	if httpx.Conditional(r) {
		return a.sendPart(w, r)
	}
	h.Set("Content-Length", strconv.FormatInt(a.size, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := a.write(w)
	return err
}

// sendPart answers a request with a range or a precondition.
func (a *reply) sendPart(w http.ResponseWriter, r *http.Request) (err error) {
	src := httpx.NewReadErrors(a.at)
	defer func() { err = src.End() }()
	http.ServeContent(w, r, "", a.modTime, io.NewSectionReader(src, 0, a.size))
	return nil
}

// etagOf returns a strong entity tag. Of a presentation that has ended it derives from the validator of its snapshot and
// what was asked for; the identity of a live segment derives from its samples, since there the validator changes.
func etagOf(validator string, identity uint64) string {
	return `"` + validator + "-h" + strconv.FormatUint(identity, 36) + `"`
}

// hashText mixes a text into a 64-bit FNV-1a hash.
func hashText(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return (h ^ 0xff) * 1099511628211
}

const hashStart uint64 = 14695981039346656037

// identity returns a hash of what a target names.
func (t *target) identity() uint64 {
	h := hashText(hashText(hashStart, t.key.Stream), t.key.Attrs)
	for _, v := range [...]uint64{uint64(t.kind), uint64(t.layout), t.key.Bitrate, t.key.Time, uint64(t.count)} {
		h = mix(h, v)
	}
	return h
}

// mix mixes a number into a hash.
func mix(h, v uint64) uint64 {
	h = (h ^ v) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// lastModified returns the time of the last change, which a live presentation does not have for what it has published.
func lastModified(s *smooth.Snapshot) time.Time {
	if s.Ended {
		return s.ModTime
	}
	return time.Time{}
}
