package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
)

// stitchedList is a source of one stitched presentation, called list.ism.
type stitchedList struct{ p *playlist.Stitched }

func (s stitchedList) Open(_ context.Context, name string) (smooth.Presentation, error) {
	if name != "list.ism" {
		return nil, smooth.ErrNotFound
	}
	return s.p, nil
}

// stitched returns a programme, an advertisement with a picture of another size, and the programme again, of six seconds
// each, and the names of the files.
func stitched(t *testing.T) (stitchedList, []string) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	files := []string{testmedia.Media(t, "low.mp4"), testmedia.Media(t, "high.mp4"), testmedia.Media(t, "low.mp4")}
	source := smooth.Dir(filepath.Dir(files[0]), &smooth.FileOptions{Logger: log})
	t.Cleanup(func() { require.NoError(t, source.Close()) })
	var parts []playlist.Part
	for i, f := range files {
		parts = append(parts, playlist.Part{Name: filepath.Base(f), Entry: i + 1})
	}
	return stitchedList{playlist.NewStitched(source, "list", parts, &playlist.StitchOptions{Logger: log})}, files
}

// TestStitchedPlayers plays over both changes of the picture, with a seek in between.
func TestStitchedPlayers(t *testing.T) {
	browser := chromium(t)
	list, _ := stitched(t)
	base := serveSource(t, list, slog.Default(), nil) + "list.ism/"
	for _, c := range []struct{ player, path string }{
		{"dash", "Manifest"}, {"rx", "Manifest"}, {"hls", master("m3u8-aapl")}, {"native", master("m3u8-aapl")},
	} {
		t.Run(c.player, func(t *testing.T) {
			twice(t, func() error {
				o := order{Player: c.player, URL: base + c.path, Seconds: 7, Seek: 10.5, After: 2, Chromium: browser, Brief: true, muxed: true}
				r, err := play(t, o)
				if err == nil && !slices.Equal(r.Heights[max(len(r.Heights)-3, 0):], []int{36, 72, 36}) {
					err = fmt.Errorf("heights of the picture: %v", r.Heights)
				}
				return err
			})
		})
	}
}

// stitchedFrames decodes files one after the other.
func stitchedFrames(t *testing.T, files []string) (frames []string) {
	t.Helper()
	for _, f := range files {
		part, complaints := decoded(t, f, "v")
		require.Empty(t, complaints)
		require.Len(t, part, 150)
		frames = append(frames, part...)
	}
	return frames
}

// TestStitchedFrames decodes the fragments of Smooth Streaming with ffmpeg, which is told the configuration in the manifest
// alone, as players are, and the segments of HLS. All frames are those of the files.
func TestStitchedFrames(t *testing.T) {
	need(t, "ffmpeg")
	list, files := stitched(t)
	want := stitchedFrames(t, files)
	got, complaints := decoded(t, fragmentsFile(t, list.p), "v", "-autoscale", "0")
	assert.Empty(t, complaints)
	assert.Equal(t, want, got)

	base := serveSource(t, list, slog.Default(), nil) + "list.ism/"
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3"} {
		got, _ := decoded(t, base+master(format), "v:0", "-autoscale", "0")
		assert.Equal(t, want, got, format)
	}
	resp, err := http.Get(base + "Manifest")
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}

// fragmentsFile writes an init segment of what the manifest says of the picture, and all fragments behind it.
func fragmentsFile(t *testing.T, p *playlist.Stitched) string {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	st := s.Manifest.Stream("video")
	codec, err := smooth.CodecFromQualityLevel(smooth.Video, st, st.Levels[0])
	require.NoError(t, err)
	entry, err := codec.BuildSampleEntry()
	require.NoError(t, err)
	init := fmp4.InitSegment{Brand: "isml", TrackID: 1, Timescale: smooth.DefaultTimescale, Kind: "video", Width: 128, Height: 72, Entry: entry}
	data, err := init.Encode()
	require.NoError(t, err)
	file, err := os.Create(filepath.Join(t.TempDir(), "list.mp4"))
	require.NoError(t, err)
	defer file.Close()
	_, err = file.Write(data)
	require.NoError(t, err)
	for _, c := range st.Timeline {
		f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: st.Levels[0].Bitrate, Time: c.Time})
		require.NoError(t, err)
		_, err = f.WriteTo(file)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	return file.Name()
}
