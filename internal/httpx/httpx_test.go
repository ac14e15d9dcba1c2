package httpx_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

func TestConditional(t *testing.T) {
	for _, name := range []string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"} {
		r := httptest.NewRequest("GET", "/", nil)
		assert.False(t, httpx.Conditional(r))
		r.Header.Set(name, "")
		assert.True(t, httpx.Conditional(r), name)
	}
}

func TestCacheControl(t *testing.T) {
	for age, want := range map[time.Duration]string{
		-1: "no-store", 0: "public, max-age=0", time.Second - 1: "public, max-age=0", 90 * time.Minute: "public, max-age=5400",
	} {
		assert.Equal(t, want, httpx.CacheControl(age), age)
	}
}

// TestAcceptsGzip: RFC 9110 12.5.3. Package smooth has the table with everything else.
func TestAcceptsGzip(t *testing.T) {
	assert.True(t, httpx.AcceptsGzip([]string{"br", "deflate, gzip;q=0.5"}))
	assert.False(t, httpx.AcceptsGzip([]string{"gzip;q=0.4", "identity;q=0.5"}))
	assert.False(t, httpx.AcceptsGzip(nil))
}

func TestCompress(t *testing.T) {
	want := []byte(strings.Repeat("#EXTINF:6.000000,\n", 100))
	small, err := httpx.Compress(want)
	require.NoError(t, err)
	assert.Less(t, len(small), len(want)/10)
	z, err := gzip.NewReader(bytes.NewReader(small))
	require.NoError(t, err)
	got, err := io.ReadAll(z)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

// readerAt is a function as an [io.ReaderAt].
type readerAt func(p []byte, off int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// TestReadErrors keeps the error of a read, but not the end of the body.
func TestReadErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, want := range []error{nil, broken} {
		r := httpx.NewReadErrors(readerAt(func(p []byte, off int64) (int, error) {
			if want != nil && off > 0 {
				return 0, want
			}
			return 1, io.EOF
		}))
		for off := range int64(3) {
			_, _ = r.ReadAt(make([]byte, 2), off)
		}
		assert.Equal(t, want, r.End())
		_, err := r.ReadAt(make([]byte, 1), 0)
		assert.Equal(t, http.ErrBodyReadAfterClose, err)
	}
}

// TestReadErrorsWaits: whoever has called End may give the body back, so a read under way has to be over.
func TestReadErrorsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reading, read := false, make(chan struct{})
		r := httpx.NewReadErrors(readerAt(func([]byte, int64) (int, error) {
			reading = true
			<-read
			reading = false
			return 1, nil
		}))
		go func() { _, _ = r.ReadAt(make([]byte, 1), 0) }()
		synctest.Wait()
		require.True(t, reading)
		ended := make(chan struct{})
		go func() {
			assert.NoError(t, r.End())
			assert.False(t, reading)
			close(ended)
		}()
		close(read)
		<-ended
	})
}
