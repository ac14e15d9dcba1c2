package hls_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestLiveKept asks for the segments of a list after the window has moved on: as long as the fragments can be had they are
// what they were. See RFC 8216 6.2.2.
func TestLiveKept(t *testing.T) {
	for name, key := range map[string]*hls.Encryption{"plain": nil, "encrypted": {Keys: hls.StaticKey{1}, Rotate: 3}} {
		t.Run(name, func(t *testing.T) { testLiveKept(t, key) })
	}
}

func testLiveKept(t *testing.T, key *hls.Encryption) {
	first, kept := 0, 0 // fragments of two seconds
	p := &edited{Presentation: smoothtest.New(liveConfig(0)), edit: func(s *smooth.Snapshot) {
		s.Edges = make([]smooth.Edge, len(s.Manifest.Streams))
		for i, st := range s.Manifest.Streams {
			all := st.Timeline
			s.Edges[i] = smooth.Edge{Listed: all.End(), Complete: all.End(), Received: all[first:], Kept: all[kept:]}
			st.Timeline = all[first:]
		}
	}}
	p.Append(30)
	h := smoothHandler(sourceOf(p), &hls.Options{CacheBytes: -1, Encryption: key})
	for _, target := range liveTargets {
		if strings.Contains(target, "keyframes") {
			continue
		}
		first, kept = 0, 0
		p.Append(1)
		list := do(h, "GET", target)
		require.Equal(t, http.StatusOK, list.Code)
		var urls []string
		before := make(map[string]string)
		for _, line := range strings.Split(list.Body.String(), "\n") {
			if line != "" && line[0] != '#' {
				url := target[:strings.LastIndexByte(target, '/')+1] + line
				urls = append(urls, url)
				w := do(h, "GET", url)
				require.Equal(t, http.StatusOK, w.Code, url)
				before[url] = w.Body.String()
			}
		}
		require.Greater(t, len(urls), 6)
		first, kept = 12, 6
		p.Append(1)
		for i, url := range urls {
			w := do(h, "GET", url)
			if i < 2 { // of three fragments each
				assert.Equal(t, http.StatusNotFound, w.Code, url)
				continue
			}
			assert.Equal(t, http.StatusOK, w.Code, url)
			assert.Equal(t, before[url], w.Body.String(), url)
		}
		assert.NotContains(t, do(h, "GET", target).Body.String(), strings.TrimPrefix(urls[2], target[:strings.LastIndexByte(target, '/')+1]))
	}
}
