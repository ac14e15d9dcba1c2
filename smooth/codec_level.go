package smooth

import (
	"cmp"
	"errors"
	"fmt"
)

// maxPrivateData is the largest CodecPrivateData that is read, in bytes.
const maxPrivateData = 64 << 10

// CodecFromQualityLevel reads the configuration of a track from a manifest: type t, its stream s, which may be nil,
// and its level l. It takes every spelling of the FourCC that encoders are known to write, fills what the level leaves
// out, and builds the sample entry for the codecs that [Codec.BuildSampleEntry] can make. Whether the track is
// encrypted the manifest tells elsewhere, so Encrypted is false. An error wraps [ErrUnsupported] and names the FourCC,
// [ErrTooLarge] or [ErrCorrupt]. See [MS-SSTR] 2.2.2.5.
func CodecFromQualityLevel(t StreamType, s *Stream, l *QualityLevel) (*Codec, error) {
	if len(l.CodecPrivateData) > maxPrivateData {
		return nil, fmt.Errorf("smooth: CodecPrivateData of %d bytes, the limit is %d: %w",
			len(l.CodecPrivateData), maxPrivateData, ErrTooLarge)
	}
	if s == nil {
		s = &Stream{}
	}
	c := &Codec{
		Type: t, FourCC: levelFourCC(t, s, l), PrivateData: l.CodecPrivateData,
		SamplingRate: l.SamplingRate, Channels: l.Channels, BitsPerSample: l.BitsPerSample,
		PacketSize: l.PacketSize, AudioTag: l.AudioTag,
	}
	var err error
	switch t {
	case Video:
		err = c.readVideoLevel(s, l)
	case Audio:
		err = c.readAudioLevel()
	case Text:
		return c, c.buildTextEntry()
	default:
		err = fmt.Errorf("stream type %q: %w", t, ErrUnsupported)
	}
	if err != nil {
		if !errors.Is(err, ErrUnsupported) {
			err = fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
		return nil, fmt.Errorf("smooth: quality level %d of FourCC %q: %w", l.Bitrate, c.FourCC, err)
	}
	c.SampleEntry, err = c.BuildSampleEntry()
	if err != nil && !errors.Is(err, ErrUnsupported) {
		return nil, err
	}
	return c, nil
}

func (c *Codec) readVideoLevel(s *Stream, l *QualityLevel) error {
	c.Width = cmp.Or(l.MaxWidth, s.MaxWidth)
	c.Height = cmp.Or(l.MaxHeight, s.MaxHeight)
	c.FourCC = videoFourCC(c.FourCC)
	var err error
	switch {
	case c.isAVC() || c.isHEVC():
		switch l.NALUnitLengthField {
		case 0:
			c.NALULengthSize = 4
		case 1, 2, 4:
			c.NALULengthSize = uint8(l.NALUnitLengthField)
		default:
			return fmt.Errorf("NALUnitLengthField %d is not 1, 2 or 4", l.NALUnitLengthField)
		}
		if fold(c.FourCC) == "AVCB" {
			c.NALULengthSize = 0 // Annex B samples
		}
		err = c.setVideoLevel()
	case fold(c.FourCC) == "WVC1":
	default:
		return ErrUnsupported
	}
	if c.DisplayWidth == 0 {
		c.setAspect(0, 0)
	}
	if c.DisplayWidth == c.Width && s.DisplayWidth > 0 && s.DisplayHeight > 0 {
		c.setStreamAspect(s)
	}
	return err
}

// setStreamAspect applies the picture aspect ratio that the stream states for its largest level.
func (c *Codec) setStreamAspect(s *Stream) {
	if s.MaxWidth == 0 || s.MaxHeight == 0 || s.MaxWidth > 1<<16 || s.MaxHeight > 1<<16 ||
		s.DisplayWidth > 1<<16 || s.DisplayHeight > 1<<16 {
		return
	}
	w := uint64(s.DisplayWidth) * uint64(s.MaxHeight)
	h := uint64(s.DisplayHeight) * uint64(s.MaxWidth)
	for w > 1<<31 || h > 1<<31 {
		w, h = w/2, h/2
	}
	c.setAspect(uint32(w), uint32(h))
}

func (c *Codec) readAudioLevel() error {
	if c.isAAC() {
		if len(c.PrivateData) == 0 {
			if err := c.deriveAAC(); err != nil {
				return err
			}
		}
		return c.setAAC(c.Channels)
	}
	switch fourCCFamily(c.FourCC) {
	case "WMA2":
		c.FourCC, c.AudioTag = "WMA2", cmp.Or(c.AudioTag, tagWMA)
	case "WMAP":
		c.FourCC, c.AudioTag = "WMAP", cmp.Or(c.AudioTag, tagWMAPro)
	case "MP3":
		c.FourCC, c.AudioTag = "WMAP", tagMP3
	case "EC-3":
		return c.readDolbyLevel("EC-3", guidEC3, c.setEC3)
	case "AC-3":
		return c.readDolbyLevel("ac-3", guidAC3, c.setAC3)
	default:
		return ErrUnsupported
	}
	return nil
}

// readDolbyLevel takes the box content out of the private data; what cannot be found there the attributes tell.
func (c *Codec) readDolbyLevel(fourCC, guid string, set func([]byte) error) error {
	c.FourCC, c.AudioTag = fourCC, cmp.Or(c.AudioTag, tagExtensible)
	payload := c.dolbyPayload(guid)
	if payload == nil {
		return nil
	}
	return set(payload)
}

// QualityLevel returns a level with every attribute that clients need for the codec; bitrate is in bits per second.
// Index is left to the caller. The private data is shared.
func (c *Codec) QualityLevel(bitrate uint64) *QualityLevel {
	l := &QualityLevel{
		Bitrate: bitrate, FourCC: c.FourCC, CodecPrivateData: c.PrivateData,
		SamplingRate: c.SamplingRate, Channels: c.Channels, BitsPerSample: c.BitsPerSample,
		PacketSize: c.PacketSize, AudioTag: c.AudioTag,
	}
	if c.Type == Video {
		l.MaxWidth, l.MaxHeight = c.Width, c.Height
		if c.NALULengthSize != 4 { // the default, and what every client assumes
			l.NALUnitLengthField = uint32(c.NALULengthSize)
		}
	}
	return l
}

// buildTextEntry sets the sample entry of a text track, if its content is known to have one.
func (c *Codec) buildTextEntry() error {
	entry, err := c.BuildSampleEntry()
	if err != nil && !errors.Is(err, ErrUnsupported) {
		return err
	}
	c.SampleEntry = entry
	return nil
}
