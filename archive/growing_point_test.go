package archive_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// pointSink records the events of a publishing point into an index.
type pointSink struct {
	t     *testing.T
	index *index.Index
	tape  tape
	ended chan struct{}
}

func (s *pointSink) Begin(context.Context, smooth.EventInfo) (smooth.Recording, error) { return s, nil }

func (s *pointSink) Declare(_ context.Context, in smooth.InputInfo) error {
	for _, tr := range in.Tracks {
		s.index.Declare(index.Track{Key: tr.Key, Stream: tr.Stream, Level: tr.Level, Codec: tr.Codec, ID: tr.ID})
	}
	return nil
}

func (s *pointSink) Append(_ context.Context, _ string, f *smooth.Fragment) error {
	defer f.Close()
	number, ok := s.index.Number(f.Key)
	assert.True(s.t, ok)
	offset := s.tape.append(bytesOf(s.t, f))
	s.index.Add(number, index.Entry{
		Time: f.Key.Time, Duration: f.Duration, Offset: offset,
		Head: uint32(f.Size() - f.PayloadSize()), Payload: uint32(f.PayloadSize()),
	})
	return nil
}

func (s *pointSink) Gap(_ context.Context, g smooth.Gap) error {
	s.index.AddGap(g)
	return nil
}

func (s *pointSink) Durable() uint64                    { return 0 }
func (s *pointSink) History() smooth.Presentation       { return nil }
func (s *pointSink) Trim(context.Context, uint64) error { return nil }

func (s *pointSink) Close(context.Context, bool) error {
	s.index.End()
	close(s.ended)
	return nil
}

// TestLiveViewIsLikeAPublishingPoint compares what a point and the recording of its event show, byte for byte.
func TestLiveViewIsLikeAPublishingPoint(t *testing.T) {
	sink := &pointSink{t: t, index: index.New(""), ended: make(chan struct{})}
	server, err := livesmooth.NewServer(&livesmooth.Options{
		Logger: noLog, Sinks: func(string, *livesmooth.Settings) []livesmooth.Sink { return []livesmooth.Sink{sink} },
	})
	require.NoError(t, err)
	defer server.Close()
	point, err := server.Create(t.Context(), "demo.isml", nil)
	require.NoError(t, err)
	require.NoError(t, point.Start(t.Context()))

	enc := smoothtest.NewEncoder(smoothtest.Config{MaxPayload: 100_000, Streams: []smoothtest.Stream{
		streamOf(smooth.Video, 0, 1, 1_500_000, 400_000), streamOf(smooth.Audio, 0, 1, 96_000),
	}})
	body := bytes.NewBuffer(enc.Header())
	body.Write(enc.Until(10 * time.Second))
	enc.Until(16 * time.Second) // lost
	body.Write(enc.Until(30 * time.Second))
	body.Write(enc.Trailer())
	require.NoError(t, point.Push(t.Context(), livesmooth.PushInfo{Input: "camera"}, body))
	require.NoError(t, point.Stop(t.Context()))
	<-sink.ended

	file := func(int) (io.ReaderAt, smooth.Leaser) { return &sink.tape, nil }
	v := archive.NewLiveView(archive.NewGrowing(sink.index, file, true, nil))
	defer v.Close()
	want, got := snapshotOf(t, point), snapshotOf(t, v)
	require.True(t, want.Ended)
	assert.Equal(t, want.Gaps, got.Gaps)
	assert.NotEmpty(t, got.Gaps)
	m := *want.Manifest
	m.DVRWindowLength = 0 // what is recorded has none
	assert.Equal(t, &m, got.Manifest)
	fragments := 0
	for _, st := range want.Manifest.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				k := smooth.FragmentKey{Stream: st.Name, Bitrate: l.Bitrate, Time: c.Time}
				of, err := point.Fragment(t.Context(), k)
				require.NoError(t, err)
				f, err := v.Fragment(t.Context(), k)
				require.NoError(t, err)
				assert.Equal(t, of.Duration, f.Duration)
				assert.Equal(t, bytesOf(t, of), bytesOf(t, f), "%v", k)
				of.Close()
				f.Close()
				fragments++
			}
		}
	}
	assert.Equal(t, 3*12, fragments)
}
