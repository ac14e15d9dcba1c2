package smooth

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

const startCode = "\x00\x00\x00\x01"

// readAVC reads an avc1 or avc3 entry. See ISO/IEC 14496-15 5.4.2.
func (c *Codec) readAVC(e *fmp4.SampleEntry) error {
	box := e.Box("avcC")
	if box == nil {
		return fmt.Errorf("no avcC box")
	}
	rec, lengthSize, err := fmp4.DecodeAVCConfig(box.Payload)
	if err != nil {
		return err
	}
	c.Type, c.FourCC, c.NALULengthSize = Video, "H264", lengthSize
	c.PrivateData = joinNALUs(rec.SPSnalus, rec.PPSnalus)
	c.setPicture(e, firstPicture(rec.SPSnalus, fmp4.AVCPicture))
	return nil
}

// readHEVC reads an hvc1 or hev1 entry. See ISO/IEC 14496-15 8.4.1. The document on HEVC in Smooth Streaming leaves
// the video parameter set out of CodecPrivateData, but packagers write it and clients take both.
func (c *Codec) readHEVC(e *fmp4.SampleEntry) error {
	box := e.Box("hvcC")
	if box == nil {
		return fmt.Errorf("no hvcC box")
	}
	rec, lengthSize, err := fmp4.DecodeHEVCConfig(box.Payload)
	if err != nil {
		return err
	}
	c.Type, c.FourCC, c.NALULengthSize = Video, "hev1", lengthSize
	sps := rec.GetNalusForType(hevc.NALU_SPS)
	c.PrivateData = joinNALUs(rec.GetNalusForType(hevc.NALU_VPS), sps, rec.GetNalusForType(hevc.NALU_PPS))
	c.setPicture(e, firstPicture(sps, fmp4.HEVCPicture))
	return nil
}

// readVC1 reads a vc-1 entry of SMPTE RP 2025, whose dvc1 box has seven bytes before the sequence and entry point
// headers, or an ovc1 entry, whose strf box is a BITMAPINFOHEADER of 40 bytes and these headers.
func (c *Codec) readVC1(e *fmp4.SampleEntry) error {
	const dvc1Fields, bitmapInfoHeader, advanced = 7, 40, 12
	c.Type, c.FourCC = Video, "WVC1"
	c.setPicture(e, fmp4.Picture{})
	if b := e.Box("dvc1"); b != nil {
		if len(b.Payload) < dvc1Fields {
			return fmt.Errorf("dvc1 of %d bytes", len(b.Payload))
		}
		if profile := b.Payload[0] >> 4; profile != advanced {
			return fmt.Errorf("VC-1 profile %d is not the advanced profile: %w", profile, ErrUnsupported)
		}
		c.PrivateData = b.Payload[dvc1Fields:]
		return nil
	}
	if b := e.Box("strf"); b != nil && len(b.Payload) >= bitmapInfoHeader {
		c.PrivateData = b.Payload[bitmapInfoHeader:]
		return nil
	}
	return fmt.Errorf("no dvc1 or strf box")
}

// joinNALUs writes the NAL units, each after a four-byte start code, in the order given.
func joinNALUs(sets ...[][]byte) []byte {
	var out []byte
	for _, set := range sets {
		for _, nalu := range set {
			if len(nalu) > 0 {
				out = append(append(out, startCode...), nalu...)
			}
		}
	}
	return out
}

// splitNALUs returns the NAL units of private data.
func splitNALUs(b []byte) [][]byte {
	var out [][]byte
	for _, nalu := range avc.ExtractNalusFromByteStream(b) {
		nalu = bytes.TrimRight(nalu, "\x00") // trailing_zero_8bits; a NAL unit itself does not end in zero
		if len(nalu) > 0 {
			out = append(out, nalu)
		}
	}
	return out
}

// firstPicture returns the picture of the first parameter set that can be read, or none: what it tells is informative,
// and the sample entry or the manifest states the size as well.
func firstPicture(sets [][]byte, parse func([]byte) (fmp4.Picture, error)) fmp4.Picture {
	for _, sps := range sets {
		if p, err := parse(sps); err == nil {
			return p
		}
	}
	return fmp4.Picture{}
}

