package manage

import (
	"net/http"
	"net/url"
	"strings"
)

// collectionPath is the reserved path of the list of publishing points. No file has this name.
const collectionPath = "/services/smoothstreaming/publishingpoints.isml"

// pointExtension ends the path of a publishing point.
const pointExtension = ".isml"

// resource is what a URL names.
type resource uint8

const (
	noResource resource = iota
	listResource
	detailsResource
	settingsResource
	stateResource
	statisticsResource
	eventsResource
)

// actions are the last path elements of publishing points' resources, which also name them in the titles of links.
var actions = [...]string{
	settingsResource: "settings", stateResource: "state", statisticsResource: "statistics", eventsResource: "events",
}

// methods are those of each resource, as the Allow header lists them.
var methods = [...]string{
	listResource:       "GET, HEAD",
	detailsResource:    "GET, HEAD, POST",
	settingsResource:   "GET, HEAD, PUT, DELETE",
	stateResource:      "GET, HEAD, PUT",
	statisticsResource: "GET, HEAD",
	eventsResource:     "GET, HEAD",
}

// allows reports whether a resource has a method.
func (res resource) allows(method string) bool {
	for m := range strings.SplitSeq(methods[res], ", ") {
		if m == method {
			return true
		}
	}
	return false
}

// route tells what a decoded path names, in any case, and the name of the publishing point in it.
func route(path string) (res resource, name string) {
	if equalFold(path, collectionPath) {
		return listResource, ""
	}
	slash := strings.LastIndexByte(path, '/')
	if slash < 1 || path[0] != '/' {
		return noResource, ""
	}
	for r := settingsResource; r <= eventsResource; r++ {
		if equalFold(path[slash+1:], actions[r]) {
			res = r
		}
	}
	head := path[:slash]
	switch {
	case res == settingsResource && equalFold(head, collectionPath):
		return detailsResource, ""
	case res == noResource || !isPointPath(head):
		return noResource, ""
	}
	return res, head[1:]
}

// isPointPath reports whether the last element of a path has a stem and the extension of publishing points.
func isPointPath(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return len(last) > len(pointExtension) && equalFold(last[len(last)-len(pointExtension):], pointExtension)
}

// isReserved reports whether a name is that of the list.
func isReserved(name string) bool { return equalFold("/"+name, collectionPath) }

// equalFold compares without regard to case. Equal lengths keep letters out that only Unicode folds into ASCII.
func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// hidesSlash reports whether a request's path has an encoded slash, which software in between may have taken for a
// letter of a name.
func hidesSlash(u *url.URL) bool {
	return strings.Contains(strings.ToLower(u.EscapedPath()), "%2f")
}

// base returns what stands before the path of a publishing point in absolute URLs, without a slash at its end.
func (h *Handler) base(r *http.Request) string {
	if h.opts.BaseURL != "" {
		return strings.TrimSuffix(h.opts.BaseURL, "/")
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if h.opts.TrustForwarded {
		if p := strings.ToLower(r.Header.Get("X-Forwarded-Proto")); p == "http" || p == "https" {
			scheme = p
		}
		if f := r.Header.Get("X-Forwarded-Host"); f != "" {
			host = f
		}
	}
	u := url.URL{Scheme: scheme, Host: host}
	return u.String() + prefix(r)
}

// prefix returns what [http.StripPrefix] and its kin have taken from the path of a request.
func prefix(r *http.Request) string {
	sent, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return ""
	}
	before, ok := strings.CutSuffix(sent.EscapedPath(), r.URL.EscapedPath())
	if !ok {
		return ""
	}
	return strings.TrimSuffix(before, "/")
}

// pointURL returns the absolute URL of a resource of a publishing point.
func pointURL(base, name string, res resource) string {
	u := url.URL{Path: "/" + name}
	return base + u.EscapedPath() + "/" + actions[res]
}

// slug returns the name of a publishing point that is to be created. The header holds its path, percent-encoded where
// it is not ASCII: RFC 5023 section 9.7.
func slug(r *http.Request) (string, error) {
	values := r.Header.Values("Slug")
	if len(values) == 0 || strings.TrimSpace(values[0]) == "" {
		return "", fail(codeNoSlug, "")
	}
	if len(values) > 1 {
		return "", fail(codeSlug, "%d headers", len(values))
	}
	path, err := url.PathUnescape(strings.TrimSpace(values[0]))
	if err != nil {
		return "", &failure{code: codeSlug, err: err}
	}
	name := strings.TrimPrefix(path, "/")
	if !isPointPath(name) || isReserved(name) {
		return "", fail(codeSlug, "")
	}
	return name, nil
}
