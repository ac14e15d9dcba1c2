package bitrate

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// Sizes of FLV, in bytes, and limits of what is looked at.
const (
	flvHeaderSize = 9
	flvTagSize    = 11       // of the header of a tag
	flvHeadTags   = 32       // tags at the beginning among which onMetaData is looked for
	flvTailTags   = 8        // tags at the end whose largest timestamp counts
	flvMaxFrame   = 1000     // ms between tags of a stream that are one frame
	flvTail       = 64 << 10 // bytes at the end in which a whole tag is looked for if the last one is torn
)

// The types of tags. See the Adobe Flash Video File Format Specification 10.1, E.4.1.
const (
	flvAudio  = 8
	flvVideo  = 9
	flvScript = 18
)

// flvTag is the header of a tag:
//
//	reserved:2 filter:1 type:5 size:24 timestamp:24 timestamp high:8 stream:24
//
// all big-endian.
type flvTag struct {
	kind      byte
	size      int64  // of the data
	timestamp uint32 // ms
}

// parseFLVTag reads a header. It reports whether that can be one.
func parseFLVTag(b []byte) (flvTag, bool) {
	t := flvTag{
		kind:      b[0] & 0x1f,
		size:      int64(binary.BigEndian.Uint32(b) & 0xffffff),
		timestamp: binary.BigEndian.Uint32(b[4:])>>8 | uint32(b[7])<<24,
	}
	known := t.kind == flvAudio || t.kind == flvVideo || t.kind == flvScript
	return t, known && b[0]&0xc0 == 0 && b[8]|b[9]|b[10] == 0
}

func isFLV(s *source) bool { return s.has(0, "FLV\x01") }

// parseFLV weighs three witnesses: the duration of onMetaData, its data rates and the timestamps of the last tags.
func parseFLV(s *source) (Info, error) {
	b, err := s.at(0, flvHeaderSize)
	if err != nil {
		return Info{}, err
	}
	first := int64(binary.BigEndian.Uint32(b[5:])) + 4
	if first < flvHeaderSize+4 {
		return Info{}, s.fail(5, ErrCorrupt, "header of %d bytes, %d needed", first-4, flvHeaderSize)
	}
	m, start, err := s.flvHead(first)
	if err != nil {
		return Info{}, err
	}
	last, intact := s.flvLast(first)
	if last > start {
		last -= start
	} else {
		last = 0
	}
	return s.flvDecide(&m, m.rate(b[4]), last, intact)
}

// flvDecide chooses among the duration of the metadata, the rate that it states in bit/s, and the last timestamp
// in ms; zero is an unknown one.
//
// The duration is the best while nothing speaks against it. What does is a last timestamp that is more than a tenth
// away, and, where there is no timestamp as the end of the file is torn, a stated rate of more than twice size over
// duration. The timestamps are those of the bytes that are there, so they win, except against metadata that knows the
// size of the file: then it was written when the file was finished, and the timestamps are broken, such as those of
// muxers that lose the upper byte after 4.6 hours. Of a torn file the metadata may know the size that it had.
//
// Without a duration, as from a live capture, the timestamps are exact, and the stated rate is what the encoder was asked
// for. It counts where there is no timestamp, or one that makes less than half or more than twice of it.
func (s *source) flvDecide(m *flvMetadata, stated int64, last uint32, intact bool) (Info, error) {
	size := s.size
	if !intact && m.fileSize <= largestWhole {
		size = s.whole(uint64(m.fileSize))
	}
	const units = 1e6
	rate, duration := average(size, uint64(m.seconds()*units), units)
	byMetadata := Info{Average: rate, Duration: duration, Method: "onMetaData duration"}
	rate, duration = average(s.size, uint64(last), 1000)
	byLast := Info{Average: rate, Duration: duration, Method: "last timestamp"}
	byRates := Info{Average: stated, Method: "onMetaData rates"}

	knowsSize := size > s.size || math.Abs(m.fileSize-float64(s.size)) <= 0.01*float64(s.size)
	apart := math.Abs(m.seconds()-float64(last)/1000) > 0.1*m.seconds()+1
	switch {
	case believable(byMetadata.Average) && knowsSize:
		return byMetadata, nil
	case believable(byMetadata.Average) && believable(byLast.Average) && apart:
		return byLast, nil
	case believable(byMetadata.Average) && (last > 0 || stated <= 2*byMetadata.Average):
		return byMetadata, nil
	case believable(byLast.Average) && (stated == 0 || byLast.Average/2 <= stated && stated/2 <= byLast.Average):
		return byLast, nil
	case stated > 0:
		return byRates, nil
	}
	return Info{}, s.fail(0, ErrUnknownRate, "no duration and no rates in onMetaData, no timestamp at the end")
}

