package bitrate_test

import (
	"bytes"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// adtsFrame returns a frame of AAC-LC in ADTS, of size bytes and 1024 samples for each of blocks, by sampling index.
func adtsFrame(index, size, blocks int) []byte {
	b := zeros(size)
	copy(b, []byte{0xFF, 0xF1, 1<<6 | byte(index)<<2, 2<<6 | byte(size>>11), byte(size >> 3), byte(size)<<5 | 0x1F, 0xFC | byte(blocks-1)})
	return b
}

func TestADTS(t *testing.T) {
	const at44, at24 = 4, 6
	body := repeat(100, func(i int) []byte { return adtsFrame(at44, 300+i%2*100, 1) })
	const seconds = 100 * 1024.0 / 44100
	want := found{bitrate.ADTS, 120_586, seconds, "frames"}
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"variable":          {body, want},
		"ID3v2, as in HLS":  {join(id3(63, 0), body), want},
		"ID3v1":             {join(body, text("TAG", noise(125)...)), want},
		"core of HE-AAC":    {repeat(50, func(int) []byte { return adtsFrame(at24, 128, 1) }), found{bitrate.ADTS, 24_000, 50 * 1024.0 / 24000, "frames"}},
		"blocks":            {repeat(50, func(int) []byte { return adtsFrame(at44, 1000, 3) }), found{bitrate.ADTS, 114_844, 3 * seconds / 2, "frames"}},
		"begins in a frame": {body[200:], found{bitrate.ADTS, 120_586, 99 * 1024.0 / 44100, "frames"}},
		"last frame cut":    {body[:len(body)-10], found{bitrate.ADTS, 120_400, 99 * 1024.0 / 44100, "frames"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

func TestADTSEstimatesLongFiles(t *testing.T) {
	const frames = 20_000
	data := repeat(frames, func(i int) []byte { return adtsFrame(3, 200+i%7*50+i/5000*100, 1) })
	info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
	requireEstimate(t, info, err, bitrate.ADTS, float64(len(data))*8/(frames*1024.0/48000))
}

func TestADTSRefuses(t *testing.T) {
	assertRefused(t, "a.aac", []byte("ADIF and what follows"), bitrate.ADTS, bitrate.ErrCorrupt)
	assertRefused(t, "a.aac", join(id3(100, 0), noise(100)), bitrate.ADTS, bitrate.ErrCorrupt)
	assertRefused(t, "a.aac", id3(100, 0)[:50], bitrate.ADTS, bitrate.ErrCorrupt)
	assertRefused(t, "a.aac", bytes.Repeat(adtsFrame(15, 100, 1), 20), bitrate.ADTS, bitrate.ErrCorrupt) // an index without a rate
	assertRefused(t, "a.aac", adtsFrame(4, 100, 1)[:50], bitrate.ADTS, bitrate.ErrUnknownRate)
	assertRefused(t, "a.aac", bytes.Repeat([]byte{0xFF, 0xF1, 0x50, 0x80, 0, 0x1F, 0xFC}, 100), bitrate.ADTS, bitrate.ErrCorrupt) // length 0
}

func TestADTSCut(t *testing.T) {
	assertCut(t, "a.aac", join(id3(30, 0), repeat(6, func(i int) []byte { return adtsFrame(4, 100+i, 1) })))
}

func FuzzADTS(f *testing.F) {
	fuzzContainer(f, "a.aac", [][]byte{
		join(id3(30, 0), repeat(6, func(i int) []byte { return adtsFrame(4, 100+i, 1) })),
		bytes.Repeat([]byte{0xFF, 0xF1, 0x50, 0x80, 0, 0x1F, 0xFC}, 100),
	}, "aac")
}
