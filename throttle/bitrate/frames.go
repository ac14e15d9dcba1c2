package bitrate

import (
	"errors"
	"time"
)

// Windows in which frames of long files are looked at.
const (
	frameWindows    = 16       // at most
	minFrameWindow  = 8 << 10  // bytes
	maxFrameWindow  = 32 << 10 // bytes
	maxJunk         = 64 << 10 // bytes before the first frame
	frameReserve    = 16 << 10 // bytes of the budget that windows leave for the reads around them
	maxExactMeasure = 192 << 10
)

// frame is what the header of one frame of an elementary audio stream says.
type frame struct {
	size    int    // bytes, with the header
	samples int    // of one channel; zero for a frame that plays together with the one before it
	clock   int    // samples per second
	stated  int    // bit/s, zero where headers do not say
	kind    uint32 // what all frames of a stream have in common
}

// framing is how an elementary stream is divided into frames. Files of such streams have no header: their rate is that
// of the frames, and bytes are known to be frames only because each leads to the next.
type framing struct {
	header int // bytes that parse looks at
	run    int // consecutive frames that are not a coincidence
	parse  func([]byte) (frame, bool)
}

// follow counts the frames of one kind that follow one another from off, at most limit of them, and returns where
// they end. That may be beyond end, if the last is cut. Frames whose header is not all before end do not count.
func (s *source) follow(f framing, off, end int64, limit int) (n int, next int64, err error) {
	var kind uint32
	for ; n < limit && off+int64(f.header) <= end; n++ {
		b, err := s.at(off, f.header)
		if err != nil {
			return n, off, err
		}
		fr, ok := f.parse(b)
		if !ok || n > 0 && fr.kind != kind {
			break
		}
		kind = fr.kind
		off += int64(fr.size)
	}
	return n, off, nil
}

// streamAt reports whether frames begin at an offset: a run of them, or fewer that end where the stream does.
func (s *source) streamAt(f framing, off, end int64, least int) bool {
	n, next, err := s.follow(f, off, end, f.run)
	return err == nil && (n >= f.run || n >= least && next == end)
}

// findFrames returns the offset of the first frames from start on, within bound bytes. At start itself a single
// frame, even cut, is enough if nothing follows it.
func (s *source) findFrames(f framing, start, end int64, bound int) (int64, error) {
	n, next, err := s.follow(f, start, end, f.run)
	if err != nil {
		return 0, err
	}
	if n >= f.run || n > 0 && next > end-int64(f.header) {
		return start, nil
	}
	bound = int(min(int64(bound), end-start, int64(s.left)))
	if bound < f.header {
		return 0, s.fail(start, ErrCorrupt, "no frames")
	}
	b, err := s.at(start, bound)
	if err != nil {
		return 0, err
	}
	for i := 1; i+f.header <= len(b); i++ {
		if _, ok := f.parse(b[i:]); ok && s.streamAt(f, start+int64(i), end, 2) {
			return start + int64(i), nil
		}
	}
	return 0, s.fail(start, ErrCorrupt, "no frames within %d bytes", bound)
}

// frameSum is what frames of a stream add up to.
type frameSum struct {
	bytes, samples uint64
	clock          int
	stated         int  // bit rate of the headers, if it is the same in all
	varies         bool // the stated rate differs
	exact          bool // all frames of the stream were looked at

	group        uint64 // bytes of the frame and those that play with it, not yet in bytes
	groupSamples uint64
}

// add counts a frame. Frames without samples of their own belong to the one before them, so that a sum ends only
// where the next one begins, or the stream does.
func (m *frameSum) add(fr frame) {
	if fr.samples > 0 {
		m.flush()
		m.groupSamples = uint64(fr.samples)
	}
	if m.groupSamples == 0 && !m.exact {
		return // the frame that it belongs to is before the window
	}
	m.group += uint64(fr.size)
	m.varies = m.varies || m.clock != 0 && m.stated != fr.stated
	m.clock, m.stated = fr.clock, fr.stated
}

// flush completes the last group.
func (m *frameSum) flush() {
	m.bytes, m.samples = m.bytes+m.group, m.samples+m.groupSamples
	m.group, m.groupSamples = 0, 0
}

// drop forgets the last group, which may be incomplete.
func (m *frameSum) drop() { m.group, m.groupSamples = 0, 0 }

// measure adds up the frames between first and end: all of them if the budget allows, otherwise those in windows
// spread over the stream, as a rate at the beginning says little about a stream of variable rate.
func (s *source) measure(f framing, first, end int64) (frameSum, error) {
	length := end - first
	if length <= int64(min(s.left-frameReserve, maxExactMeasure)) {
		sum := frameSum{exact: true}
		err := s.addWindow(f, &sum, first, end)
		sum.flush()
		return sum, err
	}
	b, err := s.at(first, f.header)
	if err != nil {
		return frameSum{}, err
	}
	fr, _ := f.parse(b)
	window := min(max(8*fr.size, minFrameWindow), maxFrameWindow)
	count := int64(min(frameWindows, (s.left-frameReserve)/window))
	var sum frameSum
	for i := range count {
		off := first
		if count > 1 {
			off += i * ((length - int64(window)) / (count - 1))
		}
		if err := s.addWindow(f, &sum, off, min(off+int64(window), end)); err != nil {
			return frameSum{}, err
		}
		sum.drop()
	}
	return sum, nil
}

// addWindow adds the frames that are complete between off and end, and skips what is not frames.
func (s *source) addWindow(f framing, sum *frameSum, off, end int64) error {
	if off >= end {
		return nil
	}
	if _, err := s.at(off, int(end-off)); err != nil { // one read for all that follow
		return err
	}
	for off+int64(f.header) <= end {
		start, err := s.findFrames(f, off, end, int(end-off))
		if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrLimit) {
			return nil
		}
		if err != nil {
			return err
		}
		if off = s.addRun(f, sum, start, end); off == start {
			return nil // a cut frame
		}
	}
	return nil
}

// addRun adds consecutive frames from off and returns where they end. The bytes are read already.
func (s *source) addRun(f framing, sum *frameSum, off, end int64) int64 {
	for off+int64(f.header) <= end {
		b, err := s.at(off, f.header)
		if err != nil {
			return off
		}
		fr, ok := f.parse(b)
		if !ok || off+int64(fr.size) > end {
			return off
		}
		sum.add(fr)
		off += int64(fr.size)
	}
	return off
}

// rated returns what a sum says about a stream of length bytes. The rate is that of the frames and not size of the
// file over duration, because a tag is no part of an elementary stream: see parseMPEGAudio.
func (s *source) rated(sum frameSum, first, end int64) (Info, error) {
	if sum.samples == 0 || sum.clock == 0 || sum.bytes == 0 {
		return Info{}, s.fail(first, ErrUnknownRate, "no complete frame")
	}
	info := Info{Method: "frames", Average: muldiv(sum.bytes*8, uint64(sum.clock), sum.samples)}
	if sum.stated > 0 && !sum.varies {
		info.Average = int64(sum.stated)
	} else if !sum.exact {
		info.Method = "frames (estimated)"
	}
	if sum.exact {
		info.Duration = lasting(sum.samples, uint64(sum.clock))
	} else if info.Average > 0 {
		info.Duration = lasting(uint64(end-first)*8, uint64(info.Average))
	}
	return info, nil
}

// lasting returns how long units last of which there are scale in a second. Scale is not zero.
func lasting(units, scale uint64) time.Duration {
	return time.Duration(muldiv(units, uint64(time.Second), scale))
}
