package playlist

import (
	"context"
	"log/slog"
)

// discreetLogger returns a logger for what knows nothing of playlists: errors, which may tell the real places of media,
// are left out of its records above Debug, and are in a record at Debug besides.
func discreetLogger(l *slog.Logger) *slog.Logger { return slog.New(&discreet{l.Handler()}) }

// discreet is a handler of records without errors.
type discreet struct{ slog.Handler }

// Handle implements slog.Handler.
func (d *discreet) Handle(ctx context.Context, r slog.Record) error {
	if r.Level <= slog.LevelDebug {
		return d.Handler.Handle(ctx, r)
	}
	told := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	hidden := false
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" || a.Key == "error" || a.Value.Kind() == slog.KindAny {
			hidden = true
		} else {
			told.AddAttrs(a)
		}
		return true
	})
	if hidden && d.Enabled(ctx, slog.LevelDebug) {
		whole := r.Clone()
		whole.Level = slog.LevelDebug
		if err := d.Handler.Handle(ctx, whole); err != nil {
			return err
		}
	}
	return d.Handler.Handle(ctx, told)
}

// WithAttrs implements slog.Handler.
func (d *discreet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &discreet{d.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (d *discreet) WithGroup(name string) slog.Handler { return &discreet{d.Handler.WithGroup(name)} }
