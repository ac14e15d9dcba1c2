package validate

// Rules returns all rules in the order of their ids.
func Rules() []Rule {
	var all []Rule
	for _, part := range [][]Rule{
		documentRules(), streamRules(), levelRules(), chunkRules(), protectionRules(), compositeRules(),
		fragmentRules(), httpRules(), mediaRules(), serverRules(),
	} {
		all = append(all, part...)
	}
	return all
}

func documentRules() []Rule {
	return []Rule{
		{"SM100", Error, "limit of this validator", "the manifest is at most 16 MiB, 500,000 elements, 32 levels"},
		{"SM101", Error, "[MS-SSTR] 2.2.2", "the manifest is well-formed XML 1.0 with one root element"},
		{"SM102", Error, "[MS-SSTR] 2.2.2.1", "the root element is SmoothStreamingMedia"},
		{"SM103", Error, "[MS-SSTR] 2.2.2", "there is no document type declaration"},
		{"SM104", Error, "[MS-SSTR] 2.2.2", "the declared encoding is UTF-8 or UTF-16 and the one of the bytes"},
		{"SM105", Error, "XML 1.0 3.1", "no attribute is repeated in one element"},
		{"SM106", Error, "[MS-SSTR] 2.2.2", "element names of the protocol have no namespace"},
		{"SM107", Error, "[MS-SSTR] 2.2.2", "attributes are spelled with the capitals of the specification"},
		{"SM111", Error, "[MS-SSTR] 2.2.2.1", "MajorVersion is 2"},
		{"SM112", Error, "[MS-SSTR] 2.2.2.1", "MinorVersion is 0 or 2"},
		{"SM113", Warning, "[MS-SSTR] 2.2.2.1", "MinorVersion is not 1, which encoders write and the specification lacks"},
		{"SM114", Error, "[MS-SSTR] 2.2.2.1", "TimeScale is a positive number"},
		{"SM115", Error, "[MS-SSTR] 2.2.2.1", "Duration is present and a number"},
		{"SM116", Error, "[MS-SSTR] 3.1.5.1", "Duration is within 100 ms of the greatest end of an audio or video stream, or of what lies between the first start and that"},
		{"SM117", Error, "[MS-SSTR] 2.2.2.1", "Duration is not 0 on demand"},
		{"SM121", Error, "[MS-SSTR] 2.2.2.1", "IsLive, CanSeek and CanPause are TRUE or FALSE in any case"},
		{"SM122", Error, "[MS-SSTR] 2.2.2.1", "a live manifest has LookAheadFragmentCount or LookaheadCount"},
		{"SM123", Error, "[MS-SSTR] 2.2.2.1", "LookAheadFragmentCount, LookaheadCount and DVRWindowLength are numbers"},
		{"SM124", Warning, "client: GStreamer", "the look-ahead is called LookAheadFragmentCount, as IIS writes it"},
		{"SM125", Error, "[MS-SSTR] 2.2.2.1", "an on-demand manifest has no look-ahead and no DVRWindowLength"},
		{"SM126", Warning, "client: dash.js", "the Duration of a live manifest is 0, else it is played as a recording"},
		{"SM131", Error, "[MS-SSTR] 2.2.2.1", "there is at least one StreamIndex"},
		{"SM132", Error, "[MS-SSTR] 2.2.2.1", "there is at most one Protection element"},
	}
}

