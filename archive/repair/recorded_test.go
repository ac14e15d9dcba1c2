package repair_test

import (
	"bytes"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// record lets an archive record so many seconds of an event, in segments of eight seconds. It returns the recording and what was sent.
func record(t *testing.T, a *archive.Archive, seconds int) (smooth.Recording, map[smooth.FragmentKey]string) {
	t.Helper()
	c := smoothtest.Config{MaxPayload: 600, Streams: []smoothtest.Stream{
		{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 800_000}, {Bitrate: 300_000}}},
		{Type: smooth.Audio, Name: "audio_eng", Language: "eng", Levels: []smoothtest.Level{{Bitrate: 64_000}}},
	}}
	e := smoothtest.NewEncoder(c)
	snap, err := smoothtest.New(c).Snapshot(t.Context())
	require.NoError(t, err)
	in := smooth.InputInfo{ID: "enc", Header: e.Header()}
	for i, tr := range snap.Periods[0].Tracks {
		st := *snap.Manifest.Stream(tr.Stream)
		level := st.Level(tr.Bitrate, tr.Attrs)
		st.Timeline, st.Levels, st.URL = nil, nil, ""
		in.Tracks = append(in.Tracks, smooth.InputTrack{ID: uint32(i + 1), Stream: &st, Level: level, Codec: tr.Codec,
			Key: smooth.FragmentKey{Stream: tr.Stream, Attrs: tr.Attrs, Bitrate: tr.Bitrate}})
	}
	r, err := a.Begin(t.Context(), smooth.EventInfo{Point: "live/demo.isml", Started: time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC),
		Archive: smooth.ArchiveSettings{Enabled: true, SegmentLength: 8 * time.Second}})
	require.NoError(t, err)
	require.NoError(t, r.Declare(t.Context(), in))
	sent := make(map[smooth.FragmentKey]string)
	boxes := fmp4.NewStreamReader(bytes.NewReader(e.Until(secondsOf(seconds))))
	for {
		if _, err := boxes.Next(); err == io.EOF {
			return r, sent
		}
		b, err := boxes.Append(nil, 1<<20)
		require.NoError(t, err)
		head, err := fmp4.Inspect(b, 0, fmp4.Defaults{})
		require.NoError(t, err)
		_, err = boxes.Next()
		require.NoError(t, err)
		b, err = boxes.Append(b, 1<<20)
		require.NoError(t, err)
		k := in.Tracks[head.TrackID-1].Key
		k.Time = head.Time
		sent[k] = string(b[head.Size+8:])
		require.NoError(t, r.Append(t.Context(), "enc", smooth.NewFragment(smooth.FragmentInit{Key: k, Timescale: 1e7, Duration: head.Duration,
			Codec: in.Tracks[head.TrackID-1].Codec, Memory: b, HeadLen: head.Size + 8})))
	}
}

func newArchive(t *testing.T, s archive.Store) *archive.Archive {
	t.Helper()
	a, err := archive.NewStore(t.Context(), s, &archive.Options{Logger: slog.New(slog.DiscardHandler), SyncInterval: -1})
	require.NoError(t, err)
	return a
}

// TestFinishedRecording: nothing is wrong with what an archive has finished.
func TestFinishedRecording(t *testing.T) {
	s := lossy.New()
	a := newArchive(t, s)
	r, _ := record(t, a, 20)
	require.NoError(t, r.Close(t.Context(), true))
	require.NoError(t, a.Close())
	report, err := repair.Repair(t.Context(), s, ".", &repair.Options{Payload: true})
	require.NoError(t, err)
	require.Len(t, report.Assets, 3)
	require.Zero(t, report.Faults()+report.Done(), "%v", report)
	for _, asset := range report.Assets {
		require.True(t, asset.Plays, "%v", report)
	}
}

// TestCrashedRecording: the segments of an event whose server has died in the middle become presentations. The server goes on with the
// event afterwards.
func TestCrashedRecording(t *testing.T) {
	s := lossy.New()
	_, sent := record(t, newArchive(t, s), 20)
	s = s.Crash(rand.New(rand.NewPCG(3, 4)))
	report, err := repair.Repair(t.Context(), s, ".", &repair.Options{Payload: true})
	require.NoError(t, err)
	require.Len(t, report.Assets, 3)
	got := make(map[smooth.FragmentKey]string)
	for _, asset := range report.Assets {
		require.True(t, asset.Plays && asset.Has(repair.JournalLeft), "%v", report)
		for k, v := range payloads(t, s, asset.Name) {
			got[k] = v
		}
	}
	require.Equal(t, sent, got)
	report, err = repair.Repair(t.Context(), s, ".", nil)
	require.NoError(t, err)
	require.Zero(t, report.Faults()+report.Done(), "%v", report)

	a := newArchive(t, s)
	defer a.Close()
	p, err := a.Open(t.Context(), "live/demo-isml/20260702T120000Z/demo.ism")
	require.NoError(t, err)
	defer p.Close()
	for k, v := range sent {
		f, err := p.Fragment(t.Context(), k)
		require.NoError(t, err, "%v", k)
		b, err := f.Load(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, v, string(b))
		f.Close()
	}
}
