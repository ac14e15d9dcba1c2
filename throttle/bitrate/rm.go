package bitrate

import "encoding/binary"

// Sizes of RealMedia, in bytes.
const (
	rmChunkSize = 10 // of the name, size and version of a chunk
	rmPropSize  = 50 // of the whole properties chunk
)

func isRealMedia(s *source) bool { return s.has(0, ".RMF") }

// parseRealMedia takes the average rate from the PROP chunk, which is found by walking the chunks: others, and a file
// header of another length, may precede it. See the Helix "RealMedia File Format (RMFF) Reference".
func parseRealMedia(s *source) (Info, error) {
	for off := int64(0); ; {
		b, err := s.at(off, rmChunkSize)
		if err != nil {
			return Info{}, err
		}
		name, size := string(b[:4]), int64(binary.BigEndian.Uint32(b[4:]))
		if name == "PROP" {
			return s.rmProp(off, size)
		}
		if size < rmChunkSize {
			return Info{}, s.fail(off, ErrCorrupt, "chunk %q of %d bytes, PROP not found before it", name, size)
		}
		off += size
	}
}

// rmProp reads
//
//	name:32 size:32 version:16 largest rate:32 average rate:32 largest packet:32 average packet:32 packets:32
//	duration:32 preroll:32 index offset:32 data offset:32 streams:16 flags:16
//
// all big-endian, rates in bit/s, times in ms.
func (s *source) rmProp(off, size int64) (Info, error) {
	if size < rmPropSize {
		return Info{}, s.fail(off, ErrCorrupt, "properties of %d bytes, %d needed", size, rmPropSize)
	}
	b, err := s.at(off, rmPropSize)
	if err != nil {
		return Info{}, err
	}
	stated := int64(binary.BigEndian.Uint32(b[14:]))
	byDuration, duration := average(s.size, uint64(binary.BigEndian.Uint32(b[30:])), 1000)
	info := Info{Average: stated, Peak: int64(binary.BigEndian.Uint32(b[10:])), Duration: duration, Method: "PROP"}
	if s.rmPrefersDuration(stated, byDuration, int64(binary.BigEndian.Uint32(b[42:]))) {
		info.Average, info.Method = byDuration, "PROP duration"
	}
	if info.Average == 0 {
		return Info{}, s.fail(off, ErrUnknownRate, "the properties state neither rate nor duration")
	}
	return info, nil
}

// rmPrefersDuration decides between the stated rate and size over duration. They differ by headers and index, up to
// a third in short files, and the stated one is that of the content. Beyond that, if size over duration is larger,
// the file has several renditions (SureStream), all of which are sent; if it is smaller, the stated rate is wrong,
// unless the file was cut short.
func (s *source) rmPrefersDuration(stated, byDuration, data int64) bool {
	switch {
	case !believable(byDuration):
		return false
	case !believable(stated), byDuration > stated+stated/2:
		return true
	case byDuration >= stated-stated/3:
		return false
	}
	b, err := s.at(data, rmChunkSize)
	return err == nil && string(b[:4]) == "DATA" && int64(binary.BigEndian.Uint32(b[4:])) <= s.size-data
}
