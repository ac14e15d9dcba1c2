package mpegts_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/mpegts"
)

const firstPID = 0x100

var (
	sps = []byte{0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00}
	pps = []byte{0x68, 0xCE, 0x3C, 0x80}
)

func avc() mpegts.Stream { return mpegts.Stream{Codec: mpegts.AVC, ParameterSets: [][]byte{sps, pps}} }
func aac() mpegts.Stream { return mpegts.Stream{Codec: mpegts.AAC, AudioConfig: stereo} }

// sample joins NAL units as MP4 does.
func sample(lengthSize int, nalus ...[]byte) (b []byte) {
	for _, n := range nalus {
		length := binary.BigEndian.AppendUint32(nil, uint32(len(n)))
		b = append(append(b, length[4-lengthSize:]...), n...)
	}
	return b
}

// annexB joins NAL units as a byte stream does.
func annexB(nalus ...[]byte) (b []byte) {
	for _, n := range nalus {
		b = append(append(b, 0, 0, 0, 1), n...)
	}
	return b
}

// nalu makes a NAL unit of a size whose first byte is given. No two are alike.
func nalu(r *rand.Rand, first byte, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[0] = first
	return b
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// garbage is a buffer whose spare room is full of rubbish, which must not show.
func garbage(n int) []byte { return bytes.Repeat([]byte{0xA5}, n)[:0] }

// appendUnit appends a unit that must be good.
func appendUnit(t testing.TB, m *mpegts.Muxer, ts []byte, stream int, u *mpegts.Unit) []byte {
	t.Helper()
	ts, err := m.Append(ts, stream, u)
	require.NoError(t, err)
	return ts
}

func TestVideoUnit(t *testing.T) {
	r := random(1)
	idr, slice, sei := nalu(r, 0x65, 700), nalu(r, 0x41, 300), nalu(r, 0x06, 20)
	aud, end, fill, newSPS := []byte{0x09, 0x10}, []byte{0x0A}, []byte{0x0C, 0xFF, 0xFF, 0x80}, []byte{0x67, 1, 2, 3}
	unitDelimiter := []byte{0x09, 0xF0}
	vps265, sps265, pps265 := []byte{0x40, 1, 1}, []byte{0x42, 1, 2}, []byte{0x44, 1, 3}
	sei265, idr265 := nalu(r, 0x4E, 9), nalu(r, 0x26, 500)
	fill265, aud265 := []byte{38 << 1, 1, 0xFF, 0x80}, []byte{0x46, 1, 0x10}
	hevc := mpegts.Stream{Codec: mpegts.HEVC, ParameterSets: [][]byte{vps265, sps265, pps265}}
	for _, c := range []struct {
		name     string
		stream   mpegts.Stream
		sync     bool
		in, want [][]byte
	}{
		{"IDR", avc(), true, [][]byte{idr}, [][]byte{unitDelimiter, sps, pps, idr}},
		{"other", avc(), false, [][]byte{slice, slice}, [][]byte{unitDelimiter, slice, slice}},
		{"own delimiter", avc(), true, [][]byte{aud, sei, idr}, [][]byte{unitDelimiter, sps, pps, sei, idr}},
		{"own sets", avc(), true, [][]byte{newSPS, pps, sei, idr}, [][]byte{unitDelimiter, newSPS, pps, sei, idr}},
		{"own SPS alone", avc(), true, [][]byte{newSPS, idr}, [][]byte{unitDelimiter, sps, pps, newSPS, idr}},
		{"change in the middle", avc(), false, [][]byte{newSPS, pps, slice}, [][]byte{unitDelimiter, newSPS, pps, slice}},
		{"filler and later delimiter", avc(), false, [][]byte{slice, fill, aud, end}, [][]byte{unitDelimiter, slice, end}},
		{"no sets", mpegts.Stream{Codec: mpegts.AVC}, true, [][]byte{idr}, [][]byte{unitDelimiter, idr}},
		{"HEVC IRAP", hevc, true, [][]byte{aud265, sei265, idr265, fill265},
			[][]byte{{0x46, 1, 0x50}, vps265, sps265, pps265, sei265, idr265}},
		{"HEVC own sets", hevc, true, [][]byte{vps265, sps265, pps265, idr265},
			[][]byte{{0x46, 1, 0x50}, vps265, sps265, pps265, idr265}},
		{"HEVC without own VPS", hevc, true, [][]byte{sps265, pps265, idr265},
			[][]byte{{0x46, 1, 0x50}, vps265, sps265, pps265, sps265, pps265, idr265}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := muxer(t, c.stream)
			ts := m.Start(nil, 0)
			ts = appendUnit(t, m, ts, 0, &mpegts.Unit{PTS: 907200, DTS: 900000, Sync: c.sync, Data: sample(4, c.in...)})
			got := unpack(t, demux(t, ts), firstPID)
			require.Len(t, got, 1)
			assert.Equal(t, annexB(c.want...), got[0].payload)
			assert.Equal(t, byte(0xE0), got[0].stream)
			assert.Equal(t, int64(907200), got[0].pts)
			assert.True(t, got[0].hasDTS)
			assert.Equal(t, int64(900000), got[0].dts)
			assert.Equal(t, int64(900000-mpegts.PCRLead), got[0].first.pcr)
			assert.Equal(t, c.sync, got[0].first.flags&0x40 != 0, "random_access_indicator")
		})
	}
}

