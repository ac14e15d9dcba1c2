package fmp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
)

const (
	// maxParameterSet is the largest parameter set that is parsed, in bytes. Real ones have some dozen bytes.
	maxParameterSet = 4 << 10
	// maxParameterSets is the largest number of NAL units in an HEVC configuration record.
	maxParameterSets = 256
	// maxPictureSize is the largest width or height that a sample entry can state.
	maxPictureSize = 1<<16 - 1
)

// DecodeAVCConfig decodes the content of an avcC box, an AVCDecoderConfigurationRecord of ISO/IEC 14496-15 5.3.3.1,
// and returns the size in bytes of the length before each NAL unit.
func DecodeAVCConfig(payload []byte) (rec avc.DecConfRec, lengthSize uint8, err error) {
	if len(payload) < 6 {
		return rec, 0, fmt.Errorf("fmp4: avcC of %d bytes: %w", len(payload), errShort)
	}
	lengthSize = payload[4]&3 + 1
	p := slices.Clone(payload)
	p[4] |= 3 // mp4ff takes only lengths of four bytes
	rec, err = guard("avcC", func() (avc.DecConfRec, error) { return avc.DecodeAVCDecConfRec(p) })
	if errors.Is(err, avc.ErrCannotParseAVCExtension) {
		err = nil // the parameter sets before the extension have been read
	}
	return rec, lengthSize, err
}

// DecodeHEVCConfig decodes the content of an hvcC box, an HEVCDecoderConfigurationRecord of ISO/IEC 14496-15 8.3.3.1,
// and returns the size in bytes of the length before each NAL unit.
func DecodeHEVCConfig(payload []byte) (rec hevc.DecConfRec, lengthSize uint8, err error) {
	if err := checkHEVCConfig(payload); err != nil {
		return rec, 0, fmt.Errorf("fmp4: hvcC: %w", err)
	}
	lengthSize = payload[21]&3 + 1
	p := slices.Clone(payload)
	p[21] |= 3 // mp4ff takes only lengths of four bytes
	rec, err = guard("hvcC", func() (hevc.DecConfRec, error) { return hevc.DecodeHEVCDecConfRec(p) })
	return rec, lengthSize, err
}

// checkHEVCConfig checks the counts, for which mp4ff would allocate without looking at the bytes left.
func checkHEVCConfig(p []byte) error {
	const fixed = 23
	if len(p) < fixed {
		return fmt.Errorf("%d bytes, need %d: %w", len(p), fixed, errShort)
	}
	off, total := fixed, 0
	for range p[fixed-1] {
		if len(p)-off < 3 {
			return errShort
		}
		n := int(binary.BigEndian.Uint16(p[off+1:]))
		off += 3
		if total += n; total > maxParameterSets {
			return fmt.Errorf("%d NAL units, the limit is %d", total, maxParameterSets)
		}
		for range n {
			if len(p)-off < 2 {
				return errShort
			}
			off += 2 + int(binary.BigEndian.Uint16(p[off:]))
			if off > len(p) {
				return errShort
			}
		}
	}
	return nil
}

// Picture is what a sequence parameter set tells about the picture.
type Picture struct {
	// Width and Height in pixels after cropping.
	Width, Height uint32
	// SARWidth and SARHeight are the sample aspect ratio; 0 if not stated.
	SARWidth, SARHeight uint32
	// ChromaFormat is chroma_format_idc, and the depths are those of a sample in bits, minus 8.
	ChromaFormat, LumaDepthMinus8, ChromaDepthMinus8 uint8
}

// AVCPicture reads an H.264 sequence parameter set, NAL unit header included. See ITU-T H.264 7.3.2.1.1.
func AVCPicture(sps []byte) (Picture, error) {
	if len(sps) > maxParameterSet {
		return Picture{}, fmt.Errorf("fmp4: SPS of %d bytes, the limit is %d", len(sps), maxParameterSet)
	}
	s, err := guard("SPS", func() (*avc.SPS, error) { return avc.ParseSPSNALUnit(sps, false) })
	if err != nil {
		return Picture{}, err
	}
	p := Picture{
		ChromaFormat: s.ChromaFormatIDC, LumaDepthMinus8: uint8(s.BitDepthLumaMinus8),
		ChromaDepthMinus8: uint8(s.BitDepthChromaMinus8),
	}
	if s.VUI != nil {
		p.setSAR(s.VUI.SampleAspectRatioWidth, s.VUI.SampleAspectRatioHeight)
	}
	return p, p.setSize(uint64(s.Width), uint64(s.Height))
}

func (p *Picture) setSAR(w, h uint) {
	if w > 0 && h > 0 && w <= maxPictureSize && h <= maxPictureSize {
		p.SARWidth, p.SARHeight = uint32(w), uint32(h)
	}
}

func (p *Picture) setSize(w, h uint64) error {
	if w == 0 || h == 0 || w > maxPictureSize || h > maxPictureSize {
		return fmt.Errorf("fmp4: SPS: picture of %d x %d pixels", w, h)
	}
	p.Width, p.Height = uint32(w), uint32(h)
	return nil
}

// HEVCProfile is the general part of profile_tier_level of ITU-T H.265 7.3.3, from a sequence parameter set.
type HEVCProfile struct {
	hevc.ProfileTierLevel
	// SubLayers is the number of temporal sub-layers, and Nested sps_temporal_id_nesting_flag.
	SubLayers uint8
	Nested    bool
}

// ParseHEVCProfile reads the profile. mp4ff's reader of sequence parameter sets loses the upper constraint flags where
// uint has 32 bits; here the fields are taken from their fixed place:
//
//	NAL unit header 16 | vps id 4, max_sub_layers_minus1 3, nesting 1 | space 2, tier 1, profile 5 |
//	compatibility 32 | constraints 48 | level 8
func ParseHEVCProfile(sps []byte) (HEVCProfile, error) {
	const need = 2 + 1 + 1 + 4 + 6 + 1
	b := unescape(sps, need)
	if len(b) < need || hevc.GetNaluType(b[0]) != hevc.NALU_SPS {
		return HEVCProfile{}, fmt.Errorf("fmp4: no HEVC SPS in %d bytes", len(sps))
	}
	return HEVCProfile{
		ProfileTierLevel: hevc.ProfileTierLevel{
			GeneralProfileSpace:              b[3] >> 6,
			GeneralTierFlag:                  b[3]&0x20 != 0,
			GeneralProfileIDC:                b[3] & 0x1f,
			GeneralProfileCompatibilityFlags: binary.BigEndian.Uint32(b[4:]),
			GeneralConstraintIndicatorFlags: uint64(binary.BigEndian.Uint32(b[8:]))<<16 |
				uint64(binary.BigEndian.Uint16(b[12:])),
			GeneralLevelIDC: b[14],
		},
		SubLayers: b[2]>>1&7 + 1,
		Nested:    b[2]&1 != 0,
	}, nil
}

// unescape returns the first n bytes of a NAL unit without emulation prevention bytes.
func unescape(nalu []byte, n int) []byte {
	out := make([]byte, 0, n)
	zeros := 0
	for _, v := range nalu {
		if len(out) == n {
			break
		}
		if zeros >= 2 && v == 3 {
			zeros = 0
			continue
		}
		if v == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, v)
	}
	return out
}
