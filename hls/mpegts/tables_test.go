package mpegts_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/mpegts"
)

// stereo is an AudioSpecificConfig: AAC-LC, 44,100 Hz, two channels.
var stereo = []byte{0x12, 0x10}

func muxer(t testing.TB, streams ...mpegts.Stream) *mpegts.Muxer {
	t.Helper()
	m, err := mpegts.NewMuxer(streams)
	require.NoError(t, err)
	return m
}

// section returns a packet's section after its pointer field, and checks what follows it.
func section(t testing.TB, packet []byte) string {
	t.Helper()
	require.Equal(t, byte(0), packet[4], "pointer_field")
	n := 3 + int(packet[6]&0x0F)<<8 + int(packet[7])
	require.Empty(t, bytes.TrimLeft(packet[5+n:], "\xFF"), "behind the section")
	return hex.EncodeToString(packet[5 : 5+n])
}

func TestPAT(t *testing.T) {
	m := muxer(t, mpegts.Stream{Codec: mpegts.AVC})
	for _, sequence := range []uint64{0, 7, 15, 16, 1<<40 + 5} {
		ts := m.Start([]byte("before"), sequence)
		require.Equal(t, "before", string(ts[:6]))
		ts = ts[6:]
		require.Len(t, ts, mpegts.TablesSize)
		assert.Equal(t, []byte{0x47, 0x40, 0x00, 0x10 | byte(sequence&15)}, ts[:4])
		assert.Equal(t, []byte{0x47, 0x50, 0x00, 0x10 | byte(sequence&15)}, ts[188:192])
		// The CRC of this PAT is that of ffmpeg's with the same numbers.
		assert.Equal(t, "00b00d0001c100000001f0002ab104b2", section(t, ts[:188]))
	}
}

func encrypted(c mpegts.Codec, config ...byte) []mpegts.Stream {
	return []mpegts.Stream{{Codec: c, SampleAES: true, AudioConfig: config}}
}

func TestPMT(t *testing.T) {
	for _, c := range []struct {
		name    string
		streams []mpegts.Stream
		want    string // from PCR PID to before CRC
	}{
		{"AVC", []mpegts.Stream{{Codec: mpegts.AVC}}, "e100 f000 1b e100 f000"},
		{"HEVC", []mpegts.Stream{{Codec: mpegts.HEVC}}, "e100 f000 24 e100 f006 050448455643"},
		{"AAC", []mpegts.Stream{{Codec: mpegts.AAC, AudioConfig: stereo}}, "e100 f000 0f e100 f000"},
		{"AAC in English", []mpegts.Stream{{Codec: mpegts.AAC, AudioConfig: stereo, Language: "eng"}},
			"e100 f000 0f e100 f006 0a04656e6700"},
		{"AC-3", []mpegts.Stream{{Codec: mpegts.AC3}}, "e100 f000 81 e100 f006 050441432d33"},
		{"E-AC-3 in German", []mpegts.Stream{{Codec: mpegts.EAC3, Language: "deu"}},
			"e100 f000 87 e100 f00c 050445414333 0a0464657500"},
		{"MP3", []mpegts.Stream{{Codec: mpegts.MP3, SampleRate: 32000}}, "e100 f000 03 e100 f000"},
		{"MP3 of MPEG-2", []mpegts.Stream{{Codec: mpegts.MP3, SampleRate: 24000}}, "e100 f000 04 e100 f000"},
		{"PCR on video", []mpegts.Stream{{Codec: mpegts.AAC, AudioConfig: stereo}, {Codec: mpegts.AVC}},
			"e101 f000 0f e100 f000 1b e101 f000"},
		{"metadata", []mpegts.Stream{{Codec: mpegts.ID3}, {Codec: mpegts.AAC, AudioConfig: stereo}},
			"e101 f011 250fffff49443320ff49443320001f0001 15 e100 f00f 260dffff49443320ff49443320000f 0f e101 f000"},
		{"encrypted AVC", []mpegts.Stream{{Codec: mpegts.AVC, SampleAES: true}}, "e100 f000 db e100 f006 0f047a617663"},
		{"encrypted AAC", encrypted(mpegts.AAC, stereo...),
			"e100 f000 cf e100 f016 0f0461616364 050e 61706164 7a616163 0000 01 02 1210"},
		{"encrypted HE-AAC", encrypted(mpegts.AAC, 0x2B, 0x92, 0x08, 0),
			"e100 f000 cf e100 f018 0f0461616364 0510 61706164 7a616368 0000 01 04 2b920800"},
		{"encrypted HE-AAC v2", encrypted(mpegts.AAC, 0xEB, 0x8A, 0x08, 0),
			"e100 f000 cf e100 f018 0f0461616364 0510 61706164 7a616370 0000 01 04 eb8a0800"},
		{"encrypted AC-3", encrypted(mpegts.AC3, []byte("\x0b\x77345678ab")...),
			"e100 f000 c1 e100 f01e 0f0461633364 0516 61706164 7a616333 0000 01 0a 0b773334353637386162"},
		{"encrypted E-AC-3", encrypted(mpegts.EAC3, 1, 2),
			"e100 f000 c2 e100 f016 0f0465633364 050e 61706164 7a656333 0000 01 02 0102"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ts := muxer(t, c.streams...).Start(nil, 0)
			got := section(t, ts[188:])
			require.Equal(t, "0001c10000", got[6:16])
			assert.Equal(t, strings.ReplaceAll(c.want, " ", ""), got[16:len(got)-8])
			assert.Zero(t, checksum(ts[188+5:][:len(got)/2]), "CRC over section and CRC")
		})
	}
}

