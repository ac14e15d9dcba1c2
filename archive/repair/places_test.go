package repair_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// mediaOf returns an unfinished media file of an encoder with one track.
func mediaOf(kind smooth.StreamType, rate uint64, lang string, seconds int) []byte {
	e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{{Type: kind, Language: lang, Start: 1e9, Levels: []smoothtest.Level{{Bitrate: rate}}}}})
	return append(e.Header(), e.Until(secondsOf(seconds))...)
}

// silent returns a media file without what the encoder says of it.
func silent(t testing.TB, b []byte) []byte {
	t.Helper()
	sc := fmp4.NewScanner(bytes.NewReader(b), 0, int64(len(b)))
	for {
		h, err := sc.Next()
		require.NoError(t, err)
		if h.UUID == fmp4.UUIDLiveServerManifest {
			return append(bytes.Clone(b[:h.Offset]), b[h.End():]...)
		}
	}
}

// TestNames: what a presentation is called that has no manifest.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		want  string
		files []string
	}{
		{"a/cam.ism", []string{"a/cam.ismv"}},
		{"a/film.ism", []string{"a/film_1.ismv", "a/film_2.ismv"}},
		{"a/a.ism", []string{"a/one.ismv", "a/two.ismv"}},
		{"presentation.ism", []string{"one.ismv", "two.ismv"}},
		{"live/demo-isml/20260702/1/demo.ism", []string{"live/demo-isml/20260702/1/enc1.ismv", "live/demo-isml/20260702/1/enc2.ismv"}},
		{"a/100% & <more>.ism", []string{"a/100% & <more>.ismv"}},
		{"a/%41.ism", []string{"a/%41.ismv"}},
	} {
		s := lossy.New()
		for i, name := range c.files {
			put(t, s, name, mediaOf(smooth.Video, uint64(i+1)*300_000, "", 6))
		}
		a := mend(t, s)
		require.Equal(t, c.want, a.Name)
		require.Len(t, manifestOf(t, s, a.Name).Streams[0].Levels, len(c.files))
	}
}

// TestSeveral: presentations in one directory do not take each other's files.
func TestSeveral(t *testing.T) {
	s := sample(t)
	put(t, s, "film/other.ism", nil)
	put(t, s, "film/other_1.ismv", mediaOf(smooth.Video, 300_000, "", 6))
	put(t, s, "film/stray.ismv", mediaOf(smooth.Video, 200_000, "", 6))
	put(t, s, "film/sample-m3u8-aapl.ism", []byte("of another format"))
	r, err := repair.Repair(t.Context(), s, ".", nil)
	require.NoError(t, err)
	require.Len(t, r.Assets, 2, "%v", r)
	require.Equal(t, "film/other.ism", r.Assets[0].Name)
	require.True(t, r.Assets[0].Plays && r.Assets[1].Plays, "%v", r)
	require.Len(t, r.Assets[1].Done, 0)
	require.Len(t, manifestOf(t, s, "film/other.ism").Streams[0].Levels, 2, "what nobody else claims goes to the one that knows nothing")
	r, err = repair.Repair(t.Context(), s, ".", nil)
	require.NoError(t, err)
	require.Zero(t, r.Faults()+r.Done(), "%v", r)
}

// TestStray: a file that is no part of the only presentation of a directory is reported, not added.
func TestStray(t *testing.T) {
	for name, b := range map[string][]byte{
		"other time":  silent(t, mediaOf(smooth.Video, 300_000, "", 6)),
		"same sound":  silent(t, mediaOf(smooth.Audio, 64_000, "eng", 6)),
		"other times": silent(t, shifted(t, 7_000_000)),
	} {
		t.Run(name, func(t *testing.T) {
			s := sample(t)
			put(t, s, "film/stray.ismv", b)
			r, err := repair.Repair(t.Context(), s, ".", nil)
			a := one(t, r, err)
			require.True(t, a.Has(repair.FileUnlisted), "%v", r)
			require.False(t, a.Has(repair.IsmLacks), "%v", r)
			require.True(t, a.Plays)
			settled(t, s)
		})
	}
}

// shifted returns a video whose fragments start elsewhere than others.
func shifted(t testing.TB, by uint64) []byte {
	e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{{Type: smooth.Video, Start: by, Levels: []smoothtest.Level{{Bitrate: 300_000}}}}})
	return append(e.Header(), e.Until(secondsOf(30))...)
}

