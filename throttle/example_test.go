package throttle_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing/fstest"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// A server of media: whatever it sends begins with ten seconds of content and goes on at the speed of playback.
func Example() {
	media := fstest.MapFS{"media/film.wav": {Data: wav(4 * wavBytes)}} // os.DirFS(...)
	handler := throttle.NewHandler(http.FileServerFS(media), nil)
	mux := http.NewServeMux()
	mux.Handle("/media/", handler)
	server := httptest.NewServer(mux) // http.ListenAndServe(...)
	defer server.Close()

	resp, err := http.Get(server.URL + "/media/film.wav")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	fmt.Println(resp.StatusCode, n, err)
	for container, files := range handler.Stats().Containers {
		fmt.Println(container, files)
	}
	// Output:
	// 200 400044 <nil>
	// wav 1
}

// Any stream may be paced: here by 1 Mbit/s, of which 64 kB are there at once.
func ExampleNewWriter() {
	bucket := throttle.NewBucket(throttle.MbitPerSecond, 64<<10, 64<<10)
	var sent strings.Builder
	w := throttle.NewWriter(context.Background(), &sent, bucket)
	fmt.Fprint(w, "as fast as it goes, until the burst is used up")
	fmt.Println(sent.Len(), "bytes")
	bucket.SetRate(time.Now(), 2*throttle.MbitPerSecond)
	fmt.Println(bucket.Rate())
	// Output:
	// 46 bytes
	// 2 Mbit/s
}
