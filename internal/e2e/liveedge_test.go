package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// watchEdge watches the event of an origin at an edge that pulls it since it was asked for, which has caught up with the
// window. Both give the same bytes.
func watchEdge(t *testing.T, origin *station) {
	edge := startStation(t, stationOptions{settings: func(s *livesmooth.Settings) {
		s.Source = livesmooth.SourcePull
		s.PullFrom = []livesmooth.RemotePoint{{URL: strings.TrimSuffix(origin.url, "/")}}
	}})
	_, err := http.Get(edge.url + "Manifest") // a viewer starts it
	require.NoError(t, err)
	edge.waitListed(t, liveWindow-8*time.Second)
	sameInTheEnd(t, edge.url, origin.url, "Manifest") // it has caught up
	t.Run("bytes", func(t *testing.T) {
		sameFragments(t, edge.url, origin.url)
		sameInTheEnd(t, edge.url, origin.url, fmt.Sprintf("QualityLevels(%d)/Manifest(video,format=m3u8-aapl).m3u8", highRate))
	})
	t.Run("ffmpeg", func(t *testing.T) {
		twice(t, func() error {
			w, err := watchFFmpeg(t, edge.url+master("m3u8-aapl"), 18)
			return errors.Join(err, w.even(17))
		})
	})
	t.Run("rx", func(t *testing.T) {
		o := watchOrder{Player: "rx", URL: edge.url + "Manifest", Seconds: 5, Rewind: true, Chromium: chromium(t)}
		twice(t, func() error { return watchEvenly(t, o) })
	})
}

// sameFragments compares all that is listed at the first of several servers with what the others have. The oldest ones
// may be leaving the window.
func sameFragments(t *testing.T, urls ...string) {
	t.Helper()
	m, err := smooth.ParseManifest(download(t, urls[0]+"Manifest"))
	require.NoError(t, err)
	compared := 0
	for _, st := range m.Streams {
		for _, l := range st.Levels {
			for i := 2; i < len(st.Timeline); i++ {
				path := fmt.Sprintf("QualityLevels(%d)/Fragments(%s=%d)", l.Bitrate, st.Name, st.Timeline[i].Time)
				sameAnswer(t, path, urls...)
				compared++
			}
		}
	}
	assert.GreaterOrEqual(t, compared, 12, "fragments compared")
}

// mayDiffer are the headers that say who has answered, and when.
var mayDiffer = []string{"Date", "X-Cache", "X-Origin", "Age", "Server", "Connection", "Accept-Ranges"}

// sameAnswer compares the answers of servers to the same request: body and headers.
func sameAnswer(t *testing.T, path string, urls ...string) {
	t.Helper()
	var body []byte
	var header http.Header
	for i, u := range urls {
		h, b := answer(t, u+path)
		if i == 0 {
			body, header = b, h
			continue
		}
		require.Equal(t, body, b, "%s of %s and %s", path, urls[0], u)
		require.Equal(t, header, h, "%s of %s and %s", path, urls[0], u)
	}
}

// answer returns the headers that do not depend on who answers, and the body.
func answer(t *testing.T, url string) (http.Header, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, url)
	h := resp.Header.Clone()
	for _, name := range mayDiffer {
		h.Del(name)
	}
	return h, body
}

// sameInTheEnd compares what changes with every fragment: sooner or later two servers give the same at the same time.
func sameInTheEnd(t *testing.T, a, b, path string) {
	t.Helper()
	var one, other []byte
	for range 40 {
		if one, other = download(t, a+path), download(t, b+path); slices.Equal(one, other) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	require.Equal(t, string(one), string(other), path)
}
