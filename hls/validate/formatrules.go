package validate

func transportRules() []row {
	const (
		ts  = "ISO/IEC 13818-1 "
		pkt = ts + "2.4.3.2"
		fld = ts + "2.4.3.4"
		psi = ts + "2.4.4"
		hls = rfc + "3.2"
	)
	return []row{
		{"HT101", Error, ts + "2.4.3", "a segment is whole packets of 188 bytes"},
		{"HT102", Error, pkt, "each packet begins with 0x47"},
		{"HT103", Error, pkt, "no packet is in error or scrambled"},
		{"HT104", Error, fld, "adaptation_field_length fits: 183 without payload, at most 182 with"},
		{"HT105", Error, fld, "the fields of the adaptation field fit, and 0xff fills it up"},
		{"HT111", Error, hls, "there are a PAT and a PMT, in the segment or in EXT-X-MAP"},
		{"HT112", Warning, hls, "the first two packets are PAT and PMT, unless EXT-X-MAP has them"},
		{"HT113", Error, psi, "PAT and PMT are one well-formed section in one packet"},
		{"HT114", Error, psi, "the CRC of PAT and PMT is right"},
		{"HT115", Error, hls, "there is exactly one program"},
		{"HT116", Error, psi + ".8", "the PMT lists streams, each PID once, and PCR_PID is one of them"},
		{"HT117", Warning, psi + ".8", "every PID with data is listed in the PMT"},
		{"HT118", Error, "client: ExoPlayer", "every stream that the PMT lists has data in the segment"},
		{"HT119", Error, apple + "segments", "stream types are those of HLS"},
		{"HT120", Error, rfc + "4.3.2.3", "the PMT changes at EXT-X-DISCONTINUITY only"},
		{"HT121", Error, pkt, "continuity counters go up by one with each payload of a PID"},
		{"HT122", Error, rfc + "3", "continuity counters go on from segment to segment"},
		{"HT123", Warning, apple + "HEVC", "HEVC is in fragmented MP4"},
		{"HT131", Error, ts + "2.7.2", "there is a PCR every 100 ms or more often"},
		{"HT132", Error, ts + "2.4.2.1", "the PCR never goes back"},
		{"HT133", Error, ts + "2.4.2.6", "the PCR is before the DTS of what follows, by at most ten seconds"},
	}
}

func elementaryRules() []row {
	const (
		pes = "ISO/IEC 13818-1 2.4.3.6"
		nal = "ISO/IEC 14496-10 "
		adt = "ISO/IEC 14496-3 1.A.2"
	)
	return []row{
		{"HT141", Error, pes, "a PES packet begins with 00 00 01 and the stream_id of its stream type"},
		{"HT142", Error, pes, "the PES header has its markers, and its lengths fit"},
		{"HT143", Error, pes, "every PES packet has a PTS"},
		{"HT144", Error, pes, "PES_packet_length is that of the packet; 0 is for video only"},
		{"HT145", Error, rfc + "3.2", "a segment begins with the begin of a PES packet on every PID"},
		{"HT146", Error, pes, "DTS go up"},
		{"HT147", Error, pes, "no PTS is before its DTS"},
		{"HT151", Error, nal + "B.1", "an access unit begins with a start code"},
		{"HT152", Error, "client: ExoPlayer, QuickTime", "an access unit begins with a delimiter"},
		{"HT153", Error, "client: hls.js", "a PES packet of video is one access unit"},
		{"HT154", Error, apple + "segments", "parameter sets come before each IDR picture"},
		{"HT155", Error, apple + "segments", "the first picture of a segment is an IDR picture"},
		{"HT156", Warning, "ISO/IEC 13818-1 2.4.3.5", "random_access_indicator marks IDR pictures, and no other"},
		{"HT157", Error, nal + "7.4.1", "no NAL unit is empty or has forbidden_zero_bit"},
		{"HT158", Error, nal + "7.3.2.1", "the SPS can be read"},
		{"HT161", Error, adt, "audio is frames with valid headers"},
		{"HT162", Warning, "client: hls.js", "a PES packet of audio holds whole frames"},
		{"HT163", Warning, rfc + "3", "the PTS of audio continues that of the frames before, give or take 2 ms"},
		{"HT164", Error, rfc + "4.3.2.3", "audio does not change its rate or channels within a segment"},
		{"HT171", Error, "Apple Timed Metadata for HLS", "a PES packet of timed metadata is one ID3 tag"},
		{"HT172", Error, "Apple Timed Metadata for HLS", "timed metadata has data_alignment_indicator"},
	}
}

