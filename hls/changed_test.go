package hls_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// hookWriter calls a function before the status is written.
type hookWriter struct {
	*httptest.ResponseRecorder
	hook func()
}

func (w *hookWriter) WriteHeader(status int) {
	w.hook()
	w.ResponseRecorder.WriteHeader(status)
}

// TestFileChanges: a file that is cut or written over after the size of a segment was stated breaks the connection, so
// that nobody takes what was sent for the segment.
func TestFileChanges(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, smoothtest.Sample()))
	const target = "/sample.ism/QualityLevels(294000)/Fragments(video=60000000,format=m3u8-aapl,n=3).ts"
	for name, change := range map[string]func(file *os.File, good []byte){
		"cut": func(file *os.File, good []byte) { require.NoError(t, file.Truncate(int64(len(good)/100))) },
		"over": func(file *os.File, good []byte) {
			_, err := file.WriteAt(withoutSlices(t, dir, good), 0)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := smooth.Dir(dir, nil)
			defer src.Close()
			h := smoothHandler(src, nil)
			names, err := filepath.Glob(filepath.Join(dir, "*294*"))
			require.NoError(t, err)
			require.Len(t, names, 1)
			good, err := os.ReadFile(names[0])
			require.NoError(t, err)
			file, err := os.OpenFile(names[0], os.O_RDWR, 0)
			require.NoError(t, err)
			defer file.Close()
			w := &hookWriter{httptest.NewRecorder(), func() { change(file, good) }}
			cut := func() (cut bool) {
				defer func() { cut = recover() == http.ErrAbortHandler }()
				h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
				return false
			}()
			_, err = file.WriteAt(good, 0)
			require.NoError(t, err)
			if !cut { // it was read before
				assert.True(t, bytes.Equal(w.Body.Bytes(), get(t, h, target)))
			}
		})
	}
}

// withoutSlices returns a media file in which all pictures but the key frames are filler data. See ISO/IEC 14496-10 7.3.2.7.
func withoutSlices(t *testing.T, dir string, good []byte) []byte {
	t.Helper()
	src := smooth.Dir(dir, nil)
	defer src.Close()
	p, err := src.Open(t.Context(), "sample.ism")
	require.NoError(t, err)
	defer p.Close()
	bad := bytes.Clone(good)
	for _, data := range payloadsOf(t, p, "video", 294_000) {
		at := bytes.Index(good, data)
		require.GreaterOrEqual(t, at, 0)
		for n := 0; n+4 < len(data); n += 4 + int(binary.BigEndian.Uint32(data[n:])) {
			if data[n+4]&0x1F == 1 {
				bad[at+n+4] = 12
			}
		}
	}
	return bad
}
