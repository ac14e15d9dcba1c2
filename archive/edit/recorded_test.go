package edit_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/edit"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// input describes the encoder of a presentation as a publishing point does.
func input(t testing.TB, c smoothtest.Config, p smooth.Presentation) smooth.InputInfo {
	in := smooth.InputInfo{ID: "encoder", Header: smoothtest.NewEncoder(c).Header(), Manifest: &smooth.ServerManifest{}}
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, st := range s.Manifest.Streams {
		fixed := *st
		fixed.Timeline = nil
		for _, lv := range st.Levels {
			k := smooth.FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Attrs: lv.AttrsKey()}
			in.Tracks = append(in.Tracks, smooth.InputTrack{ID: uint32(len(in.Tracks) + 1), Key: k, Stream: &fixed, Level: lv,
				Codec: s.Track(smooth.FragmentKey{Stream: k.Stream, Bitrate: k.Bitrate, Attrs: k.Attrs, Time: start}).Codec})
		}
	}
	return in
}

// sameSamples is sameFragments for presentations whose fragments differ in track_ID.
func sameSamples(t testing.TB, want, got smooth.Presentation) {
	t.Helper()
	list := keys(manifest(t, want))
	require.ElementsMatch(t, list, keys(manifest(t, got)))
	for _, k := range list {
		require.Equal(t, payload(t, want, k), payload(t, got, k), "%v", k)
	}
}

// TestMergeRecorded joins what an archive has recorded in segments, and writes the event as the archive shows it: both are what came.
func TestMergeRecorded(t *testing.T) {
	c := event()
	p := smoothtest.New(c)
	store := lossy.New()
	a, err := archive.NewStore(t.Context(), store, &archive.Options{Logger: strict(t)})
	require.NoError(t, err)
	defer a.Close()
	r, err := a.Begin(t.Context(), smooth.EventInfo{Point: "live/demo.isml", Started: time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC),
		Archive: smooth.ArchiveSettings{Enabled: true, SegmentLength: 14 * time.Second}})
	require.NoError(t, err)
	require.NoError(t, r.Declare(t.Context(), input(t, c, p)))
	all := keys(manifest(t, p))
	slices.SortStableFunc(all, func(a, b smooth.FragmentKey) int { return int(int64(a.Time - b.Time)) })
	for _, k := range all {
		f, err := p.Fragment(t.Context(), k)
		require.NoError(t, err)
		require.NoError(t, r.Append(t.Context(), "encoder", f))
	}
	require.NoError(t, r.Close(t.Context(), true))

	const dir = "live/demo-isml/20260702T120000Z"
	list, err := edit.Segments(t.Context(), store, dir)
	require.NoError(t, err)
	assert.Greater(t, len(list), 3)
	m, err := edit.Merge(t.Context(), store, dir, store, "whole", nil)
	require.NoError(t, err)
	assert.Zero(t, m.Missing)
	q, _ := opened(t, store, m.Name)
	sameSamples(t, p, q)

	shown, err := a.Open(t.Context(), dir+"/demo.ism")
	require.NoError(t, err)
	defer shown.Close()
	w, err := edit.Write(t.Context(), shown, store, "written", "demo", nil)
	require.NoError(t, err)
	q, _ = opened(t, store, w.Name)
	sameSamples(t, p, q)
}
