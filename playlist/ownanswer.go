package playlist

import (
	"io"
	"net/http"
)

// ownAnswer keeps an answer of an output that of one session: outputs let caches keep what they send, and a cache would
// hand it to whoever knows the URL, whatever the rules and the binding of the session say.
type ownAnswer struct {
	http.ResponseWriter
	h     *Handler
	begun bool
}

// Unwrap lets http.ResponseController reach the writer below.
func (a *ownAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *ownAnswer) WriteHeader(status int) {
	if !a.begun {
		a.begun = status >= 200
		a.h.noCache(a.Header())
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *ownAnswer) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, so that segments keep sendfile.
func (a *ownAnswer) ReadFrom(src io.Reader) (int64, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return io.Copy(a.ResponseWriter, src)
}
