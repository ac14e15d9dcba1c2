package smooth

import "strings"

// fold returns a FourCC in the form in which the readers compare it.
func fold(fourCC string) string { return strings.ToUpper(strings.TrimSpace(fourCC)) }

// fourCCFamily returns one spelling for the FourCCs that name the same codec in manifests, sample entries and RFC
// 6381 strings, in upper case.
func fourCCFamily(s string) string {
	switch s = fold(s); s {
	case "AVC1", "AVC3", "X264", "DAVC":
		return "H264"
	case "HVC1", "HEVC":
		return "HEV1"
	case "AAC":
		return "AACL"
	case "AACP":
		return "AACH"
	case "DEC3":
		return "EC-3"
	case "DAC3":
		return "AC-3"
	case "WMAPRO":
		return "WMAP"
	case "WMA":
		return "WMA2"
	case "DFXP", "STPP":
		return "TTML"
	}
	return s
}

// videoFourCC returns the spelling that is written for the ones that are read.
func videoFourCC(fourCC string) string {
	switch f := fourCCFamily(fourCC); f {
	case "HEV1":
		if fold(fourCC) == "HVC1" {
			return "hvc1"
		}
		return "hev1"
	case "H264", "AVCB", "WVC1":
		return f
	}
	return fourCC
}

// levelFourCC returns the FourCC after defaulting: the level's, the stream's, a subtype that older encoders wrote in
// its place, or what the format tag says.
func levelFourCC(t StreamType, s *Stream, l *QualityLevel) string {
	f := strings.TrimSpace(l.FourCC)
	if f == "" {
		f = strings.TrimSpace(s.FourCC)
	}
	if f != "" || t == Text {
		return f
	}
	if t == Video {
		return strings.TrimSpace(s.Subtype)
	}
	switch l.AudioTag {
	case tagAAC:
		return "AACL"
	case tagWMA:
		return "WMA2"
	case tagWMAPro, tagMP3:
		return "WMAP"
	}
	return strings.TrimSpace(s.Subtype)
}

func (c *Codec) isAVC() bool {
	family := fourCCFamily(c.FourCC)
	return family == "H264" || family == "AVCB"
}

func (c *Codec) isHEVC() bool { return fourCCFamily(c.FourCC) == "HEV1" }

func (c *Codec) isAAC() bool {
	family := fourCCFamily(c.FourCC)
	return family == "AACL" || family == "AACH"
}
