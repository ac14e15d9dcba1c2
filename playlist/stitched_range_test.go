package playlist_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestStitchedRanges: players may ask for fragments of the one presentation by ranges, as browsers do that play HLS
// themselves. What they have been sent counts, and no more.
func TestStitchedRanges(t *testing.T) {
	data, err := os.ReadFile(testmedia.Media(t, "high.mp4"))
	require.NoError(t, err)
	source := smooth.FS(fstest.MapFS{"ad.mp4": {Data: data}, "film.mp4": {Data: data}}, nil)
	defer source.Close()
	list := &playlist.Playlist{Entries: []playlist.Entry{
		{Src: "ad.mp4", SrcType: playlist.RelativeURI, NoSeek: true, NoSkipForward: true}, {Src: "film.mp4", SrcType: playlist.RelativeURI},
	}}
	now := time.Now()
	h := playlist.NewHandler(playlist.ProviderFunc(func(context.Context, *playlist.Request) (*playlist.Playlist, error) { return list, nil }),
		&playlist.HandlerOptions{Presentations: source, Logger: slog.New(slog.DiscardHandler), Hold: -1, Now: func() time.Time { return now }})
	ask := func(path, byteRange string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if byteRange != "" {
			r.Header.Set("Range", "bytes="+byteRange)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	at := ask("/list.isx?format=smooth", "").Header().Get("Location")
	require.NotEmpty(t, at)
	answer := ask(at, "")
	assert.Equal(t, "no-cache, private", answer.Header().Get("Cache-Control"), "of one session")
	manifest, err := smooth.ParseManifest(answer.Body.Bytes())
	require.NoError(t, err)
	video := manifest.Streams[0]
	require.Equal(t, smooth.Video, video.Type)
	var urls []string // of the advertisement, and the first one behind it
	for _, c := range video.Timeline {
		urls = append(urls, strings.TrimSuffix(at, "Manifest")+fmt.Sprintf("QualityLevels(%d)/Fragments(%s=%d)", video.Levels[0].Bitrate, video.Name, c.Time))
		if c.Time >= 6*smooth.DefaultTimescale {
			break
		}
	}
	require.Greater(t, len(urls), 2)
	behind := urls[len(urls)-1]
	urls = urls[:len(urls)-1]
	for _, u := range urls {
		assert.Equal(t, http.StatusPartialContent, ask(u, "0-99").Code)
		assert.Equal(t, http.StatusForbidden, ask(behind, "0-").Code, "a hundred bytes are not the fragment")
		if u != urls[len(urls)-1] {
			assert.Equal(t, http.StatusForbidden, ask(urls[len(urls)-1], "0-").Code, "no seek")
		}
		assert.Equal(t, http.StatusPartialContent, ask(u, "100-").Code)
	}
	assert.Equal(t, http.StatusServiceUnavailable, ask(behind, "0-").Code, "all delivered, faster than it plays")
	now = now.Add(6 * time.Second)
	answer = ask(behind, "0-")
	assert.Equal(t, http.StatusPartialContent, answer.Code)
	assert.Equal(t, "no-cache, private", answer.Header().Get("Cache-Control"))
}
