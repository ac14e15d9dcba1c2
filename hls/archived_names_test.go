package hls_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// ExampleWithArchives serves a directory of presentations and archives.
func ExampleWithArchives() {
	source := hls.WithArchives(smooth.Dir("/srv/media", nil), nil)
	defer source.Close()
	outputs := []smooth.Output{hls.NewOutput(nil)}
	http.Handle("/video/", http.StripPrefix("/video", smooth.NewHandler(source, &smooth.HandlerOptions{Outputs: outputs})))
}

// tracksOfArchive returns the streams and bit rates of an archive, in order.
func tracksOfArchive(t *testing.T, src *hls.ArchiveSource, name string) (list []smooth.Track) {
	t.Helper()
	p, err := src.Open(t.Context(), name)
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, tr := range s.Periods[0].Tracks {
		list = append(list, smooth.Track{Stream: tr.Stream, Bitrate: tr.Bitrate})
	}
	return list
}

// TestArchiveTracks: what a server manifest may say, and which files and tracks that makes.
func TestArchiveTracks(t *testing.T) {
	muxed := archiveTS{seconds: 4, seed: 1}.make(t)
	sound := archiveTS{seconds: 4, noVideo: true, seed: 2}.make(t)
	for _, c := range []struct {
		name   string
		tracks []string
		files  []any
		want   []smooth.Track
	}{
		{"index beside the file", []string{"video 300 d/A.ismx"}, []any{"x/d/a.TS", muxed}, []smooth.Track{{Stream: "video", Bitrate: 300}}},
		{"one index for all", []string{"video 300 A.ismx", "video 400 A.ismx", "video 500 A.ismx", "video 600 A.ismx"},
			[]any{"x/E_300.ts", muxed, "x/400-E.ts", muxed, "x/E_6000.ts", muxed, "x/500 a.ts", muxed, "x/500 b.ts", muxed, "x/300.ismx", sound},
			[]smooth.Track{{Stream: "video", Bitrate: 300}, {Stream: "video", Bitrate: 400}}},
		{"backslash and escape", []string{`video 300 d\a%20b.ts`}, []any{"x/d/a b.ts", muxed}, []smooth.Track{{Stream: "video", Bitrate: 300}}},
		{"from the root", []string{"video 300 /y/a.ts"}, []any{"y/a.ts", muxed}, []smooth.Track{{Stream: "video", Bitrate: 300}}},
		{"sound of the same file", []string{"video 300 a.ts", "audio 64 a.ts"}, []any{"x/a.ts", muxed}, []smooth.Track{{Stream: "video", Bitrate: 300}}},
		{"sound that is called video", []string{"video 300 a.ts", "video 64 b.ts", "video 32 c.ts"},
			[]any{"x/a.ts", muxed, "x/b.ts", sound, "x/c.ts", sound},
			[]smooth.Track{{Stream: "video", Bitrate: 300}, {Stream: "video_audio", Bitrate: 64}, {Stream: "video_audio", Bitrate: 32}}},
		{"twice", []string{"video 300 a.ts", "video 300 b.ts"}, []any{"x/a.ts", muxed, "x/b.ts", muxed}, []smooth.Track{{Stream: "video", Bitrate: 300}}},
		{"no bit rate", []string{"audio 0 a.ts"}, []any{"x/a.ts", sound}, []smooth.Track{{Stream: "audio", Bitrate: uint64(len(sound)) * 8 / 4}}},
		{"others beside", []string{"video 300 a.ts", "textstream 1 t.ismt", "video 9 v.ismv"}, []any{"x/a.ts", muxed}, []smooth.Track{{Stream: "video", Bitrate: 300}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map2fs(append(c.files, "x/E-m3u8-aapl.ism", archiveISM(c.tracks...))...)
			got := tracksOfArchive(t, serveArchives(t, files, nil).ArchiveSource, "x/E.ism")
			require.Len(t, got, len(c.want), "%v", got)
			for i, w := range c.want {
				assert.Equal(t, w.Stream, got[i].Stream)
				assert.InEpsilon(t, w.Bitrate, got[i].Bitrate, 0.05)
			}
		})
	}
}

