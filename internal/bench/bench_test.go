package bench_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// cpuTime makes a benchmark report the CPU time of the process per operation, which means more than wall time on a busy
// machine.
func cpuTime(b *testing.B) func() {
	start := processTime()
	return func() { b.ReportMetric(float64(processTime()-start)/float64(b.N), "cpu-ns/op") }
}

// filmFragments makes the film a bit more than 10 GB long: 7.2 hours at 3 Mbit/s.
const filmFragments = 13_000

// open opens the film with a new source and returns how many reads of the media file that took.
func open(tb testing.TB, f film, fragments int) int64 {
	var reads atomic.Int64
	src := smooth.NewFileSource(countingFiles{osFiles{f.dir}, &reads}, &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
	p, err := src.Open(context.Background(), f.name)
	require.NoError(tb, err)
	s, err := p.Snapshot(context.Background())
	require.NoError(tb, err)
	require.Len(tb, s.Manifest.Streams, 2)
	require.Len(tb, s.Manifest.Streams[0].Timeline, fragments)
	require.NoError(tb, p.Close())
	require.NoError(tb, src.Close())
	return reads.Load()
}

func BenchmarkOpen10GB(b *testing.B) {
	if testing.Short() {
		b.Skip("writes a sparse file of 10 GB")
	}
	f := newFilm(b, filmFragments, true)
	b.Run("mfra", func(b *testing.B) {
		b.ReportAllocs()
		var reads int64
		defer cpuTime(b)()
		for b.Loop() {
			reads = open(b, f, filmFragments)
		}
		b.ReportMetric(float64(reads), "reads")
	})
}

// BenchmarkScan compares opening a film without mfra with a bare walk over its top-level boxes. The two take turns, since
// the machine's speed drifts.
func BenchmarkScan(b *testing.B) {
	f := newFilm(b, 1200, false)
	file, err := os.Open(f.file)
	require.NoError(b, err)
	defer file.Close()
	var opening, walking time.Duration
	for b.Loop() {
		start := time.Now()
		open(b, f, 1200)
		middle := time.Now()
		walk(b, f, file)
		opening += middle.Sub(start)
		walking += time.Since(middle)
	}
	b.ReportMetric(float64(opening.Nanoseconds())/float64(b.N), "open-ns/op")
	b.ReportMetric(float64(walking.Nanoseconds())/float64(b.N), "walk-ns/op")
	b.ReportMetric(float64(opening)/float64(walking), "ratio")
}

// walk reads the header of every top-level box.
func walk(b *testing.B, f film, file *os.File) {
	sc := fmp4.NewScanner(file, 0, f.size)
	for n := 0; ; n++ {
		_, err := sc.Next()
		if errors.Is(err, io.EOF) {
			require.Equal(b, 2+2*f.fragments, n)
			return
		}
		require.NoError(b, err)
	}
}

// BenchmarkSynthesise makes fragments of the progressive file that the environment variable SMOOTHKIT_BENCH_MP4 names,
// beside one pread of the span that the fragment's samples lie in.
func BenchmarkSynthesise(b *testing.B) {
	name := os.Getenv("SMOOTHKIT_BENCH_MP4")
	if name == "" {
		b.Skip("set SMOOTHKIT_BENCH_MP4 to a progressive MP4 file with H.264 and AAC")
	}
	dir, file := splitPath(name)
	ctx := context.Background()
	src := smooth.Dir(dir, nil)
	defer src.Close()
	p, err := src.Open(ctx, file)
	require.NoError(b, err)
	defer p.Close()
	s, err := p.Snapshot(ctx)
	require.NoError(b, err)
	spans := fragmentSpans(b, name)
	for _, kind := range []string{"video", "audio"} {
		st := s.Manifest.Stream(kind)
		require.Len(b, spans[kind], len(st.Timeline))
		b.Run(kind+"/fragment", func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 4<<20)
			var bytes int64
			i := 0
			defer cpuTime(b)()
			for b.Loop() {
				f, err := p.Fragment(ctx, smooth.FragmentKey{Stream: kind, Bitrate: st.Levels[0].Bitrate, Time: st.Timeline[i%len(st.Timeline)].Time})
				require.NoError(b, err)
				_, err = f.Load(ctx, buf)
				require.NoError(b, err)
				bytes += f.Size()
				f.Close()
				i++
			}
			b.ReportMetric(float64(bytes)/float64(i), "B/fragment")
		})
		b.Run(kind+"/pread", func(b *testing.B) {
			f, err := os.Open(name)
			require.NoError(b, err)
			defer f.Close()
			buf := make([]byte, 16<<20)
			var bytes int64
			i := 0
			defer cpuTime(b)()
			for b.Loop() {
				sp := spans[kind][i%len(spans[kind])]
				_, err := f.ReadAt(buf[:sp.Size], sp.Offset)
				require.NoError(b, err)
				bytes += sp.Size
				i++
			}
			b.ReportMetric(float64(bytes)/float64(i), "B/fragment")
		})
	}
}

// fragmentSpans returns the part of the file that each fragment's samples lie in.
func fragmentSpans(tb testing.TB, name string) map[string][]fmp4.Span {
	tb.Helper()
	movie := readMovie(tb, name)
	var tracks [2][]cut.Track
	for i := range movie.Tracks {
		t := &movie.Tracks[i]
		ct := cut.Track{Table: &t.Samples, Timescale: t.Timescale, Shift: t.Shift}
		switch t.Handler {
		case fmp4.HandlerVideo:
			tracks[0] = append(tracks[0], ct)
		case fmp4.HandlerAudio:
			tracks[1] = append(tracks[1], ct)
		}
	}
	video, audio, shift, err := cut.Plan(tracks[0], tracks[1], cut.Options{})
	require.NoError(tb, err)
	out := make(map[string][]fmp4.Span)
	for kind, cuts := range map[string][]cut.Cut{"video": video[0], "audio": audio[0]} {
		track := tracks[0][0]
		if kind == "audio" {
			track = tracks[1][0]
		}
		for i := range len(cuts) - 1 {
			_, sp, err := track.Gather(nil, nil, cuts[i], cuts[i+1], cut.DefaultTimescale, shift)
			require.NoError(tb, err)
			last := sp[len(sp)-1]
			out[kind] = append(out[kind], fmp4.Span{Offset: sp[0].Offset, Size: last.Offset + last.Size - sp[0].Offset})
		}
	}
	return out
}