// TestRedundant: two encoders have sent the same track into files of their own.
func TestRedundant(t *testing.T) {
	s := lossy.New()
	put(t, s, "rec/a.ismv", mediaOf(smooth.Video, 300_000, "", 8))
	put(t, s, "rec/b.ismv", mediaOf(smooth.Video, 300_000, "", 6))
	put(t, s, "rec/rec.ism", nil)
	a := mend(t, s)
	require.True(t, a.Has(repair.FileUnlisted), "%+v", a)
	m := manifestOf(t, s, a.Name)
	require.Len(t, m.Streams[0].Levels, 1)
	require.Len(t, m.Streams[0].Timeline, 4)
}

// TestLanguages: streams get the names of their type and language if nobody has said anything else.
func TestLanguages(t *testing.T) {
	s := lossy.New()
	put(t, s, "rec/v.ismv", silent(t, mediaOf(smooth.Video, 300_000, "", 8)))
	put(t, s, "rec/e.isma", silent(t, mediaOf(smooth.Audio, 64_000, "eng", 8)))
	put(t, s, "rec/f.isma", silent(t, mediaOf(smooth.Audio, 64_000, "fra", 8)))
	put(t, s, "rec/rec.ism", nil)
	a := mend(t, s)
	m := manifestOf(t, s, a.Name)
	require.Len(t, m.Streams, 3)
	require.NotNil(t, m.Stream("video"))
	require.Equal(t, "eng", m.Stream("audio_eng").Language)
	require.Equal(t, "fra", m.Stream("audio_fra").Language)
	require.Greater(t, m.Stream("video").Levels[0].Bitrate, uint64(1000), "it was measured")
}

// TestHoleAmongTracks: a hole in a file of several tracks; what is around it moves, with the others' fragments.
func TestHoleAmongTracks(t *testing.T) {
	s := iisArchive(t, 200)
	name := point + "9092-stream2.ismv"
	b := get(t, s, name)
	list, _ := moofs(t, b)
	clear(b[list[100]+16 : list[101]+16])
	put(t, s, name, b)
	a := mend(t, s)
	require.True(t, a.Has(repair.Hole) && a.Has(repair.LevelLacks), "%+v", a)
	require.Equal(t, b, get(t, s, name))
	require.GreaterOrEqual(t, len(payloads(t, s, a.Name)), 298-2)
}

// TestNothing: directories without presentations, and presentations without media.
func TestNothing(t *testing.T) {
	s := lossy.New()
	put(t, s, "a/readme.txt", []byte("hello"))
	put(t, s, "b/film.ism", []byte(`<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><body><switch><video src="film.mp4"/></switch></body></smil>`))
	r, err := repair.Repair(t.Context(), s, ".", nil)
	require.NoError(t, err)
	require.Empty(t, r.Assets)
	require.Equal(t, "no presentation found\n", r.String())
	put(t, s, "c/film.ism", nil)
	r, err = repair.Repair(t.Context(), s, ".", nil)
	a := one(t, r, err)
	require.False(t, a.Plays)
	require.Zero(t, a.Faults(), "there is nothing to make it of")
	_, err = repair.Repair(t.Context(), s, "nowhere", nil)
	require.Error(t, err)
}

// TestReport: the report as text and as JSON.
func TestReport(t *testing.T) {
	s := iisArchive(t, 8)
	name := point + "9092-stream2.ismv"
	put(t, s, name, append(get(t, s, name), noise(50)...))
	r, err := repair.Check(t.Context(), s, ".", nil)
	require.NoError(t, err)
	var b bytes.Buffer
	n, err := r.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	require.Equal(t, r.String(), b.String())
	for _, part := range []string{"live.ism: does not play: ", "fault torn-tail: " + name + " at byte ", "fault ism-empty: "} {
		require.Contains(t, b.String(), part)
	}
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var again repair.Report
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, r, &again)
	require.Contains(t, string(data), `"code":"torn-tail"`)
}

