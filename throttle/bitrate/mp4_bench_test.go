package bitrate_test

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sparseFile is a file of zeros with a few pieces, that counts what is read of it.
type sparseFile struct {
	size   int64
	pieces map[int64][]byte
	bytes  int64
	reads  int
}

func (f *sparseFile) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), f.size-off)))
	f.bytes += int64(n)
	f.reads++
	clear(p[:n])
	for at, piece := range f.pieces {
		if from, to := max(at, off), min(at+int64(len(piece)), off+int64(n)); from < to {
			copy(p[from-off:to-off], piece[from-at:])
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

const (
	filmSize    = 4 << 30 // bytes
	filmSeconds = 2 * 3600
	filmTables  = 5 << 20 // bytes of sample tables
)

// film4GB returns a film of two hours, with its header in front of the media or behind them.
func film4GB(front bool) *sparseFile {
	ftyp, moov := mp4Film(filmSeconds, filmTables)
	media := filmSize - int64(len(ftyp)) - int64(len(moov))
	mdat := binary.BigEndian.AppendUint64([]byte("\x00\x00\x00\x01mdat"), uint64(media))
	f := &sparseFile{size: filmSize, pieces: map[int64][]byte{0: ftyp}}
	at := int64(len(ftyp))
	if front {
		f.pieces[at], f.pieces[at+int64(len(moov))] = moov, mdat
		return f
	}
	f.pieces[at], f.pieces[at+media] = mdat, moov
	return f
}

// fragmentedFilm4GB returns a film of two hours in fragments of two seconds whose times only they say.
func fragmentedFilm4GB() *sparseFile {
	const fragments = filmSeconds / 2
	head := joinBoxes(mp4Box("ftyp", make([]byte, 8)), mp4Fragmented())
	f := &sparseFile{size: filmSize, pieces: map[int64][]byte{0: head}}
	each := (filmSize - int64(len(head))) / fragments
	for i := range int64(fragments) {
		moof := mp4Fragment{track: 1, start: uint64(i) * 2000, hasTfdt: true, samples: 50, lasts: 40}.moof()
		media := each - int64(len(moof))
		if i == fragments-1 {
			media = filmSize - int64(len(head)) - i*each - int64(len(moof))
		}
		f.pieces[int64(len(head))+i*each] = append(append(moof, be32(uint32(media))...), "mdat"...)
	}
	return f
}

func TestDetect4GB(t *testing.T) {
	const rate = filmSize * 8 / filmSeconds
	for name, c := range map[string]struct {
		film    *sparseFile
		method  string
		maxRead int64
	}{
		"header in front":   {film4GB(true), "mvhd", 32 << 10},
		"header at the end": {film4GB(false), "mvhd", 32 << 10},
		"fragments":         {fragmentedFilm4GB(), "fragments", bitrate.MaxReadFragmented},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := bitrate.Detect(c.film, c.film.size)
			require.NoError(t, err)
			assert.Equal(t, int64(rate), info.Average)
			assert.Equal(t, c.method, info.Method)
			assert.LessOrEqual(t, c.film.bytes, c.maxRead)
		})
	}
}

// BenchmarkDetect4GB detects a film of 4 GB and two hours from memory and, as a sparse file, from disk. The goals are
// under 1 ms warm and at most 256 kB read, of fragments whose times only they say [bitrate.MaxReadFragmented].
func BenchmarkDetect4GB(b *testing.B) {
	for _, c := range []struct {
		name string
		film *sparseFile
	}{
		{"front", film4GB(true)},
		{"end", film4GB(false)},
		{"fragments", fragmentedFilm4GB()},
	} {
		b.Run(c.name+"/memory", func(b *testing.B) { benchmarkDetect(b, c.film) })
		b.Run(c.name+"/disk", func(b *testing.B) {
			file, err := os.Create(filepath.Join(b.TempDir(), "film.mp4"))
			require.NoError(b, err)
			defer file.Close()
			for at, piece := range c.film.pieces {
				_, err = file.WriteAt(piece, at)
				require.NoError(b, err)
			}
			require.NoError(b, file.Truncate(c.film.size))
			benchmarkDetect(b, file)
		})
	}
}

func benchmarkDetect(b *testing.B, r io.ReaderAt) {
	b.ReportAllocs()
	counted := &countedReader{r: r}
	for b.Loop() {
		if _, err := bitrate.Detect(counted, filmSize); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(counted.bytes)/float64(b.N), "read-B/op")
	b.ReportMetric(float64(counted.reads)/float64(b.N), "reads/op")
}

// countedReader counts what is read.
type countedReader struct {
	r     io.ReaderAt
	bytes int64
	reads int
}

func (c *countedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.bytes += int64(n)
	c.reads++
	return n, err
}
