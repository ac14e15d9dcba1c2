package validate

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// audioFrame is the header of a frame of sound.
type audioFrame struct {
	size     int // bytes
	samples  int64
	rate     int // Hz, of the core where SBR doubles it
	channels int
	codec    string // RFC 6381
}

// beyondProfile says what is beyond [ProfileIIS], or "".
func (f audioFrame) beyondProfile() string {
	if f.codec == "mp4a.40.2" && f.channels <= 2 && f.rate <= 48000 {
		return ""
	}
	return fmt.Sprintf("audio is %s of %d channels and %d Hz", f.codec, f.channels, f.rate)
}

// errShort says that a frame goes on beyond the data.
var errShort = errors.New("the frame is cut")

// parseAudio reads the header of the frame at the beginning of data.
func parseAudio(codec string, data []byte) (f audioFrame, err error) {
	if len(data) < 9 {
		return f, errShort
	}
	switch codec {
	case "aac":
		f, err = parseADTS(data)
	case "ac3", "eac3":
		f, err = parseDolby(data)
	case "mp3":
		f, err = parseMPEGAudio(data)
	default:
		err = fmt.Errorf("%s is not known", codec)
	}
	if err == nil && f.size > len(data) {
		err = errShort
	}
	return f, err
}

// aacRates are those of sampling_frequency_index.
var aacRates = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// parseADTS reads an ADTS header.
//
//	syncword u12 = 0xfff | ID u1 | layer u2 = 0 | protection_absent u1 | profile u2 | frequency index u4 | private u1 |
//	channel configuration u3 | original, home, copyright u4 | frame length u13 | fullness u11 | blocks - 1 u2
//
// See ISO/IEC 14496-3 section 1.A.2.2.1.
func parseADTS(b []byte) (f audioFrame, err error) {
	if b[0] != 0xFF || b[1]&0xF6 != 0xF0 {
		return f, fmt.Errorf("%x is no ADTS header", b[:4])
	}
	header := 9 - 2*int(b[1]&1)
	index := int(b[2] >> 2 & 0xF)
	f.size = int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5]>>5)
	f.samples = 1024 * int64(b[6]&3+1)
	f.channels = int(b[2]&1)<<2 | int(b[3]>>6)
	f.codec = fmt.Sprintf("mp4a.40.%d", b[2]>>6+1)
	if f.channels == 7 {
		f.channels = 8
	}
	switch {
	case index >= len(aacRates):
		return f, fmt.Errorf("the sampling frequency index is %d", index)
	case f.size <= header:
		return f, fmt.Errorf("the frame length is %d", f.size)
	case f.channels == 0:
		return f, errors.New("the channel configuration is 0: players cannot read it from the program config element")
	}
	f.rate = aacRates[index]
	return f, nil
}

// dolbyRates are those of fscod.
var dolbyRates = [...]int{48000, 44100, 32000}

// dolbyBitrates are those of frmsizecod / 2, in kbit/s.
var dolbyBitrates = [...]int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}

// dolbyChannels are those of acmod, without LFE.
var dolbyChannels = [...]int{2, 1, 2, 3, 3, 4, 4, 5}

// parseDolby reads the header of an AC-3 or E-AC-3 frame; bsid tells them apart. See ETSI TS 102 366 clauses 4.3, 4.4
// and E.1.2.
func parseDolby(b []byte) (f audioFrame, err error) {
	if b[0] != 0x0B || b[1] != 0x77 {
		return f, fmt.Errorf("%x is no sync word of AC-3", b[:2])
	}
	if b[5]>>3 > 10 {
		return parseEAC3(b)
	}
	rate, code := int(b[4]>>6), int(b[4]&0x3F)
	if rate == 3 || code/2 >= len(dolbyBitrates) {
		return f, fmt.Errorf("fscod is %d, frmsizecod %d", rate, code)
	}
	f = audioFrame{samples: 1536, rate: dolbyRates[rate], channels: dolbyChannels[b[6]>>5], codec: "ac-3"}
	words := dolbyBitrates[code/2] * 1000 * 1536 / f.rate / 16
	if rate == 1 {
		words += code & 1
	}
	f.size = 2 * words
	return f, nil
}

// parseEAC3 reads strmtyp u2, substreamid u3, frmsiz u11, fscod u2, numblkscod u2, acmod u3, lfeon u1 after the sync
// word. Dependent substreams last no time of their own.
func parseEAC3(b []byte) (f audioFrame, err error) {
	f = audioFrame{codec: "ec-3", channels: dolbyChannels[b[4]>>1&7]}
	f.size = 2 * (int(binary.BigEndian.Uint16(b[2:])&0x7FF) + 1)
	blocks := [...]int64{1, 2, 3, 6}[b[4]>>4&3]
	if rate := b[4] >> 6; rate < 3 {
		f.rate = dolbyRates[rate]
	} else if half := b[4] >> 4 & 3; half < 3 {
		f.rate, blocks = dolbyRates[half]/2, 6
	} else {
		return f, errors.New("fscod and fscod2 are 3")
	}
	if b[2]>>6 != 1 {
		f.samples = 256 * blocks
	}
	if f.size < 8 {
		return f, fmt.Errorf("the frame has %d bytes", f.size)
	}
	return f, nil
}

// mpegBitrates are those of layers I, II and III of MPEG-1, then layer I and layers II, III of MPEG-2, in kbit/s.
var mpegBitrates = [5][15]int{
	{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

// parseMPEGAudio reads the header of an MPEG audio frame.
//
//	syncword u11 | version u2 | layer u2 | protection u1 | bit rate u4 | sampling rate u2 | padding u1 | private u1 |
//	mode u2 | ...
//
// See ISO/IEC 11172-3 section 2.4.1.3.
func parseMPEGAudio(b []byte) (f audioFrame, err error) {
	version, layer := b[1]>>3&3, 4-int(b[1]>>1&3)
	bitrate, rate := int(b[2]>>4), int(b[2]>>2&3)
	if b[0] != 0xFF || b[1]&0xE0 != 0xE0 || version == 1 || layer == 4 || bitrate == 15 || bitrate == 0 || rate == 3 {
		return f, fmt.Errorf("%x is no header of MPEG audio", b[:4])
	}
	f.rate = [...]int{44100, 48000, 32000}[rate]
	table, half := layer-1, 1
	if version != 3 {
		table, half = 3+min(layer-1, 1), 2
		f.rate /= 2
	}
	if version == 0 {
		f.rate /= 2
	}
	f.channels, f.codec = 2, "mp4a.40.34"
	if b[3]>>6 == 3 {
		f.channels = 1
	}
	bits, padding := mpegBitrates[table][bitrate]*1000, int(b[2]>>1&1)
	switch layer {
	case 1:
		f.samples, f.size = 384, (12*bits/f.rate+padding)*4
	case 2:
		f.samples, f.size = 1152, 144*bits/f.rate+padding
	default:
		f.samples = int64(1152 / half)
		f.size = 144/half*bits/f.rate + padding
	}
	if f.size < 4 {
		return f, fmt.Errorf("the frame has %d bytes", f.size)
	}
	return f, nil
}
