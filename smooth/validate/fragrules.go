package validate

func fragmentRules() []Rule {
	const (
		moof = "[MS-SSTR] 2.2.4.1"
		traf = "[MS-SSTR] 2.2.4.3"
		tfxd = "[MS-SSTR] 2.2.4.4"
		tfrf = "[MS-SSTR] 2.2.4.5"
		tfhd = "[MS-SSTR] 2.2.4.6"
		trun = "[MS-SSTR] 2.2.4.7"
		mdat = "[MS-SSTR] 2.2.4.8"
		nal  = "ISO/IEC 14496-15 5.3.2"
	)
	return []Rule{
		{"SF101", Error, "ISO/IEC 14496-12 4.2", "boxes fill their container exactly"},
		{"SF102", Error, "[MS-SSTR] 2.2.4", "a fragment is one moof and one mdat box, in this order"},
		{"SF103", Error, mdat, "the mdat box has a plain size of 32 bits"},
		{"SF104", Error, moof, "moof holds one mfhd, first"},
		{"SF105", Error, moof, "moof holds one traf (PIFF too)"},
		{"SF106", Error, traf, "traf holds one tfhd"},
		{"SF107", Error, traf, "traf holds one trun (PIFF too)"},
		{"SF108", Error, "client: rx-player", "the order in traf is tfhd, [tfdt], trun, sdtp, tfxd, tfrf, senc"},
		{"SF109", Error, "[MS-SSTR] 2.2.4.2", "mfhd is 16 bytes with version and flags 0"},
		{"SF110", Error, "ISO/IEC 14496-12 8.8.7", "tfhd has the length its flags say and a track_ID other than 0"},
		{"SF111", Error, "PIFF 1.1 5.2", "tfhd has no base-data-offset"},
		{"SF112", Warning, "client: Silverlight", "tfhd has no default_sample_size"},
		{"SF113", Warning, tfhd, "tfhd has no sample-description-index"},
		{"SF114", Error, "HEVC amendment", "tfhd of HEVC has default-base-is-moof"},
		{"SF115", Error, trun, "trun is of version 0 or 1 and has the length its flags and sample count say"},
		{"SF116", Warning, trun, "composition offsets of H.264 are not negative (version 1 is for HEVC)"},
		{"SF117", Error, trun, "trun has a data offset"},
		{"SF118", Error, trun, "the data offset is the size of moof plus 8"},
		{"SF119", Error, trun, "there is at least one sample"},
		{"SF120", Error, trun, "every sample has a duration and a size in trun or tfhd: clients have no trex"},
		{"SF121", Error, mdat, "the sizes of the samples add up to the payload"},
		{"SF122", Error, "[MS-SSTR] 2.2.2.6", "sample durations add up to d, give or take a sample"},
		{"SF123", Error, "[MS-SSTR] 2.2.2.6", "sample durations do not drift from the chunks by more than 500 ms"},
		{"SF131", Warning, "client: VLC 3", "there is a tfxd (VLC plays at wrong speed without); HEVC may have tfdt instead"},
		{"SF132", Error, tfxd, "tfxd is 36 bytes in version 0, 44 in version 1"},
		{"SF133", Error, tfxd, "the time in tfxd is the time in the URL, to the tick"},
		{"SF134", Error, tfxd, "the duration in tfxd is d, to the tick"},
		{"SF135", Warning, "[MS-SSTR] 2.2.4.3", "there is no tfdt, except with HEVC"},
		{"SF136", Error, "HEVC amendment", "the time in tfdt is the time in the URL"},
		{"SF137", Error, tfxd, "a live fragment has a tfxd"},
		{"SF141", Error, tfrf, "tfrf has the length its count says"},
		{"SF142", Error, tfrf, "tfrf lists the following chunks of the manifest, to the tick"},
		{"SF143", Error, "client: dash.js, GStreamer", "a live fragment with chunks after it has a tfrf"},
		{"SF144", Error, tfrf, "tfrf of a live fragment has no more entries than the look-ahead"},
		{"SF151", Error, "[MS-SSTR] 3.1.5.2", "the first sample of video is a sync sample"},
		{"SF152", Error, "ISO/IEC 14496-12 8.6.4", "sdtp has one byte per sample"},
		{"SF153", Error, "[MS-SSTR] 2.2.4.2", "sequence numbers increase"},
		{"SF154", Error, nal, "lengths of NAL units fill each sample exactly"},
		{"SF155", Error, "ISO/IEC 14496-15 5.3.3", "the first sample of video holds an IDR (HEVC: IRAP) picture or a recovery point"},
		{"SF156", Warning, "ISO/IEC 14496-12 8.8.3.1", "a sample with an IDR picture is flagged as a sync sample"},
		{"SF157", Warning, "ISO/IEC 14496-12 8.8.3.1", "a sync sample after the first holds an IDR (HEVC: IRAP) picture"},
		{"SF158", Warning, "client: all, when they switch quality", "the first sample of video holds an IDR picture rather than the recovery point of an open group"},
		{"SF161", Error, "PIFF 1.1 5.3.2", "the sample encryption box has the length its fields say"},
		{"SF162", Error, "PIFF 1.1 5.3.2", "the sample encryption box has one entry per sample"},
		{"SF163", Error, "PIFF 1.1 5.3.2", "clear and encrypted bytes of each entry add up to the sample"},
		{"SF164", Error, "ISO/IEC 14496-12 8.7.8", "saiz has one size per sample, the one in the sample encryption box"},
		{"SF165", Error, "ISO/IEC 14496-12 8.7.9", "saio points at the first entry of the sample encryption box"},
		{"SF171", Error, "client: Media3", "a TTML sample is well-formed XML of exactly its size"},
		{"SF172", Error, "[MS-SSTR] 2.2.4", "a TTML fragment is one sample"},
		{"SF173", Warning, "client: dash.js", "times in TTML are relative to the fragment: some cue begins before its end"},
	}
}
