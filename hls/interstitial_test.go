package hls_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// interrupted is a presentation with interstitials at wall-clock times.
type interrupted struct {
	smooth.Presentation
	wall time.Time
	list []smooth.Interstitial
}

func (p interrupted) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	s, err := p.Presentation.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	out := smooth.NewSnapshot(s.Manifest, s.Validator+"-i")
	out.Ended, out.Edges, out.Gaps, out.Interstitials = s.Ended, s.Edges, s.Gaps, p.list
	out.Periods = append(out.Periods[:0:0], s.Periods...)
	out.Periods[0].Wall = p.wall
	return out, nil
}

func TestInterstitials(t *testing.T) {
	const second = smooth.DefaultTimescale
	p := smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(15, 2*second), Levels: []smoothtest.Level{{Bitrate: 400_000}}},
	}})
	list := []smooth.Interstitial{
		{ID: "ad-1", URI: "http://host/a?x=1;y=2", Pre: true, Once: true, NoSkip: true, NoJump: true, Duration: 12_500 * time.Millisecond},
		{ID: "ad-2", At: 10 * second, URI: "https://host/b", Resume: 3 * time.Second, NoJump: true},
		{ID: "broken\"", At: 11 * second, URI: "https://host/b"},
		{ID: "relative", At: 11 * second, URI: "b.m3u8"},
		{ID: "script", At: 11 * second, URI: "javascript:alert(1)"},
		{ID: "line", At: 11 * second, URI: "https://host/\n#EXT"},
		{ID: "ad-3", At: 30 * second, URI: "https://host/c", Post: true},
	}
	ranges := func(wall time.Time) (lines []string) {
		h := smoothHandler(sourceOf(interrupted{p, wall, list}), nil)
		for _, l := range strings.Split(string(get(t, h, "/a.ism/QualityLevels(400000)/Manifest(video,format=m3u8-cmaf)")), "\n") {
			if strings.HasPrefix(l, "#EXT-X-DATERANGE:") {
				lines = append(lines, l)
			}
		}
		return lines
	}
	const class = `CLASS="com.apple.hls.interstitial",`
	assert.Equal(t, []string{
		`#EXT-X-DATERANGE:ID="ad-1",` + class + `START-DATE="2026-01-02T03:04:05.000Z",DURATION=12.5,X-ASSET-URI="http://host/a?x=1;y=2",X-RESUME-OFFSET=0,X-RESTRICT="SKIP,JUMP",CUE="PRE,ONCE"`,
		`#EXT-X-DATERANGE:ID="ad-2",` + class + `START-DATE="2026-01-02T03:04:15.000Z",X-ASSET-URI="https://host/b",X-RESUME-OFFSET=3,X-RESTRICT="JUMP"`,
		`#EXT-X-DATERANGE:ID="ad-3",` + class + `START-DATE="2026-01-02T03:04:35.000Z",X-ASSET-URI="https://host/c",X-RESUME-OFFSET=0,CUE="POST"`,
	}, ranges(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	assert.Empty(t, ranges(time.Time{}), "without a date there is nothing to say when")
}
