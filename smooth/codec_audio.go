package smooth

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// Format tags of WAVEFORMATEX, as in AudioTag.
const (
	tagMP3        = 0x55
	tagAAC        = 0xff
	tagWMA        = 0x161
	tagWMAPro     = 0x162
	tagExtensible = 0xfffe
)

// Object type indications of ISO/IEC 14496-1 7.2.6.6.
const (
	objectAAC      = 0x40
	objectAACMain  = 0x66 // MPEG-2 AAC: 0x66 to 0x68
	objectAACSSR   = 0x68
	objectMP3MPEG2 = 0x69
	objectMP3MPEG1 = 0x6b
)

// defaultPCMBits is the BitsPerSample of codecs that have none of their own.
const defaultPCMBits = 16

// readMP4A reads an mp4a entry, whose esds box says which codec it is. QuickTime has the esds box inside a wave box.
func (c *Codec) readMP4A(e *fmp4.SampleEntry) error {
	box := e.Box("esds")
	if wave := e.Box("wave"); box == nil && wave != nil {
		inner, err := fmp4.SplitEntryBoxes(wave.Payload)
		if err != nil {
			return fmt.Errorf("wave: %w", err)
		}
		box = fmp4.FindEntryBox(inner, "esds")
	}
	if box == nil {
		return fmt.Errorf("no esds box")
	}
	b, err := fmp4.DecodeEntryBox(box.Raw)
	if err != nil {
		return err
	}
	esds, ok := b.(*mp4.EsdsBox)
	if !ok || esds.DecConfigDescriptor == nil {
		return fmt.Errorf("esds without decoder configuration")
	}
	d := esds.DecConfigDescriptor
	switch {
	case d.ObjectType == objectMP3MPEG1 || d.ObjectType == objectMP3MPEG2:
		c.setMP3(uint32(e.Channels), e.SampleRate)
		return nil
	case d.ObjectType == objectAAC || d.ObjectType >= objectAACMain && d.ObjectType <= objectAACSSR:
	default:
		return fmt.Errorf("object type %#x: %w", d.ObjectType, ErrUnsupported)
	}
	if d.DecSpecificInfo == nil || len(d.DecSpecificInfo.DecConfig) == 0 {
		return fmt.Errorf("esds without AudioSpecificConfig")
	}
	c.PrivateData = d.DecSpecificInfo.DecConfig
	return c.setAAC(uint32(e.Channels))
}

// setAAC sets the audio fields from the AudioSpecificConfig in PrivateData. SamplingRate is the output rate, also for
// HE-AAC: Microsoft's encoders write the output rate (24000 in the AudioSpecificConfig, 48000 in SamplingRate), and
// dash.js and Shaka put the number into the sample entry they make.
func (c *Codec) setAAC(entryChannels uint32) error {
	a, err := parseAudioConfig(c.PrivateData)
	if err != nil {
		return err
	}
	if a.sbr || fourCCFamily(c.FourCC) == "AACH" {
		c.FourCC = "AACH"
	} else {
		c.FourCC = "AACL"
	}
	c.Type = Audio
	if a.sbr || c.FourCC == "AACL" || c.SamplingRate == 0 { // else a manifest tells of SBR that only the samples signal
		c.SamplingRate = a.outputRate()
	}
	c.Channels = cmp.Or(a.outputChannels(), entryChannels)
	c.AudioTag = cmp.Or(c.AudioTag, tagAAC)
	c.BitsPerSample = cmp.Or(c.BitsPerSample, defaultPCMBits)
	c.PacketSize = cmp.Or(c.PacketSize, 2*c.Channels) // nBlockAlign, as Microsoft's encoders write it
	return nil
}

// setMP3 sets the audio fields of MPEG-1 and MPEG-2 audio layer III. Smooth Streaming has no FourCC for it; like
// another origin server this package writes WMAP with the format tag 85, which tells the codec. The private data are
// the fields of MPEGLAYER3WAVEFORMAT after WAVEFORMATEX: id 1, flags, block size, frames per block, codec delay.
func (c *Codec) setMP3(channels, rate uint32) {
	const samplesPerFrame, codecDelay = 1152, 1393
	c.Type, c.FourCC, c.AudioTag, c.BitsPerSample = Audio, "WMAP", tagMP3, defaultPCMBits
	c.Channels, c.SamplingRate, c.PacketSize = channels, rate, 1
	le := binary.LittleEndian
	c.PrivateData = le.AppendUint16(nil, 1)
	c.PrivateData = le.AppendUint32(c.PrivateData, 2)
	c.PrivateData = le.AppendUint16(c.PrivateData, samplesPerFrame)
	c.PrivateData = le.AppendUint16(c.PrivateData, 1)
	c.PrivateData = le.AppendUint16(c.PrivateData, codecDelay)
}

// AudioConfig returns the AudioSpecificConfig of AAC, or nil for other codecs. See ISO/IEC 14496-3 1.6.2.1.
func (c *Codec) AudioConfig() []byte {
	if !c.isAAC() {
		return nil
	}
	return c.PrivateData
}

// deriveAAC makes the AudioSpecificConfig of a quality level with empty CodecPrivateData from its sampling rate and
// number of channels, as clients do. HE-AAC gets explicit signalling; its rate is the output rate unless that would
// be too low, since SBR doubles a core rate of at least 16 kHz in practice.
func (c *Codec) deriveAAC() error {
	const lowestSBRRate = 32000
	cfg := aac.AudioSpecificConfig{
		ObjectType: aac.AAClc, SamplingFrequency: int(c.SamplingRate),
		ChannelConfiguration: channelConfiguration(c.Channels),
	}
	if cfg.ChannelConfiguration == 0 || c.SamplingRate == 0 || c.SamplingRate > 96000 {
		return fmt.Errorf("no AudioSpecificConfig, and none follows from %d Hz and %d channels", c.SamplingRate, c.Channels)
	}
	if fourCCFamily(c.FourCC) == "AACH" {
		cfg.ObjectType, cfg.ExtensionFrequency = aac.HEAACv1, int(c.SamplingRate)
		if c.SamplingRate >= lowestSBRRate {
			cfg.SamplingFrequency /= 2
		} else {
			cfg.ExtensionFrequency *= 2
		}
	}
	var buf bytes.Buffer
	if err := cfg.Encode(&buf); err != nil {
		return err
	}
	c.PrivateData = buf.Bytes()
	return nil
}

// channelConfiguration returns the index of ISO/IEC 14496-3 table 1.19, or 0.
func channelConfiguration(channels uint32) byte {
	switch {
	case channels >= 1 && channels <= 6:
		return byte(channels)
	case channels == 8:
		return 7
	}
	return 0
}
