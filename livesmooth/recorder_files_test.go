package livesmooth

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// recorderFileSink records input streams in files.
type recorderFileSink struct{ recorderSink }

func (s *recorderFileSink) Begin(ctx context.Context, e smooth.EventInfo) (smooth.Recording, error) {
	r, err := s.recorderSink.Begin(ctx, e)
	return &recorderFileRecording{Recording: r}, err
}

// recorderFileRecording names its files when there is something in them.
type recorderFileRecording struct {
	smooth.Recording
	n int
}

func (r *recorderFileRecording) Append(ctx context.Context, input string, f *smooth.Fragment) error {
	r.n++
	return r.Recording.Append(ctx, input, f)
}

func (r *recorderFileRecording) Target() string { return fmt.Sprintf("dir%d", r.n) }

func (r *recorderFileRecording) File(input string) string {
	return fmt.Sprintf("%s%d.isma", input, r.n)
}

// TestRecorderFiles: where a stream is recorded is asked with its first fragment after each header.
func TestRecorderFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &recorderFileSink{}
		x := newRecorderTest(t, &sink.recorderSink, recorderOptions{})
		require.NoError(t, x.stop())
		x.recorder = newRecorder(t.Context(), sink, smooth.EventInfo{Point: "a.isml"}, recorderOptions{log: slog.New(slog.DiscardHandler)}, func(Event) {})
		x.recorder.open("")
		x.declare(smooth.InputInfo{ID: "e"})
		synctest.Wait()
		assert.Equal(t, SinkStats{Name: "Script", Target: "dir0"}, x.stats())
		x.add(10, 20)
		synctest.Wait()
		first := x.stats()
		assert.Equal(t, SinkStats{Name: "Script", Target: "dir1", Files: map[string]string{"e": "e1.isma"}}, first)
		x.declare(smooth.InputInfo{ID: "e", Header: []byte("other")})
		x.add(30)
		synctest.Wait()
		assert.Equal(t, map[string]string{"e": "e3.isma"}, x.stats().Files)
		assert.Equal(t, map[string]string{"e": "e1.isma"}, first.Files, "what was handed out stays")
		require.NoError(t, x.stop())
	})
}
