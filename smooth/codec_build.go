package smooth

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// ttmlNamespace is the namespace in the stpp entry that is made for TTML. See ISO/IEC 14496-30 5.3.
const ttmlNamespace = "http://www.w3.org/ns/ttml"

// BuildSampleEntry returns SampleEntry if there is one, else a sample entry made from the other fields. An error wraps
// [ErrUnsupported] if none can be made: for Windows Media codecs, for Annex B samples, without parameter sets, and for
// encrypted tracks, whose entry only the input has.
func (c *Codec) BuildSampleEntry() ([]byte, error) {
	if len(c.SampleEntry) > 0 {
		return c.SampleEntry, nil
	}
	box, err := c.newEntry()
	if err != nil {
		return nil, fmt.Errorf("smooth: sample entry for FourCC %q: %w", c.FourCC, err)
	}
	return fmp4.EncodeBox(box)
}

func (c *Codec) newEntry() (mp4.Box, error) {
	f := fourCCFamily(c.FourCC)
	switch {
	case c.Encrypted:
		return nil, fmt.Errorf("encrypted: %w", ErrUnsupported)
	case f == "AVCB":
		return nil, fmt.Errorf("samples with start codes: %w", ErrUnsupported)
	case c.isAVC():
		return c.newAVC()
	case c.isHEVC():
		return c.newHEVC()
	case c.isAAC():
		return c.newMP4A(objectAAC, c.PrivateData)
	case c.AudioTag == tagMP3:
		object := byte(objectMP3MPEG1)
		if c.SamplingRate < 32000 {
			object = objectMP3MPEG2
		}
		return c.newMP4A(object, nil)
	case f == "EC-3":
		return c.newDolby("ec-3", "dec3", guidEC3)
	case f == "AC-3":
		return c.newDolby("ac-3", "dac3", guidAC3)
	case f == "TTML":
		return mp4.NewStppBox(ttmlNamespace, "", ""), nil
	}
	return nil, ErrUnsupported
}

// newAVC makes an avc1 entry.
func (c *Codec) newAVC() (mp4.Box, error) {
	_, sps, pps := c.ParameterSets()
	if len(sps) == 0 || len(sps[0]) < 4 || len(sps) > 31 || len(pps) > 255 {
		return nil, fmt.Errorf("%d SPS and %d PPS: %w", len(sps), len(pps), ErrUnsupported)
	}
	rec := avc.DecConfRec{
		AVCProfileIndication: sps[0][1], ProfileCompatibility: sps[0][2], AVCLevelIndication: sps[0][3],
		SPSnalus: sps, PPSnalus: pps, ChromaFormat: 1,
	}
	if p, err := fmp4.AVCPicture(sps[0]); err == nil {
		rec.ChromaFormat = p.ChromaFormat
		rec.BitDepthLumaMinus1, rec.BitDepthChromaMinus1 = p.LumaDepthMinus8, p.ChromaDepthMinus8
	}
	payload, err := encodeRecord(&rec)
	if err != nil {
		return nil, err
	}
	payload[4] = payload[4]&^3 | (c.NALULengthSize-1)&3
	return c.newVisual("avc1", "avcC", payload)
}

