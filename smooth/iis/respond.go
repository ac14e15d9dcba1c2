package iis

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// fail answers with a status and the text of it.
func fail(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Etag", "Last-Modified", "Accept-Ranges", "Cache-Control", "Expires"} {
		h.Del(name)
	}
	if status == http.StatusNotFound || status == http.StatusForbidden {
		h.Set("Cache-Control", "public, max-age=5")
	} else if status >= http.StatusBadRequest {
		h.Set("Cache-Control", "no-store")
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		w.WriteHeader(status)
		return
	}
	body := strings.ToLower(http.StatusText(status)) + "\n"
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body) // there is nobody left to tell
	}
}

// relative returns a reference that leads from a request to a target, which begins with a slash at the root of the
// handler. It holds below any prefix that was stripped from the path.
func relative(r *http.Request, target string) string {
	target = strings.TrimPrefix(target, "/")
	up := strings.Count(r.URL.EscapedPath(), "/") - 1
	switch {
	case up > 0:
		return strings.Repeat("../", up) + target
	case up < 0: // the prefix itself, without a slash
		return "./" + lastName(r) + "/" + target
	}
	return "./" + target
}

// lastName returns the last name in the path that the client sent, escaped. It is empty for a path with a slash at its
// end.
func lastName(r *http.Request) string {
	p := r.URL.EscapedPath()
	if p == "" { // a prefix was stripped that was all of it
		u, err := url.ParseRequestURI(r.RequestURI)
		if err != nil {
			return ""
		}
		p = u.EscapedPath()
	}
	return p[strings.LastIndexByte(p, '/')+1:]
}
