package playlist

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// ProxyResult says what [Remote.Proxy] has sent to a client.
type ProxyResult struct {
	Status int   // zero if nothing has been sent
	From   int64 // position of the first byte of the body in the medium
	Bytes  int64 // of the body
	Size   int64 // of the whole medium, -1 if unknown
}

// Proxy sends a medium from elsewhere to a client. A Range of one range and If-Range are passed on, nothing else of the
// request; a range of several is left out, so the whole is sent. Of the answer only what describes the bytes is passed
// back, so neither the URL nor cookies are. HEAD is passed on as HEAD, every other method is GET.
//
// If the status of the result is zero, nothing has been written, also no header, and the error wraps those of
// [Remote.Decide]. Otherwise the answer has begun, and the caller must break off the connection, as by
// [http.ErrAbortHandler], lest the client takes what it has for the whole.
//
// The body is bounded neither in size nor in time, but ends when the server sends nothing for the receive timeout or when
// the client leaves. The client may be as slow as the caller lets it. w is written to by [io.Copy], so its ReadFrom is
// used if it has one.
func (r *Remote) Proxy(w http.ResponseWriter, req *http.Request, url string) (ProxyResult, error) {
	res := ProxyResult{Size: -1}
	header := http.Header{"Accept": {"*/*"}}
	var asked *byteRange
	if values := req.Header.Values("Range"); len(values) == 1 {
		if q, ok := parseRange(values[0]); ok {
			asked = &q
			header.Set("Range", q.rangeValue())
			if v := req.Header.Get("If-Range"); v != "" {
				header.Set("If-Range", v)
			}
		}
	}
	method := http.MethodGet
	if req.Method == http.MethodHead {
		method = http.MethodHead
	}
	a, err := r.send(req.Context(), method, url, header)
	if err != nil {
		return res, err
	}
	defer a.Close()
	a.total.Stop()
	length, err := a.describe(w.Header(), asked, &res)
	if err != nil {
		return res, err
	}
	res.Status = a.StatusCode
	w.WriteHeader(a.StatusCode)
	if method == http.MethodHead || a.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return res, nil
	}
	if length < 0 {
		_ = http.NewResponseController(w).Flush() // it may be live: the client knows at once that it has begun
	}
	res.Bytes, err = a.copyTo(req.Context(), w, length)
	return res, err
}

// describe checks the head of an answer, puts what is passed on into h and returns the length of the body, -1 if unknown.
// Before an error h stays as it was.
func (a *answer) describe(h http.Header, asked *byteRange, res *ProxyResult) (length int64, err error) {
	length = a.ContentLength
	switch a.StatusCode {
	case http.StatusOK:
		res.Size = length
	case http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
		var span byteRange
		if span, length, err = a.span(asked); err != nil {
			return 0, err
		}
		res.From, res.Size = max(span.from, 0), span.size
		if span.from >= 0 || span.size >= 0 {
			h.Set("Content-Range", span.String())
		}
	default:
		return 0, a.statusError()
	}
	if length >= 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	if a.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		h.Set("Content-Type", safeType(mediaType(a.Header)))
		copyValid(h, a.Header, "ETag", isEntityTag)
		copyValid(h, a.Header, "Last-Modified", isDate)
		copyValid(h, a.Header, "Accept-Ranges", func(v string) bool { return v == "bytes" || v == "none" })
	}
	return length, nil
}

// span returns the range of an answer to a request of a range, and the length of its body, that of status 416 as it is
// sent.
func (a *answer) span(asked *byteRange) (span byteRange, length int64, err error) {
	value := a.Header.Get("Content-Range")
	span, ok := parseContentRange(value)
	switch {
	case asked == nil:
		return span, 0, a.failed(ErrRemote, fmt.Sprintf("status %d, and no range was asked for", a.StatusCode))
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if !ok || span.from >= 0 { // servers may leave it out
			span = byteRange{from: -1, to: -1, size: -1}
		}
		return span, 0, nil
	case !ok || !span.answers(*asked):
		return span, 0, a.failed(ErrRemote, fmt.Sprintf("range %.60q is not the one asked for", value))
	}
	length = span.to - span.from + 1
	if a.ContentLength >= 0 && a.ContentLength != length {
		return span, 0, a.failed(ErrRemote, fmt.Sprintf("body of %d bytes, range of %d", a.ContentLength, length))
	}
	return span, length, nil
}

// copyTo sends the body, of which the length is -1 if unknown, to a client and returns how much it sent. An error of the
// server is told from one of the client; neither says anything of the source.
func (a *answer) copyTo(ctx context.Context, w io.Writer, length int64) (n int64, err error) {
	body := &readErrors{r: a.Body}
	if length < 0 {
		n, err = io.Copy(w, body)
	} else {
		n, err = io.Copy(w, io.LimitReader(body, length))
	}
	switch {
	case body.err != nil:
		return n, remoteFailure(ctx, a.Request.URL, body.err)
	case err != nil:
		return n, fmt.Errorf("playlist: send remote source: %w", err)
	case n < length:
		return n, a.failed(ErrRemote, fmt.Sprintf("body ended after %d bytes of %d", n, length))
	}
	return n, nil
}

// readErrors keeps the error of its reader. It has only the method Read, so that [io.Copy] uses the writer's ReadFrom.
type readErrors struct {
	r   io.Reader
	err error
}

// Read implements [io.Reader].
func (e *readErrors) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && err != io.EOF {
		e.err = err
	}
	return n, err
}

// copyValid copies a header if it has one value and that is valid.
func copyValid(dst, src http.Header, name string, valid func(string) bool) {
	if v := src.Values(name); len(v) == 1 && len(v[0]) <= 256 && valid(v[0]) {
		dst.Set(name, v[0])
	}
}

// isEntityTag reports whether a value is an entity tag. See RFC 9110 section 8.8.3.
func isEntityTag(s string) bool {
	s = strings.TrimPrefix(s, "W/")
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	return strings.IndexFunc(s[1:len(s)-1], func(r rune) bool { return r <= ' ' || r == '"' || r >= 0x7f }) < 0
}

func isDate(s string) bool {
	_, err := http.ParseTime(s)
	return err == nil
}

// safeType returns the media type that a client is told. What a browser would run as a page of this site, where the
// server elsewhere has no business, is told as plain bytes; so is what has no type.
func safeType(kind string) string {
	family, _, _ := strings.Cut(kind, "/")
	switch {
	case family == "audio", family == "video", family == "image" && kind != "image/svg+xml":
		return kind
	}
	switch kind {
	case "application/vnd.apple.mpegurl", "application/x-mpegurl", "application/dash+xml", "application/vnd.ms-sstr+xml",
		"application/mp4", "application/ogg", "application/mxf", "application/vnd.ms-asf",
		"application/ttml+xml", "text/vtt":
		return kind
	}
	return "application/octet-stream"
}
