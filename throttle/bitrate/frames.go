package bitrate

import (
	"errors"
	"time"
)

// Windows in which frames of long files are looked at.
const (
	frameWindows    = 36       // at most
	windowStep      = 17       // of the order in which windows are visited
	constantWindows = 12       // after which a stated rate that is the same in all is that of the stream
	minFrameWindow  = 6 << 10  // bytes
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
	header int     // bytes that parse looks at
	run    int     // consecutive frames that are not a coincidence
	start  [2]byte // a frame begins with one of these, zeros for any byte
	parse  func([]byte) (frame, bool)
}

// candidate returns the first index from i on at which a frame may begin, or the length of b: most bytes that are looked
// at are none, and asking parse about each of them takes ten times as long.
func (f framing) candidate(b []byte, i int) int {
	if f.start == [2]byte{} {
		return min(i, len(b))
	}
	for ; i < len(b); i++ {
		if b[i] == f.start[0] || b[i] == f.start[1] {
			break
		}
	}
	return i
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

// cutStreamAt reports whether a file begins in the middle of a frame, as what was recorded from the net does: a run twice
// as long begins within the largest frame.
func (s *source) cutStreamAt(f framing, start, end int64) bool {
	b, err := s.upTo(start, int(min(block, end-start)))
	if err != nil {
		return false
	}
	for i := f.candidate(b, 0); i+f.header < len(b); i = f.candidate(b, i+1) {
		if _, ok := f.parse(b[i:]); !ok {
			continue
		}
		if n, _, err := s.follow(f, start+int64(i), end, 2*f.run); err == nil && n == 2*f.run {
			return true
		}
	}
	return false
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
	b, err := s.at(start, int(min(int64(bound), end-start)))
	if err != nil {
		return 0, err
	}
	for i := f.candidate(b, 1); i+f.header <= len(b); i = f.candidate(b, i+1) {
		if _, ok := f.parse(b[i:]); ok && s.streamAt(f, start+int64(i), end, 2) {
			return start + int64(i), nil
		}
	}
	return 0, s.fail(start, ErrCorrupt, "no frames within %d bytes", len(b))
}

// frameSum is what frames of a stream add up to.
type frameSum struct {
	bytes, samples uint64
	clock          int
	stated         int  // bit rate of the headers, if it is the same in all
	varies         bool // the stated rate differs
	exact          bool // all frames of the stream were looked at
	grouped        bool // there are frames without samples

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
	m.grouped = m.grouped || fr.samples == 0
	m.group += uint64(fr.size)
	m.varies = m.varies || m.clock != 0 && m.stated != fr.stated
	m.clock, m.stated = fr.clock, fr.stated
}

// flush completes the last group.
func (m *frameSum) flush() {
	m.bytes, m.samples = m.bytes+m.group, m.samples+m.groupSamples
	m.group, m.groupSamples = 0, 0
}

// leave ends a window. A group of several frames may be incomplete there, and does not count.
func (m *frameSum) leave() {
	if !m.grouped {
		m.flush()
	}
	m.group, m.groupSamples = 0, 0
}

// measure adds up the frames between first and end: all of them if the budget allows, otherwise those in windows
// spread over the stream, as a rate at the beginning says little about a stream of variable rate. It is all there is
// where the windows have no frames.
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
	window := min(max(6*fr.size, minFrameWindow), maxFrameWindow)
	count := min(frameWindows, (s.left-frameReserve)/window)
	if count%windowStep == 0 {
		count--
	}
	var sum frameSum
	for i := range count {
		if i == constantWindows && sum.stated > 0 && !sum.varies {
			break
		}
		off := first + windowAt(i, count, length-int64(window))
		if err := s.addWindow(f, &sum, off, min(off+int64(window), end)); err != nil {
			return frameSum{}, err
		}
		sum.leave()
	}
	if sum.samples == 0 { // what is there of a download that reserves its space, or of an upload that goes on
		err := s.addWindow(f, &sum, first, min(first+int64(min(maxFrameWindow, s.left)), end))
		sum.leave()
		return sum, err
	}
	return sum, nil
}

// windowAt returns where the window i of count is in a range: each in a part of its own, and there at a place that
// differs from part to part, so that a period of the content does not coincide with that of the windows. The first few
// are spread over the whole range.
func windowAt(i, count int, length int64) int64 {
	const goldenRatio = 2654435769 // of 2^32: multiples are evenly spread modulo that
	part := i * windowStep % count
	width := length / int64(count)
	return int64(part)*width + width*int64(uint32(part+1)*goldenRatio>>16)>>16
}

// addWindow adds the frames that begin between off and end, and skips what is not frames.
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

// addRun adds consecutive frames from off and returns where they end. The last may reach out of a window: a large frame
// is as likely to begin in one as a small frame is, and less likely to end there.
func (s *source) addRun(f framing, sum *frameSum, off, end int64) int64 {
	for off+int64(f.header) <= end {
		b, err := s.at(off, f.header)
		if err != nil {
			return off
		}
		fr, ok := f.parse(b)
		if !ok || sum.exact && off+int64(fr.size) > end {
			return off
		}
		sum.add(fr)
		off += int64(fr.size)
	}
	return off
}

// rated returns what a sum says about a stream from first to end. The rate is that of the frames and not size of the
// file over duration, because a tag is no part of an elementary stream: see parseMPEGAudio.
func (s *source) rated(f framing, sum frameSum, first, end int64) (Info, error) {
	info := Info{Method: "frames"}
	switch {
	case sum.samples == 0: // one frame, which is cut
		b, err := s.at(first, f.header)
		if err != nil {
			return Info{}, err
		}
		fr, _ := f.parse(b)
		info.Average = int64(fr.stated)
	case sum.stated > 0 && !sum.varies:
		info.Average = int64(sum.stated)
	default:
		info.Average = muldiv(sum.bytes*8, uint64(sum.clock), sum.samples)
		if !sum.exact {
			info.Method = "frames (estimated)"
		}
	}
	if info.Average == 0 {
		return Info{}, s.fail(first, ErrUnknownRate, "no complete frame")
	}
	info.Duration = lasting(uint64(end-first)*8, uint64(info.Average))
	if sum.exact && sum.samples > 0 {
		info.Duration = lasting(sum.samples, uint64(sum.clock))
	}
	return info, nil
}

// lasting returns how long units last of which there are scale in a second. Scale is not zero.
func lasting(units, scale uint64) time.Duration {
	return time.Duration(muldiv(units, uint64(time.Second), scale))
}
