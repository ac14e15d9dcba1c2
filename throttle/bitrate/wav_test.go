package bitrate_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// chunk returns a RIFF chunk that states its size.
func chunk(id string, data ...byte) []byte { return sizedChunk(id, uint32(len(data)), data...) }

// sizedChunk returns a RIFF chunk that states any size, padded to even length.
func sizedChunk(id string, size uint32, data ...byte) []byte {
	b := join([]byte(id), binary.LittleEndian.AppendUint32(nil, size), data)
	return append(b, zeros(len(data)&1)...)
}

// waveFormat returns a fmt chunk.
func waveFormat(tag, channels, rate, perSecond, align, bits int, more ...byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, uint16(tag))
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(perSecond))
	b = le.AppendUint16(b, uint16(align))
	b = le.AppendUint16(b, uint16(bits))
	return chunk("fmt ", append(b, more...)...)
}

func riff(id string, chunks ...[]byte) []byte {
	body := join(chunks...)
	return join([]byte(id), binary.LittleEndian.AppendUint32(nil, uint32(len(body)+4)), []byte("WAVE"), body)
}

func fact(samples uint32) []byte {
	return chunk("fact", binary.LittleEndian.AppendUint32(nil, samples)...)
}

// ds64 returns the chunk of sizes of RF64.
func ds64(data, samples uint64) []byte {
	b := binary.LittleEndian.AppendUint64(zeros(8), data)
	b = binary.LittleEndian.AppendUint64(b, samples)
	return chunk("ds64", append(b, zeros(4)...)...)
}

