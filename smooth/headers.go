package smooth

import (
	"hash/crc32"
	"net/http"
	"strconv"
)

// Values of headers that many answers share. They are never modified.
var (
	acceptRanges = []string{"bytes"}
	cacheShortly = []string{"public, max-age=5"}
	cacheNever   = []string{"no-store"}
	cacheHour    = []string{"public, max-age=3600"}
	encodingGzip = []string{"gzip"}
	noSniff      = []string{"nosniff"}

	varyEncoding = []string{"Accept-Encoding"}
	varyOrigin   = []string{"Origin"}

	typePlain = []string{"text/plain; charset=utf-8"}
	typeXML   = []string{"text/xml; charset=utf-8"}
	typeVideo = []string{"video/mp4"}
	typeAudio = []string{"audio/mp4"}
	typeOther = []string{"application/mp4"}
	typeRaw   = []string{"application/octet-stream"}
)

// addVary adds to Vary without a copy in the usual case that nothing is there yet.
func addVary(h http.Header, values []string) {
	if old := h["Vary"]; old != nil {
		values = append(old[:len(old):len(old)], values...)
	}
	h["Vary"] = values
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fnv64 is the 64-bit FNV-1a hash, without the allocation of hash/fnv, and with numbers taken in one step.
type fnv64 uint64

const newFNV64 fnv64 = 14695981039346656037

func (h fnv64) text(s string) fnv64 {
	for i := range len(s) {
		h = (h ^ fnv64(s[i])) * 1099511628211
	}
	return (h ^ 0xff) * 1099511628211 // a byte that UTF-8 does not have ends the text
}

func (h fnv64) number(v uint64) fnv64 {
	h = (h ^ fnv64(v)) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// appendETag appends the strong entity tag of something in a snapshot that a hash names.
func appendETag(dst []byte, validator string, h fnv64) []byte {
	dst = append(append(append(dst, '"'), validator...), '-')
	return append(strconv.AppendUint(dst, uint64(h), 32), '"')
}

// lastModified returns the value of Last-Modified for a snapshot, or nothing. A live presentation has none, because
// the fragments that it has published do not change with it.
func (s *Snapshot) lastModified() []string {
	if s.ModTime.IsZero() || !s.Ended {
		return nil
	}
	if text := s.modified.Load(); text != nil {
		return *text
	}
	text := []string{s.ModTime.UTC().Format(http.TimeFormat)}
	s.modified.Store(&text)
	return text
}
