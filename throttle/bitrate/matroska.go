package bitrate

import (
	"bytes"
	"encoding/binary"
	"math"
)

// IDs of EBML elements, with their length marks (RFC 8794 section 13, RFC 9559 section 5).
const (
	idEBML           = 0x1A45DFA3
	idDocType        = 0x4282
	idSegment        = 0x18538067
	idSeekHead       = 0x114D9B74
	idSeek           = 0x4DBB
	idSeekID         = 0x53AB
	idSeekPosition   = 0x53AC
	idInfo           = 0x1549A966
	idTimestampScale = 0x2AD7B1
	idDuration       = 0x4489
	idCluster        = 0x1F43B675
	idTimestamp      = 0xE7
	idSimpleBlock    = 0xA3
	idBlockGroup     = 0xA0
	idBlock          = 0xA1
)

// Limits of what is looked at in Matroska files.
const (
	maxElements  = 256       // of one parent
	maxBlocks    = 16 << 10  // of the last cluster
	clusterTail  = 64 << 10  // bytes at the end that are searched for a cluster
	clusterTails = 128 << 10 // bytes, if there was none
)

// element is the header of an EBML element.
type element struct {
	id      uint32
	off     int64 // of its data
	size    int64 // of its data; beyond the end of the file it is cut there
	unknown bool  // the size is not stated, as in live streams
}

func (e element) end() int64 { return e.off + e.size }

// elementAt reads the header of the element at off, inside of a parent that ends at end.
//
//	id(1 to 4 bytes, mark kept) size(1 to 8 bytes, mark removed; all ones: unknown)    RFC 8794 sections 4 to 6
func (s *source) elementAt(off, end int64) (element, error) {
	b, err := s.upTo(off, int(min(12, max(0, end-off))))
	if err != nil {
		return element{}, err
	}
	e, n, ok := elementIn(b)
	if !ok {
		return element{}, s.fail(off, ErrCorrupt, "no EBML element in % x", b)
	}
	e.off = off + int64(n)
	if e.unknown || e.size > end-e.off {
		e.size = end - e.off
	}
	return e, nil
}

// elementIn reads the header of an element and its length.
func elementIn(b []byte) (e element, n int, ok bool) {
	if len(b) == 0 || b[0] < 0x10 {
		return e, 0, false
	}
	for n = 1; b[0]<<(n-1)&0x80 == 0; n++ {
	}
	if len(b) < n+1 || b[n] == 0 {
		return e, 0, false
	}
	for _, c := range b[:n] {
		e.id = e.id<<8 | uint32(c)
	}
	size := b[n:]
	k := 1
	for ; size[0]<<(k-1)&0x80 == 0; k++ {
	}
	if len(size) < k {
		return e, 0, false
	}
	v := uint64(size[0] & (0xFF >> k))
	for _, c := range size[1:k] {
		v = v<<8 | uint64(c)
	}
	e.size, e.unknown = int64(v), v == 1<<(7*k)-1
	return e, n + k, true
}

// children calls f for the elements between two offsets, until it returns false or limit of them were seen. Elements
// of unknown size end the walk, as what they hold cannot be told from what follows.
func (s *source) children(off, end int64, limit int, f func(element) (bool, error)) error {
	for range limit {
		if off >= end {
			return nil
		}
		e, err := s.elementAt(off, end)
		if err != nil {
			return err
		}
		if more, err := f(e); err != nil || !more || e.unknown {
			return err
		}
		off = e.end()
	}
	return nil
}