func TestLengthSizes(t *testing.T) {
	for size := 1; size <= 4; size++ {
		r := random(uint64(size))
		s := avc()
		s.NALULengthSize = size
		m := muxer(t, s)
		nalus := [][]byte{nalu(r, 0x65, 255), nalu(r, 0x65, 1), nalu(r, 0x65, 184), nalu(r, 0x65, 90)}
		if size > 1 {
			nalus = append(nalus, nalu(r, 0x65, 40000))
		}
		ts := m.Start(nil, 0)
		ts = appendUnit(t, m, ts, 0, &mpegts.Unit{Data: sample(size, nalus...)})
		got := unpack(t, demux(t, ts), firstPID)
		assert.Equal(t, annexB(append([][]byte{{0x09, 0xF0}}, nalus...)...), got[0].payload, "length of %d bytes", size)
	}
}

// TestStuffing fills the last packet up to 1, 2, 183 and no bytes.
func TestStuffing(t *testing.T) {
	const overhead = 14 + 6 + 4 // PES header with PTS, delimiter, start code
	for _, c := range []struct {
		missing int
		want    []byte // adaptation field
	}{
		{0, nil},
		{1, []byte{0}},
		{2, []byte{1, 0}},
		{3, []byte{2, 0, 0xFF}},
		{183, append([]byte{182, 0}, bytes.Repeat([]byte{0xFF}, 181)...)},
	} {
		m := muxer(t, mpegts.Stream{Codec: mpegts.AVC}, mpegts.Stream{Codec: mpegts.AVC})
		ts := m.Start(garbage(1000), 0)
		data := sample(4, nalu(random(2), 0x41, 2*184-overhead-c.missing))
		ts = appendUnit(t, m, ts, 1, &mpegts.Unit{Data: data})[mpegts.TablesSize:]
		require.Len(t, ts, 2*188, "%d missing", c.missing)
		second := ts[188:]
		if c.want == nil {
			assert.Equal(t, []byte{0x47, 0x01, 0x01, 0x11}, second[:4])
		} else {
			assert.Equal(t, append([]byte{0x47, 0x01, 0x01, 0x31}, c.want...), second[:4+len(c.want)], "%d missing", c.missing)
		}
		assert.Equal(t, data[len(data)-(184-c.missing):], second[4+c.missing:])
		demux(t, ts)
	}
}

