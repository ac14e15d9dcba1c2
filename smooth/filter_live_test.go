package smooth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// earlyEvent is a live presentation that hands out what it has received before it is listed, as a publishing point does.
type earlyEvent struct{ *smoothtest.Presentation }

func (p earlyEvent) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := p.Presentation.Fragment(ctx, k)
	if err != nil {
		return nil, err
	}
	s, err := p.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if _, listed := s.Manifest.Stream(k.Stream).Timeline.Find(k.Time); listed {
		return f, nil
	}
	head, err := f.Header(smooth.Smooth)
	return smooth.NewFragment(smooth.FragmentInit{Key: k, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec, Early: true, Head: head, Of: f}), err
}

// TestHandlerTimeShift: start-over and time-shift by the wall clock, of an event that began at 03:04:00. Ten fragments of two
// seconds have been received at first, eight of them are listed; then six more come and five leave the window.
func TestHandlerTimeShift(t *testing.T) {
	tests := []struct {
		name, target  string
		status, later int
		want, then    string
		over          [2]bool // whether the event has ended, as far as the request goes
	}{
		{"all", "Manifest", 200, 200, "0-16", "10-28", [2]bool{}},
		{"start-over", "Manifest(startTime=2026-01-02T03:04:07Z)", 200, 200, "6-16", "10-28", [2]bool{}},
		{"start-over inside the window", "Manifest(startTime=2026-01-02T03:04:13Z)", 200, 200, "12-16", "12-28", [2]bool{}},
		{"by query", "Manifest?vbegin=2026-01-02T03:04:13Z", 200, 200, "12-16", "12-28", [2]bool{}},
		{"another time zone", "Manifest?vbegin=2026-01-02T04:04:13%2B01:00", 200, 200, "12-16", "12-28", [2]bool{}},
		{"before the event", "Manifest(startTime=2026-01-01T00:00:00Z)", 200, 200, "0-16", "10-28", [2]bool{}},
		{"ends later", "Manifest(startTime=2026-01-02T03:04:13Z,endTime=2026-01-02T03:04:22Z)", 200, 200, "12-16", "12-22", [2]bool{false, true}},
		{"ends behind the look-ahead", "Manifest?vbegin=2026-01-02T03:04:13Z&vend=2026-01-02T03:04:18Z", 200, 200, "12-16", "12-18", [2]bool{false, true}},
		{"a part of the past", "Manifest?t=2026-01-02T03:04:11Z,2026-01-02T03:04:15Z", 200, 200, "10-16", "10-16", [2]bool{true, true}},
		{"what leaves the window", "Manifest?vend=2026-01-02T03:04:05Z", 200, 404, "0-6", "", [2]bool{true, true}},
		{"not yet listed", "Manifest(startTime=2026-01-02T03:04:17Z)", 412, 200, "", "16-28", [2]bool{}},
		{"the future", "Manifest(startTime=2026-01-02T03:05:00Z)", 412, 412, "", "", [2]bool{}},
		{"other units", "Manifest(startTime=PT13S,endTime=220000000)", 200, 200, "12-16", "12-22", [2]bool{false, true}},
		{"backwards", "Manifest?vbegin=2026-01-02T03:04:13Z&vend=2026-01-02T03:04:12Z", 400, 400, "", "", [2]bool{}},
		{"no time", "Manifest(startTime=2026-01-02T03:04)", 400, 400, "", "", [2]bool{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := smoothtest.New(liveConfig())
			src := smoothtest.NewSource()
			src.Add("live.isml", earlyEvent{p})
			h := smooth.NewHandler(src, quiet(&smooth.HandlerOptions{}))
			check := func(status int, want string, ended bool) {
				t.Helper()
				got, body := fetch(h, "/live.isml/"+tt.target)
				require.Equal(t, status, got)
				if status != 200 {
					return
				}
				m, err := smooth.ParseManifest([]byte(body))
				require.NoError(t, err)
				require.Contains(t, shown(m), "video(3000,1200,400)"+want+" audio_eng(96)"+want+" ")
				assert.Equal(t, ended, !m.IsLive)
				if line := m.Streams[0].Timeline; ended {
					assert.Equal(t, line.End()-line.Start(), m.Duration)
				}
			}
			check(tt.status, tt.want, tt.over[0])
			p.Append(6)
			p.Trim(5)
			check(tt.later, tt.then, tt.over[1])
			assert.Zero(t, p.OpenFragments())
		})
	}
}

// TestFilterLiveEarly: a filtered view hands out what has been received as its base does, within its span.
func TestFilterLiveEarly(t *testing.T) {
	base := earlyEvent{smoothtest.New(liveConfig())}
	wall := liveConfig().Wall
	tests := []struct {
		name     string
		filter   smooth.Filter
		listed   string  // of ten fragments of two seconds, eight listed
		received [2]int  // seconds; 0, 0 if only what is listed is known
		edge     [2]int  // Listed and Complete in seconds
		early    []error // of the fragments at 16 s, 18 s and 20 s
	}{
		{"start", smooth.Filter{Start: smooth.AtWall(wall.Add(5 * time.Second))}, "4-16", [2]int{4, 20}, [2]int{16, 20}, []error{nil, nil, smooth.ErrNotYet}},
		{"end in the look-ahead", smooth.Filter{End: smooth.AtWall(wall.Add(18 * time.Second))}, "0-16", [2]int{0, 18}, [2]int{16, 20},
			[]error{nil, smooth.ErrNotFound, smooth.ErrNotFound}},
		{"end later", smooth.Filter{Start: smooth.AtTicks(9, 1), End: smooth.AtTicks(100, 1)}, "8-16", [2]int{8, 20}, [2]int{16, 20}, []error{nil, nil, smooth.ErrNotYet}},
		{"end reached", smooth.Filter{End: smooth.AtWall(wall.Add(9 * time.Second))}, "0-10", [2]int{0, 0}, [2]int{10, 10},
			[]error{smooth.ErrNotFound, smooth.ErrNotFound, smooth.ErrNotFound}},
		{"backoff", smooth.Filter{Backoff: 4 * time.Second}, "0-12", [2]int{0, 0}, [2]int{12, 12}, []error{smooth.ErrNotYet, smooth.ErrNotYet, smooth.ErrNotYet}},
		{"window", smooth.Filter{Window: 4 * time.Second}, "12-16", [2]int{12, 20}, [2]int{16, 20}, []error{nil, nil, smooth.ErrNotYet}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := smooth.NewFiltered(t.Context(), base, tt.filter)
			require.NoError(t, err)
			s, err := p.Snapshot(t.Context())
			require.NoError(t, err)
			require.Contains(t, shown(s.Manifest), "video(3000,1200,400)"+tt.listed+" ")
			e := s.Edges[0]
			assert.Equal(t, tt.edge, [2]int{int(e.Listed / second), int(e.Complete / second)})
			assert.Equal(t, tt.received, [2]int{int(e.Received.Start() / second), int(e.Received.End() / second)})
			if line := s.Manifest.Streams[0].Timeline; e.Received != nil {
				assert.Same(t, &line[0], &e.Received[0], "two slices of one array")
			}
			for i, want := range tt.early {
				f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: uint64(16+2*i) * second})
				require.ErrorIs(t, err, want)
				if err == nil {
					assert.True(t, f.Early)
					f.Close()
				}
			}
		})
	}
	assert.Zero(t, base.OpenFragments())
}
