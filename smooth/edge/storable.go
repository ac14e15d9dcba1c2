package edge

import (
	"net/http"
	"strings"
)

const (
	// maxHeader bounds the bytes of the header of an object. Responses with more are not stored.
	maxHeader = 16 << 10
	// maxErrorBody bounds the body of an error that is shared.
	maxErrorBody = 64 << 10
)

// isMissing reports whether a status says that there is nothing.
func isMissing(status int) bool { return status == http.StatusNotFound || status == http.StatusGone }

// isHeuristic reports whether a response may be stored without an explicit lifetime: the statuses of RFC 9110 section
// 15.1 that this cache stores, but those that say that there is nothing.
func isHeuristic(status int) bool {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusMultipleChoices, http.StatusMovedPermanently,
		http.StatusPermanentRedirect:
		return true
	}
	return false
}

// isStored reports whether responses with a status are stored at all. Never with 412, which means not yet, nor 5xx.
func isStored(status int) bool {
	return isHeuristic(status) || isMissing(status) || status == http.StatusFound || status == http.StatusTemporaryRedirect
}

// isSharedError reports whether a response, though not stored, is for all who wait for it.
func isSharedError(resp *http.Response, cc *responseControl) bool {
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone, http.StatusPreconditionFailed, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return !cc.private && resp.Header["Set-Cookie"] == nil && resp.ContentLength <= maxErrorBody &&
			!variesOnAll(resp.Header["Vary"])
	}
	return false
}

// storable reports whether a response may be stored in a shared cache: RFC 9111 section 3.
func (c *Cache) storable(resp *http.Response, cc *responseControl, f *freshness, authorized bool) bool {
	h := resp.Header
	switch {
	case !isStored(resp.StatusCode), cc.noStore, cc.private, authorized && !f.shared:
		return false
	case h["Set-Cookie"] != nil, h["Content-Range"] != nil, variesOnAll(h["Vary"]):
		return false
	case resp.ContentLength > c.opts.MaxObject, headerSize(h) > maxHeader:
		return false
	case resp.ContentLength < 0 && resp.ProtoMajor < 2 && len(resp.TransferEncoding) == 0 && !resp.Uncompressed:
		return false // its end is that of the connection, so nobody knows whether it is complete
	}
	return f.lifetime > 0 || hasValidator(h) && isHeuristic(resp.StatusCode)
}

// hasValidator reports whether a response can be validated: RFC 9110 section 8.8.
func hasValidator(h http.Header) bool { return h["Etag"] != nil || h["Last-Modified"] != nil }

// variesOnAll reports whether Vary has a star.
func variesOnAll(values []string) bool {
	for _, value := range values {
		if strings.IndexByte(value, '*') >= 0 {
			return true
		}
	}
	return false
}

func headerSize(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, value := range values {
			n += len(name) + len(value) + 4
		}
	}
	return n
}