func streamRules() []Rule {
	const c = "[MS-SSTR] 2.2.2.3"
	const url = "[MS-SSTR] 2.2.2.4"
	return []Rule{
		{"SM201", Error, c, "Type is video, audio or text"},
		{"SM202", Warning, "client: dash.js", "Type is written in lower case"},
		{"SM203", Error, c, "a text stream has a Subtype (Media3 refuses the manifest else)"},
		{"SM204", Warning, c, "the Subtype of a text stream is SCMD, CHAP, SUBT, CAPT, DESC, CTRL or DATA"},
		{"SM205", Error, c, "Name is a letter followed by letters, digits, _ or -"},
		{"SM206", Error, c, "names are unique after defaulting to Type"},
		{"SM207", Error, c, "TimeScale is a positive number"},
		{"SM208", Warning, "client: rx-player, Shaka", "TimeScale is the one of the root"},
		{"SM209", Error, c, "Chunks is the number of fragments listed"},
		{"SM210", Error, c, "Chunks is present and a number, unless the stream is embedded or live"},
		{"SM211", Error, c, "QualityLevels is the number of levels listed"},
		{"SM212", Error, c, "QualityLevels is present and a number, unless the stream is embedded or live"},
		{"SM213", Error, c, "Url is present unless the content is embedded"},
		{"SM214", Error, url, "Url follows QualityLevels({bitrate}[,{CustomAttributes}])/Fragments(name={start time})"},
		{"SM215", Error, url, "Url has the bit rate placeholder exactly once"},
		{"SM216", Error, url, "Url has the start time placeholder exactly once"},
		{"SM217", Warning, "client: dash.js, Shaka, Kodi", "placeholders are spelled {bitrate} and {start time}"},
		{"SM218", Error, url, "Url carries the name of the stream"},
		{"SM219", Warning, "client: dash.js, Shaka, Kodi, Media3", "Url has no {CustomAttributes} unless levels need it"},
		{"SM220", Error, url, "Url has {CustomAttributes} if two levels have the same bit rate"},
		{"SM221", Error, c, "only video streams have MaxWidth, MaxHeight, DisplayWidth, DisplayHeight"},
		{"SM222", Error, c, "MaxWidth, MaxHeight, DisplayWidth, DisplayHeight are positive numbers"},
		{"SM223", Error, c, "MaxWidth and MaxHeight of a stream are not below those of its levels"},
		{"SM224", Error, c, "ParentStreamIndex is the name of another stream"},
		{"SM225", Error, c, "the parent of a sparse stream is not sparse and not a control stream"},
		{"SM226", Error, c, "ManifestOutput is TRUE or FALSE"},
		{"SM227", Error, "[MS-SSTR] 2.2.2.6.1", "every c of a ManifestOutput stream has f elements with data"},
		{"SM228", Error, "[MS-SSTR] 2.2.2.6.1", "the data in f elements is base64"},
		{"SM229", Warning, c, "Language is an ISO 639-2/T code of three letters or a language tag"},
		{"SM230", Error, c, "a stream has at least one QualityLevel"},
		{"SM231", Warning, c, "the Subtype of a TTML stream is CAPT or SUBT"},
	}
}

func levelRules() []Rule {
	const c = "[MS-SSTR] 2.2.2.5"
	const avc = "[MS-SSTR] 2.2.2.5, ISO/IEC 14496-15"
	return []Rule{
		{"SM301", Error, c, "Index is present and a number"},
		{"SM302", Error, c, "Index counts from 0 in steps of 1"},
		{"SM303", Error, c, "Bitrate is present and a number of 32 bits"},
		{"SM304", Error, c, "bit rate and custom attributes tell levels apart"},
		{"SM305", Error, c, "Bitrate is not 0 in audio and video that is neither sparse nor a control stream"},
		{"SM306", Error, c, "a video or audio level has a FourCC"},
		{"SM307", Warning, "client: Media3", "a text level has a FourCC"},
		{"SM308", Warning, "client: dash.js", "FourCC is one that clients know"},
		{"SM309", Error, c, "FourCC is of the stream's type"},
		{"SM310", Error, c, "CodecPrivateData is present in video and audio (dash.js reads it unconditionally)"},
		{"SM311", Error, c, "CodecPrivateData is hexadecimal"},
		{"SM312", Error, c, "CodecPrivateData of video is not empty"},
		{"SM313", Error, c, "a video level has MaxWidth and MaxHeight, positive numbers"},
		{"SM321", Error, avc, "parameter sets follow start codes of 4 bytes"},
		{"SM322", Error, avc, "the first NAL unit of H.264 private data is an SPS (dash.js looks for it)"},
		{"SM323", Error, avc, "there is a picture parameter set after the SPS"},
		{"SM324", Error, avc, "the SPS parses"},
		{"SM325", Error, avc, "the size in the SPS is MaxWidth x MaxHeight"},
		{"SM326", Error, "HEVC amendment", "HEVC private data has an SPS"},
		{"SM327", Warning, "client: Media3", "NALUnitLengthField is 4"},
		{"SM331", Error, c, "an audio level has SamplingRate and Channels, positive numbers"},
		{"SM332", Error, c, "an audio level has BitsPerSample, PacketSize and AudioTag, numbers"},
		{"SM333", Warning, c, "AudioTag fits the FourCC"},
		{"SM334", Error, "ISO/IEC 14496-3 1.6.2.1", "AAC private data is an AudioSpecificConfig or empty"},
		{"SM335", Error, "ISO/IEC 14496-3 1.6.2.1", "the AudioSpecificConfig agrees with SamplingRate"},
		{"SM336", Error, "ISO/IEC 14496-3 1.6.2.1", "the AudioSpecificConfig agrees with Channels"},
		{"SM337", Warning, "client: dash.js", "CodecPrivateData of AACH is not empty"},
		{"SM338", Error, "ETSI TS 102 366 F.6", "EC-3 private data is the tail of a WAVEFORMATEXTENSIBLE and a dec3 payload"},
		{"SM341", Error, "[MS-SSTR] 2.2.2.5.1", "a custom attribute has a Name, a letter or _ first, and a Value"},
		{"SM342", Error, c, "NominalBitrate, BufferTime, HardwareProfile, DisplayWidth, DisplayHeight are numbers"},
	}
}

