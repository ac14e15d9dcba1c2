package mpegts

// Load sums up units of one stream: a single one, a fragment, or all of a segment.
type Load struct {
	// Units is the number of units, that is of PES packets.
	Units uint64
	// Sync is the number of units with Sync.
	Sync uint64
	// Frames is the number of audio frames in all units.
	Frames uint64
	// Bytes is the size of all samples as MP4 stores them.
	Bytes uint64
	// Duration is the sum of the units' durations in ticks of 90 kHz. It counts for the stream that carries the PCR.
	Duration uint64
}

// ClosingSize is the bytes by which [Unit.Last] may exceed [Muxer.SizeBound], for each stream: 15 packets.
const ClosingSize = counterMask * PacketSize

// SizeBound returns how many bytes are written at most for units of a stream. A segment has no more than [TablesSize],
// and for each stream the bound of its units and [ClosingSize]. Bounds can be added, and the sum of the bounds of
// single units is the closest. It is exact for video that carries the PCR and is decoded and presented at different
// times, if its samples have lengths of 4 bytes and no delimiters, filler data or parameter sets. Audio may have one
// packet less.
//
// Proof. A unit has at most b bytes: adaptation field of the first packet (8 bytes with PCR, else 2), PES header (14,
// of video 19), delimiter, parameter sets at a random access point, its sample, 7 bytes for each AAC frame. A start
// code is as long as a length of 4 bytes. A shorter length grows by the difference, for no more NAL units than lengths
// with a byte each fit in the sample. The b bytes take (b+183)/184 packets, rounded down, and a sum of values rounded
// down is not above the sum rounded down. Packets that hold nothing but a PCR come every 9000 ticks strictly inside
// a unit, so there are (d-1)/9000 for a unit of d ticks, and no more than D/9000 for units of D ticks together. These
// may be written along with a later unit, also of another stream, and do not take part in the cycle of the counter.
func (m *Muxer) SizeBound(stream int, l Load) uint64 {
	t := &m.streams[stream]
	total := l.Bytes + l.Units*(payloadSize-1+2+pesHeaderPTS)
	if m.pcr == stream {
		total += l.Units * 6
	}
	if v := t.video; v != nil {
		total += l.Units*uint64(pesHeaderDTS-pesHeaderPTS+len(v.delimiter)) + l.Sync*uint64(len(v.sets))
		total += l.Bytes / uint64(v.lengthSize+1) * uint64(len(startCode)-v.lengthSize)
	}
	if t.adts != 0 {
		total += l.Frames * adtsHeader
	}
	packets := total / payloadSize
	if m.pcr == stream {
		if l.Units == 1 && l.Duration > 0 {
			l.Duration--
		}
		packets += l.Duration / PCRInterval
	}
	return packets * PacketSize
}