func fragmentRules() []row {
	const (
		hls  = rfc + "3.3"
		base = "ISO/IEC 14496-12 "
	)
	return []row{
		{"HF101", Error, base + "4.2", "boxes of an init segment fill their container exactly"},
		{"HF102", Error, hls, "an init segment is ftyp and moov, without media"},
		{"HF103", Error, hls, "moov has tracks, and each has a trex in mvex"},
		{"HF104", Error, base + "8.3", "a track has an id, a timescale, a handler and a sample entry"},
		{"HF105", Error, hls, "moov has no samples"},
		{"HF106", Warning, apple + "HEVC", "the sample entry of HEVC is hvc1 or dvh1"},
		{"HF111", Error, base + "4.2", "boxes of a segment fill it exactly"},
		{"HF112", Error, rfc + "4.3.2.5", "a fragmented MP4 segment has an EXT-X-MAP with a moov"},
		{"HF113", Error, hls, "a segment is pairs of moof and mdat"},
		{"HF114", Warning, base + "8.16", "a segment has no other boxes than styp, sidx, emsg, prft, free around them"},
		{"HF115", Error, base + "8.8", "moof, traf, tfhd and trun have the boxes and lengths that they need"},
		{"HF116", Error, base + "8.8.7", "track_ID is that of a track in EXT-X-MAP"},
		{"HF117", Error, hls, "tfhd has default-base-is-moof and no base-data-offset"},
		{"HF118", Error, hls, "each traf has one tfdt"},
		{"HF119", Error, base + "8.8.8", "each traf has samples"},
		{"HF120", Error, base + "8.8.8", "samples lie in the mdat that follows"},
		{"HF121", Error, base + "8.8.8", "samples have a duration"},
		{"HF122", Error, "ISO/IEC 14496-15 5.3.2", "lengths of NAL units fill each sample exactly"},
		{"HF123", Error, rfc + "3", "decode times go on from fragment to fragment"},
		{"HF124", Error, apple + "segments", "the first sample of video is a sync sample with an IDR picture"},
		{"HF125", Error, "client: ExoPlayer", "every track of EXT-X-MAP has samples in the segment"},
	}
}

func audioRules() []row {
	const packed = rfc + "3.4"
	return []row{
		{"HA101", Error, packed, "packed audio begins with an ID3 tag that has the timestamp"},
		{"HA102", Error, packed, "the ID3 tag is well-formed"},
		{"HA103", Error, packed, "the timestamp has 33 bits"},
		{"HA111", Error, packed, "the rest is whole frames of AAC, AC-3 or MPEG audio"},
		{"HA112", Error, rfc + "4.3.2.3", "audio does not change its rate or channels within a segment"},
	}
}

func textRules() []row {
	const vtt = "W3C WebVTT 4.1"
	return []row{
		{"HV101", Error, vtt, "the first line is WEBVTT, and a blank line ends the header"},
		{"HV102", Error, vtt, "the segment is UTF-8"},
		{"HV103", Warning, rfc + "3.5", "there is an X-TIMESTAMP-MAP"},
		{"HV104", Error, rfc + "3.5", "X-TIMESTAMP-MAP is LOCAL and MPEGTS, with a time of 33 bits"},
		{"HV105", Error, vtt, "timings are hh:mm:ss.ttt --> hh:mm:ss.ttt"},
		{"HV106", Error, vtt, "a cue ends after it begins"},
		{"HV107", Error, vtt, "cues are in the order of their begins"},
	}
}
