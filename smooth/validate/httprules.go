package validate

func httpRules() []Rule {
	const (
		get   = "[MS-SSTR] 2.1"
		sem   = "RFC 9110 "
		cache = "[MS-SSTR] 1.3, RFC 9111"
		req   = "[MS-SSTR] 2.2.3"
	)
	return []Rule{
		{"SH101", Error, get, "the manifest is answered with status 200"},
		{"SH102", Error, get, "the answer to a manifest request is not an HTML page"},
		{"SH103", Error, get, "a manifest request is not redirected"},
		{"SH104", Error, "[MS-SSTR] 2.2.2", "the Content-Type of a manifest is text/xml, application/xml or application/vnd.ms-sstr+xml"},
		{"SH105", Error, sem + "8.6", "the body has as many bytes as Content-Length says"},
		{"SH106", Error, "IIS Media Services readme", "HEAD of the manifest answers 200 with the type and length of GET, without a body"},
		{"SH107", Warning, sem + "8.6", "answers state their Content-Length"},
		{"SH108", Error, get, "the server answers every request completely"},
		{"SH111", Error, get, "a listed fragment is answered with status 200"},
		{"SH112", Error, get, "the answer to a fragment request is not an HTML page"},
		{"SH113", Error, get, "a fragment request is not redirected"},
		{"SH114", Error, "[MS-SSTR] 2.2.4", "the Content-Type of a fragment is video/mp4 or audio/mp4 (application/mp4 for text)"},
		{"SH115", Error, sem + "9.3.2", "HEAD of a fragment answers 200 with the type and length of GET"},
		{"SH116", Error, "limit of this validator", "a fragment is at most as long as Options.MaxFragmentSize"},
		{"SH117", Error, "[MS-SSTR] 2.2.5", "a ChildTrack parameter is sets of name=time pairs of sparse streams in the manifest"},
		{"SH121", Error, req, "FragmentInfo answers the moof of the fragment (dash.js asks for it)"},
		{"SH122", Error, req, "RawFragments answers the payload of the fragment"},
		{"SH123", Error, req, "KeyFrames answers moof and mdat with the sync samples of the fragment only"},
		{"SH131", Error, "HTTP " + sem + "15.5.5", "a time that is not listed answers 404"},
		{"SH132", Error, "HTTP " + sem + "15.5.5", "an unknown bit rate answers 404"},
		{"SH133", Error, "HTTP " + sem + "15.5.5", "an unknown stream answers 404"},
		{"SH134", Warning, "HTTP " + sem + "15.5.1", "a request that breaks the URL grammar answers 400"},
		{"SH135", Warning, cache, "404 or 412 is not cacheable for more than 60 s"},
		{"SH136", Error, "[MS-SSTR] 2.2.6", "a live fragment that does not exist yet answers 412 with an empty body"},
		{"SH137", Error, "IIS server manifest", "the server manifest itself is not handed out"},
		{"SH138", Warning, cache, "a live manifest is not cacheable for longer than a fragment lasts"},
		{"SH141", Warning, cache, "answers carry an ETag or Last-Modified"},
		{"SH142", Error, sem + "13.1.2", "If-None-Match with the ETag answers 304"},
		{"SH143", Warning, "client: dash.js, rx-player", "answers to a request with Origin carry Access-Control-Allow-Origin"},
		{"SH144", Error, cache, "answers set no cookie"},
		{"SH145", Warning, cache, "answers carry Cache-Control"},
		{"SH146", Error, sem + "14", "a range request answers 206 with the right bytes, or 200 with all"},
		{"SH147", Warning, sem + "15.5.17", "a range beyond the end answers 416, unless ranges are not supported"},
		{"SH148", Error, "client: VLC 3", "the manifest with Range: bytes=0- answers 200 or 206 with all its bytes"},
		{"SH151", Warning, req, "percent-encoded parentheses and equals signs are accepted: proxies write them"},
		{"SH152", Warning, req, "Manifest, QualityLevels and Fragments are accepted in lower case, as IIS did"},
		{"SH153", Warning, req, "a query string, such as a token, is tolerated"},
	}
}
