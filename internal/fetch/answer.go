package fetch

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Answer is a response with its whole body.
type Answer struct {
	URL    string   // that was asked for
	Final  *url.URL // that answered, after redirects that were followed
	Status int
	Header http.Header
	Length int64 // Content-Length, or -1
	Body   []byte
	Cut    bool // fewer bytes than Content-Length
	Large  bool // more bytes than the limit
}

// MediaType is the Content-Type without parameters, in lower case.
func (a *Answer) MediaType() string {
	t, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// IsHTML reports an HTML page, by type or content.
func (a *Answer) IsHTML() bool {
	head := bytes.ToLower(bytes.TrimSpace(a.Body[:min(len(a.Body), 512)]))
	return a.MediaType() == "text/html" || a.MediaType() == "application/xhtml+xml" ||
		bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}

// IsRedirect reports an answer that names another URL.
func (a *Answer) IsRedirect() bool {
	return a.Status >= 300 && a.Status < 400 && a.Status != http.StatusNotModified
}

// IsRedirected reports that another URL answered than the one asked for.
func (a *Answer) IsRedirected() bool {
	u, err := url.Parse(a.URL) // which writes it as Final is written
	return err != nil || u.String() != a.Final.String()
}

// MaxAge returns the seconds of max-age, or -1.
func (a *Answer) MaxAge() int64 {
	for _, part := range strings.Split(a.Header.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(name, "max-age") {
			if n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// Cookie returns the name of the first cookie that the answer sets. It reports false if there is none.
func (a *Answer) Cookie() (name string, ok bool) {
	c := a.Header.Values("Set-Cookie")
	if len(c) == 0 {
		return "", false
	}
	name, _, _ = strings.Cut(c[0], "=")
	return name, true
}

// HTMLHint says what an HTML page means that came in the place of media.
const HTMLHint = "the answer is an HTML page: is the handler mounted at this prefix (http.StripPrefix?), or does a single-page " +
	"application's fallback take every path?"

// StatusHint names what usually stands behind a status other than 200. What a status means to the format that is
// checked is in meanings.
func (a *Answer) StatusHint(meanings map[int]string) string {
	text, body := fmt.Sprintf("status %d", a.Status), ""
	if !a.IsHTML() {
		body = strings.TrimSpace(string(a.Body[:min(len(a.Body), 80)]))
	}
	if body != "" {
		text += fmt.Sprintf(" with the body %q", body)
	}
	meaning := meanings[a.Status]
	switch {
	case a.Status == http.StatusNotFound && strings.Contains(body, "404 page not found"):
		return text + ": that is the answer of a Go mux without a route: is the handler mounted at this prefix, with http.StripPrefix?"
	case a.Status == http.StatusNotFound && a.IsHTML():
		return text + " with an HTML page: another server or handler answers with its own page; is the handler mounted at this prefix?"
	case meaning != "":
		return text + ": " + meaning
	case a.Status >= 500:
		return text + ": see the log of the server"
	}
	return text
}
