package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// streamInfo returns the beginning of a FLAC file: two channels of 16 bits, blocks of 4096 samples.
func streamInfo(rate, samples uint64) []byte {
	b := append([]byte("fLaC\x80\x00\x00\x22\x10\x00\x10\x00"), zeros(30)...)
	binary.BigEndian.PutUint64(b[18:], rate<<44|1<<41|15<<36|samples)
	return b
}

// flacHeader returns the header of a frame with its CRC-8: the rest of the division by x^8+x^2+x+1.
func flacHeader(header string) []byte {
	rest := new(big.Int).Lsh(new(big.Int).SetBytes([]byte(header)), 8)
	for n := rest.BitLen(); n > 8; n = rest.BitLen() {
		rest.Xor(rest, new(big.Int).Lsh(big.NewInt(0x107), uint(n-9)))
	}
	return text(header, byte(rest.Uint64()))
}

// flacFrame300 is the header of frame 300 of blocks of 4096 samples, flacSample1000000 that of a frame of 1000 samples
// that begins with that sample.
func flacFrame300() []byte      { return flacHeader("\xFF\xF8\xC9\x18\xC4\xAC") }
func flacSample1000000() []byte { return flacHeader("\xFF\xF9\x79\x18\xF3\xB4\x89\x80\x03\xE7") }

func TestFLAC(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"stated":             {join(streamInfo(44100, 441000), zeros(50_000)), found{bitrate.FLAC, 40_033, 10, "STREAMINFO"}},
		"36 bits":            {join(streamInfo(96000, 1<<35), zeros(30<<20)), found{bitrate.FLAC, 703, 357913.9, "STREAMINFO"}},
		"behind a tag":       {join(id3(100, 0), streamInfo(44100, 441000), zeros(50_000)), found{bitrate.FLAC, 40_121, 10, "STREAMINFO"}},
		"live":               {join(streamInfo(44100, 0), zeros(50_000), flacFrame300(), zeros(8000)), found{bitrate.FLAC, 16_609, 301 * 4096.0 / 44100, "frames"}},
		"live, not constant": {join(streamInfo(44100, 0), noise(200_000), flacSample1000000(), zeros(100)), found{bitrate.FLAC, 70_500, 1001000 / 44100.0, "frames"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

// TestFLACFrameHeaders has the forms of block sizes, rates and numbers of the last frame of a live encoder.
func TestFLACFrameHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		want   uint64 // samples up to the end of the frame
	}{
		"192":                  {"\xFF\xF9\x19\x18\xC4\xAC", 300 + 192},
		"576":                  {"\xFF\xF9\x29\x18\xC4\xAC", 300 + 576},
		"4608":                 {"\xFF\xF9\x59\x18\xC4\xAC", 300 + 4608},
		"8 bits":               {"\xFF\xF9\x69\x18\xC4\xAC\x63", 300 + 100},
		"32768":                {"\xFF\xF9\xF9\x18\xC4\xAC", 300 + 32768},
		"rate of 8 bits":       {"\xFF\xF9\x1C\x18\xC4\xAC\x2C", 300 + 192},
		"rate of 16 bits":      {"\xFF\xF9\x1D\x18\xC4\xAC\xAC\x44", 300 + 192},
		"number of one byte":   {"\xFF\xF8\xC9\x18\x05", 6 * 4096},
		"number of three":      {"\xFF\xF9\x19\x18\xE1\x80\x80", 4096 + 192},
		"number of seven":      {"\xFF\xF9\x19\x18\xFE\x81\x80\x80\x80\x80\x80", 1<<30 + 192},
		"reserved size":        {"\xFF\xF9\x09\x18\xC4\xAC", 0},
		"reserved rate":        {"\xFF\xF9\x1F\x18\xC4\xAC", 0},
		"reserved bit":         {"\xFF\xF9\x19\x19\xC4\xAC", 0},
		"number goes on":       {"\xFF\xF9\x19\x18\xC4\x2C", 0},
		"number is no start":   {"\xFF\xF9\x19\x18\x84\xAC", 0},
		"number of eight byte": {"\xFF\xF9\x19\x18\xFF\xAC", 0},
	} {
		t.Run(name, func(t *testing.T) {
			data := join(streamInfo(48000, 0), zeros(20_000), flacHeader(c.header), zeros(100))
			if c.want == 0 {
				assertRefused(t, "", data, bitrate.FLAC, bitrate.ErrUnknownRate)
				return
			}
			info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
			if rate := uint64(len(data)) * 8 * 48000 / c.want; rate < bitrate.MinRate {
				require.ErrorIs(t, err, bitrate.ErrUnknownRate)
				require.ErrorContains(t, err, "7 bit/s")
				return
			}
			require.NoError(t, err)
			assert.EqualValues(t, uint64(len(data))*8*48000/c.want, info.Average)
		})
	}
}

func TestFLACRefuses(t *testing.T) {
	corrupt, unknown := bitrate.ErrCorrupt, bitrate.ErrUnknownRate
	assertRefused(t, "", []byte("fLaC"), bitrate.FLAC, corrupt)
	assertRefused(t, "", streamInfo(0, 1000), bitrate.FLAC, corrupt)
	assertRefused(t, "", join([]byte("fLaC\x04\x00\x00\x22"), zeros(100)), bitrate.FLAC, corrupt)
	assertRefused(t, "", join([]byte("fLaC\x00\x00\x00\x21"), zeros(100)), bitrate.FLAC, corrupt)
	assertRefused(t, "", join(streamInfo(44100, 0), zeros(100_000)), bitrate.FLAC, unknown)
	assertRefused(t, "", join(streamInfo(44100, 0), bytes.Repeat(append(flacFrame300()[:6], 0), 100)), bitrate.FLAC, unknown)
}

func TestFLACCut(t *testing.T) {
	assertCut(t, "", join(id3(10, 0), streamInfo(44100, 0), flacFrame300(), zeros(50)))
}

func FuzzFLAC(f *testing.F) {
	fuzzContainer(f, "", [][]byte{
		join(id3(10, 0), streamInfo(44100, 0), flacFrame300(), zeros(50)),
		join(streamInfo(44100, 0), flacSample1000000(), zeros(50)),
		streamInfo(44100, 441000),
	}, "flac")
}
