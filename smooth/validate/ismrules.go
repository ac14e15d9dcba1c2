package validate

func serverRules() []Rule {
	const (
		c     = "IIS server manifest"
		param = "IIS server manifest, param"
	)
	return []Rule{
		{"SS101", Error, c, "the server manifest is well-formed XML with the root smil"},
		{"SS102", Error, c, "the namespace of smil is http://www.w3.org/2001/SMIL20/Language"},
		{"SS103", Error, c, "clientManifestRelativePath names a file that exists"},
		{"SS104", Warning, c, "there is a clientManifestRelativePath, with the base name of the server manifest"},
		{"SS105", Error, c, "there is at least one track in body/switch"},
		{"SS106", Error, c, "a track has a src: a relative path, or a plain name"},
		{"SS107", Error, c, "a track has a systemBitrate, a decimal number"},
		{"SS108", Error, param, "a track has a trackID, a positive number"},
		{"SS109", Error, param, "name, bit rate and custom attributes tell tracks apart"},
		{"SS110", Error, param, "parentTrackName is the name of a track that is not sparse"},
		{"SS111", Error, param, "manifestOutput is TRUE, FALSE, 1 or 0"},
		{"SS112", Error, c, "src names a file that exists"},
		{"SS113", Warning, c, "src is no .mp4 (IIS refuses it), unless the meta formats says so"},
		{"SS114", Error, param, "trackID is a track of the file, of the element's type"},
		{"SS121", Error, "[MS-SSTR] 2.2.3", "each level of the client manifest is a track of the server manifest"},
		{"SS122", Warning, c, "each track of the server manifest is a level of the client manifest"},
		{"SS123", Error, "[MS-SSTR] 2.2.2.6", "each chunk of the client manifest is a fragment of the file, to the tick"},
		{"SS124", Error, "[MS-SSTR] 2.2.2.6", "the samples of a fragment last as long as its chunk, give or take one"},
	}
}
