package smooth

import (
	"encoding/binary"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// waveFormatEx is the size of WAVEFORMATEX without extra bytes.
const waveFormatEx = 18

// readWMA reads the entry of Windows Media Audio in PIFF files, whose wfex box holds a WAVEFORMATEX.
func (c *Codec) readWMA(e *fmp4.SampleEntry) error {
	box := e.Box("wfex")
	if box == nil {
		return fmt.Errorf("no wfex box")
	}
	return c.setWaveFormat(box.Payload)
}

// setWaveFormat sets the audio fields from a WAVEFORMATEX, little-endian:
//
//	format tag 2, channels 2, rate 4, bytes per second 4, block align 2, bits per sample 2, extra size 2, extra
//
// The private data are the extra bytes, or for an extensible format the whole structure.
func (c *Codec) setWaveFormat(b []byte) error {
	if len(b) < waveFormatEx {
		return fmt.Errorf("WAVEFORMATEX of %d bytes, need %d", len(b), waveFormatEx)
	}
	le := binary.LittleEndian
	extra := int(le.Uint16(b[16:]))
	if extra > len(b)-waveFormatEx {
		return fmt.Errorf("WAVEFORMATEX states %d extra bytes and has %d", extra, len(b)-waveFormatEx)
	}
	c.Type, c.AudioTag = Audio, uint32(le.Uint16(b))
	c.Channels, c.SamplingRate = uint32(le.Uint16(b[2:])), le.Uint32(b[4:])
	c.PacketSize, c.BitsPerSample = uint32(le.Uint16(b[12:])), uint32(le.Uint16(b[14:]))
	c.PrivateData = b[waveFormatEx : waveFormatEx+extra]
	switch c.AudioTag {
	case tagWMA:
		c.FourCC = "WMA2"
	case tagWMAPro:
		c.FourCC = "WMAP"
	case tagExtensible:
		c.FourCC, c.PrivateData = "WMAP", b[:waveFormatEx+extra]
	default:
		return fmt.Errorf("WAVEFORMATEX with format tag %#x: %w", c.AudioTag, ErrUnsupported)
	}
	return nil
}
