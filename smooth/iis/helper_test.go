package iis_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

// day is the time of all tests.
func day() time.Time { return time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC) }

// newRoot makes a directory of files, each with its name as its content unless there is a colon and other content.
func newRoot(tb testing.TB, names ...string) *os.Root {
	tb.Helper()
	dir := tb.TempDir()
	for _, entry := range names {
		name, content, ok := strings.Cut(entry, "=")
		if !ok {
			content = "content of " + name
		}
		full := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(tb, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(tb, os.WriteFile(full, []byte(content), 0o644))
		require.NoError(tb, os.Chtimes(full, day(), day().Add(-time.Hour)))
	}
	root, err := os.OpenRoot(dir)
	require.NoError(tb, err)
	tb.Cleanup(func() { root.Close() })
	return root
}

// options are those of tests: nothing is logged, the time stands.
func options(set func(o *iis.FilesOptions)) *iis.FilesOptions {
	o := &iis.FilesOptions{Logger: slog.New(slog.DiscardHandler), Now: day}
	if set != nil {
		set(o)
	}
	return o
}

func newFiles(tb testing.TB, root *os.Root, set func(o *iis.FilesOptions)) *iis.Files {
	tb.Helper()
	h, err := iis.NewFiles(root.FS(), options(set))
	require.NoError(tb, err)
	return h
}

// do sends a request "METHOD target" with headers "Name: value".
func do(tb testing.TB, h http.Handler, request string, headers ...string) *http.Response {
	tb.Helper()
	method, target, ok := strings.Cut(request, " ")
	if !ok {
		method, target = "GET", request
	}
	r := httptest.NewRequest(method, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(tb testing.TB, res *http.Response) string {
	tb.Helper()
	data, err := io.ReadAll(res.Body)
	require.NoError(tb, err)
	return string(data)
}

// logTo returns a logger without times.
func logTo(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// echo answers with the URL that it gets.
func echo() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.String()) })
}
