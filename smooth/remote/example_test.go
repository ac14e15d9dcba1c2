package remote_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/remote"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// A server in front of another one shows the same presentations.
func ExampleNew() {
	// The origin: any server of Smooth Streaming.
	origin := httptest.NewServer(http.StripPrefix("/video", smooth.NewHandler(smoothtest.NewSource(), nil)))
	defer origin.Close()

	source, err := remote.New(origin.URL+"/video/", &remote.Options{
		Header:     http.Header{"Authorization": {"Bearer edge-7"}},
		CacheBytes: 256 << 20,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	edge := httptest.NewServer(http.StripPrefix("/edge", smooth.NewHandler(source, nil)))
	defer edge.Close()

	for range 2 {
		const path = "/sample/sample.ism/QualityLevels(400000)/Fragments(video=20000000)"
		resp, err := http.Get(edge.URL + "/edge" + path)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status, resp.Header.Get("Content-Type"))
	}
	stats := source.Stats()
	fmt.Println("fetched:", stats.Loads, "from memory:", stats.Hits)
	// Output:
	// 200 OK video/mp4
	// 200 OK video/mp4
	// fetched: 1 from memory: 1
}

// One presentation is opened by the URL of its manifest.
func ExampleOpen() {
	origin := httptest.NewServer(smooth.NewHandler(smoothtest.NewSource(), nil))
	defer origin.Close()

	ctx := context.Background()
	p, err := remote.Open(ctx, origin.URL+"/sample/sample.ism/Manifest", &remote.Options{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	s, err := p.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, st := range s.Manifest.Streams {
		fmt.Println(st.Name, len(st.Levels), "levels,", len(st.Timeline), "fragments")
	}
	f, err := p.Fragment(ctx, smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 20_000_000})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println("tick", f.Key.Time, "lasts", f.Duration)
	// Output:
	// video 3 levels, 15 fragments
	// audio_eng 1 levels, 15 fragments
	// audio_fra 1 levels, 15 fragments
	// text_eng 1 levels, 3 fragments
	// tick 20000000 lasts 20000000
}
