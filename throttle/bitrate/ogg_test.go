package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Types of Ogg pages.
const (
	oggFirst = 2
	oggOther = 0
)

// oggPage returns a page with a body of up to 65,025 bytes.
func oggPage(kind byte, granule int64, serial uint32, body []byte) []byte {
	le := binary.LittleEndian
	b := append([]byte("OggS\x00"), kind)
	b = le.AppendUint64(b, uint64(granule))
	b = le.AppendUint32(b, serial)
	b = append(b, zeros(8)...) // sequence and CRC
	segments := bytes.Repeat([]byte{255}, len(body)/255)
	if rest := len(body) % 255; rest > 0 {
		segments = append(segments, byte(rest))
	}
	return join(b, []byte{byte(len(segments))}, segments, body)
}

// oggPages returns n pages of 1000 bytes of body, the first of which ends at a granule, the others step later each.
func oggPages(serial uint32, n int, first, step int64) []byte {
	return repeat(n, func(i int) []byte { return oggPage(oggOther, first+int64(i)*step, serial, noise(1000)) })
}

// First packets of streams.
func vorbisHead(rate uint32, most, nominal, least int32) []byte {
	b := binary.LittleEndian.AppendUint32([]byte("\x01vorbis\x00\x00\x00\x00\x02"), rate)
	for _, v := range []int32{most, nominal, least} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return append(b, 0xB8, 1)
}

func opusHead(skip uint16) []byte {
	b := binary.LittleEndian.AppendUint16([]byte("OpusHead\x01\x02"), skip)
	return append(b, 0x44, 0xAC, 0, 0, 0, 0, 0)
}

func speexHead(rate, nominal uint32) []byte {
	b := append([]byte("Speex   "), zeros(72)...)
	binary.LittleEndian.PutUint32(b[36:], rate)
	binary.LittleEndian.PutUint32(b[52:], nominal)
	return b
}

func theoraHead(num, den, nominal uint32, shift uint16) []byte {
	b := append([]byte("\x80theora\x03\x02\x01"), zeros(32)...)
	binary.BigEndian.PutUint32(b[22:], num)
	binary.BigEndian.PutUint32(b[26:], den)
	binary.BigEndian.PutUint32(b[36:], nominal)
	binary.BigEndian.PutUint16(b[40:], shift<<5)
	return b
}

func oggFLACHead(rate uint64) []byte {
	return append([]byte("\x7FFLAC\x01\x00\x00\x01"), streamInfo(rate, 0)...)
}

// oggFile returns a file of one stream: its first packet, an empty comment, and pages.
func oggFile(head []byte, pages ...[]byte) []byte {
	return join(oggPage(oggFirst, 0, 7, head), oggPage(oggOther, 0, 7, []byte("comment")), join(pages...))
}

