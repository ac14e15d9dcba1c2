package bitrate

import "encoding/binary"

// mpegAudioRate returns the bit rate of frames in bit/s by version, layer and bitrate_index; zero in free format. The
// rows are those of ISO/IEC 11172-3 2.4.2.3 for MPEG-1 and of 13818-3 2.4.2.3 for MPEG-2, which 2.5 follows.
func mpegAudioRate(version, layer, index int) int {
	if index <= 0 || index >= 15 {
		return 0
	}
	row := [15]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	switch {
	case version == 1 && layer == 1:
		return 32_000 * index
	case version == 1 && layer == 2:
		row = [15]int{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384}
	case version == 1:
		row = [15]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	case layer == 1:
		row = [15]int{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256}
	}
	return row[index] * 1000
}

// mpegAudioHeader is the header of a frame.
//
//	11111111 111VVLLP BBBBSSp. MM......    version, layer, protection, bitrate_index, sampling_frequency, padding, mode
type mpegAudioHeader struct {
	version int // 1, 2, or 3 for 2.5
	layer   int
	clock   int // samples per second
	rate    int // bit/s, zero in free format
	padding int // bytes
	mono    bool
}

func parseMPEGAudioHeader(b []byte) (h mpegAudioHeader, ok bool) {
	if len(b) < 4 || b[0] != 0xFF || b[1]&0xE0 != 0xE0 {
		return h, false
	}
	version, layer, index, clock := b[1]>>3&3, b[1]>>1&3, b[2]>>4, b[2]>>2&3
	if version == 1 || layer == 0 || index == 15 || clock == 3 || b[3]&3 == 2 { // reserved values
		return h, false
	}
	h.version = [4]int{3, 0, 2, 1}[version]
	h.layer = 4 - int(layer)
	h.clock = [3]int{44100, 48000, 32000}[clock] >> (h.version - 1)
	h.rate = mpegAudioRate(h.version, h.layer, int(index))
	h.mono = b[3]>>6 == 3
	if b[2]&2 != 0 {
		h.padding = 1
		if h.layer == 1 {
			h.padding = 4
		}
	}
	return h, true
}

func (h mpegAudioHeader) samples() int {
	switch {
	case h.layer == 1:
		return 384
	case h.layer == 3 && h.version > 1:
		return 576
	}
	return 1152
}

// size returns that of the frame in bytes, with the padding. unpadded is the size without it in free format, where no
// index says the rate.
func (h mpegAudioHeader) size(unpadded int) int {
	switch {
	case h.rate == 0:
		return unpadded + h.padding
	case h.layer == 1:
		return 12*h.rate/h.clock*4 + h.padding
	}
	return h.samples()/8*h.rate/h.clock + h.padding
}

// mpegAudio returns the framing of MPEG audio. unpadded is the size of frames in free format, zero where there are none.
func mpegAudio(unpadded int) framing {
	return framing{header: 4, run: 4, start: [2]byte{0xFF, 0xFF}, parse: func(b []byte) (frame, bool) {
		h, ok := parseMPEGAudioHeader(b)
		if !ok || (h.rate == 0) != (unpadded > 0) {
			return frame{}, false
		}
		fr := frame{size: h.size(unpadded), samples: h.samples(), clock: h.clock, stated: h.rate}
		fr.kind = uint32(h.version<<24 | h.layer<<20 | h.clock)
		if unpadded > 0 {
			fr.stated = 0
		}
		return fr, fr.size > 4
	}}
}

// maxFreeFrame is the largest frame in free format that is looked for, in bytes: beyond what decoders take.
const maxFreeFrame = 8 << 10

// freeFormat returns the framing of a stream in free format at an offset, or false. The size of its frames is the
// distance of the first two, and the same in all but for padding (ISO/IEC 11172-3 2.4.2.3).
func (s *source) freeFormat(off, end int64) (framing, bool) {
	b, err := s.upTo(off, int(min(maxFreeFrame, max(0, end-off))))
	if err != nil {
		return framing{}, false
	}
	h, ok := parseMPEGAudioHeader(b)
	if !ok || h.rate != 0 {
		return framing{}, false
	}
	for i := 16; i+4 <= len(b); i++ {
		n, ok := parseMPEGAudioHeader(b[i:])
		if !ok || n.rate != 0 || n.version != h.version || n.layer != h.layer || n.clock != h.clock {
			continue
		}
		if f := mpegAudio(i - h.padding); s.streamAt(f, off, end, 3) {
			return f, true
		}
	}
	return framing{}, false
}

// mpegAudioAt returns the framing and the first frame of the stream from start on. With junk, frames are looked for
// behind bytes that belong to nothing.
func (s *source) mpegAudioAt(start, end int64) (framing, int64, error) {
	if f, ok := s.freeFormat(start, end); ok {
		return f, start, nil
	}
	f := mpegAudio(0)
	first, err := s.findFrames(f, start, end, maxJunk)
	return f, first, err
}

