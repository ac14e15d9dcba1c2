package bitrate_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// reserved is a file whose beginning is there and whose rest is zeros, as a download leaves that reserves its space.
type reserved []byte

func (r reserved) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(r)) {
		copy(p, r[off:])
	}
	return len(p), nil
}

// What of a stream is there yet says what rate it has, wherever it is looked at otherwise.
func TestReservedStreams(t *testing.T) {
	const size = 4 << 30
	vbr := repeat(600, func(i int) []byte {
		if i%2 == 0 {
			return audioFrame(mp3At128, 417)
		}
		return audioFrame(mp3At32, 104)
	})
	for name, c := range map[string]struct {
		data    []byte
		want    bitrate.Container
		average int64
	}{
		"a.mp3":  {vbr, bitrate.MP3, 80_000},
		"b.mp3":  {join(id3(300<<10, 0), vbr), bitrate.MP3, 80_000},
		"c.mp3":  {audioFrames(mp3At128, 417, 600), bitrate.MP3, 128_000},
		"a.aac":  {repeat(600, func(i int) []byte { return adtsFrame(4, 300+i%2*100, 1) }), bitrate.ADTS, 120_586},
		"a.eac3": {bytes.Repeat(eac3Frame(0, 0, 0, 3, 768), 300), bitrate.EAC3, 192_000},
	} {
		t.Run(name, func(t *testing.T) {
			d := bitrate.Detector{Name: name}
			info, err := d.Detect(reserved(c.data), size)
			require.NoError(t, err)
			assert.Equal(t, c.want, info.Container)
			assert.InEpsilon(t, c.average, info.Average, 0.02)
		})
	}
}

// BenchmarkDetectZeros looks for frames where there are none.
func BenchmarkDetectZeros(b *testing.B) {
	var r io.ReaderAt = reserved(join(id3(300<<10, 0), audioFrame(mp3At128, 417), audioFrame(mp3At32, 104), audioFrames(mp3At128, 417, 600)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bitrate.Detect(r, 4<<30); err != nil {
			b.Fatal(err)
		}
	}
}
