package bitrate

import "strings"

// Signatures of AMR files (RFC 4867 section 5).
const (
	amrNarrow     = "#!AMR\n"
	amrWide       = "#!AMR-WB\n"
	amrNarrowMany = "#!AMR_MC1.0\n"
	amrWideMany   = "#!AMR-WB_MC1.0\n"
)

// isAMR looks for the signature.
func isAMR(s *source) bool {
	_, _, ok := amrFile(s)
	return ok
}

// amrFile returns the framing of an AMR file and where its frames begin.
func amrFile(s *source) (f framing, start int64, ok bool) {
	b, err := s.upTo(0, len(amrWideMany)+4)
	if err != nil {
		return framing{}, 0, false
	}
	for _, c := range []struct {
		signature string
		wide      bool
		many      bool
	}{{amrNarrow, false, false}, {amrWide, true, false}, {amrNarrowMany, false, true}, {amrWideMany, true, true}} {
		if !strings.HasPrefix(string(b), c.signature) {
			continue
		}
		if !c.many {
			return amr(c.wide, 1), int64(len(c.signature)), true
		}
		if len(b) < len(c.signature)+4 {
			return framing{}, 0, false
		}
		channels := int(b[len(c.signature)+3] & 15) // of 32 bits, 28 reserved
		return amr(c.wide, max(channels, 1)), int64(len(c.signature)) + 4, true
	}
	return framing{}, 0, false
}

// amr is the framing of the file format of AMR. A frame lasts 20 ms; one of each channel play together. There is no
// sync word, so that only long runs count.
//
//	0 mode(4) quality(1) 00, and the speech bits of the mode
func amr(wide bool, channels int) framing {
	sizes := [16]int{13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1} // with the first byte
	clock := 8000
	if wide {
		sizes = [16]int{18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1}
		clock = 16000
	}
	return framing{header: 1, run: 12, parse: func(b []byte) (frame, bool) {
		if len(b) < 1 || b[0]&0x83 != 0 {
			return frame{}, false
		}
		fr := frame{size: sizes[b[0]>>3&15], samples: clock / 50, clock: clock * channels}
		return fr, fr.size > 0
	}}
}

// parseAMR averages frames, as a file may change its mode with each of them and sends little in silence.
func parseAMR(s *source) (Info, error) {
	f, start, ok := amrFile(s)
	if !ok {
		return Info{}, s.fail(0, ErrCorrupt, "no signature")
	}
	if start >= s.size {
		return Info{}, s.fail(start, ErrCorrupt, "no frames")
	}
	first, err := s.findFrames(f, start, s.size, minFrameWindow)
	if err != nil {
		return Info{}, err
	}
	sum, err := s.measure(f, first, s.size)
	if err != nil {
		return Info{}, err
	}
	return s.rated(f, sum, first, s.size)
}
