package smooth_test

import (
	"bytes"
	"context"
	"fmt"

	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// logs collects records as lines of text.
type logs struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex // guards t
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// tree makes a file system of names and contents.
func tree(files map[string][]byte) fstest.MapFS {
	m := fstest.MapFS{}
	for name, data := range files {
		m[name] = &fstest.MapFile{Data: data, Mode: 0o644, ModTime: time.Unix(1_600_000_000, 0)}
	}
	return m
}

// source returns a source of fsys that is closed with the test, and what it logs.
func source(t testing.TB, fsys fs.FS, opts *smooth.FileOptions) (*smooth.FileSource, *logs) {
	t.Helper()
	var o smooth.FileOptions
	if opts != nil {
		o = *opts
	}
	l := new(logs)
	o.Logger = l.logger()
	s := smooth.FS(fsys, &o)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, l
}

// fetched is what all fragments of one quality level hold.
type fetched struct {
	samples  []byte
	count    int
	flagsOK  bool // the first sample of each fragment is a sync sample
	overlaps int  // fragments whose samples last longer than the chunk
	ids      map[uint32]bool
}

// levelKey names a quality level in test results.
func levelKey(stream string, lv *smooth.QualityLevel) string {
	return fmt.Sprintf("%s/%d/%s", stream, lv.Bitrate, lv.AttrsKey())
}

// fetchAll fetches every fragment that the manifest of a presentation lists for every quality level, checks each, and
// returns the samples per level.
func fetchAll(t testing.TB, src smooth.Source, name string) (*smooth.Snapshot, map[string]*fetched) {
	t.Helper()
	ctx := context.Background()
	p, err := src.Open(ctx, name)
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Snapshot(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, s.Manifest.Streams)
	out := make(map[string]*fetched)
	for _, st := range s.Manifest.Streams {
		if st.URL == "" || len(st.Timeline) == 0 {
			continue
		}
		for _, lv := range st.Levels {
			got := &fetched{flagsOK: true, ids: map[uint32]bool{}}
			out[levelKey(st.Name, lv)] = got
			for _, c := range st.Timeline {
				k := smooth.FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Attrs: lv.AttrsKey(), Time: c.Time}
				checkFragment(t, p, k, c, s.Manifest.TimescaleOf(st), got)
				require.NotNil(t, s.Track(k), "%v", k)
			}
		}
	}
	return s, out
}

// checkFragment fetches one fragment and checks its form.
func checkFragment(t testing.TB, p smooth.Presentation, k smooth.FragmentKey, c smooth.Chunk, timescale uint64, got *fetched) {
	t.Helper()
	f, err := p.Fragment(context.Background(), k)
	require.NoError(t, err, "%v", k)
	defer f.Close()
	require.Equal(t, k, f.Key)
	require.Equal(t, timescale, f.Timescale)
	require.Equal(t, c.Duration, f.Duration)
	require.NotNil(t, f.Codec)

	var b bytes.Buffer
	n, err := f.WriteTo(&b)
	require.NoError(t, err)
	require.Equal(t, f.Size(), n)
	raw := b.Bytes()
	at := make([]byte, len(raw))
	_, err = f.ReadAt(at, 0)
	require.NoError(t, err)
	require.Equal(t, raw, at)
	size, err := p.(smooth.Sizer).FragmentSize(k)
	require.NoError(t, err)
	require.GreaterOrEqual(t, size, f.PayloadSize())

	moof := fmp4.MoofSize(raw)
	require.Positive(t, moof)
	require.Equal(t, "mdat", string(raw[moof+4:moof+8]))
	m, err := fmp4.ParseMoof(raw[:moof], 0)
	require.NoError(t, err)
	require.Len(t, m.Trafs, 1)
	got.ids[m.Trafs[0].TrackID] = true
	h, err := fmp4.Inspect(raw[:moof], 0, fmp4.Defaults{})
	require.NoError(t, err)
	require.True(t, h.Plain, "%v: self-contained, data right behind the mdat header", k)
	require.True(t, h.Ordered, "%v: safe order of boxes", k)
	if h.HasTfxd {
		require.Equal(t, k.Time, h.Time, "%v: tfxd", k)
	} else {
		require.Contains(t, []string{"hev1", "hvc1", "HEVC"}, f.Codec.FourCC, "%v: no tfxd", k)
	}

	var sum uint64
	first, end := true, int64(0)
	for sample, err := range f.Samples() {
		require.NoError(t, err)
		require.Equal(t, end, sample.Offset)
		if first && !sample.IsSync() {
			got.flagsOK = false
		}
		first = false
		end += int64(sample.Size)
		sum += uint64(sample.Duration)
		got.count++
	}
	require.Equal(t, f.PayloadSize(), end, "%v: samples fill mdat", k)
	got.samples = append(got.samples, raw[moof+8:]...)
	if sum > c.Duration {
		got.overlaps++
	}
}

