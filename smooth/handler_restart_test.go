package smooth_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestHandlerValidatorsOutliveRestart: what a client has cached stays valid when the server starts again.
func TestHandlerValidatorsOutliveRestart(t *testing.T) {
	get := func(path, etag string) *httptest.ResponseRecorder {
		src := smooth.FS(smoothtest.Sample(), nil) // a new one each time, as after a restart
		defer src.Close()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		smooth.NewHandler(src, nil).ServeHTTP(w, r)
		return w
	}
	for _, path := range []string{"/sample.ism/Manifest", "/sample.ism/QualityLevels(294000)/Fragments(video=0)"} {
		first := get(path, "")
		require.Equal(t, http.StatusOK, first.Code, path)
		etag := first.Header().Get("Etag")
		require.NotEmpty(t, etag, path)
		assert.Equal(t, http.StatusNotModified, get(path, etag).Code, path)
		assert.Equal(t, http.StatusOK, get(path, `"another"`).Code, path)
	}
}

// TestHandlerCompositeOfManyLevels: thousands of clips with thousands of levels each are refused, not matched for minutes.
func TestHandlerCompositeOfManyLevels(t *testing.T) {
	media, err := fs.ReadFile(smoothtest.Sample(), "sample_75.ismv")
	require.NoError(t, err)
	var tracks strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&tracks, `<video src="a.ismv" systemBitrate="%d"/>`, i+1000)
	}
	src := smooth.FS(fstest.MapFS{
		"a.ismv": {Data: media},
		"a.ism":  {Data: []byte("<smil><body><switch>" + tracks.String() + "</switch></body></smil>")},
		"b.csm": {Data: []byte(`<SmoothStreamingMedia MajorVersion="2" MinorVersion="1" Duration="1">` +
			strings.Repeat(`<Clip Url="a.ism/Manifest" ClipBegin="0" ClipEnd="320000000"/>`, 4000) + `</SmoothStreamingMedia>`)},
	}, &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
	defer src.Close()
	var log bytes.Buffer
	h := smooth.NewHandler(src, &smooth.HandlerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/b.csm/Manifest", nil))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.Contains(t, log.String(), "too many levels in all clips")
}

// TestHandlerLogsBrokenPresentationOnce: the source says why a presentation cannot be opened; requests for it do not
// say so again.
func TestHandlerLogsBrokenPresentationOnce(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	files := fstest.MapFS{"bad.ism": &fstest.MapFile{Data: []byte("<smil><body>")}}
	src := smooth.FS(files, &smooth.FileOptions{Logger: logger, Revalidate: 1 << 60})
	defer src.Close()
	h := smooth.NewHandler(src, &smooth.HandlerOptions{Logger: logger})
	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/bad.ism/Manifest", nil))
		assert.Equal(t, http.StatusInternalServerError, w.Code)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
}