// newHEVC makes an hvc1 entry if the FourCC says that parameter sets are in the entry only, else a hev1 entry.
func (c *Codec) newHEVC() (mp4.Box, error) {
	vps, sps, pps := c.ParameterSets()
	if len(sps) == 0 {
		return nil, fmt.Errorf("no SPS: %w", ErrUnsupported)
	}
	profile, err := fmp4.ParseHEVCProfile(sps[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	name := "hev1"
	if fold(c.FourCC) == "HVC1" {
		name = "hvc1"
	}
	rec := hevc.DecConfRec{
		ConfigurationVersion: 1, GeneralProfileSpace: profile.GeneralProfileSpace,
		GeneralTierFlag: profile.GeneralTierFlag, GeneralProfileIDC: profile.GeneralProfileIDC,
		GeneralProfileCompatibilityFlags: profile.GeneralProfileCompatibilityFlags,
		GeneralConstraintIndicatorFlags:  profile.GeneralConstraintIndicatorFlags,
		GeneralLevelIDC:                  profile.GeneralLevelIDC, ChromaFormatIDC: 1,
		NumTemporalLayers: profile.SubLayers, LengthSizeMinusOne: (c.NALULengthSize - 1) & 3,
	}
	if profile.Nested {
		rec.TemporalIDNested = 1
	}
	if p, err := fmp4.HEVCPicture(sps[0]); err == nil {
		rec.ChromaFormatIDC = p.ChromaFormat
		rec.BitDepthLumaMinus8, rec.BitDepthChromaMinus8 = p.LumaDepthMinus8, p.ChromaDepthMinus8
	}
	addArray := func(t hevc.NaluType, nalus [][]byte) {
		if len(nalus) > 0 {
			rec.NaluArrays = append(rec.NaluArrays, hevc.NewNaluArray(name == "hvc1", t, nalus))
		}
	}
	addArray(hevc.NALU_VPS, vps)
	addArray(hevc.NALU_SPS, sps)
	addArray(hevc.NALU_PPS, pps)
	payload, err := encodeRecord(&rec)
	if err != nil {
		return nil, err
	}
	return c.newVisual(name, "hvcC", payload)
}

func encodeRecord(rec interface{ Encode(w io.Writer) error }) ([]byte, error) {
	var buf bytes.Buffer
	err := rec.Encode(&buf)
	return buf.Bytes(), err
}

// newVisual makes a visual entry with one configuration box, and pasp unless pixels are square.
func (c *Codec) newVisual(name, config string, payload []byte) (mp4.Box, error) {
	if c.Width > math.MaxUint16 || c.Height > math.MaxUint16 {
		return nil, fmt.Errorf("picture of %d x %d pixels: %w", c.Width, c.Height, ErrUnsupported)
	}
	e := mp4.CreateVisualSampleEntryBox(name, uint16(c.Width), uint16(c.Height), newRawBox(config, payload))
	e.CompressorName = ""
	if w, h := uint64(c.DisplayWidth)*uint64(c.Height), uint64(c.DisplayHeight)*uint64(c.Width); w != h && w > 0 && h > 0 {
		d := gcd(w, h)
		if w/d <= math.MaxUint32 && h/d <= math.MaxUint32 {
			e.AddChild(&mp4.PaspBox{HSpacing: uint32(w / d), VSpacing: uint32(h / d)})
		}
	}
	return e, nil
}

func newRawBox(name string, payload []byte) mp4.Box {
	return mp4.CreateUnknownBox(name, uint64(8+len(payload)), payload)
}

// maxBuiltConfig is the largest AudioSpecificConfig that an esds box is made for, in bytes: mp4ff writes the sizes of
// its descriptors in seven bits.
const maxBuiltConfig = 100

// newMP4A makes an mp4a entry; config is empty for MP3.
func (c *Codec) newMP4A(object byte, config []byte) (mp4.Box, error) {
	if len(config) > maxBuiltConfig {
		return nil, fmt.Errorf("AudioSpecificConfig of %d bytes, the limit is %d: %w", len(config), maxBuiltConfig, ErrUnsupported)
	}
	esds := mp4.CreateEsdsBox(config)
	esds.DecConfigDescriptor.ObjectType = object
	if len(config) == 0 {
		esds.DecConfigDescriptor.DecSpecificInfo = nil
	}
	return c.newAudio("mp4a", esds), nil
}

func (c *Codec) newDolby(name, config, guid string) (mp4.Box, error) {
	payload := c.dolbyPayload(guid)
	if payload == nil {
		return nil, fmt.Errorf("no content of %s in CodecPrivateData: %w", config, ErrUnsupported)
	}
	return c.newAudio(name, newRawBox(config, payload)), nil
}

// newAudio makes an audio entry. The rate is 0 where its field is too small; the configuration tells it.
func (c *Codec) newAudio(name string, config mp4.Box) mp4.Box {
	rate := c.SamplingRate
	if rate > math.MaxUint16 {
		rate = 0
	}
	e := mp4.CreateAudioSampleEntryBox(name, uint16(min(c.Channels, math.MaxUint16)), defaultPCMBits, uint16(rate), nil)
	e.Children = append(e.Children, config) // AddChild insists on its own types for dec3 and dac3
	return e
}
