package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// Headers of frames, with what they mean.
const (
	mp3At128  = "\xFF\xFB\x90\x00" // MPEG-1 layer III, 128 kbit/s, 44.1 kHz, stereo: 417 bytes
	mp3At320  = "\xFF\xFB\xE0\x00" // 320 kbit/s: 1044 bytes
	mp3At32   = "\xFF\xFB\x10\x00" // 32 kbit/s: 104 bytes
	mp3Free   = "\xFF\xFB\x00\x00" // free format
	mp2At192  = "\xFF\xFD\xA4\x00" // MPEG-1 layer II, 192 kbit/s, 48 kHz: 576 bytes
	mp1At384  = "\xFF\xFF\xC4\x00" // MPEG-1 layer I, 384 kbit/s, 48 kHz: 384 bytes
	lsfAt64   = "\xFF\xF3\x80\x00" // MPEG-2 layer III, 64 kbit/s, 22.05 kHz: 208 bytes
	mpeg25At8 = "\xFF\xE3\x18\xC0" // MPEG-2.5 layer III, 8 kbit/s, 8 kHz, mono: 72 bytes
)

// audioFrame returns a frame of size bytes.
func audioFrame(header string, size int) []byte {
	return append([]byte(header), zeros(size-len(header))...)
}

// audioFrames returns n frames of one header.
func audioFrames(header string, size, n int) []byte {
	return bytes.Repeat(audioFrame(header, size), n)
}

// id3 returns an ID3v2 tag with a body of n bytes.
func id3(n int, flags byte) []byte {
	tag := join([]byte("ID3\x04\x00"), []byte{flags, byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)}, noise(n))
	if flags&0x10 != 0 {
		tag = append(tag, "3DI\x04\x00\x10\x00\x00\x00\x00"...)
	}
	return tag
}

// apeTag returns an APE tag of a header, n bytes, and a footer.
func apeTag(n int) []byte {
	return join(apeFooter(n+32, 0xA0), zeros(n), apeFooter(n+32, 0x80))
}

// apeFooter returns the header or footer of an APE tag of a size, which does not count a header.
func apeFooter(size int, flags byte) []byte {
	return join([]byte("APETAGEX\xD0\x07\x00\x00"), binary.LittleEndian.AppendUint32(nil, uint32(size)), []byte{0, 0, 0, 0, 0, 0, 0, flags}, zeros(8))
}

// xing returns a first frame of 128 kbit/s with a header of a kind, flags for frames and bytes.
func xing(kind string, flags, frames, size uint32) []byte {
	f := audioFrame(mp3At128, 417)
	copy(f[36:], kind)
	for i, v := range []uint32{flags, frames, size} {
		binary.BigEndian.PutUint32(f[40+4*i:], v)
	}
	return f
}

func vbri(frames, size uint32) []byte {
	f := audioFrame(mp3At128, 417)
	copy(f[36:], "VBRI\x00\x01")
	binary.BigEndian.PutUint32(f[46:], size)
	binary.BigEndian.PutUint32(f[50:], frames)
	return f
}

// longVariableMP3 is a stream of variable rate without a header of it: one of ten frames has 320 kbit/s, the others 32, but
// for the last quarter, which has 128. It lasts 20,000 frames.
func longVariableMP3() []byte {
	return repeat(20_000, func(i int) []byte {
		switch {
		case i >= 15_000:
			return audioFrame(mp3At128, 417)
		case i%10 == 3:
			return audioFrame(mp3At320, 1044)
		}
		return audioFrame(mp3At32, 104)
	})
}

