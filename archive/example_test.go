package archive_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// The events of publishing points are recorded and served: here one of ten seconds that an encoder calls regatta.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "archive")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	quiet := slog.New(slog.DiscardHandler)

	recordings, err := archive.New(dir, &archive.Options{Logger: quiet, Retention: archive.Retention{Age: 30 * 24 * time.Hour}})
	if err != nil {
		log.Fatal(err)
	}
	live, err := livesmooth.NewServer(&livesmooth.Options{
		Logger: quiet,
		Sinks: func(_ string, s *livesmooth.Settings) []livesmooth.Sink {
			if s.Archive.Enabled {
				return []livesmooth.Sink{recordings}
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	settings := livesmooth.DefaultSettings()
	settings.AutoStart = true
	settings.Archive.Enabled, settings.Archive.EventIDOnPath = true, true
	if _, err := live.Create(context.Background(), "live/demo.isml", settings); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", live)
	output := hls.NewOutput(nil)
	defer output.Close()
	mux.Handle("/archive/", http.StripPrefix("/archive", smooth.NewHandler(recordings, &smooth.HandlerOptions{Logger: quiet, Outputs: []smooth.Output{output}})))
	web := httptest.NewServer(mux)
	defer web.Close()

	encoder := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 800_000, Width: 640, Height: 360}}},
	}})
	resp, err := http.Post(web.URL+"/live/demo.isml/Events(regatta)/Streams(camera)", "video/mp4", encoder.Body(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	if err := live.Shutdown(context.Background()); err != nil { // when a server ends: the archive is closed after what feeds it
		log.Fatal(err)
	}

	err = recordings.List(context.Background(), func(info smooth.Info) bool {
		for _, request := range []string{"/Manifest", "/Manifest(format=m3u8-aapl)"} {
			resp, err := http.Get(web.URL + "/archive/" + info.Name + request)
			if err != nil {
				log.Fatal(err)
			}
			resp.Body.Close()
			fmt.Println(resp.StatusCode, info.Name+request)
		}
		return true
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := recordings.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 200 live/demo-isml/regatta/demo.ism/Manifest
	// 200 live/demo-isml/regatta/demo.ism/Manifest(format=m3u8-aapl)
}
