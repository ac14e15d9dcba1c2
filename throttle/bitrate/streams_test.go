package bitrate_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// found is what is expected of a built file.
type found struct {
	container bitrate.Container
	average   int64   // bit/s, within half a percent
	seconds   float64 // within half a percent; zero: not known
	method    string
}

// assertFound detects data by its content alone.
func assertFound(t *testing.T, data []byte, want found) {
	t.Helper()
	assertFoundNamed(t, "", data, want)
}

// assertFoundNamed detects data under a name.
func assertFoundNamed(t *testing.T, name string, data []byte, want found) {
	t.Helper()
	d := bitrate.Detector{Name: name}
	info, err := d.Detect(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	assert.Equal(t, want.container, info.Container)
	assert.Equal(t, want.method, info.Method)
	assert.InEpsilon(t, want.average, info.Average, 0.005, "%d bit/s, want %d", info.Average, want.average)
	if want.seconds == 0 {
		assert.Zero(t, info.Duration)
	} else {
		assert.InEpsilon(t, want.seconds, info.Duration.Seconds(), 0.005, "%v, want %g s", info.Duration, want.seconds)
	}
	assert.NoError(t, checkDetection(name, data, int64(len(data))))
}

// assertRefused detects data and expects an error of the package.
func assertRefused(t *testing.T, name string, data []byte, container bitrate.Container, want error) {
	t.Helper()
	d := bitrate.Detector{Name: name}
	info, err := d.Detect(bytes.NewReader(data), int64(len(data)))
	require.ErrorIs(t, err, want, "%+v", info)
	var located *bitrate.Error
	require.ErrorAs(t, err, &located)
	assert.Equal(t, container, located.Container)
	require.NoError(t, checkDetection(name, data, int64(len(data))))
}

// assertCut detects all beginnings of data: any result will do that the package may give.
func assertCut(t *testing.T, name string, data []byte) {
	t.Helper()
	for n := 1; n <= len(data); n++ {
		require.NoError(t, checkDetection(name, data[:n], int64(n)), "the first %d bytes", n)
		require.NoError(t, checkDetection(name, data[:n], int64(len(data))), "the first %d bytes, said to be all", n)
	}
}

// noise returns n bytes that are none of a header, always the same.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// zeros returns n of them.
func zeros(n int) []byte { return make([]byte, n) }

// join returns one slice of many.
func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// text returns bytes with a string in front of them.
func text(s string, rest ...byte) []byte { return append([]byte(s), rest...) }

// repeat returns what f returns for each number below n, one after the other.
func repeat(n int, f func(int) []byte) []byte {
	var b []byte
	for i := range n {
		b = append(b, f(i)...)
	}
	return b
}

// fuzzContainer is a fuzz target: whatever the bytes are, no more is read than allowed, and results are sound. Seeds
// are built files, real ones of the shared test data where it is, and beginnings of both.
func fuzzContainer(f *testing.F, name string, seeds [][]byte, dirs ...string) {
	f.Helper()
	for _, dir := range dirs {
		files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "testdata", "*", dir, "*"))
		for _, p := range files {
			if data, err := os.ReadFile(p); err == nil && len(data) < 64<<10 {
				seeds = append(seeds, data)
			}
		}
	}
	for _, seed := range seeds {
		f.Add(seed, int64(0))
		f.Add(seed[:len(seed)/2], int64(1<<40))
	}
	f.Fuzz(func(t *testing.T, data []byte, more int64) {
		size := int64(len(data)) + max(0, more)
		if size <= 0 {
			return
		}
		require.NoError(t, checkDetection(name, data, size))
		require.NoError(t, checkDetection("", data, size))
	})
}

func TestNoiseIsNoStream(t *testing.T) {
	for _, data := range [][]byte{noise(300 << 10), zeros(300 << 10), bytes.Repeat([]byte{0xFF}, 100<<10)} {
		_, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
		require.ErrorIs(t, err, bitrate.ErrUnknownContainer)
		for _, name := range []string{"a.mp3", "a.aac", "a.ac3", "a.ts"} {
			assert.NoError(t, checkDetection(name, data, int64(len(data))), name)
		}
	}
}

// cutReader fails to read what is at or behind an offset.
type cutReader struct {
	data []byte
	off  int64
	err  error
}

func (r cutReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= r.off {
		return copy(p, r.data[off:]), nil
	}
	n := 0
	if off < r.off {
		n = copy(p, r.data[off:r.off])
	}
	return n, r.err
}

// TestErrorsOfReaders reads files of which only the beginning can be read.
func TestErrorsOfReaders(t *testing.T) {
	failure := errors.New("disk on fire")
	for name, data := range map[string][]byte{
		"mp3":  join(id3(500<<10, 0), audioFrames(mp3At128, 417, 100)),
		"aac":  repeat(10_000, func(int) []byte { return adtsFrame(4, 300, 1) }),
		"ogg":  oggFile(vorbisHead(44100, 0, 96_000, 0), oggPages(7, 300, 4410, 4410)),
		"mkv":  join(docType("webm"), ebmlUnknown(mkvSegment, ebml(mkvInfo), mkvClusters(20, 0))),
		"ts":   pcrStream(200, 0),
		"mpg":  repeat(200, func(i int) []byte { return pack2(uint64(i)*3600, 5) }),
		"flac": join(streamInfo(44100, 0), zeros(100_000)),
		"wav":  riff("RIFF", chunk("JUNK", zeros(20_000)...), waveFormat(1, 2, 44100, 0, 4, 16)),
		"aiff": form("AIFF", aiffChunk("SSND", zeros(20_000)...), comm(1, extended44100)),
	} {
		d := bitrate.Detector{Name: "a." + name}
		_, err := d.Detect(cutReader{data, 8 << 10, failure}, int64(len(data)))
		require.ErrorIs(t, err, failure, name)
		var located *bitrate.Error
		require.ErrorAs(t, err, &located, name)
	}
}

func TestFewReads(t *testing.T) {
	reader := &meteredReader{data: longVariableMP3()}
	start := time.Now()
	_, err := bitrate.Detect(reader, int64(len(reader.data)))
	require.NoError(t, err)
	t.Logf("%d bytes in %d reads took %v", reader.read, reader.reads, time.Since(start))
	assert.LessOrEqual(t, reader.reads, 64)
}

// requireEstimate expects an average within two percent, and the duration that goes with it.
func requireEstimate(t *testing.T, info bitrate.Info, err error, container bitrate.Container, want float64) {
	t.Helper()
	require.NoError(t, err)
	assert.Equal(t, container, info.Container)
	assert.Contains(t, info.Method, "(estimated)")
	assert.InEpsilon(t, want, info.Average, 0.02, "%d bit/s, want %g", info.Average, want)
}

func requireUnknown(t *testing.T, info bitrate.Info, err error) {
	t.Helper()
	require.ErrorIs(t, err, bitrate.ErrUnknownContainer, "%+v", info)
}
