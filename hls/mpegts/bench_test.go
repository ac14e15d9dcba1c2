package mpegts_test

import (
	"context"
	"io"
	"testing"

	"github.com/asticode/go-astits"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/mpegts"
)

// film is a minute of synthetic video at 25 frames and 3 Mbit/s with B-frames, and AAC at 48 kHz and 128 kbit/s, in
// the order of muxing. Six audio frames go into one PES packet. The samples lie one behind the other, as in a file.
type film struct {
	units []filmUnit
	bytes int64
}

type filmUnit struct {
	stream int
	start  bool // a segment of six seconds begins
	mpegts.Unit
}

const (
	filmSeconds = 60
	filmRate    = 25
	segmentGOPs = 3 // of two seconds
	packing     = 6
)

func newFilm() *film {
	r := random(5)
	f := &film{}
	audio := 0
	for i := range filmSeconds * filmRate {
		dts := uint64(900000 + i*3600)
		u := filmUnit{Unit: mpegts.Unit{DTS: dts, PTS: dts + 3600, Duration: 3600}}
		var nalus [][]byte
		switch gop := i % (2 * filmRate); {
		case gop == 0:
			u.Sync, u.start = true, i%(2*filmRate*segmentGOPs) == 0
			nalus = [][]byte{nalu(r, 0x06, 30), nalu(r, 0x65, 110000+r.IntN(20000))}
		case gop%4 == 1:
			u.PTS += 3 * 3600
			nalus = [][]byte{nalu(r, 0x41, 25000+r.IntN(8000))}
		default:
			nalus = [][]byte{nalu(r, 0x01, 5000+r.IntN(6000))}
		}
		u.Last = (i+1)%(2*filmRate*segmentGOPs) == 0
		u.Data = sample(4, nalus...)
		f.add(u)
		for ; audio*1024*90000/48000 <= i*3600; audio += packing {
			u := filmUnit{stream: 1, Unit: mpegts.Unit{PTS: 900000 + uint64(audio)*1024*90000/48000}}
			for range packing {
				u.Frames = append(u.Frames, nalu(r, 0x21, 300+r.IntN(83)))
			}
			f.add(u)
		}
	}
	f.close()
	f.join()
	return f
}

// join moves all samples into one piece of memory.
func (f *film) join() {
	media := make([]byte, 0, f.bytes)
	move := func(b *[]byte) {
		media = append(media, *b...)
		*b = media[len(media)-len(*b):]
	}
	for i := range f.units {
		move(&f.units[i].Data)
		for j := range f.units[i].Frames {
			move(&f.units[i].Frames[j])
		}
	}
}

func (f *film) add(u filmUnit) {
	f.bytes += int64(len(u.Data))
	for _, frame := range u.Frames {
		f.bytes += int64(len(frame))
	}
	f.units = append(f.units, u)
}

// close marks the last audio unit of each segment.
func (f *film) close() {
	last := -1
	for i, u := range f.units {
		if u.start && last >= 0 {
			f.units[last].Last = true
		}
		if u.stream == 1 {
			last = i
		}
	}
	f.units[last].Last = true
}

// mux writes all segments and returns how many bytes they have; they share the buffer.
func (f *film) mux(m *mpegts.Muxer, ts []byte) ([]byte, error) {
	ts = ts[:0]
	sequence := uint64(0)
	var err error
	for i := range f.units {
		u := &f.units[i]
		if u.start {
			ts = m.Start(ts, sequence)
			sequence++
		}
		if ts, err = m.Append(ts, u.stream, &u.Unit); err != nil {
			return nil, err
		}
	}
	return ts, nil
}

func BenchmarkMux(b *testing.B) {
	f := newFilm()
	m := muxer(b, avc(), mpegts.Stream{Codec: mpegts.AAC, AudioConfig: []byte{0x11, 0x90}})
	ts, err := f.mux(m, nil)
	require.NoError(b, err)
	b.SetBytes(f.bytes)
	b.ReportAllocs()
	for b.Loop() {
		ts, _ = f.mux(m, ts)
	}
	b.ReportMetric(float64(len(ts))/float64(f.bytes), "bytes/byte")
}