// trackSamples returns the sample data of a track of an MP4 file in decode order, read by mp4ff.
func trackSamples(t testing.TB, data []byte, id uint32) []byte {
	t.Helper()
	f, err := mp4.DecodeFile(bytes.NewReader(data))
	require.NoError(t, err)
	if !f.IsFragmented() {
		return tableSamples(t, f, data, id)
	}
	trex, ok := f.Init.Moov.Mvex.GetTrex(id)
	require.True(t, ok)
	var out []byte
	for _, seg := range f.Segments {
		for _, frag := range seg.Fragments {
			for _, traf := range frag.Moof.Trafs {
				if traf.Tfhd.TrackID == id {
					full, err := frag.GetFullSamples(trex)
					require.NoError(t, err)
					for _, s := range full {
						out = append(out, s.Data...)
					}
				}
			}
		}
	}
	return out
}

// tableSamples reads a progressive file by its tables.
func tableSamples(t testing.TB, f *mp4.File, data []byte, id uint32) []byte {
	t.Helper()
	var out []byte
	for _, trak := range f.Moov.Traks {
		if trak.Tkhd.TrackID != id {
			continue
		}
		ranges, err := trak.GetRangesForSampleInterval(1, trak.Mdia.Minf.Stbl.Stsz.SampleNumber)
		require.NoError(t, err)
		for _, r := range ranges {
			out = append(out, data[r.Offset:r.Offset+r.Size]...)
		}
	}
	return out
}

// get fetches one fragment whole.
func get(t testing.TB, src smooth.Source, name string, k smooth.FragmentKey) []byte {
	t.Helper()
	p, err := src.Open(context.Background(), name)
	require.NoError(t, err)
	defer p.Close()
	f, err := p.Fragment(context.Background(), k)
	require.NoError(t, err)
	defer f.Close()
	var b bytes.Buffer
	_, err = f.WriteTo(&b)
	require.NoError(t, err)
	return b.Bytes()
}

// ism writes a server manifest.
func ism(head string, tracks ...string) []byte {
	b := `<?xml version="1.0" encoding="utf-8"?><smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head>` + head + `</head><body><switch>`
	for _, t := range tracks {
		b += t
	}
	return []byte(b + `</switch></body></smil>`)
}

// track writes an element of a server manifest with params in pairs.
func track(element, src string, bitrate int, params ...string) string {
	b := fmt.Sprintf(`<%s src="%s"`, element, src)
	if bitrate > 0 {
		b += fmt.Sprintf(` systemBitrate="%d"`, bitrate)
	}
	b += ">"
	for i := 0; i < len(params); i += 2 {
		b += fmt.Sprintf(`<param name="%s" value="%s" valuetype="data"/>`, params[i], params[i+1])
	}
	return b + fmt.Sprintf("</%s>", element)
}

// writeTree writes files below a new directory of the operating system and returns it.
func writeTree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		writeFile(t, dir, name, data)
	}
	return dir
}

func writeFile(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
	require.NoError(t, os.WriteFile(p, data, 0o644))
}
