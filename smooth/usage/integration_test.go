package usage_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
	"github.com/smoothkit/smoothkit/smooth/usage"
)

// fetch returns the body that a server answers with.
func fetch(t *testing.T, address string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode, address)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return data
}

// TestRealHandler watches a presentation of real files over a connection.
func TestRealHandler(t *testing.T) {
	files := smoothtest.Sample()
	source := smooth.FS(files, nil)
	r, log := newRecorder(t, usage.Options{})
	handler := smooth.NewHandler(source, nil)
	srv := httptest.NewServer(r.Handler(handler))
	bare := httptest.NewServer(handler)
	defer bare.Close()
	var name string
	require.NoError(t, source.List(t.Context(), func(i smooth.Info) bool { name = i.Name; return false }))
	manifest := fetch(t, srv.URL+"/"+name+"/Manifest")
	assert.True(t, bytes.Equal(fetch(t, bare.URL+"/"+name+"/Manifest"), manifest))
	levels := regexp.MustCompile(`Bitrate="(\d+)"`).FindSubmatch(manifest)
	template := regexp.MustCompile(`Url="([^"]+)"`).FindSubmatch(manifest)
	require.NotNil(t, levels)
	require.NotNil(t, template)
	part := strings.NewReplacer("{bitrate}", string(levels[1]), "{start time}", "0").Replace(string(template[1]))
	fragment := fetch(t, srv.URL+"/"+name+"/"+part)
	assert.True(t, bytes.Equal(fetch(t, bare.URL+"/"+name+"/"+part), fragment))
	srv.Close() // waits for the handlers
	rec := log.last(t)
	assert.Equal(t, "/"+name, rec.Class.Stream)
	assert.Equal(t, usage.Segment, rec.Class.Kind)
	assert.Equal(t, string(levels[1]), strconv.FormatInt(rec.Class.Bitrate, 10))
	assert.Equal(t, int64(len(fragment)), rec.Sent)
	assert.Equal(t, int64(len(fragment)+len(manifest)), r.Stats().Sent)
	assert.True(t, rec.Class.Timed && rec.Class.MediaTime == 0)
	assert.Less(t, time.Duration(0), rec.Duration)
	require.NoError(t, r.Close())
	require.Len(t, log.ended(), 1)
	assert.Equal(t, int64(2), log.ended()[0].Requests)
}