// TestFirstPacket writes units that leave room in their only packet.
func TestFirstPacket(t *testing.T) {
	for missing := range 150 {
		m := muxer(t, mpegts.Stream{Codec: mpegts.AVC})
		ts := m.Start(garbage(1000), 0)
		data := sample(4, nalu(random(3), 0x41, 184-8-14-6-4-missing))
		ts = appendUnit(t, m, ts, 0, &mpegts.Unit{Data: data, PTS: 1 << 33, DTS: 1 << 34})[mpegts.TablesSize:]
		require.Len(t, ts, 188)
		require.Equal(t, []byte{0x47, 0x41, 0x00, 0x30, byte(7 + missing), 0x10}, ts[:6])
		got := unpack(t, demux(t, ts), firstPID)
		require.Equal(t, data[4:], got[0].payload[6+4:])
		require.False(t, got[0].hasDTS, "equal when masked")
	}
}

// TestPESGolden has the bytes of a packet at the end of the clock.
func TestPESGolden(t *testing.T) {
	m := muxer(t, mpegts.Stream{Codec: mpegts.AVC})
	ts := appendUnit(t, m, m.Start(nil, 0), 0,
		&mpegts.Unit{PTS: 1<<33 - 1, DTS: 1<<33 - 3601, Sync: true, Data: sample(4, bytes.Repeat([]byte{0x65}, 147))})
	want := []byte{
		0x47, 0x41, 0x00, 0x30, // PID 0x100, start, adaptation and payload, counter 0
		0x07, 0x50, 0xFF, 0xFF, 0xE7, 0x63, 0xFE, 0x00, // random access, PCR 2^33-12601
		0x00, 0x00, 0x01, 0xE0, 0x00, 0xAA, 0x84, 0xC0, 0x0A,
		0x3F, 0xFF, 0xFF, 0xFF, 0xFF, // PTS
		0x1F, 0xFF, 0xFF, 0xE3, 0xDF, // DTS
		0x00, 0x00, 0x00, 0x01, 0x09, 0xF0,
		0x00, 0x00, 0x00, 0x01, 0x65,
	}
	assert.Equal(t, want, ts[mpegts.TablesSize:][:len(want)])
}

func TestAudioUnits(t *testing.T) {
	frame := bytes.Repeat([]byte{1, 2, 3}, 100)
	aacOf := func(asc ...byte) mpegts.Stream { return mpegts.Stream{Codec: mpegts.AAC, AudioConfig: asc} }
	adts := func(profile, rate, channels byte) []byte {
		n := len(frame) + 7
		header := []byte{0xFF, 0xF1, profile<<6 | rate<<2 | channels>>2, channels<<6 | byte(n>>11)}
		return append(append(header, byte(n>>3), byte(n<<5)|0x1F, 0xFC), frame...)
	}
	for _, c := range []struct {
		name   string
		stream mpegts.Stream
		id     byte
		want   []byte
	}{
		{"AAC-LC", aac(), 0xC0, adts(1, 4, 2)},
		{"AAC-LC with SBR signalled behind", aacOf(0x13, 0x90, 0x56, 0xE5, 0xA0), 0xC0, adts(1, 7, 2)},
		{"AAC Main 5.1", aacOf(0x09, 0xB0), 0xC0, adts(0, 3, 6)},
		{"HE-AAC", aacOf(0x2B, 0x92, 0x08, 0x00), 0xC0, adts(1, 7, 2)},
		{"HE-AAC v2", aacOf(0xEB, 0x8A, 0x08, 0x00), 0xC0, adts(1, 7, 1)},
		{"rate written out", aacOf(0x17, 0x80, 0x56, 0x22, 0x10), 0xC0, adts(1, 4, 2)},
		{"AC-3", mpegts.Stream{Codec: mpegts.AC3}, 0xBD, frame},
		{"E-AC-3", mpegts.Stream{Codec: mpegts.EAC3}, 0xBD, frame},
		{"MP3", mpegts.Stream{Codec: mpegts.MP3, SampleRate: 44100}, 0xC0, frame},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := muxer(t, c.stream, avc())
			ts := appendUnit(t, m, m.Start(nil, 0), 0, &mpegts.Unit{PTS: 90000, Data: frame, Sync: true})
			ts = appendUnit(t, m, ts, 0, &mpegts.Unit{PTS: 93600, Frames: [][]byte{frame, frame}, Last: true})
			got := unpack(t, demux(t, ts), firstPID)
			require.Len(t, got, 2)
			assert.Equal(t, c.want, got[0].payload)
			assert.Equal(t, append(bytes.Clone(c.want), c.want...), got[1].payload)
			for i, p := range got {
				assert.Equal(t, c.id, p.stream)
				assert.NotZero(t, p.length, "the length of audio is exact")
				assert.False(t, p.hasDTS)
				assert.Zero(t, p.first.flags)
				assert.Equal(t, int64(90000+i*3600), p.pts)
			}
		})
	}
}

