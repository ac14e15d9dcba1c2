package usage_test

import (
	"fmt"
	"io"
	"net/http"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

func Example() {
	rec, err := usage.New(&usage.Options{
		OnEvent: func(e usage.Event) { fmt.Println("event:", e.Kind, e.Subject) },
		User:    func(r *http.Request) string { user, _, _ := r.BasicAuth(); return user },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := rec.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	serve(h, get("/vod/film.ism/Manifest"))
	serve(h, get("/vod/film.ism/QualityLevels(300000)/Fragments(video=0)", "CMCD-Status", "bs"))
	rec.Emit(usage.Event{Kind: usage.Started, Subject: "/live/event.isml"})
	for s := range rec.Sessions() {
		fmt.Println("session:", s.Stream, s.Protocol, s.Requests, "requests,", s.Sent, "bytes,", s.Starved, "rebuffers")
	}
	stats := rec.Stats()
	fmt.Println("viewers:", stats.Viewers.Now, "requests:", stats.Requests)
	if err := rec.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// event: started /live/event.isml
	// session: /vod/film.ism smooth 2 requests, 10 bytes, 1 rebuffers
	// viewers: 1 requests: 2
}

// A handler behind the recorder says who was let in.
func ExampleAnnotate() {
	rec, err := usage.New(&usage.Options{Observe: func(r *usage.Record) { fmt.Println(r.User, r.Path, r.Query, r.Status) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rec.Close()
	h := rec.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		usage.Annotate(w, usage.Note{User: "anna", Session: "ticket-7"})
		w.WriteHeader(http.StatusNoContent)
	}))
	serve(h, get("/film.mp4?token=secret"))
	// Output: anna /film.mp4 token=redacted 204
}

func ExampleClassify() {
	c := usage.Classify(get("/live/a.isml/QualityLevels(300000)/Fragments(video=20000000)"))
	fmt.Println(c.Stream, c.Kind, c.Protocol, c.Bitrate, c.MediaTime, c.Live)
	// Output: /live/a.isml segment smooth 300000 2s true
}

func ExampleParseCMCD() {
	c, err := usage.ParseCMCD(`bl=21300,br=3200,bs,sid="6e2fb550"`)
	fmt.Println(c.BufferLength, c.Bitrate, c.Starved, c.Session, c.Has("d"), err)
	// Output: 21.3s 3200000 true 6e2fb550 false <nil>
}