func chunkRules() []Rule {
	const c = "[MS-SSTR] 2.2.2.6"
	return []Rule{
		{"SM401", Error, c, "a c has t or d"},
		{"SM402", Error, c, "n, t, d and r are decimal numbers of 64 bits"},
		{"SM403", Error, c, "d is not 0"},
		{"SM404", Error, c, "r is used only in version 2.2"},
		{"SM405", Error, c, "r is at least 1"},
		{"SM406", Error, c, "a c with r has d (Media3 refuses the manifest else)"},
		{"SM407", Error, c, "n counts in steps of 1"},
		{"SM408", Error, c, "t increases"},
		{"SM409", Warning, c, "a fragment does not overlap the one before by more than 1 ms"},
		{"SM410", Warning, "client: rx-player, dash.js", "there is no gap of more than 1 ms before a fragment"},
		{"SM411", Error, c, "the last c has d"},
		{"SM412", Warning, "client: Shaka", "every c has d, since Shaka stops at the first without"},
		{"SM413", Warning, "client: Media3", "a stream lists at least one fragment"},
		{"SM414", Error, c, "a c without t follows a c with d, else its time is unknown"},
		{"SM415", Error, c, "times fit in 64 bits"},
		{"SM416", Warning, "client: Kodi", "d fits in 32 bits"},
		{"SM417", Error, "[MS-SSTR] 2.2.2.6.1", "the i of an f is the Index of a level, once per c"},
		{"SM421", Warning, "client: dash.js", "audio and video start within 1 s of each other"},
		{"SM422", Warning, "[MS-SSTR] 2.2.2.1", "audio and video end within one fragment of each other"},
	}
}

func protectionRules() []Rule {
	const c = "[MS-SSTR] 2.2.2.2"
	return []Rule{
		{"SM601", Error, c, "Protection has a ProtectionHeader"},
		{"SM602", Error, c, "SystemID is a UUID"},
		{"SM603", Warning, "client: Kodi", "SystemID has no braces"},
		{"SM604", Error, c, "a ProtectionHeader is base64"},
		{"SM605", Error, "PlayReady Header Object", "length and records of the PlayReady object fill it exactly"},
		{"SM606", Error, "PlayReady Header Object", "the PlayReady object has a rights management header (record type 1)"},
		{"SM607", Error, "PlayReady Header Object", "the rights management header is WRMHEADER in UTF-16LE"},
		{"SM608", Warning, "client: Media3", "the WRMHEADER is of version 4.0.0.0 with a KID element"},
		{"SM609", Error, "PlayReady Header Object", "the KID is 16 bytes in base64"},
	}
}

func compositeRules() []Rule {
	const c = "composite manifest"
	return []Rule{
		{"SM701", Error, c, "a composite manifest is of version 1.0"},
		{"SM702", Error, c, "Clip has a Url that ends with .ism/Manifest"},
		{"SM703", Error, c, "ClipBegin and ClipEnd are numbers, the end after the begin"},
		{"SM704", Error, c, "a Clip has one video and one audio StreamIndex"},
		{"SM705", Error, c, "every c of a Clip has t, and the last d"},
		{"SM706", Error, c, "Duration is the sum of the clips, within 100 ms"},
		{"SM707", Error, c, "the fragments of a Clip cover it, and each overlaps it"},
		{"SM708", Warning, "client: Silverlight", "a Clip has more than one video or audio fragment"},
		{"SM709", Error, c, "clips and streams are not mixed at the root"},
	}
}
