package alias_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing/fstest"

	"github.com/smoothkit/smoothkit/smooth/alias"
)

func Example() {
	rules, err := alias.Parse(strings.NewReader(`
/{guid}/{name}.ism/*   /vod/{name}.ism/*          # every locator
/old/film.ism/*        /vod/final.ism/*   301     # moved
/vod/withdrawn.ism/*   410
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	h := alias.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("serves", r.URL.Path, "for", alias.Original(r.Context()))
	}), rules, nil)
	for _, path := range []string{
		"/b1a5e2c0-6f2d-4c0e-9a57-0d5a1f0c7e11/clip.ism/manifest(format=m3u8-aapl)", "/OLD/film.ism/Manifest", "/vod/withdrawn.ism/Manifest",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			fmt.Println(w.Code, w.Header().Get("Location"))
		}
	}
	// Output:
	// serves /vod/clip.ism/manifest(format=m3u8-aapl) for /b1a5e2c0-6f2d-4c0e-9a57-0d5a1f0c7e11/clip.ism/manifest(format=m3u8-aapl)
	// 301 ../../vod/final.ism/Manifest
	// 410
}

func ExampleBuild() {
	m, err := alias.Build(
		alias.Rule{Host: "media.example.com", From: "/*", To: "https://video.example.org/*", Status: http.StatusPermanentRedirect},
		alias.Rule{From: "/clip-{number}.ism/*", To: "/clips/{number}.ism/*"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	match, _ := m.Lookup("media.example.com:80", "/a.ism/Manifest")
	fmt.Println(match.Rule.Status, match.URL)
	match, _ = m.Lookup("", "/Clip-7.ism/Manifest")
	fmt.Println(match.URL.Path)
	// Output:
	// 308 https://video.example.org/a.ism/Manifest
	// /clips/7.ism/Manifest
}

func ExampleScan() {
	var catalog alias.Catalog // as printed by: az ams streaming-locator list -o json
	err := catalog.Read(strings.NewReader(`[{"assetName": "Trailer", "streamingLocatorId": "b1a5e2c0-6f2d-4c0e-9a57-0d5a1f0c7e11"}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	folder := fstest.MapFS{"trailer/t.ism": {}, "asset-0e5d2c1b-1111-4222-8333-444455556666/film.ism": {}}
	inv, err := alias.Scan(folder, &alias.ScanOptions{Prefix: "/azure/", Catalog: &catalog})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := inv.AppendText(nil)
	os.Stdout.Write(text)
	// Output:
	// # 2 containers, 4 rules
	// /b1a5e2c0-6f2d-4c0e-9a57-0d5a1f0c7e11/* /azure/trailer/*
	// /0e5d2c1b-1111-4222-8333-444455556666/* /azure/asset-0e5d2c1b-1111-4222-8333-444455556666/*
	// /{guid}/film.ism/* /azure/asset-0e5d2c1b-1111-4222-8333-444455556666/film.ism/*
	// /{guid}/t.ism/* /azure/trailer/t.ism/*
}
