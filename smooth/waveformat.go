package smooth

import (
	"cmp"
	"encoding/binary"
)

// setWaveFormat fills the audio fields of l that are not set from a WAVEFORMATEX structure, the v1 form of the
// audio attributes:
//
//	wFormatTag u16 | nChannels u16 | nSamplesPerSec u32 | nAvgBytesPerSec u32 | nBlockAlign u16 |
//	wBitsPerSample u16 | cbSize u16 | cbSize bytes        (little endian)
//
// A structure without cbSize (WAVEFORMAT) is accepted, and a cbSize beyond the end is cut. It reports false if
// data is shorter than 16 bytes.
func (l *QualityLevel) setWaveFormat(data []byte) bool {
	if len(data) < 16 {
		return false
	}
	le := binary.LittleEndian
	l.AudioTag = cmp.Or(l.AudioTag, uint32(le.Uint16(data)))
	l.Channels = cmp.Or(l.Channels, uint32(le.Uint16(data[2:])))
	l.SamplingRate = cmp.Or(l.SamplingRate, le.Uint32(data[4:]))
	if rate := le.Uint32(data[8:]); uint64(rate) != l.Bitrate/8 {
		l.AvgBytesPerSec = rate
	}
	l.PacketSize = cmp.Or(l.PacketSize, uint32(le.Uint16(data[12:])))
	l.BitsPerSample = cmp.Or(l.BitsPerSample, uint32(le.Uint16(data[14:])))
	if len(data) > 18 && len(l.CodecPrivateData) == 0 {
		n := min(int(le.Uint16(data[16:])), len(data)-18)
		if n > 0 {
			l.CodecPrivateData = data[18 : 18+n]
		}
	}
	return true
}

// appendWaveFormat appends the WAVEFORMATEX structure of l. It reports false if a field does not fit.
func (l *QualityLevel) appendWaveFormat(dst []byte) ([]byte, bool) {
	const max16 = 1<<16 - 1
	if l.AudioTag > max16 || l.Channels > max16 || l.PacketSize > max16 || l.BitsPerSample > max16 ||
		len(l.CodecPrivateData) > max16 {
		return dst, false
	}
	rate := l.AvgBytesPerSec
	if rate == 0 {
		rate = uint32(min(l.Bitrate/8, 1<<32-1))
	}
	le := binary.LittleEndian
	dst = le.AppendUint16(dst, uint16(l.AudioTag))
	dst = le.AppendUint16(dst, uint16(l.Channels))
	dst = le.AppendUint32(dst, l.SamplingRate)
	dst = le.AppendUint32(dst, rate)
	dst = le.AppendUint16(dst, uint16(l.PacketSize))
	dst = le.AppendUint16(dst, uint16(l.BitsPerSample))
	dst = le.AppendUint16(dst, uint16(len(l.CodecPrivateData)))
	return append(dst, l.CodecPrivateData...), true
}