// BenchmarkCopy copies the samples, which is the least that writing them anywhere takes.
func BenchmarkCopy(b *testing.B) {
	f := newFilm()
	ts := make([]byte, 0, f.bytes)
	b.SetBytes(f.bytes)
	b.ReportAllocs()
	for b.Loop() {
		ts = ts[:0]
		for i := range f.units {
			ts = append(ts, f.units[i].Data...)
			for _, frame := range f.units[i].Frames {
				ts = append(ts, frame...)
			}
		}
	}
}

// BenchmarkAstits writes the same access units with go-astits. It includes the work that ours does on
// samples: start codes and ADTS headers.
func BenchmarkAstits(b *testing.B) {
	f := newFilm()
	out := &buffer{}
	require.NoError(b, f.astits(out))
	b.SetBytes(f.bytes)
	b.ReportAllocs()
	for b.Loop() {
		out.data = out.data[:0]
		if err := f.astits(out); err != nil {
			b.Fatal(err)
		}
	}
}

// buffer is a writer that can be used again.
type buffer struct{ data []byte }

func (b *buffer) Write(p []byte) (int, error) {
	b.data = append(b.data, p...)
	return len(p), nil
}

func (f *film) astits(w io.Writer) error {
	mux := astits.NewMuxer(context.Background(), w)
	for i, kind := range []astits.StreamType{astits.StreamTypeH264Video, astits.StreamTypeAACAudio} {
		err := mux.AddElementaryStream(astits.PMTElementaryStream{ElementaryPID: uint16(firstPID + i), StreamType: kind})
		if err != nil {
			return err
		}
	}
	mux.SetPCRPID(firstPID)
	var payload []byte
	for i := range f.units {
		u := &f.units[i]
		if u.start {
			if _, err := mux.WriteTables(); err != nil {
				return err
			}
		}
		payload = u.payload(payload[:0])
		if _, err := mux.WriteData(u.astits(payload)); err != nil {
			return err
		}
	}
	return nil
}

// payload returns what the PES packet of a unit holds.
func (u *filmUnit) payload(b []byte) []byte {
	for _, frame := range u.Frames {
		n := len(frame) + 7
		b = append(b, 0xFF, 0xF1, 0x4C, 0x80|byte(n>>11), byte(n>>3), byte(n<<5)|0x1F, 0xFC)
		b = append(b, frame...)
	}
	if u.stream == 1 {
		return b
	}
	b = append(b, 0, 0, 0, 1, 9, 0xF0)
	if u.Sync {
		b = append(append(b, 0, 0, 0, 1), sps...)
		b = append(append(b, 0, 0, 0, 1), pps...)
	}
	at := len(b)
	b = append(b, u.Data...)
	for at < len(b) {
		n := int(b[at+1])<<16 | int(b[at+2])<<8 | int(b[at+3])
		b[at], b[at+1], b[at+2], b[at+3] = 0, 0, 0, 1
		at += 4 + n
	}
	return b
}

func (u *filmUnit) astits(payload []byte) *astits.MuxerData {
	h := &astits.PESOptionalHeader{MarkerBits: 2, DataAlignmentIndicator: true,
		PTSDTSIndicator: astits.PTSDTSIndicatorOnlyPTS, PTS: &astits.ClockReference{Base: int64(u.PTS)}}
	d := &astits.MuxerData{PID: uint16(firstPID + u.stream),
		PES: &astits.PESData{Data: payload, Header: &astits.PESHeader{StreamID: 0xC0, OptionalHeader: h}}}
	if u.stream == 0 {
		d.PES.Header.StreamID = 0xE0
		h.PTSDTSIndicator, h.DTS = astits.PTSDTSIndicatorBothPresent, &astits.ClockReference{Base: int64(u.DTS)}
		d.AdaptationField = &astits.PacketAdaptationField{RandomAccessIndicator: u.Sync, HasPCR: true,
			PCR: &astits.ClockReference{Base: int64(u.DTS - mpegts.PCRLead)}}
	}
	return d
}
