package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/validate"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// event is a live presentation behind a server, with what its players have seen so far.
type event struct {
	*smoothtest.Presentation
	url      string // of a media playlist
	listed   map[uint64]string
	segments map[uint64][]byte
	first    uint64 // media sequence number of the list seen last
	ended    bool
}

const window = 20 // fragments of two seconds

// newEvent starts an event. format is as in URLs; the playlist is that of the picture.
func newEvent(t *testing.T, format string) *event {
	cfg := smoothtest.Default()
	cfg.Live, cfg.DVRWindow = true, window*2*time.Second
	cfg.Wall = time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)
	for i := range cfg.Streams {
		s := &cfg.Streams[i]
		s.Durations = smoothtest.Repeat(1, 2*smooth.DefaultTimescale)
	}
	e := &event{Presentation: smoothtest.New(cfg), listed: map[uint64]string{}, segments: map[uint64][]byte{}}
	source := smoothtest.NewSource()
	source.Add("event.isml", e.Presentation)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	e.url = serveSource(t, source, log, nil) + "event.isml/QualityLevels(1200000)/Manifest(video,format=" + format + ").m3u8"
	return e
}

// look reads the playlist, and what is new in it.
func (e *event) look(t *testing.T) {
	t.Helper()
	list, segments := readMedia(t, e.url)
	require.Equal(t, e.ended, list.Closed)
	if len(segments) == 0 {
		return
	}
	require.GreaterOrEqual(t, list.SeqNo, e.first, "the media sequence never goes back")
	e.first = list.SeqNo
	require.EqualValues(t, 6, list.TargetDuration)
	for i, s := range segments {
		n := list.SeqNo + uint64(i)
		line := fmt.Sprintf("%s %.6f", s.URI, s.Duration)
		if known, ok := e.listed[n]; ok {
			require.Equal(t, known, line, "a segment never changes")
			continue
		}
		if n > 0 && len(e.listed) > 0 {
			require.Contains(t, e.listed, n-1, "no segment is left out")
		}
		e.listed[n], e.segments[n] = line, download(t, s.URI)
	}
}

// TestHLSLive follows events as players do, while they grow, lose their beginning and end.
func TestHLSLive(t *testing.T) {
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
		t.Run(format, func(t *testing.T) {
			e := newEvent(t, format)
			for i := range 3 * window {
				e.look(t)
				e.Append(1)
				if i >= window {
					e.Trim(1)
				}
			}
			e.End()
			e.ended = true
			e.look(t)
			require.Len(t, e.listed, (3*window+1)*2/6+1)
			var joined []byte
			for n := range uint64(len(e.listed)) {
				joined = append(joined, e.segments[n]...)
				if n >= e.first {
					line, _, _ := strings.Cut(e.listed[n], " ")
					require.Equal(t, e.segments[n], download(t, line), "the same bytes at the end")
				}
			}
			if format != "m3u8-cmaf" {
				checkPackets(t, joined)
			}
			require.Zero(t, e.OpenFragments())
		})
	}
}

// TestHLSLiveValidator has the validator load the list of an event again and again, while it changes. What the segments
// of smoothtest hold is noise, which is left out.
func TestHLSLiveValidator(t *testing.T) {
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
		t.Run(format, func(t *testing.T) {
			e := newEvent(t, format)
			e.Append(window)
			report, err := validate.URL(context.Background(), e.url, &validate.Options{
				PlaylistOnly: true, Reloads: 3 * window,
				Wait: func(context.Context, time.Duration) error {
					e.Append(1)
					e.Trim(1)
					return nil
				},
			})
			require.NoError(t, err)
			assert.Equal(t, 1, report.Checked.Documents)
			assert.Empty(t, report.Violations)
		})
	}
}
