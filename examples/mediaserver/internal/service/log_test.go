package service

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// events is a log in memory.
type events []string

func (e *events) add(level string, id uint32, text string) error {
	*e = append(*e, fmt.Sprintf("%s %d %s", level, id, text))
	return nil
}

func (e *events) Info(id uint32, text string) error    { return e.add("info", id, text) }
func (e *events) Warning(id uint32, text string) error { return e.add("warning", id, text) }
func (e *events) Error(id uint32, text string) error   { return e.add("error", id, text) }
func (e *events) Close() error                         { return e.add("close", 0, "") }

func TestLogHandler(t *testing.T) {
	var e events
	h := newLogHandler(&e, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "secret" {
			a.Value = slog.StringValue("-")
		}
		return a
	}})
	log := slog.New(h)
	log.Debug("request")
	log.Info("started", "secret", "x")
	log.With("point", "a b").WithGroup("g").Warn("gap", "time", 5)
	log.Error("lost")
	log.Error(strings.Repeat("ä", maxEvent))
	assert.NoError(t, h.Close())
	assert.Equal(t, []string{"info 1 msg=started secret=-", `warning 1 msg=gap point="a b" g.time=5`, "error 1 msg=lost"}, []string(e[:3]))
	assert.LessOrEqual(t, len(e[3]), maxEvent+len("error 1 "))
	assert.True(t, strings.HasSuffix(e[3], "ä"))
	assert.Equal(t, "close 0 ", e[4])

	e = nil
	log = slog.New(newLogHandler(&e, &slog.HandlerOptions{Level: slog.LevelWarn}))
	log.Info("started")
	log.Warn("gap")
	assert.Equal(t, events{"warning 1 msg=gap"}, e)
}
