package bitrate

import (
	"bytes"
	"time"
)

// Parts of a transport stream that are searched for clocks, in bytes.
const (
	tsWindow   = 24 << 10
	tsHeadMost = 96 << 10  // if there is no PCR in it, which files mostly begin with
	tsTailMost = 192 << 10 // the same for the end: 38 ms of a Blu-ray Disc at 40 Mbit/s
	tsPackets  = 5         // in a row that make a stream
	pcrScale   = 27_000_000
	ptsScale   = 90_000
	clockWrap  = 1 << 33 // units of 90 kHz
)

// tsLayout is how packets of 188 bytes lie in a file.
type tsLayout struct {
	stride int   // bytes from one to the next: 188, 192 with a time stamp before (M2TS), 204 with a code behind
	first  int64 // offset of the first sync byte
}

// tsLayoutOf finds the packets at the beginning of a file, of which the first may be cut.
func tsLayoutOf(s *source) (tsLayout, bool) {
	b, err := s.upTo(0, block)
	if err != nil {
		return tsLayout{}, false
	}
	for _, stride := range []int{188, 192, 204} {
		lead := 0
		if stride == 192 {
			lead = 4
		}
		if synced(b, lead, stride, tsPackets) {
			return tsLayout{stride, int64(lead)}, true
		}
	}
	for _, stride := range []int{188, 192, 204} {
		for i := range stride {
			if synced(b, i, stride, 2*tsPackets) {
				return tsLayout{stride, int64(i)}, true
			}
		}
	}
	return tsLayout{}, false
}

// synced reports whether n packets in a row begin at i.
func synced(b []byte, i, stride, n int) bool {
	for ; n > 0; n-- {
		if i >= len(b) || b[i] != 0x47 {
			return false
		}
		i += stride
	}
	return true
}

// isMPEGTS wants sync bytes at the distance of packets.
func isMPEGTS(s *source) bool {
	_, ok := tsLayoutOf(s)
	return ok
}

// parseMPEGTS reads the clock references (PCR) of one PID at the beginning and at the end of a transport stream, or
// the times of its PES packets where there are none. The average is that between two PCRs. PES packets are few and may
// lie far from the ends of a short file, so that with them it is size of the file over the time. See ISO/IEC 13818-1
// 2.4.3.4 and 2.4.3.6.
func parseMPEGTS(s *source) (Info, error) {
	l, ok := tsLayoutOf(s)
	if !ok {
		return Info{}, s.fail(0, ErrCorrupt, "no %d packets with sync bytes", tsPackets)
	}
	s.container = MPEGTS
	if l.stride == 192 {
		s.container = M2TS
	}
	head, err := s.tsClocks(l, 0, min(tsWindow, s.size))
	if err == nil && len(head.pcr) == 0 && s.size > tsWindow {
		head, err = s.tsClocks(l, 0, min(tsHeadMost, s.size))
	}
	if err != nil {
		return Info{}, err
	}
	var tail tsClocks
	for _, window := range []int{tsWindow, tsTailMost} {
		off := max(0, s.size-int64(min(window, s.left)))
		if tail, err = s.tsClocks(l, off, s.size); err != nil {
			return Info{}, err
		}
		if info, ok := s.tsRate(l, head.pcr, tail.pcr, "PCR"); ok {
			return info, nil
		}
	}
	if info, ok := s.tsRate(l, head.pts, tail.pts, "PTS"); ok {
		if info.Method == "PTS" {
			info.Average = muldiv(uint64(s.size)*8, uint64(time.Second), uint64(info.Duration))
		}
		return info, nil
	}
	return Info{}, s.fail(l.first, ErrUnknownRate, "no clock of one PID at both ends")
}

// tsClocks are the clocks in a part of a transport stream by PID, in the order in which PIDs are met.
type tsClocks struct {
	pcr, pts []pidMarks
}

type pidMarks struct {
	pid   uint16
	marks []mark
}

// maxPIDs is how many PIDs with clocks are followed.
const maxPIDs = 16

func addMark(list []pidMarks, pid uint16, m mark) []pidMarks {
	for i := range list {
		if list[i].pid == pid {
			list[i].marks = append(list[i].marks, m)
			return list
		}
	}
	if len(list) == maxPIDs {
		return list
	}
	return append(list, pidMarks{pid, []mark{m}})
}

