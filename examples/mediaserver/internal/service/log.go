package service

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
)

// eventID is the one identifier of events, for which EventCreate.exe has a message that is just the text.
const eventID = 1

// maxEvent bounds the text of an event in bytes; Windows takes 31,839 characters.
const maxEvent = 31_000

// eventLog is the event log of Windows.
type eventLog interface {
	Info(id uint32, message string) error
	Warning(id uint32, message string) error
	Error(id uint32, message string) error
	Close() error
}

// LogHandler is a [slog.Handler] that writes events, one for each record of level Info and above. It is safe for
// concurrent use.
type LogHandler struct {
	out  *eventWriter
	text slog.Handler // writes to out
}

// eventWriter has the text of the record that is being written.
type eventWriter struct {
	log eventLog

	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements io.Writer for the text handler. mu must be held.
func (w *eventWriter) Write(p []byte) (int, error) { return w.text.Write(p) }

func newLogHandler(log eventLog, opts *slog.HandlerOptions) *LogHandler {
	var o slog.HandlerOptions
	if opts != nil {
		o = *opts
	}
	replace := o.ReplaceAttr
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{} // the event has both
		}
		if replace != nil {
			return replace(groups, a)
		}
		return a
	}
	w := &eventWriter{log: log}
	return &LogHandler{out: w, text: slog.NewTextHandler(w, &o)}
}

// Enabled implements [slog.Handler]. There are no events of level Debug, whatever the options say.
func (h *LogHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo && h.text.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *LogHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.text.Reset()
	if err := h.text.Handle(ctx, r); err != nil {
		return err
	}
	text := strings.TrimSpace(h.out.text.String())
	text = strings.ToValidUTF8(text[:min(len(text), maxEvent)], "")
	switch {
	case r.Level >= slog.LevelError:
		return h.out.log.Error(eventID, text)
	case r.Level >= slog.LevelWarn:
		return h.out.log.Warning(eventID, text)
	}
	return h.out.log.Info(eventID, text)
}

// WithAttrs implements [slog.Handler].
func (h *LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &LogHandler{out: h.out, text: h.text.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h *LogHandler) WithGroup(name string) slog.Handler {
	return &LogHandler{out: h.out, text: h.text.WithGroup(name)}
}

// Close closes the event log.
func (h *LogHandler) Close() error { return h.out.log.Close() }