func TestMetadata(t *testing.T) {
	m := muxer(t, avc(), mpegts.Stream{Codec: mpegts.ID3})
	tag := append([]byte("ID3\x04\x00\x00\x00\x00\x00\x0a"), "0123456789"...)
	ts := appendUnit(t, m, m.Start(nil, 0), 1, &mpegts.Unit{PTS: 90000, Data: tag, Last: true, Sync: true})
	got := unpack(t, demux(t, ts), firstPID+1)
	require.Len(t, got, 1)
	assert.Equal(t, tag, got[0].payload)
	assert.Equal(t, byte(0xBD), got[0].stream)
	assert.Equal(t, 14+len(tag)-6, got[0].length)
	assert.Equal(t, 16, got[0].packets)
}

func TestStreamIDs(t *testing.T) {
	m := muxer(t, aac(), avc(), aac(), avc(), mpegts.Stream{Codec: mpegts.AC3})
	ts := m.Start(nil, 0)
	for i := range 5 {
		ts = appendUnit(t, m, ts, i, &mpegts.Unit{Data: sample(4, []byte{0x65, 1})})
	}
	packets := demux(t, ts)
	for i, want := range []byte{0xC0, 0xE0, 0xC1, 0xE1, 0xBD} {
		got := unpack(t, packets, firstPID+i)
		assert.Equal(t, want, got[0].stream)
		assert.Equal(t, i == 1, got[0].first.hasPCR)
	}
}

func TestLongVideoHasNoLength(t *testing.T) {
	m := muxer(t, avc())
	const overhead = 14 - 6 + 6 + 4
	for _, size := range []int{65535 - overhead, 65536 - overhead} {
		ts := appendUnit(t, m, m.Start(nil, 0), 0, &mpegts.Unit{Data: sample(4, nalu(random(4), 0x41, size)), Last: true})
		got := unpack(t, demux(t, ts), firstPID)
		require.Len(t, got[0].payload, size+10)
		if size+overhead > 65535 {
			assert.Zero(t, got[0].length)
		} else {
			assert.Equal(t, 65535, got[0].length)
		}
	}
}

func TestDiscontinuity(t *testing.T) {
	m := muxer(t, avc(), aac())
	ts := appendUnit(t, m, m.Start(nil, 0), 0, &mpegts.Unit{DTS: 900000, Data: sample(4, sps), Duration: 90000})
	ts = appendUnit(t, m, ts, 1, &mpegts.Unit{PTS: 90000, Data: sps, Discontinuity: true})
	ts = appendUnit(t, m, ts, 0, &mpegts.Unit{DTS: 1 << 32, Data: sample(4, sps), Discontinuity: true, Sync: true})
	packets := demux(t, ts)
	require.Len(t, packets, 5, "no PCR between the time bases")
	assert.Equal(t, byte(0x80), packets[3].flags)
	assert.Equal(t, byte(0xD0), packets[4].flags)
}
