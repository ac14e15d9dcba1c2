package smooth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing/fstest"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// A presentation can be read without HTTP: here the first fragment of each stream of the sample.
func Example() {
	ctx := context.Background()
	source := smooth.FS(smoothtest.Sample(), nil)
	defer source.Close()
	p, err := source.Open(ctx, "sample.ism")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	snapshot, err := p.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range snapshot.Manifest.Streams {
		key := smooth.FragmentKey{Stream: s.Name, Bitrate: s.Levels[0].Bitrate, Time: s.Timeline.Start()}
		f, err := p.Fragment(ctx, key)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Name, len(s.Levels), "levels,", len(s.Timeline), "fragments,", snapshot.Track(key).Codec.Codecs())
		samples := 0
		for _, err := range f.Samples() {
			if err != nil {
				log.Fatal(err)
			}
			samples++
		}
		fmt.Println("  first:", samples, "samples,", f.Size() > f.PayloadSize())
		f.Close()
	}
	// Output:
	// video 3 levels, 16 fragments, avc1.4d4028
	//   first: 50 samples, true
	// audio_eng 1 levels, 16 fragments, mp4a.40.2
	//   first: 91 samples, true
	// audio_deu 1 levels, 16 fragments, mp4a.40.2
	//   first: 91 samples, true
	// textstream 1 levels, 16 fragments, stpp.ttml.im1t
	//   first: 1 samples, true
}

// A filter that the application names narrows what a manifest lists, and what may be fetched.
func ExampleHandlerOptions() {
	h := smooth.NewHandler(smooth.FS(smoothtest.Sample(), nil), &smooth.HandlerOptions{
		Filters: map[string]smooth.Filter{"mobile": {Video: smooth.BitrateRange{Max: 150_000}, Languages: []string{"de"}}},
		Observe: func(o smooth.Observation) { fmt.Println(o.Status, o.Request.String()) },
	})
	get := func(path string) []byte {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Body.Bytes()
	}
	m, err := smooth.ParseManifest(get("/sample.ism/Manifest(filter=mobile)"))
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range m.Streams {
		for _, l := range s.Levels {
			fmt.Println(s.Name, s.Language, l.Bitrate)
		}
	}
	get("/sample.ism/QualityLevels(294000)/Fragments(video=0,filter=mobile)")
	// Output:
	// 200 sample.ism/Manifest(filter=mobile)
	// video  138000
	// video  75000
	// audio_deu deu 17000
	// 404 sample.ism/QualityLevels(294000)/Fragments(video=0,filter=mobile)
}

func ExampleParseRequest() {
	u, err := url.Parse("/sport/final.ism/QualityLevels(1200000)/Fragments%28video%3D20000000%29?token=x")
	if err != nil {
		log.Fatal(err)
	}
	q, err := smooth.ParseRequest(u)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(q.Presentation, q.Noun, q.Key.Stream, q.Key.Bitrate, q.Key.Time)
	_, err = smooth.ParseRequest(&url.URL{Path: "/final.ism/QualityLevels(fast)/Fragments(video=0)"})
	fmt.Println(errors.Is(err, smooth.ErrBadRequest), err)
	// Output:
	// sport/final.ism Fragments video 1200000 20000000
	// true smooth: request: bit rate "fast": malformed request
}

// The error of a file says what is wrong and what to do.
func ExampleFileError() {
	source := smooth.FS(fstest.MapFS{
		"film.ism": {Data: []byte(`<smil><body><switch><video src="film.ismv" systemBitrate="500000"/></switch></body></smil>`)},
	}, &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
	defer source.Close()
	_, err := source.Open(context.Background(), "film.ism")
	var fe *smooth.FileError
	if errors.As(err, &fe) {
		fmt.Println(fe.File, fe.Path)
		fmt.Println(fe.Reason)
		fmt.Println(fe.Remedy)
	}
	// Output:
	// film.ism smil/body/switch
	// no track whose media file exists
	// copy the media files beside the server manifest
}

// list is an output: a text that lists the fragments of the first stream, in the format "list".
type list struct{}

func (list) Formats() []string { return []string{"list"} }

func (list) Serve(w http.ResponseWriter, r *http.Request, req *smooth.Request, p smooth.Presentation) error {
	s, err := p.Snapshot(r.Context())
	if err != nil {
		return err
	}
	if req.Kind != smooth.ManifestRequest {
		return fmt.Errorf("list: %w", smooth.ErrNotFound)
	}
	stream := s.Manifest.Streams[0]
	body, err := s.Memo("list("+req.Options+")", func() ([]byte, error) {
		var b []byte
		for _, c := range stream.Timeline {
			child := req.Child()
			child.Kind = smooth.FragmentRequest
			child.Key = smooth.FragmentKey{Stream: stream.Name, Bitrate: stream.Levels[0].Bitrate, Time: c.Time}
			b = append(req.AppendChild(b, &child), '\n')
		}
		return b, nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err = w.Write(body)
	return err
}

func ExampleOutput() {
	h := smooth.NewHandler(smoothtest.NewSource(), &smooth.HandlerOptions{Outputs: []smooth.Output{list{}}})
	srv := httptest.NewServer(h)
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/sample/sample.ism/Manifest(format=list,endTime=40000000)")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(body))
	// Output:
	// QualityLevels(3000000)/Fragments(video=0,endTime=40000000)
	// QualityLevels(3000000)/Fragments(video=20000000,endTime=40000000)
}