// TestArchiveBudget: with room for one index, two archives take turns.
func TestArchiveBudget(t *testing.T) {
	files := map2fs("a-m3u8-aapl.ism", archiveISM("video 300 v.ts"), "b-m3u8-aapl.ism", archiveISM("video 400 v.ts"), "v.ts", archiveTS{seconds: 4}.make(t))
	src := hls.WithArchives(smooth.FS(files, nil), &hls.ArchiveOptions{MaxIndexBytes: 1, Logger: quiet})
	defer src.Close()
	held, err := src.Open(t.Context(), "a.ism")
	require.NoError(t, err)
	for range 3 {
		assert.EqualValues(t, 300, tracksOfArchive(t, src, "a.ism")[0].Bitrate)
		assert.EqualValues(t, 400, tracksOfArchive(t, src, "b-m3u8-aapl.ism")[0].Bitrate)
	}
	_, err = held.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: 300})
	assert.ErrorIs(t, err, smooth.ErrUnsupported, "is still what it was")
	require.NoError(t, held.Close())
}

// TestArchiveReuse: when one file changes, the others are not read again.
func TestArchiveReuse(t *testing.T) {
	files := map2fs("a-m3u8-aapl.ism", archiveISM("video 300 v.ts", "video 400 w.ts"),
		"v.ts", archiveTS{seconds: 4}.make(t), "w.ts", archiveTS{seconds: 4}.make(t))
	src := hls.WithArchives(smooth.FS(files, nil), &hls.ArchiveOptions{Revalidate: -1, Logger: quiet})
	defer src.Close()
	assert.Len(t, tracksOfArchive(t, src, "a.ism"), 2)
	files["w.ts"] = archiveFile(archiveTS{seconds: 4, gop: 100}.make(t))
	clear(files["v.ts"].Data) // which is not noticed, as its version is the same
	assert.Len(t, tracksOfArchive(t, src, "a.ism"), 2)
}

// TestArchiveCancelled: who goes away does not wait, and does not stop the load for others.
func TestArchiveCancelled(t *testing.T) {
	src := hls.WithArchives(smooth.FS(eventArchive(t), nil), &hls.ArchiveOptions{Logger: quiet})
	defer src.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p, err := src.Open(ctx, "live/Event-m3u8-aapl.ism"); err == nil { // it may be quick
		p.Close()
	}
	assert.Len(t, tracksOfArchive(t, src, "live/Event.ism"), 3)
}

// TestArchivePlainWins: a presentation that comes beside an archive takes its name.
func TestArchivePlainWins(t *testing.T) {
	files := map2fs("E-m3u8-aapl.ism", archiveISM("video 300 v.ts"), "v.ts", archiveTS{seconds: 4}.make(t), "w.ts", archiveTS{seconds: 4}.make(t))
	src := serveArchives(t, files, nil)
	assert.EqualValues(t, 300, tracksOfArchive(t, src.ArchiveSource, "E.ism")[0].Bitrate)
	sampleInto(t, files, "E.ism")
	p, err := src.Open(t.Context(), "E.ism")
	require.NoError(t, err)
	defer p.Close()
	assert.Implements(t, (*smooth.Sizer)(nil), p, "the presentation itself")
}

// sampleInto adds the sample under another name.
func sampleInto(t *testing.T, files fstest.MapFS, name string) {
	t.Helper()
	for from, f := range sampleFilesFS(t) {
		if from == "sample.ism" {
			from = name
		}
		files[from] = f
	}
}

// TestArchiveCost: an archive that took three seconds to read is not looked at again before 24 are over.
func TestArchiveCost(t *testing.T) {
	files := map2fs("a-m3u8-aapl.ism", archiveISM("video 300 v.ts"), "v.ts", archiveTS{seconds: 4}.make(t))
	var now atomic.Int64
	step := int64(3 * time.Second)
	src := hls.WithArchives(smooth.FS(files, &smooth.FileOptions{Revalidate: -1}), &hls.ArchiveOptions{
		Logger: quiet, Now: func() time.Time { return time.Unix(0, now.Add(step)) },
	})
	defer src.Close()
	assert.EqualValues(t, 300, tracksOfArchive(t, src, "a.ism")[0].Bitrate)
	step = 0
	files["a-m3u8-aapl.ism"] = archiveFile(archiveISM("video 300000 v.ts"))
	now.Add(int64(10 * time.Second))
	assert.EqualValues(t, 300, tracksOfArchive(t, src, "a.ism")[0].Bitrate)
	now.Add(int64(20 * time.Second))
	assert.EqualValues(t, 300_000, tracksOfArchive(t, src, "a.ism")[0].Bitrate)
}
