package livesmooth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth"
)

// errRecorderTest is what a scripted sink fails with.
var errRecorderTest = errors.New("scripted")

// recorderSink writes down what it is asked for. Before each call it asks script, with the call as it is written down.
type recorderSink struct {
	script  func(ctx context.Context, call string) error
	durable atomic.Uint64
	lost    atomic.Pointer[error] // what it says that it has lost
	past    smooth.Presentation

	mu    sync.Mutex // guards the field below
	calls []string
}

func (s *recorderSink) SinkName() string { return "Script" }

func (s *recorderSink) call(ctx context.Context, format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	var err error
	if s.script != nil {
		err = s.script(ctx, call)
	}
	if err != nil {
		call += " failed"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
	return err
}

// taken returns the calls since the last time.
func (s *recorderSink) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *recorderSink) Begin(ctx context.Context, e smooth.EventInfo) (smooth.Recording, error) {
	if err := s.call(ctx, "begin %s", e.Point); err != nil {
		return nil, err
	}
	return recorderSinkRecording{s}, nil
}

type recorderSinkRecording struct{ s *recorderSink }

func (r recorderSinkRecording) Target() string { return "nowhere" }

func (r recorderSinkRecording) Declare(ctx context.Context, in smooth.InputInfo) error {
	return r.s.call(ctx, "declare %s %s", in.ID, in.Header)
}

func (r recorderSinkRecording) Append(ctx context.Context, input string, f *smooth.Fragment) error {
	defer f.Close()
	return r.s.call(ctx, "append %s %s %d", input, f.Key.Stream, f.Key.Time)
}

func (r recorderSinkRecording) Fault() error {
	if err := r.s.lost.Load(); err != nil {
		return *err
	}
	return nil
}

func (r recorderSinkRecording) Clock(start uint64, wall time.Time) {
	_ = r.s.call(context.Background(), "clock %d %s", start, wall.Format(time.RFC3339))
}

func (r recorderSinkRecording) Gap(ctx context.Context, g smooth.Gap) error {
	return r.s.call(ctx, "gap %s %d+%d", g.Stream, g.Time, g.Duration)
}

func (r recorderSinkRecording) Durable() uint64 { return r.s.durable.Load() }

func (r recorderSinkRecording) History() smooth.Presentation { return r.s.past }

func (r recorderSinkRecording) Trim(ctx context.Context, before uint64) error {
	return r.s.call(ctx, "trim %d", before)
}

func (r recorderSinkRecording) Close(ctx context.Context, ended bool) error {
	return r.s.call(ctx, "close %v", ended)
}

// recorderTest is a recorder before a scripted sink.
type recorderTest struct {
	*recorder
	t    *testing.T
	sink *recorderSink
	open atomic.Int32 // fragments that are not given back

	mu     sync.Mutex // guards the field below
	events []string
}

func newRecorderTest(t *testing.T, sink *recorderSink, opts recorderOptions) *recorderTest {
	x := &recorderTest{t: t, sink: sink}
	opts.log = slog.New(slog.DiscardHandler)
	start := time.Now()
	x.recorder = newRecorder(t.Context(), sink, smooth.EventInfo{Point: "a.isml"}, opts, func(e Event) {
		x.mu.Lock()
		defer x.mu.Unlock()
		assert.Equal(t, "Script", e.Source)
		x.events = append(x.events, fmt.Sprintf("%v %v %v", e.At.Sub(start), e.Kind, e.Err))
	})
	x.recorder.open("")
	return x
}

// noted returns the events since the last time.
func (x *recorderTest) noted() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	events := x.events
	x.events = nil
	return events
}

// fragment returns a fragment of a duration of ten.
func (x *recorderTest) fragment(stream string, time uint64, size int) *smooth.Fragment {
	x.open.Add(1)
	return smooth.NewFragment(smooth.FragmentInit{
		Key: recorderKey(stream, time), Timescale: scale, Duration: 10, Memory: make([]byte, size), HeadLen: 8,
		Release: func() { x.open.Add(-1) },
	})
}

func recorderKey(stream string, time uint64) smooth.FragmentKey {
	return smooth.FragmentKey{Stream: stream, Bitrate: 1, Time: time}
}

// add appends small fragments of stream v at these times.
func (x *recorderTest) add(times ...uint64) {
	for _, at := range times {
		x.append("e", x.fragment("v", at, 100))
	}
}

// recordedAt returns which of these fragments of stream v are recorded, and which are lost.
func (x *recorderTest) recordedAt(times ...uint64) (recorded, lost []uint64) {
	for _, at := range times {
		if x.recorded(recorderKey("v", at)) {
			recorded = append(recorded, at)
		}
		if x.lost(recorderKey("v", at)) {
			lost = append(lost, at)
		}
	}
	return recorded, lost
}

// stop closes the recorder and looks that all fragments were given back.
func (x *recorderTest) stop() error {
	err := x.close(x.t.Context(), true)
	assert.Zero(x.t, x.open.Load(), "fragments that are not given back")
	return err
}
