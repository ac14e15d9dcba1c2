package bitrate

import (
	"encoding/binary"
	"math"
)

// The types of AMF0. See the Action Message Format specification AMF 0, section 2.
const (
	amfNumber      = 0
	amfBoolean     = 1
	amfString      = 2
	amfObject      = 3
	amfNull        = 5
	amfUndefined   = 6
	amfReference   = 7
	amfECMAArray   = 8
	amfObjectEnd   = 9
	amfStrictArray = 10
	amfDate        = 11
	amfLongString  = 12
	amfUnsupported = 13
	amfXML         = 15
	amfTypedObject = 16
)

// Limits of a walk over AMF.
const (
	amfMaxDepth  = 16
	amfMaxValues = 32 << 10
)

// flvMetadata is what onMetaData says. Values that are not numbers, or not finite or not positive, are zero.
type flvMetadata struct {
	duration                       float64 // s
	fileSize                       float64 // bytes
	videoRate, audioRate, allRates float64 // kbit/s
}

// set keeps a value of the object at the top. One of the same name in an object below it means something else.
func (m *flvMetadata) set(key string, v float64) {
	if !(v > 0) || math.IsInf(v, 1) {
		return
	}
	switch key {
	case "duration":
		m.duration = v
	case "filesize":
		m.fileSize = v
	case "videodatarate":
		m.videoRate = v
	case "audiodatarate":
		m.audioRate = v
	case "totaldatarate":
		m.allRates = v
	}
}

// seconds returns the duration, or zero if it cannot be one: above three years.
func (m *flvMetadata) seconds() float64 {
	if m.duration > 1e8 {
		return 0
	}
	return m.duration
}

// rate returns the stated rate of the streams that the flags of the header (4 audio, 1 video) announce, in bit/s. It is
// zero if one of them has no rate, as writers that do not know a rate leave it zero, and if it is not believable.
func (m *flvMetadata) rate(flags byte) int64 {
	sum := m.videoRate + m.audioRate
	if flags&4 != 0 && m.audioRate == 0 || flags&1 != 0 && m.videoRate == 0 {
		sum = m.allRates
	}
	if !(sum*1000 <= MaxRate) || sum*1000 < MinRate {
		return 0
	}
	return int64(sum * 1000)
}

// amf walks AMF0 values between two offsets of a file.
type amf struct {
	s        *source
	off, end int64
	values   int
}

// take returns the next n bytes.
func (a *amf) take(n int) ([]byte, error) {
	if int64(n) > a.end-a.off {
		return nil, a.s.fail(a.off, ErrCorrupt, "%d bytes of AMF needed, %d left", n, a.end-a.off)
	}
	b, err := a.s.at(a.off, n)
	if err == nil {
		a.off += int64(n)
	}
	return b, err
}

// skip passes over n bytes without reading them.
func (a *amf) skip(n int64) error {
	if n > a.end-a.off {
		return a.s.fail(a.off, ErrCorrupt, "%d bytes of AMF needed, %d left", n, a.end-a.off)
	}
	a.off += n
	return nil
}

// metadata reads the value after the name onMetaData: an ECMA array, or an object.
func (a *amf) metadata(m *flvMetadata) error {
	b, err := a.take(1)
	if err != nil {
		return err
	}
	switch b[0] {
	case amfECMAArray:
		if err := a.skip(4); err != nil { // the count is often wrong
			return err
		}
		return a.properties(m, 1)
	case amfObject:
		return a.properties(m, 1)
	}
	return a.s.fail(a.off-1, ErrCorrupt, "onMetaData is of type %d", b[0])
}

// properties walks pairs of a key and a value up to the end marker. It gives numbers to m, unless that is nil.
func (a *amf) properties(m *flvMetadata, depth int) error {
	for {
		b, err := a.take(2)
		if err != nil {
			return err
		}
		key, err := a.take(int(binary.BigEndian.Uint16(b)))
		if err != nil {
			return err
		}
		if b, err = a.take(1); err != nil {
			return err
		}
		if len(key) == 0 && b[0] == amfObjectEnd {
			return nil
		}
		if b[0] == amfNumber {
			if b, err = a.take(8); err != nil {
				return err
			}
			if m != nil {
				m.set(string(key), math.Float64frombits(binary.BigEndian.Uint64(b)))
			}
			continue
		}
		if err := a.value(b[0], depth); err != nil {
			return err
		}
	}
}

// value passes over a value of a type.
func (a *amf) value(kind byte, depth int) error {
	a.values++
	if depth >= amfMaxDepth || a.values > amfMaxValues {
		return a.s.fail(a.off, ErrLimit, "AMF of depth %d and %d values", depth, a.values)
	}
	switch kind {
	case amfNumber:
		return a.skip(8)
	case amfBoolean:
		return a.skip(1)
	case amfString:
		return a.skipSized(2)
	case amfLongString, amfXML:
		return a.skipSized(4)
	case amfNull, amfUndefined, amfUnsupported:
		return nil
	case amfReference:
		return a.skip(2)
	case amfDate:
		return a.skip(10)
	case amfObject:
		return a.properties(nil, depth+1)
	case amfTypedObject:
		if err := a.skipSized(2); err != nil {
			return err
		}
		return a.properties(nil, depth+1)
	case amfECMAArray:
		if err := a.skip(4); err != nil {
			return err
		}
		return a.properties(nil, depth+1)
	case amfStrictArray:
		return a.strictArray(depth)
	}
	return a.s.fail(a.off, ErrCorrupt, "AMF value of type %d", kind)
}

// skipSized passes over a length of n bytes and as many bytes as it says.
func (a *amf) skipSized(n int) error {
	b, err := a.take(n)
	if err != nil {
		return err
	}
	if n == 2 {
		return a.skip(int64(binary.BigEndian.Uint16(b)))
	}
	return a.skip(int64(binary.BigEndian.Uint32(b)))
}

// strictArray passes over an array. Index arrays of a long film have tens of thousands of numbers, of nine bytes each:
// if the first and the last of them look like numbers, those between are not read.
func (a *amf) strictArray(depth int) error {
	b, err := a.take(4)
	if err != nil {
		return err
	}
	const number = 9
	n := int64(binary.BigEndian.Uint32(b))
	if n > a.end-a.off { // each value is one byte at least
		return a.s.fail(a.off, ErrCorrupt, "array of %d values in %d bytes", n, a.end-a.off)
	}
	if n > 1 && a.isNumber(a.off) && a.isNumber(a.off+(n-1)*number) {
		return a.skip(n * number)
	}
	for ; n > 0; n-- {
		if b, err = a.take(1); err != nil {
			return err
		}
		if err := a.value(b[0], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// isNumber reports whether a number is at an offset.
func (a *amf) isNumber(off int64) bool {
	return off+9 <= a.end && a.s.has(off, string([]byte{amfNumber}))
}
