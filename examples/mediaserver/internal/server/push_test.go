package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
)

// pushBody is the body of a push that the test writes as it goes on.
type pushBody struct {
	t *testing.T
	w *io.PipeWriter
}

func (b *pushBody) write(parts ...[]byte) {
	b.t.Helper()
	for _, p := range parts {
		_, err := b.w.Write(p)
		require.NoError(b.t, err)
	}
}

func (b *pushBody) end() { b.w.Close() }

// startPush begins to push to a point. The status comes when it is over.
func startPush(t *testing.T, s *server.Server, point string) (*pushBody, <-chan int) {
	r, w := io.Pipe()
	status := make(chan int, 1)
	req := httptest.NewRequest(http.MethodPost, "/"+point+"/Streams(enc)", r)
	go func() {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		r.CloseWithError(io.ErrClosedPipe)
		status <- rec.Code
	}()
	t.Cleanup(func() { w.Close() })
	return &pushBody{t, w}, status
}
