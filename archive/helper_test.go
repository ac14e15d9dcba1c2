package archive_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const second = smooth.DefaultTimescale

// begun is when the events of tests begin.
var begun = time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)

// feed is an encoder whose fragments a recording gets as from a publishing point: one input stream with all tracks.
type feed struct {
	t      testing.TB
	event  smooth.EventInfo
	input  smooth.InputInfo
	config smoothtest.Config
	first  uint64 // tick at the start of the event
	enc    *smoothtest.Encoder
	sent   map[smooth.FragmentKey][]byte
	order  []smooth.FragmentKey
}

// newFeed returns a feed of an input stream with that name.
func newFeed(t testing.TB, name string, c smoothtest.Config) *feed {
	f := &feed{t: t, first: c.Streams[0].Start, config: c, enc: smoothtest.NewEncoder(c), sent: make(map[smooth.FragmentKey][]byte)}
	f.event = smooth.EventInfo{Point: "live/demo.isml", Started: begun, Archive: smooth.ArchiveSettings{Enabled: true}}
	snap, err := smoothtest.New(c).Snapshot(t.Context())
	require.NoError(t, err)
	f.input = smooth.InputInfo{ID: name, Header: f.enc.Header()}
	for i, tr := range snap.Periods[0].Tracks {
		s := *snap.Manifest.Stream(tr.Stream)
		var level *smooth.QualityLevel
		for _, l := range s.Levels {
			if l.Bitrate == tr.Bitrate {
				level = l
			}
		}
		s.Timeline, s.Levels, s.URL, s.DeclaredChunks = nil, nil, "", 0
		f.input.Tracks = append(f.input.Tracks, smooth.InputTrack{
			ID: uint32(i + 1), Key: smooth.FragmentKey{Stream: tr.Stream, Attrs: tr.Attrs, Bitrate: tr.Bitrate}, Stream: &s, Level: level, Codec: tr.Codec,
		})
	}
	return f
}

// small is a configuration with two video levels and one audio level in fragments of two seconds.
func small() smoothtest.Config {
	return smoothtest.Config{MaxPayload: 600, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 800_000}, {Bitrate: 300_000}}},
		{Type: smooth.Audio, Name: "audio_eng", Language: "eng", Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 64_000}}},
	}}
}

// until returns the fragments that are complete at a time of the event and were not returned before.
func (f *feed) until(at time.Duration) []*smooth.Fragment {
	var list []*smooth.Fragment
	r := fmp4.NewStreamReader(bytes.NewReader(f.enc.Until(at)))
	for {
		_, err := r.Next()
		if err == io.EOF {
			return list
		}
		require.NoError(f.t, err)
		b, err := r.Append(nil, 1<<20)
		require.NoError(f.t, err)
		head, err := fmp4.Inspect(b, 0, fmp4.Defaults{})
		require.NoError(f.t, err)
		_, err = r.Next()
		require.NoError(f.t, err)
		b, err = r.Append(b, 1<<20)
		require.NoError(f.t, err)
		list = append(list, f.fragment(b, &head))
	}
}

func (f *feed) fragment(b []byte, head *fmp4.Head) *smooth.Fragment {
	tr := f.input.Tracks[head.TrackID-1]
	k := tr.Key
	k.Time = head.Time
	f.sent[k] = b[fmp4.MoofSize(b)+8:]
	f.order = append(f.order, k)
	return smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: second, Duration: head.Duration, Codec: tr.Codec, Memory: b, HeadLen: fmp4.MoofSize(b) + 8,
	})
}

// begin begins a recording.
func (f *feed) begin(a *archive.Archive) smooth.Recording {
	r, err := a.Begin(f.t.Context(), f.event)
	require.NoError(f.t, err)
	r.(interface{ Clock(uint64, time.Time) }).Clock(f.first, f.event.Started)
	require.NoError(f.t, r.Declare(f.t.Context(), f.input))
	return r
}

// record records what comes until a time.
func (f *feed) record(r smooth.Recording, at time.Duration) {
	for _, frag := range f.until(at) {
		require.NoError(f.t, r.Append(f.t.Context(), f.input.ID, frag))
	}
}

// quiet are options without a log.
func quiet() *archive.Options {
	return &archive.Options{Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return begun.Add(time.Minute) }}
}

// open opens an archive in a store, and closes it at the end of the test.
func open(t testing.TB, store archive.Store, opts *archive.Options) *archive.Archive {
	a, err := archive.NewStore(t.Context(), store, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// content returns the fragments of a presentation that are listed or were sent.
func content(t testing.TB, p smooth.Presentation, sent ...*feed) map[smooth.FragmentKey][]byte {
	snap, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	wanted := make(map[smooth.FragmentKey]bool)
	for _, tr := range snap.Periods[0].Tracks {
		for _, c := range snap.Manifest.Stream(tr.Stream).Timeline {
			wanted[smooth.FragmentKey{Stream: tr.Stream, Attrs: tr.Attrs, Bitrate: tr.Bitrate, Time: c.Time}] = true
		}
	}
	for _, f := range sent {
		for k := range f.sent {
			wanted[k] = true
		}
	}
	got := make(map[smooth.FragmentKey][]byte)
	for k := range wanted {
		f, err := p.Fragment(t.Context(), k)
		if err != nil {
			require.ErrorIs(t, err, smooth.ErrNotFound)
			continue
		}
		b, err := f.Load(t.Context(), nil)
		require.NoError(t, err)
		got[k] = bytes.Clone(b)
		f.Close()
	}
	return got
}

// files returns the content of a presentation in a store, as any server of package smooth has it.
func files(t testing.TB, store smooth.Files, name string, sent ...*feed) map[smooth.FragmentKey][]byte {
	src := smooth.NewFileSource(store, &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
	defer func() { require.NoError(t, src.Close()) }()
	p, err := src.Open(context.Background(), name)
	require.NoError(t, err, name)
	defer p.Close()
	return content(t, p, sent...)
}

// same compares fragments by their sample data.
func same(t testing.TB, want, got map[smooth.FragmentKey][]byte) {
	t.Helper()
	for k, b := range want {
		g, ok := got[k]
		require.True(t, ok, "no fragment %+v", k)
		require.Equal(t, len(b), len(g), "fragment %+v", k)
		require.True(t, bytes.Equal(b, g), "fragment %+v", k)
	}
	for k := range got {
		_, ok := want[k]
		require.True(t, ok, "a fragment %+v that was not sent", k)
	}
}

// newArchive opens an archive that the test closes.
func newArchive(t testing.TB, store archive.Store) (*archive.Archive, error) {
	return archive.NewStore(t.Context(), store, quiet())
}