// setPicture sets the sizes: those of the parameter set, else of the sample entry. The pixel aspect ratio of the pasp
// box wins over the parameter set, as it does in players.
func (c *Codec) setPicture(e *fmp4.SampleEntry, p fmp4.Picture) {
	c.Width, c.Height = p.Width, p.Height
	if p.Width == 0 {
		c.Width, c.Height = uint32(e.Width), uint32(e.Height)
	}
	w, h := p.SARWidth, p.SARHeight
	if b := e.Box("pasp"); b != nil && len(b.Payload) >= 8 {
		w, h = binary.BigEndian.Uint32(b.Payload), binary.BigEndian.Uint32(b.Payload[4:])
	}
	c.setAspect(w, h)
}

// setAspect derives the display size from the pixel aspect ratio: the height stays, the width is stretched.
func (c *Codec) setAspect(sarWidth, sarHeight uint32) {
	c.DisplayWidth, c.DisplayHeight = c.Width, c.Height
	if sarWidth == 0 || sarHeight == 0 {
		return
	}
	w := (uint64(c.Width)*uint64(sarWidth) + uint64(sarHeight)/2) / uint64(sarHeight)
	if w > 0 && w <= math.MaxUint16 {
		c.DisplayWidth = uint32(w)
	}
}

// ParameterSets returns the parameter sets in PrivateData without start codes; vps is nil for H.264. All are nil for
// codecs without NAL units.
func (c *Codec) ParameterSets() (vps, sps, pps [][]byte) {
	switch {
	case c.isAVC():
		for _, nalu := range splitNALUs(c.PrivateData) {
			switch avc.GetNaluType(nalu[0]) {
			case avc.NALU_SPS:
				sps = append(sps, nalu)
			case avc.NALU_PPS:
				pps = append(pps, nalu)
			}
		}
	case c.isHEVC():
		for _, nalu := range splitNALUs(c.PrivateData) {
			switch hevc.GetNaluType(nalu[0]) {
			case hevc.NALU_VPS:
				vps = append(vps, nalu)
			case hevc.NALU_SPS:
				sps = append(sps, nalu)
			case hevc.NALU_PPS:
				pps = append(pps, nalu)
			}
		}
	}
	return vps, sps, pps
}

// setVideoLevel reads the private data of a quality level; the sizes have been set from the attributes.
func (c *Codec) setVideoLevel() error {
	if len(c.PrivateData) == 0 {
		return nil // parameter sets are in the samples
	}
	if err := c.unpackConfigRecord(); err != nil {
		return err
	}
	_, sps, pps := c.ParameterSets()
	if len(sps) == 0 {
		return fmt.Errorf("no sequence parameter set in CodecPrivateData of %d bytes", len(c.PrivateData))
	}
	parse := fmp4.HEVCPicture
	if c.isAVC() {
		parse = fmp4.AVCPicture
		if !bytes.HasPrefix(c.PrivateData, []byte(startCode)) || avc.GetNaluType(c.PrivateData[4]) != avc.NALU_SPS {
			c.PrivateData = joinNALUs(sps, pps) // dash.js looks for a four-byte start code and the SPS first
		}
	}
	p := firstPicture(sps, parse)
	if p.Width != 0 {
		c.Width, c.Height = p.Width, p.Height
	}
	c.setAspect(p.SARWidth, p.SARHeight)
	return nil
}

// unpackConfigRecord replaces a configuration record (the content of an avcC or hvcC box), which some encoders write
// instead of parameter sets with start codes.
func (c *Codec) unpackConfigRecord() error {
	if c.PrivateData[0] != 1 {
		return nil
	}
	if c.isAVC() {
		rec, size, err := fmp4.DecodeAVCConfig(c.PrivateData)
		if err != nil {
			return err
		}
		c.PrivateData, c.NALULengthSize = joinNALUs(rec.SPSnalus, rec.PPSnalus), size
		return nil
	}
	rec, size, err := fmp4.DecodeHEVCConfig(c.PrivateData)
	if err != nil {
		return err
	}
	c.PrivateData, c.NALULengthSize = joinNALUs(rec.GetNalusForType(hevc.NALU_VPS),
		rec.GetNalusForType(hevc.NALU_SPS), rec.GetNalusForType(hevc.NALU_PPS)), size
	return nil
}
