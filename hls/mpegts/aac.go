package mpegts

import "fmt"

// Sizes of ADTS, ISO/IEC 13818-7 6.2: the header without CRC, and what its 13 bits of length can express.
const (
	adtsHeader   = 7
	maxADTSFrame = 1<<13 - 1
)

// Audio object types of ISO/IEC 14496-3 table 1.17.
const (
	objectLTP      = 4 // the last of those that the two bits of an ADTS profile can express, counted from 1
	objectSBR      = 5
	objectPS       = 29
	objectExtended = 31
	rateEscape     = 15
)

// adtsRates are the sampling frequencies in Hz by their index, ISO/IEC 14496-3 table 1.18.
var adtsRates = [...]uint32{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// audioConfig is what ADTS takes from an AudioSpecificConfig: the core of HE-AAC, which decoders extend by themselves.
type audioConfig struct {
	object    uint32 // object type of the core
	rate      uint32 // index of the sampling frequency of the core
	channels  uint32 // channel configuration
	extension uint32 // objectSBR or objectPS if signalled before the core, or 0
}

// parseAudioConfig reads an AudioSpecificConfig. HE-AAC signalled explicitly comes as object type 5 or 29 with the
// frequency of the core, then the extension's frequency, then the object type of the core.
func parseAudioConfig(asc []byte) (c audioConfig, err error) {
	r := configReader{data: asc}
	c.object = r.object()
	c.rate = r.rate()
	c.channels = r.read(4)
	if c.object == objectSBR || c.object == objectPS {
		c.extension = c.object
		r.rate()
		c.object = r.object()
	}
	short := r.read(1) == 1 // frameLengthFlag, the first bit of GASpecificConfig
	switch {
	case r.pos > len(asc)*8:
		return c, fmt.Errorf("AudioSpecificConfig % x is cut off: %w", asc, ErrUnsupported)
	case c.object < 1 || c.object > objectLTP:
		return c, fmt.Errorf("ADTS cannot express audio object type %d: %w", c.object, ErrUnsupported)
	case int(c.rate) >= len(adtsRates):
		return c, fmt.Errorf("ADTS cannot express the sampling frequency of AudioSpecificConfig % x: %w", asc, ErrUnsupported)
	case c.channels < 1 || c.channels > 7:
		return c, fmt.Errorf("ADTS cannot express channel configuration %d: %w", c.channels, ErrUnsupported)
	case short:
		return c, fmt.Errorf("ADTS cannot express frames of 960 samples: %w", ErrUnsupported)
	}
	return c, nil
}

// adts returns the header of a frame of no length as a number of 56 bits. The frame length, header included, is added
// at adtsLength.
func (c audioConfig) adts() uint64 {
	const (
		sync     = 0xFFF1 // syncword, MPEG-4, layer 0, no CRC
		fullness = 0x7FF  // variable bit rate
	)
	return sync<<40 | uint64(c.object-1)<<38 | uint64(c.rate)<<34 | uint64(c.channels)<<30 | fullness<<2
}

// adtsLength is the position of the frame length in the number that adts returns.
const adtsLength = 13

// configReader reads the bits of an AudioSpecificConfig. Behind the end it reads zeros and goes on counting.
type configReader struct {
	data []byte
	pos  int
}

func (r *configReader) read(bits int) (v uint32) {
	for range bits {
		v <<= 1
		if i := r.pos / 8; i < len(r.data) {
			v |= uint32(r.data[i]>>(7-r.pos%8)) & 1
		}
		r.pos++
	}
	return v
}

func (r *configReader) object() uint32 {
	if object := r.read(5); object != objectExtended {
		return object
	}
	return 32 + r.read(6)
}

// rate reads a sampling frequency and returns its index, which is past the table if there is none. A frequency of the
// table that is written out counts as its index.
func (r *configReader) rate() uint32 {
	index := r.read(4)
	if index != rateEscape {
		return index
	}
	hz := r.read(24)
	for i, v := range adtsRates {
		if v == hz {
			return uint32(i)
		}
	}
	return rateEscape
}