func TestOgg(t *testing.T) {
	vorbis := vorbisHead(44100, 0, 96_000, 0)
	second := oggPages(7, 100, 4410, 4410) // ten seconds of 103,100 bytes
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"Vorbis": {oggFile(vorbis, second), found{bitrate.Ogg, 82_600, 10, "granule"}},
		"Opus":   {oggFile(opusHead(4800), oggPages(7, 100, 4800, 4800)), found{bitrate.Ogg, 82_600, 9.9, "granule"}},
		"Speex":  {oggFile(speexHead(16000, 0), oggPages(7, 100, 1600, 1600)), found{bitrate.Ogg, 82_600, 10, "granule"}},
		"FLAC":   {oggFile(oggFLACHead(44100), second), found{bitrate.Ogg, 82_600, 10, "granule"}},
		"Theora": {oggFile(theoraHead(30000, 1001, 0, 6), oggPages(7, 100, 3<<6|1, 2<<6)), // key frame, and one since
			found{bitrate.Ogg, 122_490, 202 * 1001.0 / 30000, "granule"}},
		"two streams": {join(oggPage(oggFirst, 0, 7, vorbis), oggPage(oggFirst, 0, 9, theoraHead(25, 1, 0, 6)), second, oggPages(9, 100, 3<<6, 3<<6)),
			found{bitrate.Ogg, 137_600, 12, "granule"}},
		"Skeleton":          {join(oggPage(oggFirst, 0, 1, text("fishead\x00", zeros(56)...)), oggFile(vorbis, second)), found{bitrate.Ogg, 82_700, 10, "granule"}},
		"cut from a stream": {oggFile(vorbis, oggPages(7, 100, 44100*3600, 4410)), found{bitrate.Ogg, 82_600, 10, "granule"}},
		"cover of 500 KiB": {oggFile(vorbis, bytes.Repeat(oggPage(oggOther, -1, 7, noise(65_025)), 8), second),
			found{bitrate.Ogg, 500_000, 10, "granule"}},
		"last granule unset": {oggFile(vorbis, second, oggPage(oggOther, -1, 7, noise(10_000))), found{bitrate.Ogg, 90_600, 10, "granule"}},
		"largest pages": {oggFile(vorbis, repeat(20, func(i int) []byte { return oggPage(oggOther, int64(i+1)*22050, 7, noise(65_025)) })),
			found{bitrate.Ogg, 1_042_600, 10, "granule"}},
		"pattern in a page": {oggFile(vorbis, second, oggPage(oggOther, 441_000, 7, bytes.Repeat(oggPage(oggOther, 1<<40, 7, nil), 100))),
			found{bitrate.Ogg, 84_800, 10, "granule"}},
		"silent at the end": {oggFile(vorbis, oggPages(7, 1000, 441, 441), repeat(100, func(i int) []byte {
			return oggPage(oggOther, 441_000+int64(i+1)*44_100, 7, noise(1000))
		})), found{bitrate.Ogg, 82_500, 110, "granule"}},
		"nominal rate":       {oggFile(vorbis), found{bitrate.Ogg, 96_000, 0, "nominal rate"}},
		"bounds of the rate": {oggFile(vorbisHead(44100, 128_000, -1, 64_000)), found{bitrate.Ogg, 96_000, 0, "nominal rate"}},
		"cut in the first page": {join(oggPage(oggFirst, 0, 7, vorbis), oggPage(oggOther, 0, 7, zeros(5000))[:300]),
			found{bitrate.Ogg, 96_000, 0, "nominal rate"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

// TestOggChained joins links of 20, 40 and 60 seconds, of other rates each.
func TestOggChained(t *testing.T) {
	link := func(serial uint32, seconds int, step int64) []byte {
		n := seconds * 44100 / int(step)
		return join(oggPage(oggFirst, 0, serial, vorbisHead(44100, 0, 0, 0)), oggPages(serial, n, step, step))
	}
	for name, serials := range map[string][3]uint32{"serials": {1, 2, 3}, "the same serial": {1, 1, 1}} {
		data := join(link(serials[0], 20, 4410), link(serials[1], 40, 2205), link(serials[2], 60, 4410))
		want := float64(len(data)) * 8 / 120
		info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err, name)
		assert.InEpsilon(t, want, info.Average, 1, name) // the same serial is not told from one link of 60 seconds
		if serials[0] != serials[1] {
			assert.InEpsilon(t, want, info.Average, 0.1, name)
			assert.Equal(t, "granule (estimated)", info.Method, name)
		}
		require.NoError(t, checkDetection("", data, int64(len(data))))
	}
	// A short last link of a serial that was there before: its granule is far too small for the file.
	data := join(link(1, 600, 4410), link(1, 20, 4410))
	info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
	requireEstimate(t, info, err, bitrate.Ogg, float64(len(data))*8/620)
}

func TestOggRefuses(t *testing.T) {
	assertRefused(t, "", oggPage(oggFirst, 0, 7, text("unknown", zeros(100)...)), bitrate.Ogg, bitrate.ErrUnknownRate)
	assertRefused(t, "", oggFile(opusHead(0)), bitrate.Ogg, bitrate.ErrUnknownRate)
	assertRefused(t, "", oggFile(vorbisHead(0, 0, 96_000, 0)), bitrate.Ogg, bitrate.ErrUnknownRate)
	assertRefused(t, "", oggFile(theoraHead(30, 0, 0, 31)), bitrate.Ogg, bitrate.ErrUnknownRate)
	assertRefused(t, "", oggFile(vorbisHead(44100, -1, -1, -1), bytes.Repeat([]byte("OggS"), 100_000)), bitrate.Ogg, bitrate.ErrUnknownRate)
	assertRefused(t, "", []byte("OggS\x00"), bitrate.Ogg, bitrate.ErrCorrupt)
	assertRefused(t, "", bytes.Repeat(oggPage(oggFirst, 0, 7, opusHead(0)), 20_000), bitrate.Ogg, bitrate.ErrUnknownRate)
}

func TestOggCut(t *testing.T) {
	assertCut(t, "", join(oggPage(oggFirst, 0, 9, theoraHead(25, 1, 1, 6)), oggFile(opusHead(5), oggPage(oggOther, 960, 7, zeros(300)),
		oggPage(oggOther, 1920, 7, zeros(10)), oggPage(oggOther, 50, 9, zeros(10)))))
}

// TestOggShortPackets has first packets of every length, which fuzzing found one of to be read beyond its end.
func TestOggShortPackets(t *testing.T) {
	for _, head := range [][]byte{vorbisHead(44100, 0, 1, 0), opusHead(1), speexHead(16000, 1), oggFLACHead(44100), theoraHead(25, 1, 1, 6)} {
		for n := range head {
			data := oggFile(head[:n], oggPages(7, 3, 4410, 4410))
			require.NoError(t, checkDetection("", data, int64(len(data))), "%q", head[:n])
		}
	}
}

func FuzzOgg(f *testing.F) {
	fuzzContainer(f, "", [][]byte{
		oggFile(opusHead(5), oggPage(oggOther, 960, 7, zeros(300)), oggPage(oggOther, 1920, 7, zeros(10))),
		oggFile(vorbisHead(44100, 0, 96_000, 0), oggPage(oggOther, 1<<40, 7, zeros(300)), oggPage(oggOther, 1<<40+5000, 7, zeros(10))),
		oggFile(theoraHead(25, 1, 1, 6), oggPage(oggOther, 960, 9, zeros(300))),
		join(oggFile(speexHead(16000, 8000)), oggPage(oggFirst, 5, 8, oggFLACHead(44100))),
	}, "ogg")
}
