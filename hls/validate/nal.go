package validate

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
)

// maxParameterSet bounds what goes to the library: no real parameter set is longer.
const maxParameterSet = 4096

// nalKind is what the checks need to know of a NAL unit, for both codecs.
type nalKind uint8

const (
	nalOther nalKind = iota
	nalAUD
	nalVPS
	nalSPS
	nalPPS
	nalKey // IDR, or IRAP of HEVC
	nalSlice
)

// kindOf tells the kind of a NAL unit. See ISO/IEC 14496-10 table 7-1, 23008-2 table 7-1.
func kindOf(codec string, n []byte) nalKind {
	if codec == "hevc" {
		switch t := n[0] >> 1 & 0x3F; {
		case t == 35:
			return nalAUD
		case t == 32:
			return nalVPS
		case t == 33:
			return nalSPS
		case t == 34:
			return nalPPS
		case t >= 16 && t <= 21:
			return nalKey
		case t < 10:
			return nalSlice
		}
		return nalOther
	}
	switch n[0] & 0x1F {
	case 9:
		return nalAUD
	case 7:
		return nalSPS
	case 8:
		return nalPPS
	case 5:
		return nalKey
	case 1, 2:
		return nalSlice
	}
	return nalOther
}

// splitAnnexB cuts a byte stream at its start codes. It reports false if data does not begin with one. See ISO/IEC
// 14496-10 annex B.
func splitAnnexB(data []byte) ([][]byte, bool) {
	code := []byte{0, 0, 1}
	rest := bytes.TrimLeft(data, "\x00")
	if skipped := len(data) - len(rest); skipped < 2 || len(rest) == 0 || rest[0] != 1 {
		return nil, false
	}
	var out [][]byte
	for rest = rest[1:]; ; {
		next := bytes.Index(rest, code)
		if next < 0 {
			return append(out, bytes.TrimRight(rest, "\x00")), true
		}
		out = append(out, bytes.TrimRight(rest[:next], "\x00"))
		rest = rest[next+3:]
	}
}

// video checks an access unit.
func (s *esStream) video(u pes) {
	nalus, ok := splitAnnexB(u.payload)
	if !ok {
		s.c.rec.Add("HT151", s.at, "the access unit begins with %x", u.payload[:min(len(u.payload), 5)])
		s.count(u)
		return
	}
	var have [nalSlice + 1]int
	missing := ""
	for i, n := range nalus {
		if len(n) == 0 || n[0]&0x80 != 0 {
			s.c.rec.Add("HT157", s.at, "NAL unit %d of %d bytes is empty or has forbidden_zero_bit", i, len(n))
			continue
		}
		k := kindOf(s.format.codec, n)
		if i == 0 && k != nalAUD {
			s.c.rec.Add("HT152", s.at, "the first NAL unit begins with %x", n[:min(len(n), 2)])
		}
		complete := have[nalSPS] > 0 && have[nalPPS] > 0 && (s.format.codec == "avc" || have[nalVPS] > 0)
		if k == nalKey && have[k] == 0 && !complete {
			missing = fmt.Sprintf("before the key picture there are %d SPS and %d PPS", have[nalSPS], have[nalPPS])
		}
		if k == nalSPS && have[k] == 0 && s.info.codec == "" {
			s.sps(n)
		}
		have[k]++
	}
	s.units(have[nalAUD], have[nalKey] > 0, missing)
	s.count(u)
}

// units checks what an access unit holds.
func (s *esStream) units(delimiters int, isKey bool, missing string) {
	if delimiters > 1 {
		s.c.rec.Add("HT153", s.at, "the PES packet has %d access unit delimiters", delimiters)
	}
	switch {
	case s.info.frames == 0 && !isKey:
		s.c.rec.Add("HT155", s.at, "the first access unit has no IDR picture")
	case missing != "":
		s.c.rec.Add("HT154", s.at, "%s", missing)
	}
	if isKey != s.random {
		s.c.rec.Add("HT156", s.at, "random_access_indicator is %t, and there is an IDR picture: %t", s.random, isKey)
	}
}

// sps takes codec and picture size.
func (s *esStream) sps(n []byte) {
	codec, w, h, err := readSPS(s.format.codec, n)
	if err != nil {
		s.c.rec.Add("HT158", s.at, "%v", err)
	}
	s.info.codec, s.info.width, s.info.height = codec, w, h
	if id, text := profileAVCName(codec); s.c.want.profile == ProfileIIS && id != "" {
		s.c.rec.Add(id, s.at, "%s: %s", codec, text)
	}
}

// profileAVCName checks a codec string of video against [ProfileIIS].
func profileAVCName(codec string) (id, text string) {
	if codec == "" {
		return "", ""
	}
	return profileCodec(codec)
}

// readSPS returns the RFC 6381 name, as far as it can be told, and the cropped size. For HEVC the name is hvc1 alone.
func readSPS(codec string, n []byte) (name string, w, h uint64, err error) {
	if len(n) < 8 || len(n) > maxParameterSet {
		return "", 0, 0, fmt.Errorf("the SPS has %d bytes", len(n))
	}
	if codec == "hevc" {
		name = "hvc1"
	} else {
		name = fmt.Sprintf("avc1.%02x%02x%02x", n[1], n[2], n[3])
	}
	err = guard("SPS", func() error {
		if codec == "hevc" {
			sps, err := hevc.ParseSPSNALUnit(n)
			if err == nil {
				a, b := sps.ImageSize()
				w, h = uint64(a), uint64(b)
			}
			return err
		}
		sps, err := avc.ParseSPSNALUnit(n, false)
		if err == nil {
			w, h = uint64(sps.Width), uint64(sps.Height)
		}
		return err
	})
	if err == nil && (w == 0 || h == 0 || w > 1<<16 || h > 1<<16) {
		err = fmt.Errorf("the SPS says %dx%d", w, h)
	}
	return name, w, h, err
}

// guard runs f and turns a panic of the library on hostile input into an error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", what, r)
		}
	}()
	return f()
}