// isMPEGAudio wants frames that lead to one another at the beginning, or behind an ID3v2 tag: sync words alone are in
// every binary file.
func isMPEGAudio(s *source) bool {
	start := s.afterTags()
	end := s.beforeTags(start)
	if start >= end {
		return false
	}
	if start > 0 {
		_, _, err := s.mpegAudioAt(start, end)
		return err == nil
	}
	if f := mpegAudio(0); s.streamAt(f, start, end, 2) || s.cutStreamAt(f, start, end) {
		return true
	}
	_, ok := s.freeFormat(start, end)
	return ok
}

// parseMPEGAudio reads MPEG audio of any layer. The average is that of the audio and leaves tags out: a cover of 500
// KiB before a song of three minutes is 23 kbit/s that playback does not need at any time but its start, and makes a
// jingle of two seconds look like video. Where headers count bytes and frames, the rate is theirs, so that it also
// holds for a file that was cut.
func parseMPEGAudio(s *source) (Info, error) {
	start := s.afterTags()
	end := s.beforeTags(start)
	if start >= end {
		return Info{}, s.fail(s.size, ErrCorrupt, "tags up to offset %d", start)
	}
	f, first, err := s.mpegAudioAt(start, end)
	if err != nil {
		return Info{}, err
	}
	info, ok, err := s.variableHeader(f, first, end)
	if ok || err != nil {
		return info, err
	}
	sum, err := s.measure(f, first, end)
	if err != nil {
		return Info{}, err
	}
	return s.rated(f, sum, first, end)
}

// variableHeader reads the Xing, Info or VBRI header in the first frame, and reports whether there is one that can be
// believed.
func (s *source) variableHeader(f framing, first, end int64) (info Info, ok bool, err error) {
	b, err := s.upTo(first, int(min(192, end-first)))
	if err != nil || len(b) < 4 {
		return Info{}, false, err
	}
	h, ok := parseMPEGAudioHeader(b)
	fr, frameOK := f.parse(b)
	if !ok || !frameOK || h.layer != 3 {
		return Info{}, false, nil
	}
	method := "xing"
	frames, bytes, ok := xingHeader(h, b)
	if !ok {
		method = "vbri"
		frames, bytes, ok = vbriHeader(b)
	}
	if !ok {
		return Info{}, false, nil
	}
	audio := uint64(end - first)
	if bytes == 0 {
		bytes = audio
	}
	if bytes > uint64(fr.size) {
		bytes -= uint64(fr.size) // the frame of the header is counted in bytes, and not in frames
	}
	samples := frames * uint64(h.samples())
	info = Info{Method: method, Average: muldiv(bytes*8, uint64(h.clock), samples), Duration: lasting(samples, uint64(h.clock))}
	if info.Average < 1_000 || info.Average > 500_000 {
		return Info{}, false, nil // no layer III stream: its frames know better
	}
	if audio > bytes+bytes/8+uint64(fr.size) { // joined from several files: the header is that of the first
		info.Duration = lasting(audio*8, uint64(info.Average))
	}
	return info, true, nil
}

// xingHeader returns the frames and bytes that the Xing or Info header in a frame counts; bytes are zero if it does
// not.
//
//	"Xing" or "Info" flags(4) [frames(4)] [bytes(4)] [toc(100)] [quality(4)]    behind header and side information
func xingHeader(h mpegAudioHeader, b []byte) (frames, bytes uint64, ok bool) {
	at := 4 + 32
	switch {
	case h.version == 1 && h.mono, h.version > 1 && !h.mono:
		at = 4 + 17
	case h.version > 1:
		at = 4 + 9
	}
	if len(b) < at+12 || string(b[at:at+4]) != "Xing" && string(b[at:at+4]) != "Info" {
		return 0, 0, false
	}
	flags := binary.BigEndian.Uint32(b[at+4:])
	if flags&1 == 0 {
		return 0, 0, false
	}
	frames = uint64(binary.BigEndian.Uint32(b[at+8:]))
	if flags&2 != 0 && len(b) >= at+16 {
		bytes = uint64(binary.BigEndian.Uint32(b[at+12:]))
	}
	return frames, bytes, frames > 0
}

// vbriHeader is xingHeader for the header of Fraunhofer encoders, always 32 bytes behind that of the frame.
//
//	"VBRI" version(2) delay(2) quality(2) bytes(4) frames(4)
func vbriHeader(b []byte) (frames, bytes uint64, ok bool) {
	const at = 4 + 32
	if len(b) < at+18 || string(b[at:at+4]) != "VBRI" {
		return 0, 0, false
	}
	bytes = uint64(binary.BigEndian.Uint32(b[at+10:]))
	frames = uint64(binary.BigEndian.Uint32(b[at+14:]))
	return frames, bytes, frames > 0 && bytes > 0
}
