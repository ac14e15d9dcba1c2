package livesmooth_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// exampleEvent is what the encoder of the examples sends: ten seconds of a picture in one bit rate.
func exampleEvent() *smoothtest.Encoder {
	return smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 800_000, Width: 640, Height: 360}}},
	}})
}

// exampleServer keeps quiet.
func exampleServer(opts livesmooth.Options) *livesmooth.Server {
	opts.Logger = slog.New(slog.DiscardHandler)
	live, err := livesmooth.NewServer(&opts)
	if err != nil {
		log.Fatal(err)
	}
	return live
}

// An encoder pushes, a viewer watches.
func ExampleServer() {
	live := exampleServer(livesmooth.Options{})
	defer live.Close()
	web := httptest.NewServer(live)
	defer web.Close()

	settings := livesmooth.DefaultSettings()
	settings.AutoStart = true
	settings.Viewers.WindowLength = 2 * time.Hour
	if _, err := live.Create(context.Background(), "live/demo.isml", settings); err != nil {
		log.Fatal(err)
	}
	resp, err := http.Post(web.URL+"/live/demo.isml/Streams(enc1)", "video/mp4", exampleEvent().Body(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println("encoder:", resp.Status)

	resp, err = http.Get(web.URL + "/live/demo.isml/QualityLevels(800000)/Fragments(video=40000000)")
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println("viewer:", resp.Status, resp.Header.Get("Content-Type"))
	// Output:
	// encoder: 200 OK
	// viewer: 200 OK video/mp4
}

// An encoder in the same process pushes without HTTP. Everything that happens can be watched.
func ExamplePoint_Watch() {
	live := exampleServer(livesmooth.Options{})
	ctx := context.Background()
	point, err := live.Create(ctx, "demo.isml", nil)
	if err != nil {
		log.Fatal(err)
	}
	events := point.Watch(ctx) // from now on; usually in a goroutine of its own

	if err := point.Start(ctx); err != nil {
		log.Fatal(err)
	}
	push := livesmooth.PushInfo{Input: "camera", Address: "studio"}
	if err := point.Push(ctx, push, exampleEvent().Body(10*time.Second)); err != nil {
		log.Fatal(err)
	}
	if err := point.Stop(ctx); err != nil { // waits, since the end of the stream has begun to stop the point
		log.Fatal(err)
	}
	live.Close() // so that the events end
	for e := range events {
		switch e.Kind {
		case livesmooth.StateChanged:
			fmt.Println(e.State)
		case livesmooth.TrackAdded:
			fmt.Println(e.Kind, e.Stream, e.Bitrate)
		case livesmooth.StreamEnded:
			fmt.Println(e.Kind, e.Input)
		}
	}
	// Output:
	// Starting
	// track added video 800000
	// Started
	// stream ended camera
	// Stopping
	// Stopped
	// Idle
}

// meterSink measures events.
type meterSink struct{}

func (meterSink) Begin(_ context.Context, e smooth.EventInfo) (smooth.Recording, error) {
	return &meterRecording{point: e.Point}, nil
}

// meterRecording is a recording that keeps nothing. Its methods are called one after the other.
type meterRecording struct {
	point     string
	fragments int
	end       uint64
}

func (m *meterRecording) Append(_ context.Context, _ string, f *smooth.Fragment) error {
	defer f.Close()
	m.fragments++
	m.end = max(m.end, f.Key.Time+f.Duration)
	return nil
}

func (m *meterRecording) Close(context.Context, bool) error {
	fmt.Println(m.point, m.fragments, "fragments,", m.end/smooth.DefaultTimescale, "seconds")
	return nil
}

func (*meterRecording) Declare(context.Context, smooth.InputInfo) error { return nil }
func (*meterRecording) Gap(context.Context, smooth.Gap) error           { return nil }
func (*meterRecording) Trim(context.Context, uint64) error              { return nil }
func (*meterRecording) Durable() uint64                                 { return 0 }
func (*meterRecording) History() smooth.Presentation                    { return nil }

// A sink gets all fragments of an event.
func ExampleSink() {
	live := exampleServer(livesmooth.Options{
		Sinks: func(string, *livesmooth.Settings) []livesmooth.Sink { return []livesmooth.Sink{meterSink{}} },
	})
	defer live.Close()
	ctx := context.Background()
	point, err := live.Create(ctx, "demo.isml", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := point.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := point.Push(ctx, livesmooth.PushInfo{Input: "camera"}, exampleEvent().Body(10*time.Second)); err != nil {
		log.Fatal(err)
	}
	if err := point.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// demo.isml 5 fragments, 10 seconds
}

// Management stands before the server and gives it all other requests.
func ExampleServer_management() {
	live := exampleServer(livesmooth.Options{Points: map[string]*livesmooth.Settings{"demo.isml": nil}})
	defer live.Close()
	handler, err := manage.NewHandler(live, &manage.Options{
		Authorize: func(r *http.Request, op manage.Operation) error {
			if _, password, _ := r.BasicAuth(); password != "secret" {
				return manage.ErrUnauthenticated
			}
			return nil
		},
		Next: live, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/demo.isml/state", "/demo.isml/Manifest"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(path, w.Code) // for a stranger, of a point that nobody has started
	}
	// Output:
	// /demo.isml/state 401
	// /demo.isml/Manifest 404
}