// checksum is a CRC-32 of MPEG-2 that shares nothing with that of the package: a long division of polynomials.
func checksum(data []byte) uint64 {
	bits := make([]byte, 0, len(data)*8)
	for _, b := range data {
		for i := 7; i >= 0; i-- {
			bits = append(bits, b>>i&1)
		}
	}
	for i := range 32 {
		bits[i] ^= 1
	}
	polynomial := uint64(1<<32 | 0x04C11DB7)
	for i := range len(bits) - 32 {
		if bits[i] == 1 {
			for j := range 33 {
				bits[i+j] ^= byte(polynomial >> (32 - j) & 1)
			}
		}
	}
	return uint64(bytes.Count(bits, []byte{1}))
}

func TestNewMuxerRefuses(t *testing.T) {
	aac := func(asc ...byte) mpegts.Stream { return mpegts.Stream{Codec: mpegts.AAC, AudioConfig: asc} }
	many := make([]mpegts.Stream, 40)
	for i := range many {
		many[i] = mpegts.Stream{Codec: mpegts.AC3, Language: "eng"}
	}
	for name, streams := range map[string][]mpegts.Stream{
		"nothing":                   nil,
		"metadata alone":            {{Codec: mpegts.ID3}},
		"two of metadata":           {aac(stereo...), {Codec: mpegts.ID3}, {Codec: mpegts.ID3}},
		"no codec":                  {aac(stereo...), {}},
		"unknown codec":             {aac(stereo...), {Codec: 99}},
		"length of 5":               {{Codec: mpegts.AVC, NALULengthSize: 5}},
		"length of -1":              {{Codec: mpegts.AVC, NALULengthSize: -1}},
		"empty parameter set":       {{Codec: mpegts.AVC, ParameterSets: [][]byte{{}}}},
		"huge parameter set":        {{Codec: mpegts.AVC, ParameterSets: [][]byte{make([]byte, 1<<20)}}},
		"parameter sets of audio":   {{Codec: mpegts.AC3, ParameterSets: [][]byte{{1}}}},
		"MP3 of no rate":            {{Codec: mpegts.MP3}},
		"language":                  {{Codec: mpegts.AC3, Language: "en"}},
		"language of other letters": {{Codec: mpegts.AC3, Language: "e\x00g"}},
		"encrypted HEVC":            {{Codec: mpegts.HEVC, SampleAES: true}},
		"encrypted MP3":             {{Codec: mpegts.MP3, SampleRate: 44100, SampleAES: true}},
		"no setup data":             {{Codec: mpegts.AC3, SampleAES: true}},
		"long setup data":           {{Codec: mpegts.AC3, SampleAES: true, AudioConfig: make([]byte, 129)}},
		"too many":                  many,
		"far too many":              make([]mpegts.Stream, 1<<16),
		"no configuration":          {aac()},
		"cut configuration":         {aac(0x12)},
		"object type 0":             {aac(0x02, 0x10)},
		"USAC":                      {aac(0xF9, 0x46, 0x40)},
		"HE-AAC over ER LC":         {aac(0x2B, 0x92, 0x44, 0)},
		"reserved frequency":        {aac(0x16, 0x90)},
		"odd frequency":             {aac(0x17, 0x80, 0x60, 0x00, 0x10)},
		"channels in a PCE":         {aac(0x12, 0x00)},
		"channel configuration 8":   {aac(0x12, 0x40)},
		"frames of 960":             {aac(0x12, 0x14)},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mpegts.NewMuxer(streams)
			require.ErrorIs(t, err, mpegts.ErrUnsupported)
			require.Nil(t, m)
			assert.True(t, strings.HasPrefix(err.Error(), "mpegts: "), err.Error())
		})
	}
}

func TestCodec(t *testing.T) {
	assert.Equal(t, "E-AC-3", mpegts.EAC3.String())
	assert.Equal(t, "Codec(200)", mpegts.Codec(200).String())
	assert.True(t, mpegts.HEVC.IsVideo() && !mpegts.AAC.IsVideo() && !mpegts.Codec(0).IsVideo())
	assert.True(t, mpegts.MP3.IsAudio() && !mpegts.ID3.IsAudio() && !mpegts.AVC.IsAudio())
}
