package repair_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/repair"
)

func secondsOf(n int) time.Duration { return time.Duration(n) * time.Second }

// TestGood: nothing is wrong with a good presentation, and nothing is done to it.
func TestGood(t *testing.T) {
	s := sample(t)
	a := check(t, s)
	require.Equal(t, &repair.Asset{Name: sampleISM, Plays: true}, a)
	settled(t, s)
}

// TestArchiveOfIIS: what IIS leaves when it crashes.
func TestArchiveOfIIS(t *testing.T) {
	s := iisArchive(t, 20)
	a := mend(t, s)
	for _, code := range []string{repair.MfraMissing, repair.IsmEmpty, repair.IsmcEmpty} {
		require.True(t, a.Has(code), "%s: %+v", code, a)
	}
	m := manifestOf(t, s, point+"live.ism")
	require.Len(t, m.Streams, 2)
	require.Equal(t, "video", m.Streams[0].Name)
	require.Len(t, m.Streams[0].Levels, 2)
	require.EqualValues(t, 900_000, m.Streams[0].Levels[0].Bitrate)
	require.EqualValues(t, 16e16, m.Streams[0].Timeline.Start())
	require.EqualValues(t, 16e16+20e7, m.Streams[0].Timeline.End())
	require.Equal(t, "audio_fra", m.Streams[1].Name)
	require.Equal(t, "fra", m.Streams[1].Language)
	require.Len(t, payloads(t, s, point+"live.ism"), 30)
}
