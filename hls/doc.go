// Package hls shows presentations of package smooth as HTTP Live Streaming, on the fly and offline.
//
// Every presentation that a [smooth.Handler] serves also plays as HLS when an [Output] is registered with it:
//
//	h := smooth.NewHandler(smooth.Dir("media", nil), &smooth.HandlerOptions{
//		Outputs:    []smooth.Output{hls.NewOutput(&hls.Options{Encryption: &hls.Encryption{Master: secret}})},
//		ChildQuery: []string{"token"},
//	})
//	http.Handle("/video/", http.StripPrefix("/video", h))
//
// The film media/sport/final.ism is then at /video/sport/final.ism/Manifest(format=m3u8-aapl).m3u8, encrypted, and a
// token in the query of that URL is in all further ones. [NewHandler] serves HLS alone, under URLs such as
// sport/final/master.m3u8.
//
// # Objects
//
// An [Output] is an output of package smooth and a [Handler] the same with URLs of its own; both make playlists from
// the [smooth.Snapshot] of a presentation and segments from its fragments when somebody asks for them. [Options]
// tunes either, and [Encryption] within says how segments are encrypted and where the keys are. A [Segmenter] writes
// the playlists and segments of presentations into a [Sink], which may be a directory, an archive or an object store.
// An [ArchiveSource] is a source that also opens what IIS archived for HLS, files of MPEG-2 TS. Segments of MPEG-2 TS
// are written by package mpegts below this one, which knows nothing of presentations; package validate checks what
// this one or any other makes.
//
// # Formats
//
// The format option of a URL, or the form in one of [Handler], chooses among
//
//	m3u8-aapl, m3u8-aapl-v4   hls-ts      MPEG-TS, sound in renditions of its own
//	m3u8-aapl-v3              hls-muxed   MPEG-TS, one sound muxed into the segments of the picture
//	m3u8-cmaf                 hls-fmp4    fragmented MP4, sound in renditions of its own
//
// Text streams become WebVTT renditions in all but the second. What a format cannot carry, such as VC-1, is left out;
// if nothing is left, the answer is a [smooth.UnsupportedError], status 415. H.264, HEVC, AAC, HE-AAC, AC-3, E-AC-3
// and MP3 go into MPEG-TS, and everything that has a sample entry goes into fragmented MP4.
//
// # Segments
//
// A segment is whole fragments of one stream: those whose middle lies in one span of the timeline, which is as long
// as [Options].SegmentDuration and counted from zero. So neither the cut nor the media sequence number depends on who
// makes a list, when, or where it begins, and a live window that moves keeps its segments. Frames of sound in a
// segment of a picture go by their times, each to one segment. The same URL gives the same bytes on every server,
// which caches and clients that ask for ranges rely on; its entity tag changes when the content, the options or the
// encryption do.
//
// # Not here
//
// Live ingest, low-latency HLS, DRM and DASH. Presentations that are live come from another source; what is listed
// can be asked for at once and nothing waits. Samples that are encrypted already are not shown.
//
// # Specifications
//
// RFC 8216 (HLS), with EXT-X-GAP of its successor draft-pantos-hls-rfc8216bis; the URLs of IIS Media Services and
// Azure Media Services; ISO/IEC 23000-19 (CMAF); WebVTT and RFC 8216 section 3.5; ISO/IEC 14496-30; Apple's MPEG-2
// Stream Encryption Format for HTTP Live Streaming; RFC 6381 (codecs).
package hls
