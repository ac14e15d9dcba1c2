package playlist_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// atEnd makes an MP4 whose index is at the end, of media and an index of so many bytes.
func atEnd(media, index int) string {
	box := func(kind string, size int) string {
		return string([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}) + kind + strings.Repeat("\x00", size-8)
	}
	return box("ftyp", 24) + box("mdat", media) + box("moov", index) + box("free", 8)
}

// TestIndexAtEnd: an MP4 that may not be sought in can be played although its index is at its end, and the index is all
// that can be had from there.
func TestIndexAtEnd(t *testing.T) {
	w := newWatch(t, files(map[string]string{"list.isx": isx("ad.mp4"+locked, "film.wmv"), "ad.mp4": atEnd(50_000, 3_000), "film.wmv": "f"}), nil)
	u := w.open("/list.isx")
	size := 24 + 50_000 + 3_000 + 8
	w.want(206, u[0], "Range", "bytes=0-1")
	w.want(206, u[0], "Range", "bytes=0-4095")
	r := w.get(u[0], "Range", fmt.Sprintf("bytes=%d-", 24+50_000))
	assert.Equal(t, 206, r.StatusCode)
	assert.Equal(t, fmt.Sprintf("bytes 50024-%d/%d", size-1, size), r.Header.Get("Content-Range"))
	w.want(206, u[0], "Range", "bytes=-8")
	w.want(206, u[0], "Range", "bytes=-3008")
	w.want(403, u[0], "Range", "bytes=-3009")
	w.want(403, u[0], "Range", "bytes=5000-")
	w.want(403, u[0], "Range", "bytes=50000-")
	w.want(403, u[1])
	w.want(206, u[0], "Range", "bytes=4000-30000")
	w.want(206, u[0], "Range", "bytes=30001-")
	w.want(206, u[0], "Range", fmt.Sprintf("bytes=%d-%d", 24+50_000, 60_000))
	w.want(200, u[1])
}

// TestProbes: a player that opens a short advertisement three times as it begins is not thrown out when all of it was in
// the buffers of the network at the first.
func TestProbes(t *testing.T) {
	w := newWatch(t, files(map[string]string{"list.isx": isx("ad.mp4"+locked, "film.wmv"), "ad.mp4": atEnd(50_000, 3_000), "film.wmv": "f"}), nil)
	u := w.open("/list.isx")
	w.want(206, u[0], "Range", "bytes=0-")
	w.want(206, u[0], "Range", "bytes=50024-")
	w.want(206, u[0], "Range", "bytes=0-")
	w.clock.forward(playlistProbing)
	w.want(206, u[0], "Range", "bytes=20000-")
	w.want(403, u[0])
	w.want(200, u[1])
}

// playlistProbing is more than players need to begin.
const playlistProbing = 10e9

// TestDrop: a client whose connection ends in the middle of an advertisement goes on where it was, and each part is reported.
func TestDrop(t *testing.T) {
	w := newWatch(t, files(map[string]string{"list.isx": isx("ad.wmv"+locked, "film.wmv"), "ad.wmv": strings.Repeat("a", 4<<20), "film.wmv": "f"}), nil)
	u := w.open("/list.isx")
	rec := &leaving{ResponseRecorder: httptest.NewRecorder(), after: 3 << 20 / 2}
	w.h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, strings.TrimPrefix(u[0], "http://example.com"), nil))
	require.Len(t, w.seen, 1)
	got := w.seen[0].Bytes
	assert.Greater(t, got, int64(1<<20))
	assert.LessOrEqual(t, got, int64(3<<20/2))
	assert.Equal(t, int(got*100/(4<<20)), w.seen[0].Percent)
	w.want(403, u[1])
	w.want(403, u[0], "Range", fmt.Sprintf("bytes=%d-", got+1))
	w.want(206, u[0], "Range", fmt.Sprintf("bytes=%d-", got-100_000))
	assert.True(t, w.seen[len(w.seen)-1].Completed)
	assert.Equal(t, int64(4<<20), w.seen[len(w.seen)-1].Delivered, "what was sent twice counts once")
	w.want(200, u[1])
}

// TestLongConnection: a connection counts before it ends.
func TestLongConnection(t *testing.T) {
	w := newWatch(t, files(map[string]string{"list.isx": isx("ad.wmv canSkipForward canSeek"), "ad.wmv": strings.Repeat("a", 6<<20)}), nil)
	u := w.open("/list.isx")
	rec := &asking{ResponseRecorder: httptest.NewRecorder(), left: 5 << 20, ask: func() {
		w.want(206, u[0], "Range", "bytes=4194304-4194305")
		w.want(403, u[0], "Range", "bytes=5500000-")
	}}
	w.h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, strings.TrimPrefix(u[0], "http://example.com"), nil))
	assert.Nil(t, rec.ask, "it was asked")
}

// asking is a client that asks for something else after so many bytes.
type asking struct {
	*httptest.ResponseRecorder
	left int
	ask  func()
}

func (a *asking) Write(p []byte) (int, error) {
	n, err := a.ResponseRecorder.Write(p)
	if a.left -= n; a.left <= 0 && a.ask != nil {
		ask := a.ask
		a.ask = nil
		ask()
	}
	return n, err
}

// TestMediaFails: what a handler around the sending of files refuses counts as nothing, and it knows no name to tell.
func TestMediaFails(t *testing.T) {
	w := newWatch(t, files(map[string]string{"list.isx": isx("ad.wmv"), "ad.wmv": "a"}), &playlist.HandlerOptions{
		Media: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Error(w, "busy "+r.URL.Path, http.StatusServiceUnavailable)
			})
		},
	})
	u := w.open("/list.isx")
	body := w.want(503, u[0])
	assert.NotContains(t, body, "ad.wmv")
	require.Len(t, w.seen, 1)
	assert.Equal(t, 503, w.seen[0].Status)
	assert.Zero(t, w.seen[0].Percent)
}
