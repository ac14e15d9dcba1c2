package playlist_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// eveningSource is a source whose presentation "evening.ism" is a film with advertisements.
type eveningSource struct{ p *playlist.Stitched }

func (e eveningSource) Open(_ context.Context, name string) (smooth.Presentation, error) {
	if name != "evening.ism" {
		return nil, fmt.Errorf("%s: %w", name, smooth.ErrNotFound)
	}
	return e.p, nil
}

// A film between two advertisements is one presentation, over Smooth Streaming and over HLS.
func ExampleNewStitched() {
	media := smoothtest.NewSource() // in earnest smooth.Dir("media", nil)
	p := playlist.NewStitched(media, "evening", []playlist.Part{
		{Name: "ads/soap.mp4", Entry: 1},
		{Name: "sample/sample.ism", Entry: 2},
		{Name: "sample/sample.ism", Entry: 3},
	}, &playlist.StitchOptions{Logger: slog.New(slog.DiscardHandler)})

	var h http.Handler = smooth.NewHandler(eveningSource{p}, &smooth.HandlerOptions{Outputs: []smooth.Output{hls.NewOutput(nil)}})
	_ = http.StripPrefix("/video", h)

	parts, err := p.Parts(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range parts {
		fmt.Println(x.Entry, x.Start, x.Duration, x.Err)
	}
	// Output:
	// 1 0s 0s smoothtest: presentation "ads/soap.mp4": not found
	// 2 0s 30s <nil>
	// 3 30s 30s <nil>
}
