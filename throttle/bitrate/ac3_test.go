package bitrate_test

import (
	"bytes"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/require"
)

// ac3Frame returns a frame of AC-3 of size bytes, by clock and size codes, and stream identification.
func ac3Frame(fscod, frmsizecod, bsid, size int) []byte {
	b := zeros(size)
	copy(b, []byte{0x0B, 0x77, 0, 0, byte(fscod<<6 | frmsizecod), byte(bsid << 3)})
	return b
}

// eac3Frame returns a frame of E-AC-3 of size bytes, by type of the stream, substream, and codes of clock and blocks.
func eac3Frame(strmtyp, substream, fscod, numblkscod, size int) []byte {
	b := zeros(size)
	words := size/2 - 1
	copy(b, []byte{0x0B, 0x77, byte(strmtyp<<6 | substream<<3 | words>>8), byte(words), byte(fscod<<6 | numblkscod<<4), 16 << 3})
	return b
}

// swapped returns b with the bytes of each word swapped.
func swapped(b []byte) []byte {
	b = bytes.Clone(b)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return b
}

func TestAC3(t *testing.T) {
	const n = 50
	same := func(frame []byte) []byte { return bytes.Repeat(frame, n) }
	plain := same(ac3Frame(0, 20, 8, 768))
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"48 kHz":              {plain, found{bitrate.AC3, 192_000, n * 0.032, "frames"}},
		"44.1 kHz, padded":    {same(ac3Frame(1, 21, 8, 836)), found{bitrate.AC3, 192_000, n * 1536.0 / 44100, "frames"}},
		"32 kHz":              {same(ac3Frame(2, 0, 8, 192)), found{bitrate.AC3, 32_000, n * 0.048, "frames"}},
		"half the clock":      {same(ac3Frame(0, 20, 9, 768)), found{bitrate.AC3, 96_000, n * 0.064, "frames"}},
		"swapped":             {swapped(plain), found{bitrate.AC3, 192_000, n * 0.032, "frames"}},
		"behind a tag":        {join(id3(10, 0), plain), found{bitrate.AC3, 192_000, n * 0.032, "frames"}},
		"E-AC-3":              {same(eac3Frame(0, 0, 0, 3, 768)), found{bitrate.EAC3, 192_000, n * 0.032, "frames"}},
		"E-AC-3, two blocks":  {same(eac3Frame(0, 0, 0, 1, 256)), found{bitrate.EAC3, 192_000, n * 0.032 / 3, "frames"}},
		"E-AC-3 at 24 kHz":    {same(eac3Frame(0, 0, 3, 0, 768)), found{bitrate.EAC3, 96_000, n * 0.064, "frames"}},
		"E-AC-3, swapped":     {swapped(same(eac3Frame(0, 0, 0, 3, 768))), found{bitrate.EAC3, 192_000, n * 0.032, "frames"}},
		"dependent substream": {same(join(eac3Frame(0, 0, 0, 3, 768), eac3Frame(1, 0, 0, 3, 384))), found{bitrate.EAC3, 288_000, n * 0.032, "frames"}},
		"second programme":    {same(join(eac3Frame(0, 0, 0, 3, 768), eac3Frame(0, 1, 0, 3, 768))), found{bitrate.EAC3, 384_000, n * 0.032, "frames"}},
		"core of AC-3":        {same(join(ac3Frame(0, 20, 8, 768), eac3Frame(1, 0, 0, 3, 384))), found{bitrate.EAC3, 288_000, n * 0.032, "frames"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

func TestEAC3EstimatesLongFiles(t *testing.T) {
	data := bytes.Repeat(join(eac3Frame(0, 0, 0, 3, 768), eac3Frame(1, 0, 0, 3, 256)), 2000)
	info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
	requireEstimate(t, info, err, bitrate.EAC3, 256_000)
}

func TestAC3Refuses(t *testing.T) {
	for name, frame := range map[string][]byte{
		"reserved clock":      ac3Frame(3, 20, 8, 768),
		"reserved size":       ac3Frame(0, 38, 8, 768),
		"reserved bsid":       ac3Frame(0, 20, 17, 768),
		"reserved type":       eac3Frame(3, 0, 0, 3, 768),
		"reserved half clock": eac3Frame(0, 0, 3, 3, 768),
		"no bytes":            eac3Frame(0, 0, 0, 3, 6),
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Repeat(frame, 30)
			assertRefused(t, "a.ac3", data, bitrate.AC3, bitrate.ErrCorrupt)
			_, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
			require.ErrorIs(t, err, bitrate.ErrUnknownContainer)
		})
	}
}

func TestAC3Cut(t *testing.T) {
	assertCut(t, "a.ac3", bytes.Repeat(join(ac3Frame(2, 0, 8, 192), eac3Frame(1, 0, 2, 3, 64)), 5))
}

func FuzzAC3(f *testing.F) {
	fuzzContainer(f, "a.ac3", [][]byte{
		bytes.Repeat(join(ac3Frame(2, 0, 8, 192), eac3Frame(1, 0, 2, 3, 64)), 5),
		swapped(bytes.Repeat(eac3Frame(0, 0, 0, 3, 256), 5)),
	}, "ac3")
}
