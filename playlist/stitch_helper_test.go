package playlist_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
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
	files["broken.mp4"] = &fstest.MapFile{Data: files["low.mp4"].Data[:900]}
	files["film/high.mp4"], files["film/low.mp4"] = files["high.mp4"], files["low.mp4"]
	return files
}

// openStitchFiles returns a source of files that looks for changes at every use.
func openStitchFiles(t *testing.T, files fstest.MapFS) *smooth.FileSource {
	t.Helper()
	src := smooth.FS(files, &smooth.FileOptions{Revalidate: -1, Logger: quietLog()})
	t.Cleanup(func() { src.Close() })
	return src
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// stitchParts returns parts of which the entries are numbered.
func stitchParts(names ...string) []playlist.Part {
	var parts []playlist.Part
	for i, name := range names {
		parts = append(parts, playlist.Part{Name: name, Entry: i + 1})
	}
	return parts
}

// stitch returns the presentation of parts.
func stitch(src smooth.Source, names ...string) *playlist.Stitched {
	return playlist.NewStitched(src, "list", stitchParts(names...), &playlist.StitchOptions{Logger: quietLog()})
}

// leftOut returns why parts are left out, by position.
func leftOut(t *testing.T, p *playlist.Stitched) map[int]string {
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

// fragmentKeys returns the key of every fragment of a stream at a level.
func fragmentKeys(st *smooth.Stream, l *smooth.QualityLevel) []smooth.FragmentKey {
	var keys []smooth.FragmentKey
	for _, c := range st.Timeline {
		keys = append(keys, smooth.FragmentKey{Stream: st.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate, Time: c.Time})
	}
	return keys
}

// readSample is a sample of a fragment with its bytes.
type readSample struct {
	smooth.Sample
	data []byte
}

// fragmentSamples returns the samples of a fragment, which it closes.
func fragmentSamples(t testing.TB, p smooth.Presentation, k smooth.FragmentKey) (list []readSample, f *smooth.Fragment) {
	t.Helper()
	f, err := p.Fragment(t.Context(), k)
	require.NoError(t, err)
	defer f.Close()
	data, err := f.Load(t.Context(), nil)
	require.NoError(t, err)
	for s, err := range f.Samples() {
		require.NoError(t, err)
		list = append(list, readSample{s, bytes.Clone(data[s.Offset : s.Offset+int64(s.Size)])})
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

// stitchSecond is a second in ticks of Smooth Streaming.
const stitchSecond = smooth.DefaultTimescale

// inParts is what each part of a presentation is called, and which of its streams and levels belong to one of the whole.
type inParts struct {
	stream string   // of the whole
	level  int      // of the stream
	names  []string // of the parts that have it, in order
	inner  []string // streams of the parts
	rates  []uint64 // of the level in the parts
}

// requireStream expects that a level of a stream has the samples of its parts, with times that go on without a gap but for
// the last sample of a part, and numbers that count. It returns the bytes that were put into each fragment.
func requireStream(t *testing.T, src smooth.Source, p *playlist.Stitched, in inParts) (inserted []string) {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	st := s.Manifest.Stream(in.stream)
	require.NotNil(t, st)
	scale := s.Manifest.TimescaleOf(st)
	keys, pos := fragmentKeys(st, st.Levels[in.level]), 0
	for n, name := range in.names {
		part, err := src.Open(t.Context(), name)
		require.NoError(t, err)
		whole, err := part.Snapshot(t.Context())
		require.NoError(t, err)
		inner := whole.Manifest.Stream(in.inner[n])
		require.NotNil(t, inner)
		from := whole.Manifest.TimescaleOf(inner)
		moved := func(tick uint64) uint64 {
			return keys[pos].Time + smooth.Rescale(tick, from, scale) // of the first fragment of the part
		}
		start := inner.Timeline.Start()
		next := uint64(0)
		for i, c := range inner.Timeline {
			k := keys[pos+i]
			require.Equal(t, moved(c.Time-start), k.Time, "fragment %d of part %d", i, n)
			list, f := fragmentSamples(t, p, k)
			require.Equal(t, k, f.Key)
			require.Equal(t, scale, f.Timescale)
			require.Equal(t, st.Timeline[pos+i].Duration, f.Duration)
			requireHead(t, f, uint32(pos+i+1))
			want, _ := fragmentSamples(t, part, smooth.FragmentKey{Stream: inner.Name, Bitrate: in.rates[n], Time: c.Time})
			require.Len(t, list, len(want))
			last := i == len(inner.Timeline)-1
			for j, w := range want {
				g := list[j]
				require.Equal(t, moved(w.DTS-start), g.DTS)
				if next = moved(w.DTS + uint64(w.Duration) - start); last && j == len(want)-1 && pos+i+1 < len(keys) {
					next = keys[pos+i+1].Time // the gap between parts
				}
				require.EqualValues(t, next-g.DTS, g.Duration)
				require.Equal(t, w.Flags, g.Flags)
				require.InDelta(t, float64(w.CTS)*float64(scale)/float64(from), float64(g.CTS), 1)
				if j == 0 {
					extra := len(g.data) - len(w.data)
					require.GreaterOrEqual(t, extra, 0)
					at := bytes.LastIndex(g.data, w.data[min(len(w.data), 16):]) - min(len(w.data), 16) - extra
					require.GreaterOrEqual(t, at, 0)
					inserted = append(inserted, string(g.data[at:at+extra]))
					g.data = append(bytes.Clone(g.data[:at]), g.data[at+extra:]...)
				}
				require.Equal(t, w.data, g.data, "sample %d of fragment %d of part %d", j, i, n)
			}
		}
		pos += len(inner.Timeline)
		require.NoError(t, part.Close())
	}
	require.Len(t, keys, pos)
	return inserted
}

// requireHead expects a plain moof box with the time and the number of a fragment.
func requireHead(t *testing.T, f *smooth.Fragment, sequence uint32) {
	t.Helper()
	head, err := f.Header(smooth.Smooth)
	require.NoError(t, err)
	n := fmp4.MoofSize(head)
	require.Equal(t, len(head)-8, n)
	require.EqualValues(t, f.PayloadSize()+8, binary.BigEndian.Uint32(head[n:]))
	h, err := fmp4.Inspect(head[:n], 0, fmp4.Defaults{})
	require.NoError(t, err)
	require.True(t, h.Plain && h.Ordered && h.HasTfxd)
	require.Equal(t, f.Key.Time, h.Time)
	require.Equal(t, f.Duration, h.Duration)
	require.Equal(t, sequence, h.Sequence)
}
