package usage_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// quiet is a logger that says nothing.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// memory is a Log that keeps what it is told.
type memory struct {
	mu       sync.Mutex
	requests []usage.Record
	sessions []usage.Session
	closed   int
}

func (m *memory) Request(r *usage.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, *r)
}

func (m *memory) Session(s *usage.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions = append(m.sessions, *s)
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return nil
}

func (m *memory) ended() []usage.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]usage.Session(nil), m.sessions...)
}

func (m *memory) last(t *testing.T) usage.Record {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	require.NotEmpty(t, m.requests)
	return m.requests[len(m.requests)-1]
}

// newRecorder returns a recorder that a test closes, with a log in memory.
func newRecorder(t *testing.T, opts usage.Options) (*usage.Recorder, *memory) {
	t.Helper()
	log := new(memory)
	opts.Logs = append(opts.Logs, log)
	if opts.Logger == nil {
		opts.Logger = quiet()
	}
	r, err := usage.New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r, log
}

// answer returns a handler that sends a status, some bytes and headers.
func answer(status, bytes int, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.Repeat("x", bytes))
	})
}

// get makes a request of one viewer, whose address ends with a number, with headers in pairs.
func get(url string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	r.RemoteAddr = "192.0.2.77:1234"
	r.Header.Set("User-Agent", "player/1.0")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// serve lets a handler answer a request.
func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}
