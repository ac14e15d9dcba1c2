// Package access says who may watch, push and operate: authentication, signed URLs and address rules, as middleware of
// net/http.
package access
