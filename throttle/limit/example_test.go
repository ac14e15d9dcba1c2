package limit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/smoothkit/smoothkit/throttle"
	"github.com/smoothkit/smoothkit/throttle/limit"
)

func Example() {
	films := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "content") })
	h := limit.NewHandler(films, &limit.Options{Rules: limit.Rules{
		Server: limit.Limits{Players: 5000, PlayersPerAddress: 20, BandwidthPerPlayer: 8 * throttle.MbitPerSecond},
		Points: []limit.Point{{Path: "/live/event.isml", Limits: limit.Limits{Players: 1}}},
	}})

	ask := func(client, path string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = client
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Printf("%s %d %q\n", client, w.Code, w.Header().Get("Retry-After"))
	}
	ask("192.0.2.1:50001", "/live/event.isml/Manifest")
	ask("192.0.2.1:50002", "/live/event.isml/QualityLevels(300000)/Fragments(video=0)")
	ask("192.0.2.2:50001", "/live/event.isml/Manifest")
	ask("192.0.2.2:50001", "/film.ism/Manifest")
	fmt.Println(h.Stats(0).Players.Now, "viewers")
	// Output:
	// 192.0.2.1:50001 200 ""
	// 192.0.2.1:50002 200 ""
	// 192.0.2.2:50001 503 "30"
	// 192.0.2.2:50001 200 ""
	// 2 viewers
}

// Servers that pull are known by a token, and counted and paced apart from players.
func ExampleOptions_distribution() {
	edges := map[string]string{"Bearer 8dUh2": "edge-1"}
	opts := &limit.Options{
		Rules:        limit.Rules{Server: limit.Limits{Players: 1, DistributionConnections: 10}},
		Distribution: func(r *http.Request) string { return edges[r.Header.Get("Authorization")] },
	}
	h := limit.NewHandler(http.NotFoundHandler(), opts)
	fmt.Println(h.Stats(0).Distribution.Now)
	// Output: 0
}
