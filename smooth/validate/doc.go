// Package validate checks a Smooth Streaming presentation against its specification and the needs of real clients.
//
// It reads a presentation as a client does, over HTTP ([URL]) or straight from a handler or source ([Handler],
// [Source]); as it lies on disk, a server manifest with the client manifest and media files it names ([FS]); or a
// single document ([Manifest], [Fragment], [File]). Every requirement is a [Rule] with a stable id, a severity and the
// clause it comes from; [Rules] lists them all. A [Violation] names the rule, the place and the numbers that disagree.
// Errors break the specification; warnings are things that some client is known to stumble over.
//
//	report, err := validate.URL(ctx, "http://127.0.0.1:8080/film.ism", nil)
//	if err != nil {
//		return err // there was no answer
//	}
//	for _, v := range report.Violations {
//		fmt.Println(v)
//	}
//
// Ids begin with the kind of document: SM client and composite manifests, SF fragments, SH HTTP, SS server manifests,
// SI media files. One fault is reported once: what follows from it is left out.
//
// The package deliberately does not use the parsers of the rest of the suite: it walks the XML tokens and the boxes
// itself, strictly, so that it does not share a fault with the server it checks. Parameter sets and audio
// configurations are read by mp4ff, which is guarded against hostile input. Sizes and counts are checked before
// anything is allocated, and reports are bounded ([Options].MaxPerRule).
//
// Specifications: [MS-SSTR] Smooth Streaming Protocol; the Azure Media Services amendment for HEVC; PIFF 1.1; the IIS
// Media Services documentation of server, client and composite manifests; ISO/IEC 14496-3, 14496-12 and 14496-15;
// RFC 9110 and 9111 for HTTP.
package validate
