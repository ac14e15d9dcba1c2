package usage_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

// TestTruth compares what is counted with what clients get, over HTTP/1.1 and HTTP/2.
func TestTruth(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 150_000)
	handler := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		rc := http.NewResponseController(w)
		switch q.URL.Path {
		case "/file.mp4":
			w.Header().Set("Etag", `"1"`)
			http.ServeContent(w, q, "", time.Unix(1e9, 0), bytes.NewReader(data))
		case "/chunked.mp4":
			for part := range 10 {
				_, _ = w.Write(data[part*1000 : part*1000+1000])
				_ = rc.Flush() // which HTTP/2 says of HEAD that it fails
			}
		case "/copied.mp4":
			_, _ = io.Copy(w, bytes.NewReader(data))
		case "/error.mp4":
			http.Error(w, "this is gone", http.StatusGone)
		case "/push":
			if q.ProtoMajor == 1 {
				assert.NoError(t, rc.EnableFullDuplex())
			}
			assert.NoError(t, rc.SetReadDeadline(time.Now().Add(time.Minute)))
			_, _ = io.Copy(w, q.Body)
		}
	})
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		r, log := newRecorder(t, usage.Options{})
		recorded, ended := ending(r.Handler(handler))
		srv := httptest.NewUnstartedServer(recorded)
		srv.EnableHTTP2 = proto == "HTTP/2.0"
		srv.StartTLS()
		for _, c := range []struct {
			method, path, body string
			header             []string
			status             int
		}{
			{"GET", "/file.mp4", "", nil, 200},
			{"GET", "/file.mp4", "", []string{"Range", "bytes=100-1099"}, 206},
			{"GET", "/file.mp4", "", []string{"Range", "bytes=0-9,20-29"}, 206},
			{"GET", "/file.mp4", "", []string{"Range", "bytes=9999999-"}, 416},
			{"GET", "/file.mp4", "", []string{"If-None-Match", `"1"`}, 304},
			{"HEAD", "/file.mp4", "", nil, 200},
			{"GET", "/chunked.mp4", "", nil, 200},
			{"HEAD", "/chunked.mp4", "", nil, 200},
			{"GET", "/copied.mp4", "", nil, 200},
			{"HEAD", "/copied.mp4", "", nil, 200},
			{"GET", "/error.mp4", "", nil, 410},
			{"HEAD", "/error.mp4", "", nil, 410},
			{"POST", "/push", strings.Repeat("m", 300_000), nil, 200},
		} {
			name := proto + " " + c.method + " " + c.path + " " + strings.Join(c.header, " ")
			before := r.Stats().Sent
			q, err := http.NewRequest(c.method, srv.URL+c.path, strings.NewReader(c.body))
			require.NoError(t, err)
			if c.header != nil {
				q.Header.Set(c.header[0], c.header[1])
			}
			resp, err := srv.Client().Do(q)
			require.NoError(t, err, name)
			got, err := io.Copy(io.Discard, resp.Body)
			require.NoError(t, err, name)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, c.status, resp.StatusCode, name)
			assert.Equal(t, proto, resp.Proto, name)
			<-ended
			rec := log.last(t)
			assert.Equal(t, got, rec.Sent, name)
			assert.Equal(t, got, r.Stats().Sent-before, name)
			assert.Equal(t, int64(len(c.body)), rec.Received, name)
			assert.Equal(t, c.status, rec.Status, name)
			assert.False(t, rec.Aborted, name)
		}
		srv.Close()
	}
}

// ending tells when a handler has returned, which a client does not notice.
func ending(h http.Handler) (handler http.Handler, ended chan struct{}) {
	ended = make(chan struct{}, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		defer func() { ended <- struct{}{} }()
		h.ServeHTTP(w, q)
	}), ended
}

// TestClientLeaves breaks a download off.
func TestClientLeaves(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		r, log := newRecorder(t, usage.Options{})
		recorded, ended := ending(r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for block := make([]byte, 1000); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		})))
		srv := httptest.NewUnstartedServer(recorded)
		srv.EnableHTTP2 = h2
		srv.StartTLS()
		ctx, cancel := context.WithCancel(context.Background())
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/film.mp4", nil)
		require.NoError(t, err)
		resp, err := srv.Client().Do(q)
		require.NoError(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 100_000))
		require.NoError(t, err)
		cancel()
		_ = resp.Body.Close()
		<-ended
		srv.Close()
		rec := log.last(t)
		assert.True(t, rec.Aborted)
		assert.GreaterOrEqual(t, rec.Sent, int64(90_000), "but for what was being written")
		require.NoError(t, r.Close())
		require.Len(t, log.ended(), 1)
		assert.Equal(t, 420, log.ended()[0].Status)
		assert.Equal(t, rec.Sent, log.ended()[0].Sent)
	}
}
