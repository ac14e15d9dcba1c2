package bitrate

// ac3 is the framing of AC-3 and Enhanced AC-3 (ETSI TS 102 366 4.3.1, 4.4.1 and E.1.2), also with the bytes of each
// word swapped. The stream identification bsid, in the same place of both, tells them apart.
//
//	0B77 crc(16) fscod(2) frmsizecod(6) bsid(5)                                          bsid up to 10: AC-3
//	0B77 strmtyp(2) substreamid(3) frmsiz(11) fscod(2) numblkscod(2) acmod(3) lfeon(1) bsid(5)    11 to 16: E-AC-3
func ac3() framing {
	return framing{header: 6, run: 4, start: [2]byte{0x0B, 0x77}, parse: func(b []byte) (frame, bool) {
		if len(b) < 6 {
			return frame{}, false
		}
		h := [6]byte(b[:6])
		if h[0] == 0x77 {
			h = [6]byte{h[1], h[0], h[3], h[2], h[5], h[4]}
		}
		if h[0] != 0x0B || h[1] != 0x77 {
			return frame{}, false
		}
		switch bsid := h[5] >> 3; {
		case bsid <= 10:
			return ac3Frame(h, bsid)
		case bsid <= 16:
			return eac3Frame(h)
		}
		return frame{}, false
	}}
}

// ac3Frame reads the header of a frame of AC-3. Streams of bsid 9 and 10 have a half and a quarter of the clock.
func ac3Frame(h [6]byte, bsid byte) (frame, bool) {
	code, size := h[4]>>6, h[4]&63
	if code == 3 || size > 37 {
		return frame{}, false
	}
	rate := 1000 * [19]int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}[size>>1]
	clock := ac3Clock(code)
	words := rate * 96 / clock // 1536 samples of rate/clock bits
	if code == 1 {
		words += int(size & 1)
	}
	shift := max(bsid, 8) - 8
	clock >>= shift
	return frame{size: 2 * words, samples: 1536, clock: clock, stated: rate >> shift, kind: uint32(clock)}, true
}

// eac3Frame reads the header of a frame of E-AC-3. Dependent substreams, and independent ones but the first, play
// together with the frame before them, so that they have bytes and no samples.
func eac3Frame(h [6]byte) (frame, bool) {
	kind, substream := h[2]>>6, h[2]>>3&7
	size := 2 * (int(h[2]&7)<<8 | int(h[3]) + 1)
	code, blocks := h[4]>>6, [4]int{1, 2, 3, 6}[h[4]>>4&3]
	clock := ac3Clock(code)
	if code == 3 { // half the clock: the second code is in place of the number of blocks, which is six
		if code = h[4] >> 4 & 3; code == 3 {
			return frame{}, false
		}
		clock, blocks = ac3Clock(code)/2, 6
	}
	if kind == 3 || size < 8 {
		return frame{}, false
	}
	fr := frame{size: size, samples: 256 * blocks, clock: clock, kind: uint32(clock)}
	if kind == 1 || substream > 0 {
		fr.samples = 0
	}
	return fr, true
}

func ac3Clock(code byte) int { return [4]int{48000, 44100, 32000, 0}[code] }

func isAC3(s *source) bool { return s.isStream(ac3()) }

// parseAC3 averages frames. A stream with frames of E-AC-3 is one, also if its core is AC-3.
func parseAC3(s *source) (Info, error) {
	s.container = AC3
	if s.hasEAC3() {
		s.container = EAC3
	}
	return s.parseStream(ac3())
}

// hasEAC3 looks at the first frames: a core of AC-3 has its extension right behind it.
func (s *source) hasEAC3() bool {
	start := s.afterTags()
	f := ac3()
	first, err := s.findFrames(f, start, s.size, maxJunk)
	for range f.run {
		b, readErr := s.upTo(first, f.header)
		if err != nil || readErr != nil {
			return false
		}
		fr, ok := f.parse(b)
		if !ok {
			return false
		}
		bsid := b[5]
		if b[0] == 0x77 {
			bsid = b[4]
		}
		if bsid>>3 > 10 {
			return true
		}
		first += int64(fr.size)
	}
	return false
}
