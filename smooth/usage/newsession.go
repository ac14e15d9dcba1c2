package usage

import (
	"net/http"
	"strconv"
	"strings"
)

// newSession returns what a session knows from its first request. Strings are copies, as those of a request may be parts
// of something larger.
func (x *response) newSession() Session {
	r, rec := x.request, &x.record
	v := Session{
		ID: x.rec.pseudonym(&x.who, rec.Class.Stream), Player: x.rec.pseudonym(&x.who, ""),
		PlayerSession: strings.Clone(rec.CMCD.Session), Content: strings.Clone(rec.CMCD.Content),
		Stream: strings.Clone(clip(rec.Class.Stream, maxStreamName)), Protocol: rec.Class.Protocol, Live: rec.Class.Live,
		TLS: r.TLS != nil, Version: r.Proto, Host: kept(r.Host), Path: kept(x.privacy.path(r.URL)),
		Query: kept(x.privacy.query(r.URL.RawQuery)), Address: x.privacy.address(x.address), Local: localAddress(r), User: kept(rec.User),
		UserAgent: kept(r.UserAgent()), Referer: kept(x.privacy.referer(r.Referer())), Via: kept(r.Header.Get("Via")),
		Language: strings.Clone(language(r)), Started: rec.Start, Last: rec.Start, Rate: 1,
	}
	if rec.Class.Kind == File {
		from := first(r.Header, "Range")
		v.FileSize, v.Timed = fileSize(x.Header()), from == "" || strings.HasPrefix(from, "bytes=0-")
	}
	return v
}

// kept returns a copy of a string that is short enough to keep.
func kept(s string) string { return strings.Clone(clip(s, maxKept)) }

// fileSize returns the size of a file by the header of an answer, or zero.
func fileSize(h http.Header) int64 {
	s := h.Get("Content-Length")
	if full := h.Get("Content-Range"); full != "" {
		s = full[strings.LastIndexByte(full, '/')+1:]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
