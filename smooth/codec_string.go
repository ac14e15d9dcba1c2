package smooth

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/Eyevinn/mp4ff/hevc"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// Codecs returns the codec as an element of the codecs parameter of RFC 6381, such as avc1.64001f, mp4a.40.2 or
// stpp.ttml.im1t, or "" if there is no such name for it (WMA, WVC1) or it is not known (no parameter sets). For an
// encrypted track it is that of the content.
func (c *Codec) Codecs() string {
	format := c.entryFormat()
	f := fourCCFamily(c.FourCC)
	switch {
	case c.isAVC():
		return c.avcString(format)
	case c.isHEVC():
		return c.hevcString(format)
	case c.isAAC():
		return c.aacString()
	case c.AudioTag == tagMP3:
		return "mp4a.40.34"
	case f == "EC-3":
		return "ec-3"
	case f == "AC-3":
		return "ac-3"
	case f == "TTML":
		return "stpp.ttml.im1t"
	case f == "WVTT":
		return "wvtt"
	}
	return ""
}

// avcString has the three bytes after the NAL unit header in hexadecimal. See RFC 6381 3.3.
func (c *Codec) avcString(format string) string {
	_, sps, _ := c.ParameterSets()
	if len(sps) == 0 || len(sps[0]) < 4 {
		return ""
	}
	if format != "avc3" {
		format = "avc1"
	}
	return fmt.Sprintf("%s.%x", format, sps[0][1:4])
}

// hevcString follows ISO/IEC 14496-15 annex E.3.
func (c *Codec) hevcString(format string) string {
	_, sps, _ := c.ParameterSets()
	if len(sps) == 0 {
		return ""
	}
	profile, err := fmp4.ParseHEVCProfile(sps[0])
	if err != nil {
		return ""
	}
	if format == "" {
		format = "hev1"
		if fold(c.FourCC) == "HVC1" {
			format = "hvc1"
		}
	}
	return hevc.CodecString(format, &hevc.SPS{ProfileTierLevel: profile.ProfileTierLevel})
}

// aacString names HE-AAC also where it is signalled in the backward-compatible way.
func (c *Codec) aacString() string {
	a, err := parseAudioConfig(c.PrivateData)
	switch {
	case err != nil:
		return ""
	case a.ps:
		return "mp4a.40.29"
	case a.sbr || c.FourCC == "AACH":
		return "mp4a.40.5"
	}
	return fmt.Sprintf("mp4a.40.%d", a.objectType)
}

// Equal reports whether both describe the same configuration, so that a decoder can go on from one to the other
// without being set up again. Sample entries are compared if both have one. Nil equals only nil.
func (c *Codec) Equal(o *Codec) bool {
	if c == nil || o == nil || c == o {
		return c == o
	}
	if len(c.SampleEntry) > 0 && len(o.SampleEntry) > 0 && !bytes.Equal(c.SampleEntry, o.SampleEntry) {
		return false
	}
	return c.Type == o.Type && c.FourCC == o.FourCC && slices.Equal(c.PrivateData, o.PrivateData) &&
		c.NALULengthSize == o.NALULengthSize && c.Encrypted == o.Encrypted && c.KID == o.KID &&
		c.Width == o.Width && c.Height == o.Height &&
		c.DisplayWidth == o.DisplayWidth && c.DisplayHeight == o.DisplayHeight &&
		c.SamplingRate == o.SamplingRate && c.Channels == o.Channels && c.AudioTag == o.AudioTag &&
		c.BitsPerSample == o.BitsPerSample && c.PacketSize == o.PacketSize
}
