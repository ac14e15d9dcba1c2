package validate

import (
	"encoding/hex"
	"sort"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

func decimal(s string) (uint64, bool) {
	v, err := strconv.ParseUint(s, 10, 64)
	return v, err == nil
}

// level checks a QualityLevel.
func (c *manifestChecker) level(e *element, s *stream, position int) *level {
	l := &level{}
	p := c.at(e, s)
	c.bitrate(e, s, l)
	p.Level = l.bitrate
	c.customAttributes(e, p, l)
	for _, name := range []string{"NominalBitrate", "BufferTime", "HardwareProfile", "DisplayWidth", "DisplayHeight"} {
		c.number(e, s, name, "SM342")
	}
	c.fourCC(e, s, l, p)
	private := c.privateData(e, s, l, p)
	switch s.typ {
	case smooth.Video:
		c.video(e, s, l, p, private)
	case smooth.Audio:
		c.audio(e, s, l, p, private)
	}
	return l
}

func (c *manifestChecker) bitrate(e *element, s *stream, l *level) {
	v, present, ok := c.number(e, s, "Bitrate", "SM303")
	switch {
	case !present:
		c.rec.Add("SM303", c.at(e, s), "there is no Bitrate")
	case ok && v > 1<<32-1:
		c.rec.Add("SM303", c.at(e, s), "Bitrate is %d, more than 32 bits", v)
	case ok && v == 0 && (s.typ == smooth.Video || s.typ == smooth.Audio) && !s.sparse && !s.control:
		c.rec.Add("SM305", c.at(e, s), "Bitrate is 0 in a stream of type %s", s.typ)
	}
	l.bitrate, _ = e.attr("Bitrate")
}

// levelIndexes checks that the Index attributes are 0, 1, 2, ... in any order.
func (c *manifestChecker) levelIndexes(levels []*element, s *stream) {
	var got []uint64
	for _, e := range levels {
		v, present, ok := c.number(e, s, "Index", "SM301")
		if !present {
			c.rec.Add("SM301", c.at(e, s), "there is no Index")
		}
		if !ok {
			return
		}
		got = append(got, v)
	}
	sort.Slice(got, func(i, j int) bool { return got[i] < got[j] })
	for i, v := range got {
		if v != uint64(i) {
			c.rec.Add("SM302", c.at(s.el, s), "the Index of level number %d in order is %d", i, v)
			return
		}
	}
}

func (c *manifestChecker) levelsDistinct(levels []*element, s *stream) {
	seen := make(map[string]int)
	for i, l := range s.levels {
		if l.bitrate == "" {
			continue
		}
		if line, ok := seen[l.key()]; ok {
			c.rec.Add("SM304", c.at(levels[i], s), "Bitrate and attributes %s are those of the level in line %d", l.key(), line)
			continue
		}
		seen[l.key()] = levels[i].line
	}
}

func (c *manifestChecker) customAttributes(e *element, p Place, l *level) {
	for _, list := range e.all("CustomAttributes") {
		for _, a := range list.all("Attribute") {
			name, _ := a.attr("Name")
			value, ok := a.attr("Value")
			if name == "" || !ok || !isName(strings.TrimLeft(name, "_")) {
				p.Line = a.line
				c.rec.Add("SM341", p, "Name is %q, Value is %q", name, value)
				continue
			}
			l.attrs = append(l.attrs, [2]string{name, value})
		}
	}
}

// fourCCType returns the stream type of a FourCC that clients know.
func fourCCType(fourCC string) smooth.StreamType {
	switch strings.ToUpper(fourCC) {
	case "H264", "AVC1", "X264", "DAVC", "AVCB", "HEV1", "HVC1", "HEVC", "WVC1", "DVHE", "DVH1":
		return smooth.Video
	case "AACL", "AAC", "AACH", "AACP", "WMA2", "WMA", "WMAP", "WMAPRO", "EC-3", "DEC3", "AC-3", "DAC3",
		"DTSC", "DTSH", "DTSL", "DTSE", "OPUS":
		return smooth.Audio
	case "TTML", "DFXP":
		return smooth.Text
	}
	return ""
}

func (c *manifestChecker) fourCC(e *element, s *stream, l *level, p Place) {
	l.fourCC, _ = e.attr("FourCC")
	if l.fourCC == "" {
		l.fourCC, _ = s.el.attr("FourCC")
	}
	_, tagged := e.attr("AudioTag")
	typ := fourCCType(l.fourCC)
	switch {
	case l.fourCC == "" && s.typ == smooth.Text:
		if !s.sparse && !s.control {
			c.rec.Add("SM307", p, "there is no FourCC")
		}
	case l.fourCC == "" && !(c.version1 && tagged):
		c.rec.Add("SM306", p, "there is no FourCC")
	case l.fourCC == "":
	case s.typ == "": // reported by SM201
	case typ == "" && s.typ != smooth.Text:
		c.rec.Add("SM308", p, "FourCC is %q", l.fourCC)
	case typ != "" && typ != s.typ:
		c.rec.Add("SM309", p, "FourCC is %q in a stream of type %s", l.fourCC, s.typ)
		l.fourCC = ""
	}
}

// privateData checks the presence and coding of CodecPrivateData. It reports whether its content can be checked.
func (c *manifestChecker) privateData(e *element, s *stream, l *level, p Place) bool {
	text, present := e.attr("CodecPrivateData")
	if !present {
		if text, present = e.attr("WaveFormatEx"); present {
			return false
		}
	}
	if !present {
		if s.typ == smooth.Video || s.typ == smooth.Audio {
			c.rec.Add("SM310", p, "there is no CodecPrivateData")
		}
		return false
	}
	data, err := hex.DecodeString(text)
	if err != nil {
		c.rec.Add("SM311", p, "CodecPrivateData of %d digits: %v", len(text), err)
		return false
	}
	if len(data) == 0 && s.typ == smooth.Video {
		c.rec.Add("SM312", p, "CodecPrivateData is empty")
		return false
	}
	l.private = data
	return true
}

// positive reads attributes that must be there and greater than least. It reports whether all are.
func (c *manifestChecker) positive(e *element, p Place, id string, least uint64, names ...string) ([]uint64, bool) {
	var out []uint64
	for _, name := range names {
		text, present := e.attr(name)
		v, ok := decimal(text)
		switch {
		case !present:
			c.rec.Add(id, p, "there is no %s", name)
		case !ok || v < least:
			c.rec.Add(id, p, "%s is %q", name, text)
		default:
			out = append(out, v)
		}
	}
	return out, len(out) == len(names)
}

func (c *manifestChecker) video(e *element, s *stream, l *level, p Place, private bool) {
	size, ok := c.positive(e, p, "SM313", 1, "MaxWidth", "MaxHeight")
	if !ok {
		size = nil
	}
	if v, present := e.attr("NALUnitLengthField"); present && v != "4" {
		c.rec.Add("SM327", p, "NALUnitLengthField is %q", v)
	}
	if !private {
		return
	}
	switch codecOf(l.fourCC) {
	case codecAVC:
		c.avcConfig(l, p, size)
	case codecHEVC:
		c.hevcConfig(l, p, size)
	}
}

func (c *manifestChecker) audio(e *element, s *stream, l *level, p Place, private bool) {
	rates, ok := c.positive(e, p, "SM331", 1, "SamplingRate", "Channels")
	if !ok {
		rates = nil
	}
	c.positive(e, p, "SM332", 0, "BitsPerSample", "PacketSize", "AudioTag")
	if tag, present := e.attr("AudioTag"); present {
		if want := audioTags(l.fourCC); want != "" && !contains(want, tag) {
			c.rec.Add("SM333", p, "AudioTag is %s, %s goes with %s", tag, l.fourCC, want)
		}
	}
	if !private {
		return
	}
	switch strings.ToUpper(l.fourCC) {
	case "AACL", "AAC", "AACH", "AACP":
		c.aacConfig(l, p, rates)
	case "EC-3", "DEC3":
		if n := len(l.private); n < ec3TailSize+2 {
			c.rec.Add("SM338", p, "CodecPrivateData has %d bytes, the tail of a WAVEFORMATEXTENSIBLE has %d", n, ec3TailSize)
		}
	}
}

// ec3TailSize is the part of WAVEFORMATEXTENSIBLE after cbSize: samples, channel mask, sub-format.
const ec3TailSize = 22

// audioTags returns the WAVEFORMATEX tags that go with a FourCC, separated by spaces.
func audioTags(fourCC string) string {
	switch strings.ToUpper(fourCC) {
	case "AACL", "AAC", "AACH", "AACP":
		return "255 65534"
	case "WMA2", "WMA":
		return "353 65534"
	case "WMAP", "WMAPRO":
		return "354 353 85 65534"
	case "EC-3", "DEC3":
		return "65534"
	}
	return ""
}

func contains(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}
