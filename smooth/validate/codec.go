package validate

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
)

// codec is the family of a FourCC as far as checks differ.
type codec uint8

const (
	codecOther codec = iota
	codecAVC
	codecHEVC
)

func codecOf(fourCC string) codec {
	switch strings.ToUpper(fourCC) {
	case "H264", "AVC1", "X264", "DAVC":
		return codecAVC
	case "HEV1", "HVC1", "HEVC", "DVHE", "DVH1":
		return codecHEVC
	}
	return codecOther
}

// maxParameterSet bounds what goes to the library: no real parameter set is longer.
const maxParameterSet = 4096

// splitAnnexB cuts a byte stream at its start codes. short is the position of a start code of three bytes, or of
// data before the first start code, or -1. See ISO/IEC 14496-10 annex B.
func splitAnnexB(data []byte) (nalus [][]byte, short int) {
	short = -1
	code := []byte{0, 0, 1}
	first := bytes.Index(data, code)
	if first < 0 {
		return nil, 0
	}
	if first != 1 || data[0] != 0 {
		short = 0
	}
	pos := first
	for pos >= 0 {
		start := pos + 3
		next := bytes.Index(data[start:], code)
		end := len(data)
		if next >= 0 {
			end = start + next
			if next > 0 && data[end-1] == 0 {
				end--
			} else if short < 0 {
				short = start + next
			}
			next += start
		}
		nalus = append(nalus, data[start:end])
		pos = next
	}
	return nalus, short
}

func (c *manifestChecker) avcConfig(l *level, p Place, size []uint64) {
	nalus, short := splitAnnexB(l.private)
	if short >= 0 {
		c.rec.Add("SM321", p, "there is no 4-byte start code at byte %d of %d", short, len(l.private))
		return
	}
	if len(nalus[0]) == 0 || nalus[0][0]&0x1F != 7 {
		c.rec.Add("SM322", p, "the first NAL unit %s is of another type than 7", brief(nalus[0]))
		return
	}
	if !hasType(nalus[1:], func(b byte) bool { return b&0x1F == 8 }) {
		c.rec.Add("SM323", p, "there are %d NAL units and none of type 8 after the first", len(nalus))
	}
	w, h, err := avcSize(nalus[0])
	c.spsSize(p, w, h, err, size)
}

func (c *manifestChecker) hevcConfig(l *level, p Place, size []uint64) {
	nalus, short := splitAnnexB(l.private)
	if short >= 0 {
		c.rec.Add("SM321", p, "there is no 4-byte start code at byte %d of %d", short, len(l.private))
		return
	}
	for i, n := range nalus {
		if len(n) < 2 || n[0]>>1&0x3F != 33 {
			continue
		}
		if !hasType(nalus[i+1:], func(b byte) bool { return b>>1&0x3F == 34 }) {
			c.rec.Add("SM323", p, "there are %d NAL units and none of type 34 after the SPS", len(nalus))
		}
		w, h, err := hevcSize(n)
		c.spsSize(p, w, h, err, size)
		return
	}
	c.rec.Add("SM326", p, "there are %d NAL units and none of type 33", len(nalus))
}

func (c *manifestChecker) spsSize(p Place, w, h uint64, err error, size []uint64) {
	switch {
	case err != nil:
		c.rec.Add("SM324", p, "%v", err)
	case size != nil && (w != size[0] || h != size[1]):
		c.rec.Add("SM325", p, "the SPS says %dx%d, the attributes say %dx%d", w, h, size[0], size[1])
	}
}

func hasType(nalus [][]byte, is func(byte) bool) bool {
	for _, n := range nalus {
		if len(n) > 0 && is(n[0]) {
			return true
		}
	}
	return false
}

func brief(b []byte) string { return fmt.Sprintf("%x...", b[:min(len(b), 4)]) }

// guard runs f and turns a panic of the library on hostile input into an error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", what, r)
		}
	}()
	return f()
}

