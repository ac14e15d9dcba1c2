package bitrate

import "bytes"

// Parts of a program stream that are searched for packs, in bytes. Packs of disks are 2048 bytes, others are at most
// 0.7 seconds apart.
const (
	psWindow     = 32 << 10
	psWindowMost = 120 << 10
	packStart    = "\x00\x00\x01\xBA"
)

// packHeader is the header of a pack of a program stream.
//
//	MPEG-2: 000001BA 01 SCR(33, marked) extension(9) 1 mux_rate(22) 11 reserved(5) stuffing(3)     ISO/IEC 13818-1 2.5.3.4
//	MPEG-1: 000001BA 0010 SCR(33, marked) 1 mux_rate(22) 1                                         ISO/IEC 11172-1 2.4.3.2
type packHeader struct {
	scr uint64 // system clock reference, units of 90 kHz: the extension is less than one
	mux int64  // bit/s, never exceeded
}

func parsePackHeader(b []byte) (h packHeader, ok bool) {
	if len(b) < 12 || string(b[:4]) != packStart {
		return h, false
	}
	switch {
	case b[4]>>6 == 1 && len(b) >= 14:
		if b[4]&4 == 0 || b[6]&4 == 0 || b[8]&4 == 0 || b[9]&1 == 0 || b[12]&3 != 3 {
			return h, false
		}
		h.scr = uint64(b[4]>>3&7)<<30 | uint64(b[4]&3)<<28 | uint64(b[5])<<20 | uint64(b[6]>>3)<<15 |
			uint64(b[6]&3)<<13 | uint64(b[7])<<5 | uint64(b[8]>>3)
		h.mux = int64(b[10])<<14 | int64(b[11])<<6 | int64(b[12]>>2)
	case b[4]>>4 == 2:
		if h.scr, ok = time33(b[4:]); !ok || b[9]&0x80 == 0 || b[11]&1 == 0 {
			return h, false
		}
		h.mux = int64(b[9]&0x7F)<<15 | int64(b[10])<<7 | int64(b[11]>>1)
	default:
		return h, false
	}
	h.mux *= 50 * 8
	return h, true
}

// isMPEGPS looks for a pack header. Elementary video begins with other start codes and is no program stream.
func isMPEGPS(s *source) bool {
	b, err := s.upTo(0, 14)
	if err != nil {
		return false
	}
	_, ok := parsePackHeader(b)
	return ok
}

// parseMPEGPS reads the clock references (SCR) of the packs at the beginning and the end of a program stream. The
// average is that between them. The rate that packs state is at best a peak, and with common encoders hundreds of times
// too large: it serves only where there is one pack.
func parseMPEGPS(s *source) (Info, error) {
	b, err := s.upTo(0, 14)
	if err != nil {
		return Info{}, err
	}
	first, ok := parsePackHeader(b)
	if !ok {
		return Info{}, s.fail(0, ErrCorrupt, "no pack header")
	}
	for _, window := range []int64{psWindow, psWindowMost} {
		window = min(window, int64(s.left)/2)
		head, err := s.packs(0, min(window, s.size))
		if err != nil {
			return Info{}, err
		}
		tail, err := s.packs(max(0, s.size-window), s.size)
		if err != nil {
			return Info{}, err
		}
		if len(tail) == 0 {
			continue
		}
		c := clockMarks{parts: [][]mark{head, tail}, scale: ptsScale, wrap: clockWrap}
		info, ok := s.clocked(c, "SCR", func(off, end int64) []mark {
			marks, err := s.packs(off, end)
			if err != nil {
				return nil
			}
			return marks
		})
		if ok {
			return info, nil
		}
	}
	if first.mux == 0 {
		return Info{}, s.fail(0, ErrUnknownRate, "one pack, which states no rate")
	}
	return Info{Method: "mux rate", Average: first.mux}, nil
}

// packs returns the packs between two offsets of the file.
func (s *source) packs(off, end int64) ([]mark, error) {
	b, err := s.upTo(off, int(end-off))
	if err != nil {
		return nil, err
	}
	var marks []mark
	for i := 0; ; i++ {
		n := bytes.Index(b[i:], []byte(packStart))
		if n < 0 {
			return marks, nil
		}
		i += n
		if h, ok := parsePackHeader(b[i:]); ok {
			marks = append(marks, mark{off: off + int64(i), time: h.scr})
		}
	}
}
