package fmp4

import (
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
)

// Limits of ITU-T H.265 7.4.3.2.1 and 7.4.8.
const (
	maxBitDepthMinus8 = 8
	maxRefPicSets     = 64
	maxRefPics        = 16
	maxLongTermRefs   = 32
)

// HEVCPicture reads an HEVC sequence parameter set, NAL unit header included, as far as the sample aspect ratio. If
// only the size could be read, the ratio is not stated. See ITU-T H.265 7.3.2.2.1.
//
// mp4ff's reader is not used: it also reads the extensions, where a bit depth of 256 makes it read values of no bits
// as often as the input says, and it loops over a count of 255 in a byte.
func HEVCPicture(sps []byte) (Picture, error) {
	if len(sps) > maxParameterSet {
		return Picture{}, fmt.Errorf("fmp4: SPS of %d bytes, the limit is %d", len(sps), maxParameterSet)
	}
	if len(sps) < 3 || hevc.GetNaluType(sps[0]) != hevc.NALU_SPS {
		return Picture{}, errors.New("fmp4: no HEVC SPS")
	}
	s := hevcSPS{BitReader: BitReader{Bytes: unescape(sps, len(sps))}}
	s.Skip(16 + 4)
	s.subLayers = int(s.Read(3))
	s.Skip(1)
	s.skipProfile()
	if err := s.readSize(); err != nil {
		return Picture{}, err
	}
	if s.skipCoding() && s.skipRefPics() {
		s.readAspect()
	}
	return s.Picture, nil
}

type hevcSPS struct {
	BitReader
	Picture
	subLayers int    // sps_max_sub_layers_minus1
	pocBits   uint32 // of a picture order count
}

// skipProfile skips profile_tier_level, ITU-T H.265 7.3.3.
func (s *hevcSPS) skipProfile() {
	const general, profile, level = 88, 88, 8
	s.Skip(general + level)
	if s.subLayers == 0 {
		return
	}
	present := s.Read(16) // two flags for each of eight sub-layers
	for i := range s.subLayers {
		if present>>(15-2*i)&1 == 1 {
			s.Skip(profile)
		}
		if present>>(14-2*i)&1 == 1 {
			s.Skip(level)
		}
	}
}

func (s *hevcSPS) readSize() error {
	s.UE() // id
	chroma := s.UE()
	if chroma == 3 {
		s.Skip(1)
	}
	w, h := uint64(s.UE()), uint64(s.UE())
	if s.Flag() {
		unitX, unitY := uint64(1), uint64(1)
		if chroma == 1 || chroma == 2 {
			unitX = 2
		}
		if chroma == 1 {
			unitY = 2
		}
		cropX := unitX * (uint64(s.UE()) + uint64(s.UE()))
		cropY := unitY * (uint64(s.UE()) + uint64(s.UE()))
		if cropX >= w || cropY >= h {
			return fmt.Errorf("fmp4: SPS: %d x %d pixels, cropped by %d and %d", w, h, cropX, cropY)
		}
		w, h = w-cropX, h-cropY
	}
	luma, chromaDepth := s.UE(), s.UE()
	if s.Short || chroma > 3 || luma > maxBitDepthMinus8 || chromaDepth > maxBitDepthMinus8 {
		return fmt.Errorf("fmp4: SPS: chroma format %d, bit depths 8+%d and 8+%d: %w", chroma, luma, chromaDepth, errShort)
	}
	s.ChromaFormat, s.LumaDepthMinus8, s.ChromaDepthMinus8 = uint8(chroma), uint8(luma), uint8(chromaDepth)
	return s.setSize(w, h)
}

// skipCoding skips what lies between the bit depth and the reference picture sets.
func (s *hevcSPS) skipCoding() bool {
	s.pocBits = s.UE() + 4
	layers := 1
	if s.Flag() {
		layers += s.subLayers
	}
	for range 3*layers + 6 { // ordering of sub-layers; sizes of coding and transform blocks
		s.UE()
	}
	if enabled := s.Flag(); enabled && s.Flag() {
		s.skipScalingLists()
	}
	s.Skip(2)
	if s.Flag() { // PCM
		s.Skip(8)
		s.UE()
		s.UE()
		s.Skip(1)
	}
	return !s.Short && s.pocBits <= 16
}

// skipScalingLists skips scaling_list_data, ITU-T H.265 7.3.4.
func (s *hevcSPS) skipScalingLists() {
	for size := range 4 {
		step := 1
		if size == 3 {
			step = 3
		}
		for matrix := 0; matrix < 6; matrix += step {
			if !s.Flag() {
				s.UE()
				continue
			}
			values := min(64, 1<<(4+2*size))
			if size > 1 {
				values++
			}
			for range values {
				s.UE()
			}
		}
	}
}

// skipRefPics skips the short-term and long-term reference picture sets, ITU-T H.265 7.3.7.
func (s *hevcSPS) skipRefPics() bool {
	sets := s.UE()
	if sets > maxRefPicSets {
		return false
	}
	pics := uint32(0)
	for i := range sets {
		if i > 0 && s.Flag() {
			pics = s.skipPredictedSet(pics)
		} else {
			negative, positive := s.UE(), s.UE()
			if negative > maxRefPics || positive > maxRefPics {
				return false
			}
			pics = negative + positive
			for range pics {
				s.UE()
				s.Skip(1)
			}
		}
		if s.Short || pics > 2*maxRefPics {
			return false
		}
	}
	if s.Flag() {
		n := s.UE()
		if n > maxLongTermRefs {
			return false
		}
		s.Skip(int(n * (s.pocBits + 1)))
	}
	s.Skip(2)
	return !s.Short
}

// skipPredictedSet skips a set that is predicted from one of n pictures, and returns the number of its pictures.
func (s *hevcSPS) skipPredictedSet(n uint32) uint32 {
	s.Skip(1)
	s.UE()
	pics := uint32(0)
	for range n + 1 {
		if used := s.Flag(); used || s.Flag() { // by the current picture, or else kept
			pics++
		}
	}
	return pics
}

// readAspect reads the start of vui_parameters, ITU-T H.265 E.2.1.
func (s *hevcSPS) readAspect() {
	if present := s.Flag(); !present || !s.Flag() {
		return
	}
	w, h := uint(0), uint(0)
	if idc := s.Read(8); idc == avc.ExtendedSAR {
		w, h = uint(s.Read(16)), uint(s.Read(16))
	} else if sw, sh, err := avc.GetSARfromIDC(uint(idc)); err == nil && idc > 0 {
		w, h = sw, sh
	}
	if !s.Short {
		s.setSAR(w, h)
	}
}
