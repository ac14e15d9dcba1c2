package bitrate

// adts is the framing of AAC in ADTS (ISO/IEC 14496-3 1.A.3.2). The clock is that of the core: HE-AAC doubles the rate
// of what is heard and the samples of a frame, which leaves the duration of a frame as it is.
//
//	11111111 1111ID0P PPSSSS.C CC....LL LLLLLLLL LLL..... ......BB    profile, sampling index, channels, length, blocks - 1
func adts() framing {
	return framing{header: 7, run: 4, start: [2]byte{0xFF, 0xFF}, parse: func(b []byte) (frame, bool) {
		if len(b) < 7 || b[0] != 0xFF || b[1]&0xF6 != 0xF0 {
			return frame{}, false
		}
		index := b[2] >> 2 & 15
		if index > 12 {
			return frame{}, false
		}
		clock := [13]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}[index]
		fr := frame{
			size:    int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5,
			samples: 1024 * (int(b[6]&3) + 1),
			clock:   clock,
			kind:    uint32(b[1]&0x08)<<8 | uint32(b[2]>>2),
		}
		return fr, fr.size > 7
	}}
}

// isADTS wants frames that lead to one another, at the beginning or behind an ID3v2 tag, as in HLS.
func isADTS(s *source) bool { return s.isStream(adts()) }

// isStream reports whether frames begin at the beginning of the file, or behind its tags.
func (s *source) isStream(f framing) bool {
	start := s.afterTags()
	end := s.beforeTags(start)
	return start < end && (s.streamAt(f, start, end, 2) || s.cutStreamAt(f, start, end))
}

// parseADTS averages frames at the beginning, and at many places of a long file.
func parseADTS(s *source) (Info, error) { return s.parseStream(adts()) }

// parseStream reads an elementary stream that only its frames describe.
func (s *source) parseStream(f framing) (Info, error) {
	start := s.afterTags()
	end := s.beforeTags(start)
	if start >= end {
		return Info{}, s.fail(s.size, ErrCorrupt, "tags up to offset %d", start)
	}
	first, err := s.findFrames(f, start, end, maxJunk)
	if err != nil {
		return Info{}, err
	}
	sum, err := s.measure(f, first, end)
	if err != nil {
		return Info{}, err
	}
	return s.rated(f, sum, first, end)
}