func TestMPEGAudio(t *testing.T) {
	const frame = 1152.0 / 44100
	body := audioFrames(mp3At128, 417, 100)
	constant := found{bitrate.MP3, 128_000, 100 * frame, "frames"}
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"constant":               {body, constant},
		"layer II":               {audioFrames(mp2At192, 576, 50), found{bitrate.MP3, 192_000, 50 * 0.024, "frames"}},
		"layer I":                {audioFrames(mp1At384, 384, 50), found{bitrate.MP3, 384_000, 50 * 0.008, "frames"}},
		"MPEG-2":                 {audioFrames(lsfAt64, 208, 50), found{bitrate.MP3, 64_000, 50 * 576.0 / 22050, "frames"}},
		"MPEG-2.5":               {audioFrames(mpeg25At8, 72, 50), found{bitrate.MP3, 8_000, 50 * 0.072, "frames"}},
		"long":                   {audioFrames(mp3At128, 417, 2000), found{bitrate.MP3, 128_000, 2000 * frame, "frames"}},
		"cover of 500 KiB":       {join(id3(500<<10, 0), body), constant},
		"footer":                 {join(id3(1000, 0x10), body), constant},
		"tags in a row":          {join(id3(10, 0), id3(0, 0), id3(6000, 0), body), constant},
		"padding behind the tag": {join(id3(100, 0), zeros(3000), body), constant},
		"plain size":             {join([]byte("ID3\x03\x00\x00\x00\x00\x03\xE8"), noise(1000), body), constant},
		"plain size below 128":   {join([]byte("ID3\x03\x00\x00\x00\x00\x30\x00"), noise(0x3000), body), constant},
		"ID3v1":                  {join(body, text("TAG", noise(125)...)), constant},
		"APE, Lyrics3 and ID3v1": {join(body, apeTag(900), []byte("LYRICSBEGIN0123456789000021LYRICS200"), text("TAG", noise(125)...)), constant},
		"extended ID3v1":         {join(body, text("TAG+", noise(223)...), text("TAG", noise(125)...)), constant},
		"APE without header":     {join(body, apeTag(900)[32:932], apeFooter(932, 0)), constant},
		"ID3v2 at the end":       {join(body, id3(900, 0x10)), constant},
		"APE in front":           {join(apeTag(5000), body), constant},
		"begins in a frame":      {body[200:], found{bitrate.MP3, 128_000, 99 * frame, "frames"}},
		"junk in the middle":     {join(body[:417*50], noise(300), body[417*50:]), constant},
		"one frame":              {join(id3(20, 0), audioFrame(mp3At128, 417)), found{bitrate.MP3, 128_000, frame, "frames"}},
		"xing": {join(xing("Xing", 3, 1000, 417+1000*250), zeros(0), audioFrames(mp3At320, 1044, 50)),
			found{bitrate.MP3, 76_562, 1000 * frame, "xing"}},
		"xing without bytes": {join(xing("Xing", 1, 100, 0), audioFrames(mp3At128, 417, 100)), found{bitrate.MP3, 127_700, 100 * frame, "xing"}},
		"info":               {join(xing("Info", 3, 100, 101*417), body), found{bitrate.MP3, 127_700, 100 * frame, "xing"}},
		"joined files":       {join(xing("Info", 3, 100, 101*417), body, body, body), found{bitrate.MP3, 127_700, 300 * frame, "xing"}},
		"xing without frames": {join(xing("Xing", 2, 5, 5), body),
			found{bitrate.MP3, 128_000, 101 * frame, "frames"}},
		"xing that lies": {join(xing("Xing", 3, 1, 1<<31), body), found{bitrate.MP3, 128_000, 101 * frame, "frames"}},
		"vbri":           {join(vbri(2000, 417+2000*300), body), found{bitrate.MP3, 91_875, 2000 * frame, "vbri"}},
		"variable": {join(audioFrames(mp3At320, 1044, 50), audioFrames(mp3At32, 104, 50)),
			found{bitrate.MP3, 175_700, 100 * frame, "frames"}},
		"free format": {audioFrames(mp3Free, 640, 40), found{bitrate.MP3, 196_000, 40 * frame, "frames"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

func TestMPEGAudioEstimatesVariableRate(t *testing.T) {
	const seconds = 20_000 * 1152.0 / 44100
	data := longVariableMP3()
	d := bitrate.Detector{}
	info, err := d.Detect(bytes.NewReader(data), int64(len(data)))
	want := float64(len(data)) * 8 / seconds
	requireEstimate(t, info, err, bitrate.MP3, want)
}

func TestMPEGAudioByName(t *testing.T) {
	body := audioFrames(mp3At128, 417, 100)
	assertFoundNamed(t, "a.MP3", join(noise(20_000), body), found{bitrate.MP3, 128_000, 100 * 1152.0 / 44100, "frames"})
	assertFoundNamed(t, "a.mp3", audioFrame(mp3At128, 300), found{bitrate.MP3, 128_000, 300 * 8 / 128e3, "frames"})
	assertRefused(t, "a.mp3", noise(100<<10), bitrate.MP3, bitrate.ErrCorrupt)
	assertRefused(t, "a.mp3", join(noise(70<<10), body), bitrate.MP3, bitrate.ErrCorrupt) // too much junk
	assertRefused(t, "a.mp3", id3(500, 0), bitrate.MP3, bitrate.ErrCorrupt)
	assertRefused(t, "a.mp3", id3(500, 0)[:400], bitrate.MP3, bitrate.ErrCorrupt)
	assertRefused(t, "a.mp3", bytes.Repeat(id3(0, 0), 100), bitrate.MP3, bitrate.ErrCorrupt)
	assertRefused(t, "a.mp3", audioFrame(mp3Free, 640), bitrate.MP3, bitrate.ErrCorrupt)
}

// TestMPEGAudioTailsThatLie has tags at the end whose size is more than the file, or no number.
func TestMPEGAudioTailsThatLie(t *testing.T) {
	body := audioFrames(mp3At128, 417, 100)
	for name, tail := range map[string][]byte{
		"APE":                apeFooter(1<<30, 0x80),
		"Lyrics3":            []byte("999999LYRICS200"),
		"Lyrics3, no number": []byte("12 456LYRICS200"),
		"ID3v2":              []byte("3DI\x04\x00\x10\x7F\x7F\x7F\x7F"),
	} {
		t.Run(name, func(t *testing.T) {
			assertFound(t, join(body, tail), found{bitrate.MP3, 128_000, 100 * 1152.0 / 44100, "frames"})
		})
	}
}

func TestMPEGAudioWantsARun(t *testing.T) {
	for name, data := range map[string][]byte{
		"three frames and noise": join(audioFrames(mp3At128, 417, 3), noise(5000)),
		"other layers":           bytes.Repeat(join(audioFrame(mp3At128, 417), audioFrame(mp2At192, 576)), 20),
		"noise behind a tag":     join(id3(100, 0), noise(100_000)),
	} {
		t.Run(name, func(t *testing.T) {
			info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
			requireUnknown(t, info, err)
		})
	}
}

func TestMPEGAudioCut(t *testing.T) {
	assertCut(t, "a.mp3", join(id3(50, 0x10), xing("Xing", 3, 4, 5*417), audioFrames(mp3At128, 417, 4), apeTag(20), text("TAG", zeros(125)...)))
	assertCut(t, "a.mp3", join(vbri(4, 5*417), audioFrames(mp3At128, 417, 4)))
	assertCut(t, "", audioFrames(mp3Free, 640, 5))
}

func FuzzMPEGAudio(f *testing.F) {
	fuzzContainer(f, "a.mp3", [][]byte{
		join(id3(50, 0x10), xing("Xing", 3, 4, 5*417), audioFrames(mp3At128, 417, 4), apeTag(20)),
		join(vbri(4, 5*417), audioFrames(mp3At128, 417, 4)),
		audioFrames(mp3Free, 640, 5),
		bytes.Repeat(id3(0, 0), 50),
	}, "mp3")
}
