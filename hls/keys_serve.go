package hls

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/smoothkit/smoothkit/smooth"
)

// errKeyDenied: [Encryption.Authorize] refused a key (status 403).
var errKeyDenied = errors.New("key denied")

// serveKey sends the key of a period: 16 bytes that nobody may store, RFC 8216 section 5. The caller has routed the
// request, opened the presentation and put 403 to [errKeyDenied]. It returns [smooth.ErrNotFound] if there is no such
// period or another server has the keys; nothing has been written when it returns an error of these.
func (p *protection) serveKey(w http.ResponseWriter, r *http.Request, presentation string, period uint64) error {
	if !p.servesKeys() || p.rotate == 0 && period != 0 {
		return fmt.Errorf("hls: key %d of %s: %w", period, presentation, smooth.ErrNotFound)
	}
	if p.authorize != nil {
		if err := p.authorize(r, presentation, period); err != nil {
			return fmt.Errorf("hls: key %d of %s: %w: %w", period, presentation, errKeyDenied, err)
		}
	}
	key, err := p.keys.Key(r.Context(), presentation, period)
	if err != nil {
		return fmt.Errorf("hls: key %d of %s: %w", period, presentation, err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(len(key)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	_, err = w.Write(key[:])
	return err
}
