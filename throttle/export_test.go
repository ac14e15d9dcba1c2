package throttle

import "net/http"

// ContentRange is contentRange.
func ContentRange(v string) (from, total int64, ok bool) { return contentRange(v) }

// TakeVariables is Variables.take.
func TakeVariables(v *Variables, h http.Header) []error { return v.take(h) }

// RememberedRates returns the number of files that a handler remembers.
func (h *Handler) RememberedRates() int {
	h.rates.mu.Lock()
	defer h.rates.mu.Unlock()
	return len(h.rates.new) + len(h.rates.old)
}

// RateBytes returns how many bytes the names and versions of all remembered files have.
func (h *Handler) RateBytes() (n int) {
	h.rates.mu.Lock()
	defer h.rates.mu.Unlock()
	for id := range h.rates.new {
		n += len(id.name) + len(id.version)
	}
	return n
}

// SessionBytes returns how many bytes the keys of all sessions have.
func (h *Handler) SessionBytes() (n int) {
	h.sessions.mu.Lock()
	defer h.sessions.mu.Unlock()
	for key := range h.sessions.byKey {
		n += len(key.client) + len(key.resource)
	}
	return n
}

// MaxRememberedRates is the bound of RememberedRates.
const MaxRememberedRates = maxRates
