package hls_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// show requests a URL and prints the lines of the answer that contain a word.
func show(h http.Handler, target, word string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	if w.Header().Get("Content-Type") != "application/vnd.apple.mpegurl" {
		return
	}
	for _, line := range strings.Split(w.Body.String(), "\n") {
		if strings.Contains(line, word) {
			fmt.Println(line)
		}
	}
}

// HLS beside Smooth Streaming, at the URLs that IIS and Azure used.
func ExampleNewOutput() {
	h := smooth.NewHandler(smooth.FS(smoothtest.Sample(), nil), &smooth.HandlerOptions{Outputs: []smooth.Output{hls.NewOutput(nil)}})
	show(h, "/sample.ism/Manifest(format=m3u8-aapl).m3u8", "Manifest(video,format=m3u8-aapl).")
	show(h, "/sample.ism/QualityLevels(75000)/Manifest(video,format=m3u8-aapl).m3u8", "video=0")
	show(h, "/sample.ism/QualityLevels(75000)/Fragments(video=0,format=m3u8-aapl,n=3).ts", "")
	// Output:
	// 200 application/vnd.apple.mpegurl
	// QualityLevels(138000)/Manifest(video,format=m3u8-aapl).m3u8
	// QualityLevels(294000)/Manifest(video,format=m3u8-aapl).m3u8
	// QualityLevels(75000)/Manifest(video,format=m3u8-aapl).m3u8
	// 200 application/vnd.apple.mpegurl
	// Fragments(video=0,format=m3u8-aapl,n=3).ts
	// 200 video/mp2t
}

// HLS alone, below a prefix of an application's mux, with a token that rides along.
func ExampleNewHandler() {
	h := hls.NewHandler(smooth.FS(smoothtest.Sample(), nil), &hls.HandlerOptions{ChildQuery: []string{"token"}})
	defer h.Close()
	mux := http.NewServeMux()
	mux.Handle("/video/", http.StripPrefix("/video", h))
	show(mux, "/video/sample/hls-fmp4/master.m3u8?token=abc", "video/75000/index")
	show(mux, "/video/sample/hls-fmp4/video/75000/index.m3u8?token=abc", ".mp4")
	show(mux, "/video/sample/hls-fmp4/video/75000/0-3.mp4?token=abc", "")
	show(mux, "/video/other/master.m3u8", "")
	// Output:
	// 200 application/vnd.apple.mpegurl
	// video/75000/index.m3u8?token=abc
	// 200 application/vnd.apple.mpegurl
	// #EXT-X-MAP:URI="init-0.mp4?token=abc"
	// 0-3.mp4?token=abc
	// 60000000-3.mp4?token=abc
	// 120000000-3.mp4?token=abc
	// 180000000-3.mp4?token=abc
	// 240000000-3.mp4?token=abc
	// 300000000-1.mp4?token=abc
	// 200 video/mp4
	// 404 text/plain; charset=utf-8
}

// Keys that change every three segments, for those whom the application lets have them.
func ExampleEncryption_rotation() {
	output := hls.NewOutput(&hls.Options{Encryption: &hls.Encryption{
		Master: []byte("keep this, and keep it secret"),
		Rotate: 3,
		Authorize: func(r *http.Request, presentation string, period uint64) error {
			if r.Header.Get("Cookie") != "viewer=1" {
				return fmt.Errorf("not a viewer of %s", presentation)
			}
			return nil
		},
	}})
	h := smooth.NewHandler(smooth.FS(smoothtest.Sample(), nil), &smooth.HandlerOptions{Outputs: []smooth.Output{output}})
	show(h, "/sample.ism/QualityLevels(75000)/Manifest(video,format=m3u8-aapl).m3u8", "EXT-X-KEY")
	show(h, "/sample.ism/Manifest(format=m3u8-aapl,key=0)", "")
	// Output:
	// 200 application/vnd.apple.mpegurl
	// #EXT-X-KEY:METHOD=AES-128,URI="../Manifest(format=m3u8-aapl,key=0)"
	// #EXT-X-KEY:METHOD=AES-128,URI="../Manifest(format=m3u8-aapl,key=1)"
	// 403 text/plain; charset=utf-8
}
