package hls

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// A tsIndex tells where decoding can begin in a file of MPEG-2 TS. It is made in one pass over the file and immutable.
type tsIndex struct {
	points []tsPoint // in ascending order of offset and of time; at least one
	tables []tsTables
	holes  []tsHole // in ascending order
	end    int64    // offset behind the last whole packet
	// repeats tells that the file has its tables more than once.
	repeats bool
	video   *smooth.Codec // or nil
	audio   *smooth.Codec // or nil
	// ticks and units are the sum of the distances between access units, in 90 kHz, and their number.
	ticks, units uint64
}

// A tsPoint is a place where decoding can begin: a key frame or, in a file without picture, a frame of sound. It has 32
// bytes.
type tsPoint struct {
	offset int64 // of its first packet, or of what comes before the first key frame
	// time is that of presentation in ticks of 90 kHz, in 64 bits; end is that of the last unit before the next point, at
	// first without the duration of that unit.
	time, end uint64
	tables    int32 // in tsIndex.tables; what applies here
	// counters are the continuity counters of the last PAT (upper half) and PMT before the point.
	counters uint8
	// tabled tells that PAT and PMT are the two packets before offset.
	tabled bool
	// restart tells that the times in the file start anew here.
	restart bool
}

// tsTables are packets with the PAT and the PMT of a program, valid until the next ones.
type tsTables struct{ pat, pmt [mpegts.PacketSize]byte }

// A tsHole is a part of the file that does not consist of packets.
type tsHole struct{ from, to int64 }

const (
	// maxPoints bounds the points of one file: one in half a second for three days.
	maxPoints = 1 << 19
	// maxTables bounds the changes of the tables of one file.
	maxTables = 1 << 10
	// maxHoles bounds the holes of one file, and maxHole the bytes of one: whatever comes behind it is left alone.
	maxHoles = 1 << 12
	maxHole  = 1 << 20
	// maxSearch bounds how far into a file its tables are looked for, and the first point behind them.
	maxSearch = 64 << 20
	// maxLead bounds the bytes before the first key frame that go with it.
	maxLead = 1 << 20
	// minPicture and minSound divide the time into cells of which each has one point at most, so that the index of a file
	// with nothing but key frames stays small, and those of several renditions agree. Ticks of 90 kHz.
	minPicture = mpegScale / 2
	minSound   = 2 * mpegScale
)

// errNotTS is the cause of the errors for files that are no transport stream that can be served.
var errNotTS = errors.New("hls: no MPEG-2 TS with H.264 or AAC")

// contextReaderAt is the part of [smooth.File] that the indexer needs.
type contextReaderAt interface {
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
}

// indexTS indexes the first size bytes of a file. It reads them once, in order. The error wraps errNotTS, or
// [smooth.ErrTooLarge], or is one of reading.
func indexTS(ctx context.Context, file contextReaderAt, size int64) (*tsIndex, error) {
	s := newTSScanner(ctx, file, size, scanWindow)
	if err := s.scan(); err != nil {
		return nil, err
	}
	return s.finish()
}

// finish completes the index.
func (s *tsScanner) finish() (*tsIndex, error) {
	if err := s.decide(true); err != nil {
		return nil, err
	}
	ix := &s.index
	switch {
	case s.program.video != 0 && ix.video == nil && len(ix.points) > 0:
		return nil, fmt.Errorf("%w: no parameter sets with the key frames", errNotTS)
	case len(ix.points) == 0:
		return nil, fmt.Errorf("%w: nowhere in it can decoding begin", errNotTS)
	}
	if ix.units > 0 {
		for i := range ix.points {
			ix.points[i].end += ix.ticks / ix.units
		}
	}
	return ix, nil
}

// size returns the memory of the index in bytes, nearly.
func (ix *tsIndex) size() int64 {
	const point, tables, hole = 32, 2 * mpegts.PacketSize, 16
	return int64(len(ix.points))*point + int64(len(ix.tables))*tables + int64(len(ix.holes))*hole + 1024
}

// start returns where the segment that begins with point i starts in the file, and whether it starts with tables there.
// Tables that occur once are not used in place: the counters of their copies have to join.
func (ix *tsIndex) start(i int) (offset int64, tabled bool) {
	if i >= len(ix.points) {
		return ix.end, false
	}
	p := &ix.points[i]
	if p.tabled && ix.repeats {
		return p.offset - 2*mpegts.PacketSize, true
	}
	return p.offset, false
}

// head returns the tables that a segment begins with if those of the file do not stand there. Their counter is the
// number of the segment or, in a file that repeats its tables, that of the last ones: then the packet counts as one sent
// twice, and the next ones in the file join. See ISO/IEC 13818-1 2.4.3.3.
func (ix *tsIndex) head(i int, number uint64) []byte {
	p := &ix.points[i]
	t := &ix.tables[p.tables]
	b := append(append(make([]byte, 0, 2*mpegts.PacketSize), t.pat[:]...), t.pmt[:]...)
	pat, pmt := p.counters>>4, p.counters&15
	if !ix.repeats {
		pat, pmt = byte(number&15), byte(number&15)
	}
	b[3] = b[3]&0xF0 | pat
	b[mpegts.PacketSize+3] = b[mpegts.PacketSize+3]&0xF0 | pmt
	return b
}

// pieces returns the parts of [from, to) that consist of packets.
func (ix *tsIndex) pieces(from, to int64) []tsHole {
	var list []tsHole
	for _, h := range ix.holes {
		if h.to <= from || h.from >= to {
			continue
		}
		if h.from > from {
			list = append(list, tsHole{from, h.from})
		}
		from = h.to
	}
	if from < to {
		list = append(list, tsHole{from, to})
	}
	return list
}

// asEOF makes the ways in which a read can end at the end of a file the same.
func asEOF(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}
