package bitrate

// BuiltinFormats returns the rules that came with IIS Bit Rate Throttling and are documented, in a new slice. They are
// for those who want its numbers exactly ([Format.Detect]): the peak rate for ASF and RMVB, the stated rates for FLV.
// Nothing in this package uses them unasked. Those of AVI and MP3 were never published.
//
// See "Extending Bit Rate Throttling" in the documentation of IIS Media Services, which has the FLV rule in a form
// with the duration as well.
func BuiltinFormats() []Format {
	return []Format{
		asfRule(".asf"), asfRule(".wma"), asfRule(".wmv"),
		{Extension: ".flv", Rates: []RateRule{flvRule("videodatarate"), flvRule("audiodatarate")}},
		realMediaRule(".rmvb", 6), // of the PROP chunk the largest rate
		realMediaRule(".rm", 10),  // and the average
		movieHeaderRule(".mov"), movieHeaderRule(".mp4"),
	}
}

// asfRule reads the maximum bit rate of the File Properties Object, after its GUID.
func asfRule(extension string) Format {
	guid := []byte{0xa1, 0xdc, 0xab, 0x8c, 0x47, 0xa9, 0xcf, 0x11, 0x8e, 0xe4, 0x00, 0xc0, 0x0c, 0x20, 0x53, 0x65}
	return Format{Extension: extension, Rates: []RateRule{{
		Search: Search{Pattern: guid, DataOffset: 84, Type: Uint32, Order: LittleEndian},
	}}}
}

// flvRule reads a number of onMetaData, in kbit/s, after its name and the byte of its type.
func flvRule(name string) RateRule {
	return RateRule{Search: Search{Pattern: []byte(name), RangeStart: 9, DataOffset: 1, Type: Double}, Unit: 1000}
}

func realMediaRule(extension string, offset uint32) Format {
	return Format{Extension: extension, Rates: []RateRule{{
		Search: Search{Pattern: []byte("PROP"), DataOffset: offset, Type: Uint32},
	}}}
}

// movieHeaderRule reads the movie header box as if it were of version 0.
func movieHeaderRule(extension string) Format {
	field := func(offset uint32) Search {
		return Search{Pattern: []byte("mvhd"), From: Both, RangeEnd: 64 << 10, DataOffset: offset, Type: Uint32}
	}
	return Format{Extension: extension, Duration: &DurationRule{Duration: field(16), Timescale: field(12)}}
}
