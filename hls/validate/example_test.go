package validate_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/smoothkit/smoothkit/hls/validate"
)

func ExampleBytes() {
	report, err := validate.Bytes("film.m3u8", []byte(`#EXTM3U
#EXT-X-TARGETDURATION:6
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:6.006,
0.ts
#EXTINF:7.2,
1.ts
#EXT-X-ENDLIST
`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range report.Violations {
		fmt.Println(v)
	}
	// Output:
	// HP106 error (RFC 8216 7) line 4 in film.m3u8: the version is 1, and 3 is needed: EXTINF has a fraction
	// HL102 error (RFC 8216 4.3.3.1) line 7 in film.m3u8: EXTINF is 7.2s, rounded 7, and EXT-X-TARGETDURATION 6
}

func ExampleHandler() {
	mux := http.NewServeMux() // nothing is mounted
	report, err := validate.Handler(context.Background(), mux, "/film.ism/manifest(format=m3u8-aapl)", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range report.Violations {
		fmt.Println(v)
	}
	// Output:
	// HH101 error (RFC 8216 6.2.1) in http://localhost/film.ism/manifest(format=m3u8-aapl): status 404 with the body "404 page not found": that is the answer of a Go mux without a route: is the handler mounted at this prefix, with http.StripPrefix?
}
