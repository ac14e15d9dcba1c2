package bitrate_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// Sample rates as extended numbers.
const (
	extended44100 = "\x40\x0E\xAC\x44\x00\x00\x00\x00\x00\x00"
	extended22254 = "\x40\x0D\xAD\xDD\x17\x45\xD1\x45\xD1\x74" // 22254.5454, of early Macintosh
)

// aiffChunk returns a chunk of an IFF file.
func aiffChunk(id string, data ...byte) []byte {
	b := join([]byte(id), binary.BigEndian.AppendUint32(nil, uint32(len(data))), data)
	return append(b, zeros(len(data)&1)...)
}

// comm returns the COMM chunk of a file of two channels of 16 bits.
func comm(frames uint32, rate string, more ...byte) []byte {
	return aiffChunk("COMM", join([]byte{0, 2}, binary.BigEndian.AppendUint32(nil, frames), []byte{0, 16}, []byte(rate), more)...)
}

func form(kind string, chunks ...[]byte) []byte {
	body := join(chunks...)
	return join([]byte("FORM"), binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), []byte(kind), body)
}

func TestAIFF(t *testing.T) {
	second := aiffChunk("SSND", zeros(176408)...)
	want := found{bitrate.AIFF, 1_411_700, 1, "COMM"}
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"AIFF":             {form("AIFF", comm(44100, extended44100), second), want},
		"sound first":      {form("AIFF", aiffChunk("NAME", 1, 2, 3), second, comm(44100, extended44100)), want},
		"fraction of rate": {form("AIFF", comm(44100, extended22254), second), found{bitrate.AIFF, 712_400, 1.98162, "COMM"}},
		"frames zero":      {form("AIFF", comm(0, extended44100), second), want},
		"frames that lie":  {form("AIFF", comm(math.MaxUint32, extended44100), second), want},
		"AIFF-C, plain":    {form("AIFC", aiffChunk("FVER", 0xA2, 0x80, 0x51, 0x40), comm(90_000_000, extended44100, []byte("sowt\x00\x00")...), second), want},
		"AIFF-C, packed":   {form("AIFC", comm(88200, extended44100, []byte("ima4\x00\x00")...), second), found{bitrate.AIFF, 705_800, 2, "COMM"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

func TestAIFFRefuses(t *testing.T) {
	sound := aiffChunk("SSND", zeros(1000)...)
	assertRefused(t, "", form("AIFF", sound), bitrate.AIFF, bitrate.ErrCorrupt)
	assertRefused(t, "", form("AIFF", aiffChunk("COMM", 0, 2), sound), bitrate.AIFF, bitrate.ErrCorrupt)
	assertRefused(t, "", form("AIFF", []byte("JUNK\xFF\xFF\xFF\xFF")), bitrate.AIFF, bitrate.ErrCorrupt)
	assertRefused(t, "", form("AIFF", repeat(100_000, func(int) []byte { return aiffChunk("JUNK") })), bitrate.AIFF, bitrate.ErrCorrupt)
	for _, rate := range []string{"\xC0\x0E", "\x3F\xF0", "\x40\x50", "\x7F\xFF"} { // negative, below one, too large, not a number
		assertRefused(t, "", form("AIFF", comm(1, rate+extended44100[2:]), sound), bitrate.AIFF, bitrate.ErrCorrupt)
	}
	assertRefused(t, "", form("AIFF", comm(1, "\x40\x0E\x00\x00\x00\x00\x00\x00\x00\x00"), sound), bitrate.AIFF, bitrate.ErrCorrupt)
	assertRefused(t, "", form("AIFC", comm(0, extended44100, []byte("ima4")...), sound), bitrate.AIFF, bitrate.ErrUnknownRate)
}

func TestAIFFCut(t *testing.T) {
	assertCut(t, "", form("AIFC", aiffChunk("NAME", 1, 2, 3), comm(0, extended44100, []byte("NONE\x00\x00")...), aiffChunk("SSND", zeros(20)...)))
}

func FuzzAIFF(f *testing.F) {
	fuzzContainer(f, "", [][]byte{
		form("AIFC", aiffChunk("NAME", 1, 2, 3), comm(0, extended44100, []byte("NONE\x00\x00")...), aiffChunk("SSND", zeros(20)...)),
		form("AIFF", aiffChunk("SSND", zeros(20)...), comm(5, extended22254)),
	}, "aiff")
}
