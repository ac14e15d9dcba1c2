package mpegts_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/mpegts"
)

// FuzzAppend writes any bytes as a sample of any codec. What is written must be a good stream, within the bound, and a
// sample that is refused must leave no trace.
func FuzzAppend(f *testing.F) {
	idr := sample(4, []byte{0x09, 0xF0}, nalu(random(10), 0x06, 12), nalu(random(10), 0x65, 700), []byte{0x0C, 0xFF})
	f.Add(uint8(0), uint8(4), idr, uint64(900000), uint32(3600), uint8(3))
	f.Add(uint8(0), uint8(4), idr[:len(idr)-1], uint64(900000), uint32(3600), uint8(3))
	short := sample(1, []byte{0x67, 1}, []byte{0x68, 1}, []byte{0x65})
	f.Add(uint8(0), uint8(1), short, uint64(1<<33-1), uint32(20000), uint8(1))
	f.Add(uint8(1), uint8(2), sample(2, []byte{0x46, 1}, []byte{0x26, 1, 2, 3}), uint64(1<<63), uint32(1<<32-1), uint8(7))
	f.Add(uint8(1), uint8(3), sample(3, []byte{0x40, 1}), uint64(0), uint32(9001), uint8(15))
	f.Add(uint8(2), uint8(4), nalu(random(11), 0x21, 371), uint64(1), uint32(1920), uint8(2))
	f.Add(uint8(2), uint8(4), []byte{}, uint64(1), uint32(1920), uint8(18))
	f.Add(uint8(3), uint8(4), nalu(random(12), 0x0B, 768), uint64(90000), uint32(2880), uint8(2))
	f.Add(uint8(4), uint8(4), []byte{0x0B, 0x77}, uint64(90000), uint32(2880), uint8(0x52))
	f.Add(uint8(5), uint8(4), nalu(random(13), 0xFF, 417), uint64(90000), uint32(2351), uint8(2))
	f.Add(uint8(6), uint8(4), []byte("ID3\x04\x00\x00\x00\x00\x00\x00"), uint64(90000), uint32(0), uint8(2))
	f.Fuzz(func(t *testing.T, codec, lengthSize uint8, data []byte, pts uint64, duration uint32, flags uint8) {
		s := mpegts.Stream{Codec: mpegts.Codec(codec%7) + mpegts.AVC, NALULengthSize: int(lengthSize % 5)}
		switch s.Codec {
		case mpegts.AAC:
			s.AudioConfig = stereo
		case mpegts.MP3:
			s.SampleRate = 44100
		case mpegts.AVC:
			s.ParameterSets = [][]byte{sps, pps}
		}
		m, measuring := muxer(t, s, mpegts.Stream{Codec: mpegts.AC3}), muxer(t, s, mpegts.Stream{Codec: mpegts.AC3})
		ts := m.Start(nil, 0)
		measuring.Start(nil, 0)
		if other := (mpegts.Unit{PTS: pts, Duration: duration, Data: []byte{1}}); flags&16 != 0 {
			before := len(ts)
			ts = appendUnit(t, m, ts, 1, &other)
			checkMeasure(t, measuring, 1, &other, len(ts)-before, nil)
		}
		u := mpegts.Unit{DTS: pts, PTS: pts + uint64(flags>>7), Duration: duration, Data: data,
			Sync: flags&1 != 0, Last: flags&2 != 0, Discontinuity: flags&8 != 0}
		l := mpegts.Load{Units: 1, Sync: uint64(flags & 1), Frames: 1, Bytes: uint64(len(data)), Duration: uint64(duration)}
		if s.Codec.IsAudio() && flags&4 != 0 {
			for ; len(u.Data) > 0 && l.Frames < 100; l.Frames++ {
				n := min(len(u.Data), 1+int(u.Data[0]))
				u.Frames, u.Data = append(u.Frames, u.Data[:n]), u.Data[n:]
			}
			u.Data = nil
			l.Bytes = uint64(len(bytes.Join(u.Frames, nil)))
		}
		held := m.SizeBound(1, mpegts.Load{Duration: uint64(duration)}) // PCR due to the unit before
		n, err := checkAppend(t, m, ts, &u, m.SizeBound(0, l)+mpegts.ClosingSize+held)
		checkMeasure(t, measuring, 0, &u, n, err)
		next := mpegts.Unit{DTS: pts + 1<<20, PTS: pts + 1<<20, Data: []byte{1}, Last: true}
		ts, err = m.Append(nil, 1, &next)
		require.NoError(t, err)
		checkMeasure(t, measuring, 1, &next, len(ts), nil) // both went on alike
	})
}

// checkMeasure checks that a muxer which only measures finds what another one has appended, or why it has not.
func checkMeasure(t *testing.T, m *mpegts.Muxer, stream int, u *mpegts.Unit, appended int, refused error) {
	t.Helper()
	n, err := m.Measure(stream, u)
	require.Equal(t, refused, err)
	require.Equal(t, appended, n)
}

// checkAppend appends a unit and returns how many bytes that takes.
func checkAppend(t *testing.T, m *mpegts.Muxer, ts []byte, u *mpegts.Unit, bound uint64) (int, error) {
	t.Helper()
	before := bytes.Clone(ts)
	ts, err := m.Append(ts, 0, u)
	if err != nil {
		require.True(t, errors.Is(err, mpegts.ErrMalformed) || errors.Is(err, mpegts.ErrTooLarge), err)
		require.Equal(t, before, ts)
		return 0, err
	}
	require.Equal(t, before, ts[:len(before)])
	require.LessOrEqual(t, uint64(len(ts)-len(before)), bound)
	packets := demux(t, ts)
	got := unpack(t, packets, firstPID)
	require.Len(t, got, 1)
	size := len(u.Data) + len(bytes.Join(u.Frames, nil))
	require.LessOrEqual(t, len(got[0].payload), 3*size+7*len(u.Frames)+64)
	if u.Last {
		own := 0
		for _, p := range packets {
			if p.pid == firstPID && len(p.payload) > 0 {
				own++
			}
		}
		require.Zero(t, own%16)
	}
	return len(ts) - len(before), nil
}

// FuzzNewMuxer reads any bytes as an AudioSpecificConfig.
func FuzzNewMuxer(f *testing.F) {
	for _, asc := range [][]byte{
		stereo, {0x2B, 0x92, 0x08, 0}, {0xEB, 0x8A, 0x08, 0}, {0x17, 0x80, 0x56, 0x22, 0x10}, {0xF9, 0x46, 0x40}, {},
	} {
		f.Add(asc, false)
		f.Add(asc, true)
	}
	f.Fuzz(func(t *testing.T, asc []byte, encrypted bool) {
		m, err := mpegts.NewMuxer([]mpegts.Stream{{Codec: mpegts.AAC, AudioConfig: asc, SampleAES: encrypted}})
		if err != nil {
			require.ErrorIs(t, err, mpegts.ErrUnsupported)
			return
		}
		ts := appendUnit(t, m, m.Start(nil, 0), 0, &mpegts.Unit{Data: []byte{1}})
		header := unpack(t, demux(t, ts), firstPID)[0].payload[:7]
		require.Equal(t, []byte{0xFF, 0xF1}, header[:2])
		require.Less(t, header[2]>>2&15, byte(13))
		require.NotZero(t, header[2]&1<<2|header[3]>>6)
		require.Equal(t, []byte{1, 0x1F, 0xFC}, header[4:])
	})
}