// avcSize returns the cropped size in an H.264 SPS NAL unit.
func avcSize(nalu []byte) (w, h uint64, err error) {
	if len(nalu) < 4 || len(nalu) > maxParameterSet {
		return 0, 0, fmt.Errorf("sps: %d bytes", len(nalu))
	}
	err = guard("sps", func() error {
		sps, err := avc.ParseSPSNALUnit(nalu, false)
		if err == nil {
			w, h = uint64(sps.Width), uint64(sps.Height)
		}
		return err
	})
	return w, h, plausible(w, h, err)
}

// hevcSize returns the cropped size in an HEVC SPS NAL unit.
func hevcSize(nalu []byte) (w, h uint64, err error) {
	if len(nalu) < 8 || len(nalu) > maxParameterSet {
		return 0, 0, fmt.Errorf("sps: %d bytes", len(nalu))
	}
	err = guard("sps", func() error {
		sps, err := hevc.ParseSPSNALUnit(nalu)
		if err == nil {
			a, b := sps.ImageSize()
			w, h = uint64(a), uint64(b)
		}
		return err
	})
	return w, h, plausible(w, h, err)
}

func plausible(w, h uint64, err error) error {
	if err == nil && (w == 0 || h == 0 || w > 1<<16 || h > 1<<16) {
		return fmt.Errorf("sps: size %dx%d", w, h)
	}
	return err
}

func (c *manifestChecker) aacConfig(l *level, p Place, rates []uint64) {
	if len(l.private) == 0 {
		if f := strings.ToUpper(l.fourCC); f == "AACH" || f == "AACP" {
			c.rec.Add("SM337", p, "CodecPrivateData is empty, and clients derive it wrongly for %s", l.fourCC)
		}
		return
	}
	var cfg *aac.AudioSpecificConfig
	err := guard("AudioSpecificConfig", func() (err error) {
		cfg, err = aac.DecodeAudioSpecificConfig(bytes.NewReader(l.private[:min(len(l.private), 64)]))
		return err
	})
	if err != nil {
		c.rec.Add("SM334", p, "%x: %v", l.private[:min(len(l.private), 16)], err)
		return
	}
	if rates == nil {
		return
	}
	// With SBR the attribute may state the rate of the core or that of the output.
	rate := uint64(cfg.SamplingFrequency)
	sbr := cfg.ExtensionFrequency > 0 || cfg.ObjectType != aac.AAClc || hasSBRSuffix(l.private[:min(len(l.private), 64)])
	if rate != rates[0] && uint64(cfg.ExtensionFrequency) != rates[0] && !(sbr && 2*rate == rates[0]) {
		c.rec.Add("SM335", p, "the AudioSpecificConfig says %d Hz, SamplingRate %d", rate, rates[0])
	}
	channels := channelCount(cfg.ChannelConfiguration)
	parametric := channels == 1 && rates[1] == 2 && sbr // parametric stereo
	if channels != 0 && channels != rates[1] && !parametric {
		c.rec.Add("SM336", p, "the AudioSpecificConfig says %d channels, Channels %d", channels, rates[1])
	}
}

// hasSBRSuffix reports the backward-compatible signalling of SBR after an AudioSpecificConfig, which the library skips:
//
//	sync 0x2b7 u11, object type 5 u5, SBR flag 1 u1
//
// It may begin at any bit from the 17th on. See ISO/IEC 14496-3 1.6.2.1.
func hasSBRSuffix(b []byte) bool {
	window := uint32(0)
	for i := range 8 * len(b) {
		window = window<<1 | uint32(b[i/8]>>(7-i%8)&1)
		if i >= 32 && window&0x1FFFF == 0x2B7<<6|5<<1|1 {
			return true
		}
	}
	return false
}

// channelCount returns the channels of a channel configuration, or 0 where the stream itself defines them.
func channelCount(configuration byte) uint64 {
	switch {
	case configuration == 7:
		return 8
	case configuration > 7:
		return 0
	}
	return uint64(configuration)
}
