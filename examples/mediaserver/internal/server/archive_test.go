package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
	"github.com/smoothkit/smoothkit/hls/mpegts"
)

// TestArchive: what IIS archived for HLS is listed and served.
func TestArchive(t *testing.T) {
	m, err := mpegts.NewMuxer([]mpegts.Stream{{Codec: mpegts.AAC, AudioConfig: []byte{0x11, 0x90}}})
	require.NoError(t, err)
	ts := m.Start(nil, 0)
	for i := range uint64(500) {
		ts, err = m.Append(ts, 0, &mpegts.Unit{PTS: i * 1920, Duration: 1920, Data: []byte("a frame of sound")})
		require.NoError(t, err)
	}
	root := t.TempDir()
	ism := `<smil><body><switch><audio src="radio.ts" systemBitrate="64000"/></switch></body></smil>`
	require.NoError(t, os.WriteFile(filepath.Join(root, "radio-m3u8-aapl.ism"), []byte(ism), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "radio.ts"), ts, 0o644))

	s, err := server.New(demo(t, root, ""), &server.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer s.Close()
	list, err := s.Presentations(t.Context())
	require.NoError(t, err)
	require.Equal(t, "radio-m3u8-aapl.ism", list[0].Name)
	for path, status := range map[string]int{list[0].HLS: http.StatusOK, list[0].URL: http.StatusUnsupportedMediaType} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+path, nil))
		assert.Equal(t, status, w.Code, path)
	}
}