// number returns the unsigned number in an element of up to eight bytes.
func (s *source) number(e element) (uint64, error) {
	if e.size > 8 {
		return 0, s.fail(e.off, ErrCorrupt, "number of %d bytes", e.size)
	}
	b, err := s.at(e.off, int(e.size))
	if err != nil {
		return 0, err
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, nil
}

// isMatroska looks for the EBML header.
func isMatroska(s *source) bool { return s.has(0, "\x1A\x45\xDF\xA3") }

// matroskaFile is what the head of a segment says.
type matroskaFile struct {
	segment  element
	info     int64 // offset by SeekHead, zero if unknown
	scale    uint64
	duration float64 // in units of scale; zero if unknown
	hasInfo  bool
	cluster  int64 // offset of the first
}

// parseMatroska reads Duration of the segment. Without it, as in the recording of a live stream, the timestamps of the
// first and the last cluster say it. The average is size of the file over duration.
func parseMatroska(s *source) (Info, error) {
	header, err := s.elementAt(0, s.size)
	if err != nil {
		return Info{}, err
	}
	container, err := s.docType(header)
	if err != nil {
		return Info{}, err
	}
	s.container = container
	m, err := s.segment(header.end())
	if err != nil {
		return Info{}, err
	}
	if !m.hasInfo && m.info > 0 {
		if err := s.seekInfo(&m); err != nil {
			return Info{}, err
		}
	}
	if ns := m.duration * float64(m.scale); ns >= 1 && ns < math.MaxInt64 {
		info := Info{Method: "Info duration"}
		info.Average, info.Duration = average(s.size, uint64(ns), 1e9)
		return info, nil
	}
	return s.byClusters(&m)
}

// docType tells WebM from Matroska.
func (s *source) docType(header element) (Container, error) {
	container := Matroska
	err := s.children(header.off, header.end(), maxElements, func(e element) (bool, error) {
		if e.id != idDocType || e.size > 16 {
			return true, nil
		}
		b, err := s.at(e.off, int(e.size))
		if string(bytes.TrimRight(b, "\x00")) == "webm" {
			container = WebM
		}
		return false, err
	})
	return container, err
}

// segment walks the children of the segment up to the first cluster.
func (s *source) segment(off int64) (m matroskaFile, err error) {
	m.scale = 1_000_000
	err = s.children(off, s.size, maxElements, func(e element) (bool, error) {
		m.segment = e
		return e.id != idSegment, nil
	})
	if err != nil {
		return m, err
	}
	if m.segment.id != idSegment {
		return m, s.fail(off, ErrCorrupt, "no segment")
	}
	off = m.segment.off
	err = s.children(off, m.segment.end(), maxElements, func(e element) (bool, error) {
		switch e.id {
		case idSeekHead:
			return true, s.seekHead(&m, e)
		case idInfo:
			return false, s.info(&m, e)
		case idCluster:
			m.cluster = off
			return false, nil
		}
		off = e.end()
		return true, nil
	})
	return m, err
}

// seekHead notes where Info is.
func (s *source) seekHead(m *matroskaFile, head element) error {
	return s.children(head.off, head.end(), maxElements, func(seek element) (bool, error) {
		if seek.id != idSeek {
			return true, nil
		}
		var id, pos uint64
		err := s.children(seek.off, seek.end(), 8, func(e element) (more bool, err error) {
			switch e.id {
			case idSeekID:
				id, err = s.number(e)
			case idSeekPosition:
				pos, err = s.number(e)
			}
			return true, err
		})
		if id == idInfo && pos < uint64(m.segment.size) {
			m.info = m.segment.off + int64(pos)
		}
		return true, err
	})
}

// seekInfo reads Info where SeekHead says.
func (s *source) seekInfo(m *matroskaFile) error {
	e, err := s.elementAt(m.info, m.segment.end())
	if err != nil || e.id != idInfo {
		return nil // a SeekHead that lies: clusters know
	}
	return s.info(m, e)
}

// info reads the scale of timestamps, in nanoseconds, and the duration, in units of it.
func (s *source) info(m *matroskaFile, info element) error {
	m.hasInfo = true
	return s.children(info.off, info.end(), maxElements, func(e element) (bool, error) {
		switch e.id {
		case idTimestampScale:
			v, err := s.number(e)
			if err == nil && v > 0 {
				m.scale = v
			}
			return true, err
		case idDuration:
			v, err := s.float(e)
			m.duration = v
			return true, err
		}
		return true, nil
	})
}

// float returns the floating-point number in an element: zero for one that is not a positive finite number.
func (s *source) float(e element) (v float64, err error) {
	if e.size != 4 && e.size != 8 {
		return 0, nil
	}
	b, err := s.at(e.off, int(e.size))
	if err != nil {
		return 0, err
	}
	if e.size == 4 {
		v = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	} else {
		v = math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	if !(v > 0) || math.IsInf(v, 0) {
		return 0, nil
	}
	return v, nil
}
