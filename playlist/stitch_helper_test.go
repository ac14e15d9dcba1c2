package playlist_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/playlist"
	"github.com/smoothkit/smoothkit/smooth"
)

// Presentations of stitchFiles: film.ism has two sizes of picture, H.264 of 128x72 and 64x36 with sound of 22,050 Hz; high.mp4
// and low.mp4 are one of these each; av.mp4 is 160x120 with sound of 48,000 Hz, two.mp4 the same in two languages.
func stitchFiles(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"high.mp4", "low.mp4", "misaligned.mp4", "encrypted.mp4", "german.m4a"} {
		data, err := os.ReadFile(testmedia.Media(t, name))
		require.NoError(t, err)
		files[name] = &fstest.MapFile{Data: data}
	}
	for _, name := range []string{"av.mp4", "two.mp4", "hevc.mp4"} {
		files[name] = &fstest.MapFile{Data: testmedia.File(t, name)}
	}
	files["film/high.mp4"], files["film/low.mp4"] = files["high.mp4"], files["low.mp4"]
	return files
}

// fileSource returns a source of files that looks for changes at every use.
func fileSource(t *testing.T, files fstest.MapFS) *smooth.FileSource {
	t.Helper()
	src := smooth.FS(files, &smooth.FileOptions{Revalidate: -1, Logger: quiet()})
	t.Cleanup(func() { src.Close() })
	return src
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// partsOf returns parts of which the entries are numbered.
func partsOf(names ...string) []playlist.Part {
	var parts []playlist.Part
	for i, name := range names {
		parts = append(parts, playlist.Part{Name: name, Entry: i + 1})
	}
	return parts
}

// stitch returns the presentation of parts.
func stitch(src smooth.Source, names ...string) *playlist.Stitched {
	return playlist.NewStitched(src, "list", partsOf(names...), &playlist.StitchOptions{Logger: quiet()})
}

// one is a source of one presentation.
type one struct {
	name string
	p    smooth.Presentation
}

// errorsOf returns why parts are left out, by position.
func errorsOf(t *testing.T, p *playlist.Stitched) map[int]string {
	t.Helper()
	parts, err := p.Parts(t.Context())
	require.NoError(t, err)
	out := map[int]string{}
	for i, x := range parts {
		if x.Err != nil {
			out[i] = x.Err.Error()
		}
	}
	return out
}

// keysOf returns the key of every fragment of a stream at a level.
func keysOf(st *smooth.Stream, l *smooth.QualityLevel) []smooth.FragmentKey {
	var keys []smooth.FragmentKey
	for _, c := range st.Timeline {
		keys = append(keys, smooth.FragmentKey{Stream: st.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate, Time: c.Time})
	}
	return keys
}

// sampleOf is a sample of a fragment with its bytes.
type sampleOf struct {
	smooth.Sample
	data []byte
}

// samplesOf returns the samples of a fragment, which it closes.
func samplesOf(t *testing.T, p smooth.Presentation, k smooth.FragmentKey) (list []sampleOf, f *smooth.Fragment) {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err)
	defer f.Close()
	data, err := f.Load(t.Context(), nil)
	require.NoError(t, err)
	for s, err := range f.Samples() {
		require.NoError(t, err)
		list = append(list, sampleOf{s, bytes.Clone(data[s.Offset : s.Offset+int64(s.Size)])})
	}
	var whole bytes.Buffer
	n, err := f.WriteTo(&whole)
	require.NoError(t, err)
	assert.Equal(t, f.Size(), n)
	assert.Equal(t, data, whole.Bytes()[whole.Len()-len(data):])
	all, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	require.NoError(t, err)
	assert.Equal(t, whole.Bytes(), all)
	return list, f
}

const second = smooth.DefaultTimescale

// ticks returns a duration as ticks of 100 ns.
func ticks(d time.Duration) uint64 { return uint64(d / 100) }