func TestWAV(t *testing.T) {
	cd := waveFormat(1, 2, 44100, 176400, 4, 16)
	second := chunk("data", zeros(176400)...)
	want := found{bitrate.WAV, 1_411_200, 1, "fmt"}
	guid := join(zeros(6), []byte{1, 0}, zeros(14))
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"PCM":                     {riff("RIFF", cd, second), want},
		"chunks before and after": {riff("RIFF", chunk("JUNK", zeros(27)...), cd, second, chunk("LIST", zeros(100)...)), want},
		"wrong byte rate":         {riff("RIFF", waveFormat(1, 2, 44100, 5, 4, 16), second), want},
		"wrong block":             {riff("RIFF", waveFormat(1, 2, 44100, 176400, 0, 16), second), want},
		"extensible":              {riff("RIFF", waveFormat(0xFFFE, 2, 44100, 0, 4, 16, append([]byte{22, 0}, guid...)...), second), want},
		"size zero, as of a pipe": {riff("RIFF", cd, sizedChunk("data", 0, zeros(176400)...)), want},
		"size unknown":            {riff("RIFF", cd, sizedChunk("data", math.MaxUint32, zeros(176400)...)), want},
		"cut":                     {riff("RIFF", cd, sizedChunk("data", 10_000_000, zeros(176400)...)), want},
		"data before format":      {riff("RIFF", second, cd), want},
		"RF64":                    {riff("RF64", ds64(176400, 44100), cd, sizedChunk("data", math.MaxUint32, zeros(176400)...), chunk("LIST", zeros(600)...)), want},
		"BW64 that lies":          {riff("BW64", ds64(math.MaxUint64, 44100), cd, sizedChunk("data", math.MaxUint32, zeros(176400)...)), want},
		"image behind":            {riff("RIFF", cd, second, chunk("id3 ", zeros(176400)...)), found{bitrate.WAV, 2_822_400, 1, "fmt"}},
		"24 bits in 32":           {riff("RIFF", waveFormat(1, 2, 44100, 352800, 8, 24), chunk("data", zeros(352800)...)), found{bitrate.WAV, 2_822_400, 1, "fmt"}},
		"mu-law":                  {riff("RIFF", waveFormat(7, 1, 8000, 8000, 1, 8), chunk("data", zeros(16000)...)), found{bitrate.WAV, 64_100, 2, "fmt"}},
		"ADPCM":                   {riff("RIFF", waveFormat(2, 1, 44100, 5, 1024, 4, 2, 0, 0xF4, 7), chunk("data", zeros(102400)...)), found{bitrate.WAV, 177_400, 100 * 2036.0 / 44100, "fmt"}},
		"MP3":                     {riff("RIFF", waveFormat(0x55, 2, 44100, 16000, 1, 0), chunk("data", zeros(32000)...)), found{bitrate.WAV, 128_200, 2, "fmt"}},
		"MP3 with samples":        {riff("RIFF", waveFormat(0x55, 2, 44100, 16000, 1, 0), fact(44100*3/2), chunk("data", zeros(32000)...)), found{bitrate.WAV, 170_950, 1.5, "fmt"}},
		"MP3 with wrong samples":  {riff("RIFF", waveFormat(0x55, 2, 44100, 16000, 1, 0), fact(77), chunk("data", zeros(32000)...)), found{bitrate.WAV, 128_200, 2, "fmt"}},
		"only fact":               {riff("RIFF", waveFormat(0x55, 2, 44100, 0, 1, 0), fact(88200), chunk("data", zeros(32000)...)), found{bitrate.WAV, 128_200, 2, "fmt"}},
		"header only":             {riff("RIFF", cd), found{bitrate.WAV, 1_411_200, 0, "fmt"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

func TestWAVBigEndian(t *testing.T) {
	be := binary.BigEndian
	format := append([]byte("fmt \x00\x00\x00\x10\x00\x01\x00\x02"), be.AppendUint32(be.AppendUint32(nil, 44100), 176400)...)
	data := join([]byte("RIFX\x00\x00\x00\x00WAVE"), format, []byte("\x00\x04\x00\x10data"), be.AppendUint32(nil, 176400), zeros(176400))
	assertFound(t, data, found{bitrate.WAV, 1_411_200, 1, "fmt"})
}

func TestWAVRefuses(t *testing.T) {
	data := chunk("data", zeros(1000)...)
	assertRefused(t, "", riff("RIFF"), bitrate.WAV, bitrate.ErrCorrupt)
	assertRefused(t, "", riff("RIFF", data), bitrate.WAV, bitrate.ErrCorrupt)
	assertRefused(t, "", riff("RIFF", chunk("fmt ", 1, 0), data), bitrate.WAV, bitrate.ErrCorrupt)
	assertRefused(t, "", riff("RF64", chunk("ds64", 1, 2, 3), data), bitrate.WAV, bitrate.ErrCorrupt)
	assertRefused(t, "", riff("RIFF", sizedChunk("LIST", math.MaxUint32), data), bitrate.WAV, bitrate.ErrCorrupt)
	assertRefused(t, "", riff("RIFF", waveFormat(1, 0, 0, 0, 0, 0), data), bitrate.WAV, bitrate.ErrUnknownRate)
	assertRefused(t, "", riff("RIFF", repeat(100_000, func(int) []byte { return chunk("JUNK") })), bitrate.WAV, bitrate.ErrCorrupt)
}

func TestWAVCut(t *testing.T) {
	guid := join(zeros(6), []byte{1, 0}, zeros(14))
	assertCut(t, "", riff("RF64", ds64(20, 5), chunk("JUNK", 1), waveFormat(0xFFFE, 2, 44100, 0, 4, 16, append([]byte{22, 0}, guid...)...),
		fact(5), sizedChunk("data", math.MaxUint32, zeros(20)...)))
	assertCut(t, "", riff("RIFF", waveFormat(2, 1, 44100, 5, 1024, 4, 2, 0, 0xF4, 7), chunk("data", zeros(20)...)))
}

func FuzzWAV(f *testing.F) {
	fuzzContainer(f, "", [][]byte{
		riff("RF64", ds64(20, 5), waveFormat(1, 2, 44100, 0, 4, 16), fact(5), sizedChunk("data", math.MaxUint32, zeros(20)...)),
		riff("RIFF", waveFormat(2, 1, 44100, 5, 1024, 4, 2, 0, 0xF4, 7), chunk("data", zeros(20)...)),
		riff("RIFF", waveFormat(0x55, 2, 44100, 16000, 1, 0), fact(77), chunk("data", zeros(500)...)),
	}, "wav")
}
