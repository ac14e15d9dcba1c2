package mpegts

import (
	"encoding/binary"
	"fmt"
)

// startCode precedes every NAL unit. It is as long as the usual length prefix, so that samples keep their size.
var startCode = [4]byte{0, 0, 0, 1}

// Access unit delimiters with start code, for slices of any type.
var (
	avcDelimiter  = []byte{0, 0, 0, 1, 0x09, 0xF0}
	hevcDelimiter = []byte{0, 0, 0, 1, 0x46, 0x01, 0x50}
)

// kind is what a muxer needs to know of a NAL unit, as a set.
type kind uint8

const (
	kindVPS kind = 1 << iota
	kindSPS
	kindPPS
	kindDrop // delimiters, since each unit gets its own, and filler data
	kindAny  // everything else
)

// Kinds by nal_unit_type, ISO/IEC 14496-10 table 7-1 and 23008-2 table 7-1.
var (
	avcKinds  = kinds(32, map[int]kind{7: kindSPS, 8: kindPPS, 9: kindDrop, 12: kindDrop})
	hevcKinds = kinds(64, map[int]kind{32: kindVPS, 33: kindSPS, 34: kindPPS, 35: kindDrop, 38: kindDrop})
)

func kinds(types int, special map[int]kind) []kind {
	list := make([]kind, types)
	for i := range list {
		list[i] = kindAny
		if k, ok := special[i]; ok {
			list[i] = k
		}
	}
	return list
}

// video is how to read the samples of a video stream.
type video struct {
	kinds      [256]kind // by the first byte of a NAL unit
	complete   kind      // the parameter sets that a random access point needs
	lengthSize int
	delimiter  []byte
	sets       []byte // parameter sets with start codes
}

func newVideo(s *Stream) *video {
	v := &video{lengthSize: s.NALULengthSize, delimiter: avcDelimiter, complete: kindSPS | kindPPS}
	if v.lengthSize == 0 {
		v.lengthSize = 4
	}
	if s.Codec == HEVC {
		v.delimiter, v.complete = hevcDelimiter, kindVPS|kindSPS|kindPPS
	}
	for i := range v.kinds {
		if s.Codec == HEVC {
			v.kinds[i] = hevcKinds[i>>1&0x3F]
		} else {
			v.kinds[i] = avcKinds[i&0x1F]
		}
	}
	for _, set := range s.ParameterSets {
		v.sets = append(append(v.sets, startCode[:]...), set...)
	}
	return v
}

// wantsSets reports whether a unit gets the parameter sets of the stream, because some of its own are missing.
func (v *video) wantsSets(sync bool, found kind) bool { return sync && found&v.complete != v.complete }

// length returns the length of the NAL unit at the start of a sample, or false if the sample ends before the NAL unit,
// or if that is empty.
func (v *video) length(sample []byte) (int, bool) {
	if len(sample) <= v.lengthSize {
		return 0, false
	}
	var n uint32
	if v.lengthSize == 4 {
		n = binary.BigEndian.Uint32(sample)
	} else {
		for _, b := range sample[:v.lengthSize] {
			n = n<<8 | uint32(b)
		}
	}
	return int(n), n > 0 && uint64(n) <= uint64(len(sample)-v.lengthSize)
}

// scan checks a sample and returns the bytes of its byte stream and the set of kinds in it.
func (v *video) scan(sample []byte) (size int, found kind, err error) {
	for rest := sample; len(rest) > 0; {
		n, ok := v.length(rest)
		if !ok {
			at := len(sample) - len(rest)
			return 0, 0, fmt.Errorf("NAL unit of %d bytes at byte %d of %d: %w", n, at, len(sample), ErrMalformed)
		}
		nalu := rest[v.lengthSize:][:n]
		if k := v.kinds[nalu[0]]; k != kindDrop {
			size += len(startCode) + n
			found |= k
		}
		rest = rest[v.lengthSize+n:]
	}
	if found == 0 {
		return 0, 0, fmt.Errorf("no NAL unit in %d bytes: %w", len(sample), ErrMalformed)
	}
	return size, found, nil
}

// write writes the byte stream of a sample that scan has found good.
func (v *video) write(p *packer, sample []byte) {
	for len(sample) > 0 {
		n, _ := v.length(sample)
		nalu := sample[v.lengthSize:][:n]
		if v.kinds[nalu[0]] != kindDrop {
			p.write(startCode[:])
			p.write(nalu)
		}
		sample = sample[v.lengthSize+n:]
	}
}
