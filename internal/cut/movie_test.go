package cut_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/cut"
	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// media describes a synthetic track. Every sample has one byte more than the one before and all lie in one chunk.
type media struct {
	timescale uint32
	shift     int64
	frames    int
	duration  func(i int) uint32
	cts       func(i int) int32
	sync      func(i int) bool // nil: all
}

func constant(d uint32) func(int) uint32 { return func(int) uint32 { return d } }
func every(n int) func(int) bool         { return func(i int) bool { return i%n == 0 } }

// bframes gives the composition offsets of I B B P in groups of gop frames, coded as I P B B.
func bframes(gop int, d int32) func(int) int32 {
	return func(i int) int32 {
		switch in := i % gop; {
		case in == 0:
			return d
		case in%3 == 1 && in+2 < gop:
			return 3 * d
		case in%3 == 1:
			return d
		default:
			return 0
		}
	}
}

func (m media) track(t testing.TB) cut.Track {
	t.Helper()
	u := binary.BigEndian.AppendUint32
	full := func(typ string, parts ...[]byte) []byte {
		return box(typ, append([][]byte{make([]byte, 4)}, parts...)...)
	}
	n := uint32(m.frames)
	stts, stsz, ctts, stss := u(nil, n), u(u(nil, 0), n), u(nil, n), []byte(nil)
	var syncs uint32
	for i := range m.frames {
		stts = u(u(stts, 1), m.duration(i))
		stsz = u(stsz, uint32(i+1))
		var offset int32
		if m.cts != nil {
			offset = m.cts(i)
		}
		ctts = u(u(ctts, 1), uint32(offset))
		if m.sync == nil || m.sync(i) {
			stss = u(stss, uint32(i+1))
			syncs++
		}
	}
	stbl := [][]byte{full("stts", stts), full("ctts", ctts), full("stsz", stsz),
		full("stsc", u(u(u(u(nil, 1), 1), n), 1)), full("stco", u(u(nil, 1), 1000))}
	if m.sync != nil {
		stbl = append(stbl, full("stss", append(u(nil, syncs), stss...)))
	}
	moov := box("moov", box("trak", full("tkhd", u(make([]byte, 8), 1), make([]byte, 80)),
		box("mdia", full("mdhd", u(u(make([]byte, 8), m.timescale), 0), make([]byte, 4)), box("minf", box("stbl", stbl...)))))
	movie, err := fmp4.ParseMovie(moov, 0)
	require.NoError(t, err)
	require.Equal(t, n, movie.Tracks[0].Samples.Len())
	return cut.Track{Table: &movie.Tracks[0].Samples, Timescale: m.timescale, Shift: m.shift}
}

func box(typ string, parts ...[]byte) []byte {
	b := append(make([]byte, 4), typ...)
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}
