package repair_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// azureISM is what Azure Media Services writes about an archive: sources without an extension are directories.
const azureISM = `<?xml version="1.0" encoding="utf-8"?><smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head>
<meta name="clientManifestRelativePath" content="event.ismc"/><meta name="formats" content="vod-fmp4"/></head><body><switch>
<video src="video_900" systemBitrate="900000"><param name="trackID" value="%d" valuetype="data"/><param name="trackName" value="video" valuetype="data"/></video>
<video src="video_300" systemBitrate="300000"><param name="trackID" value="1" valuetype="data"/><param name="trackName" value="video" valuetype="data"/></video>
<audio src="audio" systemBitrate="64000" systemLanguage="eng"><param name="trackID" value="1" valuetype="data"/><param name="trackName" value="audio" valuetype="data"/></audio>
</switch></body></smil>`

// azureTrack writes the directory of a track.
func azureTrack(t testing.TB, s *lossy.Store, dir string, kind smooth.StreamType, rate uint64, seconds int, wrap func(i int, fragment []byte) []byte) {
	t.Helper()
	e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{{Type: kind, Start: 9e9, Levels: []smoothtest.Level{{Bitrate: rate}}}}})
	put(t, s, dir+"/header", e.Header())
	for i := 0; i < seconds/2; i++ {
		f := e.Until(secondsOf(2 * (i + 1)))
		require.NotEmpty(t, f)
		if wrap != nil {
			f = wrap(i, f)
		}
		put(t, s, fmt.Sprintf("%s/%d", dir, uint64(9e9)+uint64(i)*2e7), f)
	}
}

func azureArchive(t testing.TB, seconds int) *lossy.Store {
	s := lossy.New()
	azureTrack(t, s, "asset/video_900", smooth.Video, 900_000, seconds, nil)
	azureTrack(t, s, "asset/video_300", smooth.Video, 300_000, seconds, nil)
	azureTrack(t, s, "asset/audio", smooth.Audio, 64_000, seconds, nil)
	put(t, s, "asset/event.ism", fmt.Appendf(nil, azureISM, 1))
	return s
}

func TestAzure(t *testing.T) {
	s := azureArchive(t, 20)
	before := files(t, s)
	a := mend(t, s)
	require.Equal(t, "asset/event.ism", a.Name)
	require.True(t, a.Has(repair.AzureArchive))
	m := manifestOf(t, s, a.Name)
	require.Len(t, m.Streams, 2)
	require.Len(t, m.Streams[0].Levels, 2)
	require.Len(t, m.Streams[0].Timeline, 10)
	require.EqualValues(t, 9e9, m.Streams[0].Timeline.Start())
	require.Equal(t, before["asset/event.ism"], string(get(t, s, "asset/event.ism.before")))
	require.NotContains(t, string(get(t, s, "asset/event.ism")), "vod-fmp4")
	for name, data := range before {
		if name != "asset/event.ism" {
			require.Equal(t, data, string(get(t, s, name)), name)
		}
	}
	require.Len(t, payloads(t, s, a.Name), 30)
}

// TestAzureInTheWay: a file that has the name of the one that is to be made stays, unless an interrupted run has left it.
func TestAzureInTheWay(t *testing.T) {
	s := azureArchive(t, 6)
	header := string(get(t, s, "asset/video_300/header"))
	all := header + string(get(t, s, "asset/video_300/9000000000")) + string(get(t, s, "asset/video_300/9020000000"))
	for _, data := range []string{"something else", header + strings.Repeat("x", 1<<22), all + all + all} {
		put(t, s, "asset/video_300.ismv", []byte(data))
		before := files(t, s)
		r, err := repair.Repair(t.Context(), s, ".", nil)
		a := one(t, r, err)
		require.True(t, !a.Plays && a.Has(repair.FileInTheWay), "%v", r)
		for name, data := range before {
			require.Equal(t, data, string(get(t, s, name)), name)
		}
	}
	for _, data := range []string{"", header[:9], all, strings.Repeat("\x00", 500)} {
		s := azureArchive(t, 6)
		put(t, s, "asset/video_300.ismv", []byte(data))
		require.Len(t, payloads(t, s, mend(t, s).Name), 9)
	}
}

// TestAzureWithoutManifests: directories alone.
func TestAzureWithoutManifests(t *testing.T) {
	s := azureArchive(t, 6)
	require.NoError(t, s.Remove(t.Context(), "asset/event.ism"))
	a := mend(t, s)
	require.Equal(t, "asset/asset.ism", a.Name)
	require.Len(t, payloads(t, s, a.Name), 9)
}

// TestAzureTrackID: the number in the server manifest is not that of the header.
func TestAzureTrackID(t *testing.T) {
	s := azureArchive(t, 6)
	put(t, s, "asset/event.ism", fmt.Appendf(nil, azureISM, 77))
	a := mend(t, s)
	require.True(t, a.Has(repair.IsmTrack))
	require.Len(t, payloads(t, s, a.Name), 9)
}

// TestAzureLowLatency: chunks that begin with styp and prft.
func TestAzureLowLatency(t *testing.T) {
	s := azureArchive(t, 8)
	styp := []byte("\x00\x00\x00\x18stypmsdh\x00\x00\x00\x00msdhmsix")
	prft := []byte("\x00\x00\x00\x1cprft\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	azureTrack(t, s, "asset/video_300", smooth.Video, 300_000, 8, func(_ int, f []byte) []byte { return append(append(append([]byte(nil), styp...), prft...), f...) })
	a := mend(t, s)
	require.Len(t, payloads(t, s, a.Name), 12)
	require.NotContains(t, string(get(t, s, "asset/video_300.ismv")), "prft")
}

// TestAzureDamage: a chunk that is torn, one that is empty, one that is gone.
func TestAzureDamage(t *testing.T) {
	s := azureArchive(t, 20)
	for _, dir := range []string{"asset/video_900", "asset/video_300", "asset/audio"} {
		require.NoError(t, s.Remove(t.Context(), dir+"/9060000000"))
	}
	name := "asset/audio/9180000000"
	b := get(t, s, name)
	put(t, s, name, b[:len(b)-5])
	put(t, s, "asset/video_300/9180000000", nil)
	r, err := repair.Repair(t.Context(), s, "asset", nil)
	a := one(t, r, err)
	require.True(t, a.Plays, "%v", r)
	require.True(t, a.Has(repair.ChunkTorn), "%v", r)
	require.True(t, a.Has(repair.Gap), "%v", r)
	m := manifestOf(t, s, a.Name)
	require.Len(t, m.Streams[0].Timeline, 8)
	require.Len(t, m.Streams[1].Timeline, 8)
	settled(t, s)
}

// TestAzureTimes: fragments that state no time have that of their file.
func TestAzureTimes(t *testing.T) {
	s := azureArchive(t, 8)
	azureTrack(t, s, "asset/video_900", smooth.Video, 900_000, 8, func(_ int, f []byte) []byte { return untimed(t, f) })
	a := mend(t, s)
	require.True(t, a.Has(repair.TimesDerived))
	m := manifestOf(t, s, a.Name)
	require.EqualValues(t, 9e9, m.Streams[0].Timeline.Start())
	require.Len(t, m.Streams[0].Levels, 2)
}

// untimed takes the tfxd box out of the fragments in b.
func untimed(t testing.TB, b []byte) []byte {
	return recode(t, b, func(h *fmp4.FragmentHead) { h.Tfxd = false })
}
