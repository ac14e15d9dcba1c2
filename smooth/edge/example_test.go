package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/smoothkit/smoothkit/smooth/edge"
)

// A cache in front of an origin.
func Example() {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = io.WriteString(w, "fragment")
	}))
	defer origin.Close()

	cache, err := edge.New(&edge.Options{Upstreams: []edge.Upstream{{URL: origin.URL}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Close()

	for range 2 {
		w := httptest.NewRecorder()
		cache.ServeHTTP(w, httptest.NewRequest("GET", "/film.ism/QualityLevels(3000000)/Fragments(video=0)", nil))
		fmt.Println(w.Code, w.Header().Get("X-Cache"), w.Body)
	}
	s := cache.Stats()
	fmt.Println(s.Hits, "hit,", s.Fetches, "fetch")
	// Output:
	// 200 MISS fragment
	// 200 HIT fragment
	// 1 hit, 1 fetch
}

// A handler in front that checks a token in the path, and removes it, makes all who may watch share one object.
func Example_tokens() {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = io.WriteString(w, "origin got "+r.URL.Path)
	}))
	defer origin.Close()
	cache, err := edge.New(&edge.Options{Upstreams: []edge.Upstream{{URL: origin.URL}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /t/{token}/", func(w http.ResponseWriter, r *http.Request) {
		token := r.PathValue("token") // its signature would be checked here
		http.StripPrefix("/t/"+token, cache).ServeHTTP(w, r)
	})
	for _, viewer := range []string{"alice", "bob"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/t/"+viewer+"/film.ism/Manifest", nil))
		fmt.Println(w.Header().Get("X-Cache"), w.Body)
	}
	// Output:
	// MISS origin got /film.ism/Manifest
	// HIT origin got /film.ism/Manifest
}
