package playlist

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

var errBadQuery = errors.New("playlist: query too long or wrongly encoded")

// statusOf returns the status for an error, and what the client is told about it.
func statusOf(err error) (status int, text string) {
	var rule *RuleError
	switch {
	case errors.As(err, &rule):
		return http.StatusForbidden, "The playlist does not allow this: " + string(rule.Rule) + " of entry " + rule.Entry + "."
	case errors.Is(err, errBadQuery), errors.Is(err, smooth.ErrBadRequest):
		return http.StatusBadRequest, "Bad Request"
	case errors.Is(err, ErrExpired):
		return http.StatusGone, "The session has expired; ask for the playlist again."
	case errors.Is(err, ErrStolen), errors.Is(err, ErrForbiddenSource), errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden, "Forbidden"
	case errors.Is(err, ErrBusy):
		return http.StatusServiceUnavailable, "Too many sessions or connections, try again later."
	case errors.Is(err, ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid), errors.Is(err, smooth.ErrNotFound):
		return http.StatusNotFound, "Not Found"
	case errors.Is(err, ErrRemoteTimeout):
		return http.StatusGatewayTimeout, "Gateway Timeout"
	case errors.Is(err, ErrRemote):
		return http.StatusBadGateway, "Bad Gateway"
	}
	return http.StatusInternalServerError, "Internal Server Error"
}

// fail answers a request that has not been answered.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	status, text := statusOf(err)
	h.log(r, status, err)
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	var rule *RuleError
	if errors.As(err, &rule) {
		header.Set("X-Playlist-Rule", string(rule.Rule))
		if rule.Wait > 0 {
			header.Set("Retry-After", strconv.Itoa(int((rule.Wait+time.Second-1)/time.Second)))
		}
	}
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "10")
	}
	http.Error(w, text, status)
}

// log logs a failed request. Errors may hold real places of media, so that only those of ours are above Debug, without
// their text.
func (h *Handler) log(r *http.Request, status int, err error) {
	level := slog.LevelDebug
	var rule *RuleError
	switch {
	case errors.As(err, &rule), errors.Is(err, ErrStolen), errors.Is(err, ErrBusy):
		level = slog.LevelInfo
	case status >= 500:
		level = slog.LevelError
		h.opts.Logger.Debug("playlist request", "path", r.URL.Path, "status", status, "err", err)
		err = errors.New("see the record at Debug")
	}
	h.opts.Logger.Log(r.Context(), level, "playlist request", "path", r.URL.Path, "status", status, "err", err)
}
