package hls_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestRidingIsBounded: one long request does not make thousands of long URLs.
func TestRidingIsBounded(t *testing.T) {
	src := sourceOf(smoothtest.New(smoothtest.Default()))
	in, plain := smoothHandler(src, nil), plainHandler(t, src, nil)
	for _, tt := range []struct {
		h             http.Handler
		before, after string
	}{
		{in, "/a.ism/Manifest(format=m3u8-aapl,other=", ").m3u8"},
		{in, "/a.ism/Manifest(format=m3u8-aapl).m3u8?token=", ""},
		{in, "/a.ism/QualityLevels(400000)/Manifest(video,format=m3u8-cmaf,other=", ").m3u8"},
		{in, "/a.ism/QualityLevels(400000)/Manifest(video,format=m3u8-aapl).m3u8?token=", ""},
		{plain, "/a/master.m3u8?token=", ""},
		{plain, "/a/hls-ts/video/400000/index.m3u8?token=", ""},
	} {
		for n, status := range map[int]int{4000: 200, 4100: 400, 500_000: 400} {
			w := do(tt.h, "GET", tt.before+strings.Repeat("a", n)+tt.after)
			assert.Equal(t, status, w.Code, "%s: %d bytes", tt.before, n)
			assert.Less(t, w.Body.Len(), 1<<20)
		}
	}
}