// tsRate returns the rate by the first PID whose clock, PCR or PTS, is at both ends.
func (s *source) tsRate(l tsLayout, head, tail []pidMarks, method string) (Info, bool) {
	scale := uint64(ptsScale)
	if method == "PCR" {
		scale = pcrScale
	}
	for _, h := range head {
		marks := marksOf(tail, h.pid)
		if len(marks) == 0 {
			continue
		}
		c := clockMarks{parts: [][]mark{h.marks, marks}, scale: scale, wrap: clockWrap * (scale / ptsScale)}
		info, ok := s.clocked(c, method, func(off, end int64) []mark {
			clocks, err := s.tsClocks(l, off, end)
			if err != nil {
				return nil
			}
			if method == "PCR" {
				return marksOf(clocks.pcr, h.pid)
			}
			return marksOf(clocks.pts, h.pid)
		})
		if ok {
			return info, true
		}
	}
	return Info{}, false
}

// marksOf returns the marks of a PID.
func marksOf(list []pidMarks, pid uint16) []mark {
	for _, p := range list {
		if p.pid == pid {
			return p.marks
		}
	}
	return nil
}

// tsClocks reads the clocks of the packets between two offsets of the file.
func (s *source) tsClocks(l tsLayout, off, end int64) (tsClocks, error) {
	var c tsClocks
	b, err := s.upTo(off, int(end-off))
	if err != nil {
		return c, err
	}
	i := int(min(int64(len(b)), max(0, l.first-off)))
	if off > l.first {
		i = int((int64(l.stride) - (off-l.first)%int64(l.stride)) % int64(l.stride))
	}
	for i+188 <= len(b) {
		if b[i] != 0x47 {
			if i = resync(b, i, l.stride); i < 0 {
				break
			}
			continue
		}
		c.packet(b[i:i+188], off+int64(i))
		i += l.stride
	}
	return c, nil
}

// resync returns the index of the next three packets in a row, or -1.
func resync(b []byte, i, stride int) int {
	for {
		n := bytes.IndexByte(b[i+1:], 0x47)
		if n < 0 {
			return -1
		}
		if i += 1 + n; synced(b, i, stride, 3) {
			return i
		}
	}
}

// packet reads the clocks of a packet.
//
//	47 error(1) start(1) priority(1) PID(13) scrambling(2) adaptation(1) payload(1) continuity(4)
//	adaptation: length(8) discontinuity(1) random(1) priority(1) PCR(1) ... base(33) reserved(6) extension(9)
func (c *tsClocks) packet(p []byte, off int64) {
	pid, start, payload := uint16(p[1]&0x1F)<<8|uint16(p[2]), p[1]&0x40 != 0, 4
	if p[1]&0x80 != 0 || pid == 0x1FFF {
		return
	}
	if p[3]&0x20 != 0 {
		n := int(p[4])
		if n >= 7 && n <= 183 && p[5]&0x10 != 0 {
			base := uint64(p[6])<<25 | uint64(p[7])<<17 | uint64(p[8])<<9 | uint64(p[9])<<1 | uint64(p[10])>>7
			extension := uint64(p[10]&1)<<8 | uint64(p[11])
			c.pcr = addMark(c.pcr, pid, mark{off, base*300 + extension, p[5]&0x80 != 0})
		}
		payload += 1 + n
	}
	if p[3]&0x10 == 0 || !start || payload > 188-14 {
		return
	}
	if t, ok := pesTime(p[payload:]); ok && !c.before(pid, t) {
		c.pts = addMark(c.pts, pid, mark{off: off, time: t})
	}
}

// before reports whether a time of a PID is shortly before the last that was noted: frames that are shown earlier than
// those before them, in a stream without DTS.
func (c *tsClocks) before(pid uint16, t uint64) bool {
	for _, p := range c.pts {
		if last := p.marks[len(p.marks)-1]; p.pid == pid {
			back := (last.time + clockWrap - t) % clockWrap
			return back > 0 && back < maxMarkGap*ptsScale
		}
	}
	return false
}

// pesTime returns the time of a PES packet in units of 90 kHz, its DTS if it has one: unlike PTS, it only grows.
//
//	000001 stream(8) length(16) 10...... PD...... header length(8) PTS(40) [DTS(40)]
func pesTime(b []byte) (uint64, bool) {
	if len(b) < 14 || string(b[:3]) != "\x00\x00\x01" || b[6]>>6 != 2 || b[7]&0x80 == 0 {
		return 0, false
	}
	if b[7]&0x40 != 0 && len(b) >= 19 {
		return time33(b[14:])
	}
	return time33(b[9:])
}

// time33 reads 33 bits between four other bits and three marks: ....xxx1 xxxxxxxx xxxxxxx1 xxxxxxxx xxxxxxx1.
func time33(b []byte) (uint64, bool) {
	if b[0]&1 == 0 || b[2]&1 == 0 || b[4]&1 == 0 {
		return 0, false
	}
	return uint64(b[0]>>1&7)<<30 | uint64(b[1])<<22 | uint64(b[2]>>1)<<15 | uint64(b[3])<<7 | uint64(b[4]>>1), true
}
