package playlist_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
)

// breaksISX is a list with an advertisement before, within and after the programme.
const breaksISX = `<smil><body><seq>
<ref src="low.mp4"><param name="canSkipForward" value="False"/></ref>
<ref src="high.mp4"/>
<ref src="low.mp4"><param name="canSkipForward" value="False"/><param name="canSkipBack" value="False"/></ref>
<ref src="high.mp4"/>
<ref src="low.mp4"><param name="canSkipForward" value="False"/></ref>
</seq></body></smil>`

// breaks is a handler of that list, with HLS.
func breaks(t *testing.T, interstitials bool) http.Handler {
	files := stitchFiles(t)
	fsys := site()
	fsys["breaks.isx"] = &fstest.MapFile{Data: []byte(breaksISX)}
	for name, f := range files {
		fsys[name] = f
	}
	return playlist.NewHandler(playlist.NewFiles(fsys, quietLog()), &playlist.HandlerOptions{
		Logger: quietLog(), Presentations: openStitchFiles(t, files), Interstitials: interstitials,
		Outputs: []smooth.Output{hls.NewOutput(&hls.Options{Logger: quietLog()})},
	})
}

// ask asks for a path and returns what it is redirected to, and its body.
func ask(h http.Handler, target string) (*httptest.ResponseRecorder, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w, strings.TrimPrefix(w.Header().Get("Location"), "http://example.com")
}

func TestFormatsThatArePresentations(t *testing.T) {
	h := breaks(t, true)
	for format, want := range map[string]string{
		"hls": "all.ism/manifest(format=m3u8-aapl)", "Smooth": "all.ism/Manifest", "hls-interstitials": "programme.ism/manifest(format=m3u8-aapl)",
	} {
		w, to := ask(h, "/breaks.isx?format="+format)
		require.Equal(t, 302, w.Code, format)
		require.True(t, strings.HasSuffix(to, want), to)
		w, _ = ask(h, to)
		assert.Equal(t, 200, w.Code, to)
	}
	w, _ := ask(breaks(t, false), "/breaks.isx?format=hls-interstitials")
	assert.Equal(t, 404, w.Code, "off unless asked for")
}

func TestInterstitials(t *testing.T) {
	h := breaks(t, true)
	_, to := ask(h, "/breaks.isx?format=hls-interstitials")
	below := strings.TrimSuffix(to, "manifest(format=m3u8-aapl)")
	master, _ := ask(h, to)
	var media string
	for _, line := range strings.Split(master.Body.String(), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			media = line
		}
	}
	list, _ := ask(h, below+media)
	require.Equal(t, 200, list.Code, list.Body)
	var ranges []string
	for _, line := range strings.Split(list.Body.String(), "\n") {
		if strings.HasPrefix(line, "#EXT-X-DATERANGE") {
			ranges = append(ranges, line)
		}
	}
	require.Len(t, ranges, 3)
	session := "http://example.com" + strings.TrimSuffix(below, "programme.ism/")
	for i, want := range []string{"1", "3", "5"} {
		assert.Contains(t, ranges[i], `ID="entry-`+want+`"`)
		assert.Contains(t, ranges[i], `X-ASSET-URI="`+session+want+`.ism/manifest(format=m3u8-aapl)"`)
		assert.Contains(t, ranges[i], `X-RESTRICT="SKIP,JUMP"`)
	}
	assert.Contains(t, ranges[0], `START-DATE="2000-01-01T00:00:00.000Z"`)
	assert.Contains(t, ranges[0], `CUE="PRE"`)
	assert.Contains(t, ranges[1], `CUE="ONCE"`)
	assert.Contains(t, ranges[2], `CUE="POST"`)
	assert.Contains(t, list.Body.String(), "#EXT-X-PROGRAM-DATE-TIME:2000-01-01T00:00:00")
	asset, _ := ask(h, strings.TrimPrefix(session, "http://example.com")+"1.ism/manifest(format=m3u8-aapl)")
	assert.Equal(t, 200, asset.Code)
	smoothly, _ := ask(h, below+"Manifest")
	assert.Equal(t, 415, smoothly.Code, "over Smooth Streaming nobody would see the advertisements")
}
