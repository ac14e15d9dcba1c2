// Package validate checks HTTP Live Streaming: playlists, segments and the server that hands them out, against their
// specifications, Apple's authoring rules as far as bytes show them, and the needs of real clients.
//
// It reads a presentation as a client does, over HTTP ([URL]) or straight from a handler ([Handler]); as it lies on
// disk or in an archive ([FS], [File]); or a single playlist or segment ([Bytes]). Every requirement is a [Rule] with a
// stable id, a severity and the clause it comes from; [Rules] lists them all. Reports have the types of package
// smooth/validate, so that a program can show both.
//
//	report, err := validate.URL(ctx, "http://127.0.0.1:8080/film.ism/manifest(format=m3u8-aapl)", nil)
//	if err != nil {
//		return err // there was no answer
//	}
//	for _, v := range report.Violations {
//		fmt.Println(v)
//	}
//
// Ids begin with the kind of document: HP all playlists, HM master playlists, HL media playlists, HC what several of
// them must agree on, HS segments of any format, HT MPEG-2 transport streams, HF fragmented MP4, HA packed audio, HV
// WebVTT, HK keys and encryption, HH HTTP, HR a playlist that is loaded again, HD the device profile of IIS. One fault
// is reported once: what follows from it is left out.
//
// The package deliberately shares no parser with the rest of the suite: playlists, packets, tables and boxes are read
// here, so that it does not share a fault with what it checks. Sequence parameter sets are read by mp4ff, which is
// guarded against hostile input. Sizes and counts are checked before anything is allocated, and reports are bounded
// ([Options].MaxPerRule).
//
// In [Report].Checked, Documents are playlists, Streams renditions and Levels variants of master playlists, Chunks the
// segments that playlists list, Fragments the segments that were read, and Samples access units and audio frames.
//
// Specifications: RFC 8216, and its revision draft-pantos-hls-rfc8216bis for GAP, DEFINE and Low-Latency HLS; Apple's
// HLS Authoring Specification and MPEG-2 Stream Encryption Format; ISO/IEC 13818-1, 13818-7, 14496-10, 14496-12 and
// 14496-15; ETSI TS 102 366; W3C WebVTT; the IIS Media Services readme; RFC 9110 for HTTP.
package validate