// TestManyFaults: of the same fault in thousands of places a few are reported, and the number.
func TestManyFaults(t *testing.T) {
	s := lossy.New()
	e := smoothtest.NewEncoder(smoothtest.Config{MaxPayload: 100, Streams: []smoothtest.Stream{{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 300_000}}}}})
	b := e.Header()
	for i := range 100 {
		b = append(append(b, e.Until(secondsOf(2*i+2))...), noise(30)...)
	}
	put(t, s, "rec/a.ismv", b)
	r, err := repair.Repair(t.Context(), s, ".", nil)
	a := one(t, r, err)
	require.True(t, a.Plays, "%v", r)
	require.Positive(t, a.Suppressed[repair.Hole])
	require.Contains(t, r.String(), fmt.Sprintf("and %d more of hole", a.Suppressed[repair.Hole]))
	require.Equal(t, 20, strings.Count(r.String(), "fault hole:"))
	require.Len(t, manifestOf(t, s, a.Name).Streams[0].Timeline, 100)
	settled(t, s)
}

// TestSparse: a control stream keeps what the encoder has said of it, and its data is in the client manifest.
func TestSparse(t *testing.T) {
	s := lossy.New()
	e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 300_000}}},
		{Type: smooth.Text, Name: "ads", Subtype: "DATA", Parent: "video", Start: 6e7, Durations: []uint64{8e7, 12e7}, Levels: []smoothtest.Level{{Bitrate: 1000}}},
	}})
	put(t, s, "rec/a.ismv", append(e.Header(), e.Until(secondsOf(40))...))
	put(t, s, "rec/rec.ism", nil)
	a := mend(t, s)
	m := manifestOf(t, s, a.Name)
	require.Len(t, m.Streams, 2, "%+v", a)
	ads := m.Stream("ads")
	require.NotNil(t, ads)
	require.Equal(t, "video", ads.Parent)
	require.Equal(t, "DATA", ads.Subtype)
	require.EqualValues(t, 6e7, ads.Timeline[0].Time)
}

// TestHostile: boxes that are nearly fragments by the ten thousand do not keep a check for long.
func TestHostile(t *testing.T) {
	head := mediaOf(smooth.Video, 300_000, "", 2)
	list, _ := moofs(t, head)
	b := bytes.Clone(head[:list[0]])
	for range 17_000 { // a box that is none, a moof with a million samples of no size
		b = append(b, "\xff\xff\xff\xff\x00\x00\x00\x00"+
			"\x00\x00\x00\x48moof\x00\x00\x00\x10mfhd\x00\x00\x00\x00\x00\x00\x00\x01"+
			"\x00\x00\x00\x30traf\x00\x00\x00\x10tfhd\x00\x02\x00\x00\x00\x00\x00\x01"+
			"\x00\x00\x00\x18trun\x00\x00\x00\x05\x00\x0f\xff\xff\x00\x00\x00\x50\x00\x00\x00\x00"+
			"\x00\x00\x00\x08mdat"...)
	}
	s := lossy.New()
	put(t, s, "x/a.ismv", b)
	r, err := repair.Check(t.Context(), s, ".", nil)
	a := one(t, r, err)
	require.False(t, a.Plays)
	require.True(t, a.Has(repair.TooLarge), "%v", r)
}

// TestUnreadable: a file that cannot be read is an error, and no reason not to look at other presentations.
func TestUnreadable(t *testing.T) {
	s := sample(t)
	put(t, s, "a/a.ismv", mediaOf(smooth.Video, 300_000, "", 6))
	put(t, s, "b/b.ismv", mediaOf(smooth.Video, 300_000, "", 6))
	broken := errors.New("the disk is broken")
	s.SetFault(func(op lossy.Op, name string, _ int64) error {
		if op == lossy.Read && name == "a/a.ismv" {
			return broken
		}
		return nil
	})
	r, err := repair.Repair(t.Context(), s, ".", nil)
	require.ErrorIs(t, err, broken)
	require.Len(t, r.Assets, 3)
	require.False(t, r.Assets[0].Plays)
	require.Contains(t, r.Assets[0].Problem, "broken")
	require.True(t, r.Assets[1].Plays && r.Assets[2].Plays, "%v", r)

	s.SetFault(func(op lossy.Op, name string, _ int64) error {
		if op == lossy.ReadDir && name == "a" {
			return broken
		}
		return nil
	})
	r, err = repair.Check(t.Context(), s, ".", nil)
	require.ErrorIs(t, err, broken)
	require.Len(t, r.Assets, 2, "a directory that cannot be listed")
	r, err = repair.Repair(t.Context(), s, ".", nil)
	require.ErrorIs(t, err, broken)
	require.Empty(t, r.Assets, "what is not seen would be taken for missing")
	s.SetFault(nil)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = repair.Repair(ctx, s, ".", nil)
	require.ErrorIs(t, err, context.Canceled)
}
