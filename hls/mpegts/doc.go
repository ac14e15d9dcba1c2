// Package mpegts writes the MPEG-2 transport stream segments of HLS from samples as MP4 stores them: H.264, HEVC, AAC,
// AC-3, E-AC-3, MP3 and timed ID3 metadata.
//
// It works at the level of codecs and knows nothing of files, playlists or presentations: [NewMuxer] takes the
// configuration of each [Stream], [Muxer.Start] begins a segment with its tables, and [Muxer.Append] adds one [Unit]
// (an access unit, or some audio frames) to a byte slice of the caller's. Nothing is allocated but room in that slice.
//
//	m, err := mpegts.NewMuxer([]mpegts.Stream{
//		{Codec: mpegts.AVC, ParameterSets: [][]byte{sps, pps}},
//		{Codec: mpegts.AAC, AudioConfig: audioSpecificConfig},
//	})
//	segment := m.Start(buf[:0], sequence)
//	for each unit, in the order of decoding {
//		segment, err = m.Append(segment, stream, &unit)
//	}
//
// # Segments
//
// A segment begins with one PAT and one PMT packet. Every access unit of video is one PES packet and begins with one
// access unit delimiter; a random access point has its parameter sets. AAC frames get ADTS headers.
//
// Segments are made without knowledge of each other, and yet their continuity counters join: each PID begins at 0, and
// the last unit of a stream ([Unit.Last]) is spread over up to 15 more packets, so that the cycle of 16 is complete at
// the end. Each of these packets has at least one byte of payload, as ISO/IEC 13818-1 2.4.3.4 demands of a packet
// that advances the counter. PAT and PMT occur once in a segment, so their counter is the sequence number.
//
// # Time
//
// Times are in ticks of 90 kHz and need no masking; the 33 bits of the stream wrap every 26.5 hours, which is no
// discontinuity. The PCR rides on the first video stream, or else on the first audio stream, in each of its units,
// [PCRLead] before the time of decoding, and in packets of its own wherever units lie further apart than
// [PCRInterval]. Whoever wants no PCR below zero adds a constant to the times of all streams.
//
// # Errors
//
// [NewMuxer] fails with [ErrUnsupported], [Muxer.Append] with [ErrMalformed] or [ErrTooLarge], and then leaves segment
// and muxer as they were.
//
// # Specifications
//
// ISO/IEC 13818-1 (systems), ISO/IEC 14496-10 and 23008-2 annex B (byte streams), ISO/IEC 13818-7 and 14496-3 (ADTS),
// RFC 8216 section 3.2, Apple's Timed Metadata for HTTP Live Streaming and MPEG-2 Stream Encryption Format.
// HEVC in a transport stream is defined, but Apple's players take it in fragmented MP4 only.
package mpegts
