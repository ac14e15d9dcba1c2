package smooth

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// SubFormat GUIDs as they are stored: A7FB87AF-2D02-42FB-A4D4-05CD93843BDD is Dolby Digital Plus,
// E06D802C-DB46-11CF-B4D1-00805F6CBBEA Dolby AC-3.
const (
	guidEC3 = "\xaf\x87\xfb\xa7\x02\x2d\xfb\x42\xa4\xd4\x05\xcd\x93\x84\x3b\xdd"
	guidAC3 = "\x2c\x80\x6d\xe0\x46\xdb\xcf\x11\xb4\xd1\x00\x80\x5f\x6c\xbb\xea"
)

// extensibleTail is the size of the fields of WAVEFORMATEXTENSIBLE after WAVEFORMATEX: samples per block, channel
// mask and SubFormat.
const extensibleTail = 2 + 4 + 16

// samplesPerBlock of AC-3 and E-AC-3 frames with six audio blocks.
const samplesPerBlock = 1536

// readEC3 reads an ec-3 entry. See ETSI TS 102 366 F.6.
func (c *Codec) readEC3(e *fmp4.SampleEntry) error {
	box := e.Box("dec3")
	if box == nil {
		return fmt.Errorf("no dec3 box")
	}
	return c.setEC3(box.Payload)
}

// readAC3 reads an ac-3 entry. See ETSI TS 102 366 F.4.
func (c *Codec) readAC3(e *fmp4.SampleEntry) error {
	box := e.Box("dac3")
	if box == nil {
		return fmt.Errorf("no dac3 box")
	}
	return c.setAC3(box.Payload)
}

// setEC3 sets the audio fields from the content of a dec3 box. The private data are the tail of WAVEFORMATEXTENSIBLE
// and the content of the box; PacketSize is four times the data rate in kbit/s.
func (c *Codec) setEC3(payload []byte) error {
	b, err := fmp4.DecodeEntryBox(boxBytes("dec3", payload))
	if err != nil {
		return err
	}
	dec3, ok := b.(*mp4.Dec3Box)
	if !ok || len(dec3.EC3Subs) == 0 {
		return fmt.Errorf("dec3 without a substream")
	}
	sub := dec3.EC3Subs[0]
	channels, locations := dec3.ChannelInfo()
	c.PacketSize = 4 * uint32(dec3.DataRate)
	return c.setDolby("EC-3", guidEC3, payload, sub.FSCod, uint32(channels), locations)
}

// setAC3 sets the audio fields from the content of a dac3 box, by analogy with E-AC-3.
func (c *Codec) setAC3(payload []byte) error {
	const fields = 3
	if len(payload) < fields {
		return fmt.Errorf("dac3 of %d bytes, need %d", len(payload), fields)
	}
	b, err := fmp4.DecodeEntryBox(boxBytes("dac3", payload))
	if err != nil {
		return err
	}
	dac3, ok := b.(*mp4.Dac3Box)
	if !ok || int(dac3.BitRateCode) >= len(mp4.AC3BitrateCodesKbps) {
		return fmt.Errorf("dac3 with a reserved bit rate")
	}
	channels, locations := dac3.ChannelInfo()
	c.PacketSize = 4 * uint32(mp4.AC3BitrateCodesKbps[dac3.BitRateCode])
	return c.setDolby("ac-3", guidAC3, payload, dac3.FSCod, uint32(channels), locations)
}

func (c *Codec) setDolby(fourCC, guid string, payload []byte, rateCode byte, channels uint32, locations uint16) error {
	if int(rateCode) >= len(mp4.AC3SampleRates) {
		return fmt.Errorf("%s with reserved sampling rate code %d", fourCC, rateCode)
	}
	c.Type, c.FourCC, c.AudioTag, c.BitsPerSample = Audio, fourCC, tagExtensible, defaultPCMBits
	c.Channels, c.SamplingRate = channels, uint32(mp4.AC3SampleRates[rateCode])
	le := binary.LittleEndian
	c.PrivateData = le.AppendUint16(nil, samplesPerBlock)
	c.PrivateData = le.AppendUint32(c.PrivateData, speakerMask(locations))
	c.PrivateData = append(append(c.PrivateData, guid...), payload...)
	return nil
}

// speakerMask translates channel locations of ETSI TS 102 366 table E.1.4, the left at bit 15, to the channel mask of
// WAVEFORMATEXTENSIBLE. Locations that the mask has no bit for are left out.
func speakerMask(locations uint16) uint32 {
	speakers := [16]uint32{
		15: 0x1, 14: 0x4, 13: 0x2, 12: 0x200, 11: 0x400, 10: 0x40 | 0x80, 9: 0x10 | 0x20, 8: 0x100, 7: 0x800,
		4: 0x1000 | 0x4000, 3: 0x2000, 0: 0x8,
	}
	var mask uint32
	for bit, speaker := range speakers {
		if locations&(1<<bit) != 0 {
			mask |= speaker
		}
	}
	return mask
}

// dolbyPayload returns the content of the dec3 or dac3 box in private data, or nil.
func (c *Codec) dolbyPayload(guid string) []byte {
	const guidAt = extensibleTail - 16
	p := c.PrivateData
	if len(p) <= extensibleTail || !bytes.Equal(p[guidAt:extensibleTail], []byte(guid)) {
		return nil
	}
	return p[extensibleTail:]
}

// boxBytes returns a box.
func boxBytes(name string, payload []byte) []byte {
	b := make([]byte, 0, 8+len(payload))
	b = binary.BigEndian.AppendUint32(b, uint32(8+len(payload)))
	return append(append(b, name...), payload...)
}
