package bench_test

import (
	"bytes"
	"encoding/hex"

	"context"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// film is a sparse fragmented file: the boxes are real, the samples are holes.
type film struct {
	dir       string
	name      string // of the .ism
	file      string // of the .ismv
	size      int64
	fragments int // of both tracks
}

const (
	videoPayload, videoSamples = 754_000, 50
	audioPayload, audioSamples = 32_000, 94
)

// newFilm writes a film of the given number of two-second fragments per track. The moov box is that of a small real
// file, whose tracks are given fragments of their own.
func newFilm(tb testing.TB, fragments int, index bool) film {
	tb.Helper()
	f := film{dir: tb.TempDir(), name: "film.ism", fragments: 2 * fragments}
	f.file = filepath.Join(f.dir, "film.ismv")
	w, err := os.Create(f.file)
	require.NoError(tb, err)
	defer w.Close()
	head := filmHead(tb)
	_, err = w.Write(head)
	require.NoError(tb, err)
	f.size = int64(len(head))
	entries := make([][]fmp4.TfraEntry, 2)
	for i := range fragments {
		for t, shape := range []struct{ payload, samples int }{{videoPayload, videoSamples}, {audioPayload, audioSamples}} {
			h := fmp4.FragmentHead{Sequence: uint32(2*i + t), TrackID: uint32(t + 1), Tfxd: true, Time: uint64(i) * 20_000_000, Duration: 20_000_000}
			for j := range shape.samples {
				s := fmp4.RunSample{Duration: uint32(20_000_000 / shape.samples), Size: uint32(shape.payload / shape.samples), Flags: fmp4.FlagsSync}
				if t == 0 && j > 0 {
					s.Flags = fmp4.FlagsDelta
				}
				h.Samples = append(h.Samples, s)
			}
			b, err := h.AppendTo(nil)
			require.NoError(tb, err)
			entries[t] = append(entries[t], fmp4.TfraEntry{Time: h.Time, Moof: uint64(f.size)})
			_, err = w.WriteAt(b, f.size)
			require.NoError(tb, err)
			f.size += int64(len(b)) - 8 + int64(binary.BigEndian.Uint32(b[len(b)-8:]))
		}
	}
	if index {
		b := fmp4.AppendMfra(nil, []uint32{1, 2}, entries)
		_, err = w.WriteAt(b, f.size)
		require.NoError(tb, err)
		f.size += int64(len(b))
	}
	require.NoError(tb, w.Truncate(f.size))
	ism := `<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><body><switch>` +
		`<video src="film.ismv" systemBitrate="3016000"><param name="trackID" value="1" valuetype="data"/></video>` +
		`<audio src="film.ismv" systemBitrate="128000"><param name="trackID" value="2" valuetype="data"/></audio></switch></body></smil>`
	require.NoError(tb, os.WriteFile(filepath.Join(f.dir, f.name), []byte(ism), 0o644))
	return f
}

// countingFiles counts reads of media files.
type countingFiles struct {
	smooth.Files
	reads *atomic.Int64
}

func (c countingFiles) Open(ctx context.Context, name string) (smooth.File, error) {
	f, err := c.Files.Open(ctx, name)
	if err != nil || filepath.Ext(name) != ".ismv" {
		return f, err
	}
	return countingFile{f, c.reads}, nil
}

type countingFile struct {
	smooth.File
	reads *atomic.Int64
}

func (c countingFile) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	c.reads.Add(1)
	return c.File.ReadAtContext(ctx, p, off)
}

// osFiles is a plain Files over a directory.
type osFiles struct{ dir string }

func (o osFiles) Open(_ context.Context, name string) (smooth.File, error) {
	f, err := os.Open(filepath.Join(o.dir, name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return osFile{f, info}, err
}

func (o osFiles) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	return os.Stat(filepath.Join(o.dir, name))
}

func (o osFiles) ReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	return os.ReadDir(filepath.Join(o.dir, name))
}

type osFile struct {
	*os.File
	info fs.FileInfo
}

func (f osFile) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	return f.File.ReadAt(p, off)
}
func (f osFile) Size() int64        { return f.info.Size() }
func (f osFile) ModTime() time.Time { return f.info.ModTime() }
func (f osFile) Version() string    { return f.info.ModTime().String() }

// filmHead returns ftyp and moov with an H.264 track 1 and an AAC track 2.
func filmHead(tb testing.TB) []byte {
	tb.Helper()
	sps, err := hex.DecodeString("674D401EECA05017FCB808800000030080000019078B16CB")
	require.NoError(tb, err)
	init := mp4.CreateEmptyInit()
	video := init.AddEmptyTrack(10_000_000, "video", "und")
	require.NoError(tb, video.SetAVCDescriptor("avc1", [][]byte{sps}, [][]byte{{0x68, 0xce, 0x3c, 0x80}}, true))
	audio := init.AddEmptyTrack(10_000_000, "audio", "und")
	require.NoError(tb, audio.SetAACDescriptor(2, 48000))
	var b bytes.Buffer
	require.NoError(tb, init.Encode(&b))
	return b.Bytes()
}

// readMovie parses the moov box of a file.
func readMovie(tb testing.TB, name string) *fmp4.Movie {
	tb.Helper()
	f, err := os.Open(name)
	require.NoError(tb, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(tb, err)
	sc := fmp4.NewScanner(f, 0, info.Size())
	for {
		h, err := sc.Next()
		require.NoError(tb, err)
		if h.Type != fmp4.TypeMoov {
			continue
		}
		raw, err := fmp4.ReadBox(f, h, fmp4.MaxMoov)
		require.NoError(tb, err)
		m, err := fmp4.ParseMovie(raw, h.Offset)
		require.NoError(tb, err)
		return m
	}
}

func splitPath(name string) (dir, file string) { return filepath.Dir(name), filepath.Base(name) }
