package validate

func mediaRules() []Rule {
	const (
		iso   = "ISO/IEC 14496-12 "
		order = "PIFF 1.1 5"
	)
	return []Rule{
		{"SI100", Error, "limit of this validator", "a media file has at most 500,000 fragments, moov and mfra at most 64 MiB"},
		{"SI101", Error, iso + "4.2", "the top-level boxes fill the file exactly"},
		{"SI102", Error, iso + "4.3", "the file starts with ftyp"},
		{"SI103", Error, "[MS-SSTR] 2.2.7.1", "ftyp lists the brand piff or isml"},
		{"SI104", Error, iso + "8.2.1", "there is one moov, before the first moof"},
		{"SI105", Error, iso + "8.8.3", "moov has a trex for each track, and every track a header and a sample entry"},
		{"SI106", Error, order, "moov describes no samples"},
		{"SI107", Error, order, "each moof is followed by its mdat"},
		{"SI108", Error, iso + "8.8.9", "mfra is the last box"},
		{"SI109", Warning, "IIS Media Services", "there is an mfra: servers scan the whole file without"},
		{"SI110", Error, iso + "8.8.11", "the file ends with an mfro that gives the size of mfra"},
		{"SI111", Error, iso + "8.8.10", "tfra has the length its fields say"},
		{"SI112", Error, iso + "8.8.10", "each entry of tfra points at a moof of its track"},
		{"SI113", Error, iso + "8.8.10", "the times in tfra increase"},
		{"SI114", Error, "[MS-SSTR] 2.2.4.4", "the time in tfra is the time in the fragment's tfxd"},
		{"SI115", Error, iso + "8.8.10", "tfra lists every fragment of its track"},
		{"SI116", Error, iso + "8.8.10", "mfra has one tfra for each track with fragments"},
		{"SI117", Error, iso + "8.8.7", "the track of each fragment is in moov"},
		{"SI118", Warning, "client: rx-player, Shaka", "the timescale of a track is 10,000,000"},
		{"SI119", Warning, "IIS server manifest", "the extension is .ismv with video, .isma with audio only, .ismt with text only"},
		{"SI120", Error, "PIFF 1.1 5", "the file has fragments; a progressive MP4 must be packaged or served by a server that cuts it"},
	}
}
