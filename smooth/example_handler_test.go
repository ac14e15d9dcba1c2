package smooth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// A handler below a prefix of an application's mux.
func ExampleNewHandler() {
	h := smooth.NewHandler(smoothtest.NewSource(), nil)
	mux := http.NewServeMux()
	mux.Handle("/video/", http.StripPrefix("/video", h))

	for _, target := range []string{
		"/video/sample/sample.ism/Manifest",
		"/video/sample/sample.ism/QualityLevels(96000)/Fragments(audio_eng=20000000)",
		"/video/sample/sample.ism/QualityLevels(96000)/Fragments(audio_eng=1)",
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// 200 text/xml; charset=utf-8
	// 200 audio/mp4
	// 404 text/plain; charset=utf-8
}

// An output formats the URLs of its playlists relative to the request.
func ExampleRequest_AppendChild() {
	q := smooth.Request{Presentation: "final.ism", Options: "filter=mobile"}
	child := q.Child()
	child.Kind = smooth.FragmentRequest
	child.Format = "m3u8-aapl"
	child.Key = smooth.FragmentKey{Stream: "video", Bitrate: 1200000, Time: 20000000}
	fmt.Println(string(q.AppendChild(nil, &child)))
	// Output: QualityLevels(1200000)/Fragments(video=20000000,format=m3u8-aapl,filter=mobile)
}
