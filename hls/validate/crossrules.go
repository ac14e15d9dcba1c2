package validate

func crossRules() []row {
	const (
		variants = rfc + "6.2.4"
		stream   = rfc + "4.3.4.2"
		accuracy = apple + "accuracy"
	)
	return []row{
		{"HC101", Error, variants, "all playlists have the same target duration, except those of subtitles and I-frames"},
		{"HC102", Error, variants, "all playlists have the same EXT-X-PLAYLIST-TYPE"},
		{"HC103", Warning, apple + "renditions", "renditions last equally long, give or take half a second"},
		{"HC104", Error, variants, "discontinuities are numbered alike in all playlists"},
		{"HC105", Warning, apple + "independent segments", "EXT-X-INDEPENDENT-SEGMENTS is in the master playlist or in all video playlists"},
		{"HC106", Error, stream, "BANDWIDTH is not below the measured peak, renditions included"},
		{"HC107", Warning, "client: hls.js", "BANDWIDTH is not below the bit rate of a short segment"},
		{"HC108", Warning, accuracy, "BANDWIDTH is at most 10 percent above the measured peak"},
		{"HC109", Warning, accuracy, "AVERAGE-BANDWIDTH is within 10 percent of the measured average"},
		{"HC110", Warning, accuracy, "the measured peak is at most twice the average"},
		{"HC111", Error, variants, "the same content has the same time in all variants"},
		{"HC112", Warning, variants, "video playlists list equally long segments, so that players can switch"},
		{"HC113", Error, stream, "CODECS names every format in the segments"},
		{"HC114", Error, stream, "RESOLUTION is that of the video"},
		{"HC117", Error, rfc + "4.3.4", "a master playlist names media playlists"},
		{"HC118", Error, rfc + "4.3.3.6", "EXT-X-I-FRAMES-ONLY is in the playlists of I-frame variants, and in no other"},
		{"HC119", Warning, rfc + "3.5", "cues are in the segments of their time"},
		{"HC120", Warning, rfc + "6.2.4", "sound and picture begin within half a second of one another"},
	}
}

func segmentRules() []row {
	return []row{
		{"HS101", Error, rfc + "4.3.2.1", "EXTINF is the duration of the media, give or take a frame"},
		{"HS102", Error, rfc + "3", "timestamps continue from segment to segment, unless there is EXT-X-DISCONTINUITY"},
		{"HS103", Error, rfc + "4.3.2.1", "EXTINF does not drift from the timestamps"},
		{"HS104", Error, rfc + "4.3.2.3", "tracks do not change without EXT-X-DISCONTINUITY"},
		{"HS105", Warning, apple + "renditions", "sound and picture of a segment end together, except in the last one"},
		{"HS106", Error, rfc + "4.3.2.3", "the format of segments does not change without EXT-X-DISCONTINUITY"},
		{"HS107", Error, rfc + "3.1", "a segment is a transport stream, fragmented MP4, packed audio or WebVTT"},
		{"HS108", Error, "limit of this validator", "a segment is at most as long as Options.MaxSegmentSize"},
	}
}

func keyRules() []row {
	return []row{
		{"HK101", Error, rfc + "5.1", "a key is 16 bytes"},
		{"HK102", Error, rfc + "5.1", "a key is answered with status 200"},
		{"HK103", Warning, rfc + "5.1", "the Content-Type of a key is application/octet-stream or binary/octet-stream"},
		{"HK104", Warning, "RFC 9111", "a key is not kept by shared caches: Cache-Control is no-store or private"},
		{"HK111", Error, rfc + "4.3.2.4", "the size of an AES-128 segment is a multiple of 16"},
		{"HK112", Error, rfc + "4.3.2.4", "an AES-128 segment decrypts to PKCS7 padding with its key and IV"},
		{"HK121", Error, "Apple MPEG-2 Stream Encryption 2", "streams of a SAMPLE-AES transport stream have types 0xDB, 0xCF, 0xC1 or 0xC2, and no other has"},
		{"HK122", Error, "Apple MPEG-2 Stream Encryption 2", "an encrypted stream has a private_data_indicator descriptor that names its format"},
		{"HK123", Error, "Apple MPEG-2 Stream Encryption 2", "an encrypted audio stream has a registration descriptor apad"},
		{"HK124", Error, rfc + "4.3.2.4", "SAMPLE-AES in fragmented MP4 is the scheme cbcs, SAMPLE-AES-CTR is cenc"},
	}
}

func httpRules() []row {
	const (
		get   = rfc + "6.2.1"
		sem   = "RFC 9110 "
		cache = "RFC 9111"
	)
	return []row{
		{"HH101", Error, get, "a playlist is answered with status 200"},
		{"HH102", Error, get, "the answer to a playlist request is not an HTML page"},
		{"HH104", Error, rfc + "4", "a playlist is told by its name (.m3u8, .m3u) or by its Content-Type"},
		{"HH105", Warning, rfc + "4", "the Content-Type of a playlist is application/vnd.apple.mpegurl or audio/mpegurl"},
		{"HH106", Error, sem + "8.6", "the body has as many bytes as Content-Length says"},
		{"HH108", Error, get, "the server answers every request"},
		{"HH109", Error, sem + "9.3.2", "HEAD of a playlist answers 200 with the type and length of GET"},
		{"HH110", Warning, apple + "delivery", "requests are not redirected"},
		{"HH111", Error, get, "a listed segment or EXT-X-MAP is answered with status 200, a range with 206"},
		{"HH112", Error, get, "the answer to a segment request is not an HTML page"},
		{"HH113", Error, apple + "delivery", "the Content-Type of a segment is that of its format"},
		{"HH115", Error, sem + "9.3.2", "HEAD of a segment answers 200 with the type and length of GET"},
		{"HH116", Error, get, "a segment has the same bytes when it is fetched again"},
		{"HH117", Error, sem + "14", "a range request answers 206 with the right bytes, or 200 with all"},
		{"HH118", Error, sem + "13.1.2", "If-None-Match with the ETag of a segment answers 304"},
		{"HH141", Warning, cache, "segments carry an ETag or Last-Modified"},
		{"HH143", Warning, "client: hls.js", "answers to a request with Origin carry Access-Control-Allow-Origin"},
		{"HH144", Error, cache, "answers set no cookie"},
		{"HH145", Warning, cache, "answers carry Cache-Control"},
		{"HH146", Warning, rfc + "6.2.2", "a live playlist is not cacheable for longer than its target duration"},
	}
}