// flvHead walks the first tags up to the first onMetaData. It returns what that says, and the timestamp of the first
// tag of audio or video.
func (s *source) flvHead(off int64) (m flvMetadata, start uint32, err error) {
	found, started := false, false
	for n := 0; n < flvHeadTags && !(found && started); n++ {
		b, err := s.at(off, flvTagSize)
		if err != nil {
			if n == 0 {
				return m, start, err
			}
			return m, start, nil
		}
		t, ok := parseFLVTag(b)
		switch {
		case !ok && n == 0:
			return m, start, s.fail(off, ErrCorrupt, "no tag after the header")
		case !ok:
			return m, start, nil
		case t.kind == flvScript && !found:
			m, found = s.flvScript(off+flvTagSize, t.size)
		case t.kind != flvScript && !started:
			start, started = t.timestamp, true
		}
		off += flvTagSize + t.size + 4
	}
	return m, start, nil
}

// flvLast returns the time at which the last tag ends, in ms: the largest timestamp of the last tags of a stream and as
// much as that is after the one before. It walks back from the end by the sizes that follow the tags. If the end of the
// file is torn, it looks for the last whole tag, and the file is not intact.
func (s *source) flvLast(first int64) (last uint32, intact bool) {
	end, intact := s.size, true
	if _, ok := s.flvTagBefore(end, first); !ok {
		intact = false
		end = s.flvSearchBack(first)
	}
	var seen [flvVideo + 1][]uint32
	for range flvTailTags {
		t, ok := s.flvTagBefore(end, first)
		if !ok {
			break
		}
		if t.kind != flvScript {
			seen[t.kind] = append(seen[t.kind], t.timestamp)
		}
		end -= flvTagSize + t.size + 4
	}
	for _, stamps := range seen {
		slices.Sort(stamps)
		stamps = slices.Compact(stamps)
		if n := len(stamps); n > 1 && stamps[n-1]-stamps[n-2] < flvMaxFrame {
			last = max(last, 2*stamps[n-1]-stamps[n-2])
		} else if n > 0 {
			last = max(last, stamps[n-1])
		}
	}
	return last, intact
}

// flvTagBefore returns the tag that ends at an offset, with the size that follows it.
func (s *source) flvTagBefore(end, first int64) (flvTag, bool) {
	if end-4 < first {
		return flvTag{}, false
	}
	b, err := s.at(end-4, 4)
	if err != nil {
		return flvTag{}, false
	}
	size := int64(binary.BigEndian.Uint32(b))
	if size < flvTagSize || size > end-4-first {
		return flvTag{}, false
	}
	if b, err = s.at(end-4-size, flvTagSize); err != nil {
		return flvTag{}, false
	}
	t, ok := parseFLVTag(b)
	return t, ok && t.size == size-flvTagSize
}

// flvSearchBack returns the end of the last whole tag in the last bytes of the file, or zero.
func (s *source) flvSearchBack(first int64) int64 {
	from := max(first, s.size-flvTail)
	b, err := s.upTo(from, flvTail)
	if err != nil {
		return 0
	}
	for end := len(b); end >= flvTagSize+4; end-- {
		size := int64(binary.BigEndian.Uint32(b[end-4:]))
		if size < flvTagSize || size > int64(end-4) {
			continue
		}
		if t, ok := parseFLVTag(b[int64(end-4)-size:]); ok && t.size == size-flvTagSize {
			return from + int64(end)
		}
	}
	return 0
}

// flvScript reads the data of a script tag. It reports whether that is onMetaData.
func (s *source) flvScript(off, size int64) (flvMetadata, bool) {
	var m flvMetadata
	a := amf{s: s, off: off, end: min(off+size, s.size)}
	name, err := a.take(3 + len("onMetaData"))
	if err != nil || !bytes.Equal(name, []byte("\x02\x00\x0aonMetaData")) {
		return m, false
	}
	// An error ends the walk. What came before it counts.
	_ = a.metadata(&m)
	return m, true
}
