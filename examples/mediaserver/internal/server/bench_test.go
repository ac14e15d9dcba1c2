package server_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// BenchmarkFragment: what statistics, access, aliases and limits cost in front of a small fragment, beside its handler alone. There is
// no network in it.
func BenchmarkFragment(b *testing.B) {
	quiet := slog.New(slog.DiscardHandler)
	source := smooth.FS(smoothtest.Sample(), nil)
	defer source.Close()
	cfg, err := config.Parse([]byte("sample: true\n"), filepath.Join(b.TempDir(), "m.yaml"))
	require.NoError(b, err)
	s, err := server.New(cfg, &server.Options{Logger: quiet})
	require.NoError(b, err)
	defer s.Close()
	for name, h := range map[string]http.Handler{
		"alone":       http.StripPrefix("/sample", smooth.NewHandler(source, &smooth.HandlerOptions{Logger: quiet})),
		"mediaserver": s,
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/sample/sample.ism/QualityLevels(294000)/Fragments(video=0)", nil)
			r.RemoteAddr = "127.0.0.1:5555"
			w := &sink{header: make(http.Header)}
			h.ServeHTTP(w, r)
			require.Equal(b, http.StatusOK, w.status)
			b.SetBytes(w.n)
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// sink is a writer that forgets.
type sink struct {
	header http.Header
	status int
	n      int64
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { s.n += int64(len(p)); return len(p), nil }
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(io.Discard, r)
	s.n += n
	return n, err
}
