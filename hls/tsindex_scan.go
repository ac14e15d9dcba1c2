package hls

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// A tsScanner reads a file of MPEG-2 TS packet by packet. Of most packets it looks at the first four bytes only.
type tsScanner struct {
	ctx   context.Context
	file  contextReaderAt
	size  int64
	index tsIndex

	buf  []byte // window on the file; what is before pos is kept for looking back
	base int64  // offset of buf
	pos  int    // in buf, of the next packet
	eof  bool   // buf reaches the end of the file

	program tsProgram
	watch   uint32 // PID of which all packets are looked at, or noPID
	unit    tsUnit // under examination
	clock   tsClock
}

const (
	syncByte = 0x47
	// scanWindow is how much is read at a time.
	scanWindow = 4096 * mpegts.PacketSize
	// lookBack is what stays of the window when it moves.
	lookBack = 2 * mpegts.PacketSize
	// syncPackets is how many packets in a row show that the scanner is in step.
	syncPackets = 5
	noPID       = 0xFFFF

	// Bits of the first four bytes of a packet, ISO/IEC 13818-1 2.4.3.2.
	flagError      = 1 << 23
	flagUnitStart  = 1 << 22
	flagScrambled  = 3 << 6
	flagAdaptation = 1 << 5
	flagHasPayload = 1 << 4
)

func pidOf(header uint32) uint32 { return header >> 8 & 0x1FFF }

// newTSScanner returns a scanner of the first size bytes of a file, which reads window bytes at a time.
func newTSScanner(ctx context.Context, file contextReaderAt, size, window int64) *tsScanner {
	return &tsScanner{
		ctx: ctx, file: file, size: size, watch: noPID,
		buf: make([]byte, 0, lookBack+int(min(window, max(size, 0)))),
	}
}

// scan goes through the file.
func (s *tsScanner) scan() error {
	if err := s.fill(); err != nil {
		return err
	}
	for {
		if found, err := s.resync(); err != nil || !found {
			return err
		}
		for inStep := true; inStep; {
			var err error
			if inStep, err = s.packets(); err != nil {
				return err
			}
			s.index.end = s.base + int64(s.pos)
			if inStep {
				if s.eof {
					return nil
				}
				if err := s.fill(); err != nil {
					return err
				}
			}
			if err := s.searched(); err != nil {
				return err
			}
		}
	}
}

// fill moves the window on, so that it begins shortly before pos and is full or reaches the end of the file.
func (s *tsScanner) fill() error {
	keep := max(s.pos-lookBack, 0)
	s.base += int64(keep)
	s.buf = append(s.buf[:0], s.buf[keep:]...)
	s.pos -= keep
	n := len(s.buf)
	room := min(int64(cap(s.buf)-n), s.size-s.base-int64(n))
	if room <= 0 {
		s.eof = true
		return nil
	}
	s.buf = s.buf[:n+int(room)]
	m, err := s.file.ReadAtContext(s.ctx, s.buf[n:], s.base+int64(n))
	if int64(m) < room {
		if asEOF(err) == io.EOF {
			err = fmt.Errorf("hls: %d bytes left of %d at %d: %w", m, room, s.base+int64(n), io.ErrUnexpectedEOF)
		}
		return err
	}
	s.eof = s.base+int64(len(s.buf)) >= s.size
	return nil
}

// packets goes through the whole packets of the window. It reports false when it is out of step.
func (s *tsScanner) packets() (inStep bool, err error) {
	for p := s.buf[s.pos:]; len(p) >= mpegts.PacketSize; p = p[mpegts.PacketSize:] {
		h := binary.BigEndian.Uint32(p)
		if h>>24 != syncByte {
			s.pos = len(s.buf) - len(p)
			return false, nil
		}
		if h&flagUnitStart == 0 && pidOf(h) != s.watch {
			continue
		}
		s.pos = len(s.buf) - len(p)
		if err := s.packet(p[:mpegts.PacketSize:mpegts.PacketSize], h); err != nil {
			return false, err
		}
	}
	s.pos = len(s.buf) - (len(s.buf)-s.pos)%mpegts.PacketSize
	return true, nil
}

// resync looks for the next packet from pos on. It reports false if there is none.
func (s *tsScanner) resync() (bool, error) {
	from := s.base + int64(s.pos)
	for {
		for s.pos < len(s.buf) {
			i := bytes.IndexByte(s.buf[s.pos:], syncByte)
			if i < 0 {
				s.pos = len(s.buf)
				break
			}
			s.pos += i
			inStep, short := s.inStep()
			if short {
				break
			}
			if inStep {
				return true, s.skipped(from, s.base+int64(s.pos))
			}
			s.pos++
		}
		switch {
		case s.base+int64(s.pos)-from > maxHole && from == 0:
			return false, fmt.Errorf("%w: no packets in the first %d bytes", errNotTS, maxHole)
		case s.eof || s.base+int64(s.pos)-from > maxHole:
			return false, nil
		}
		if err := s.fill(); err != nil {
			return false, err
		}
	}
}

// inStep reports whether packets follow each other from pos on. short tells that the window ends too early to see that
// and can be moved.
func (s *tsScanner) inStep() (yes, short bool) {
	at, n := s.pos, 0
	for ; n < syncPackets && at+mpegts.PacketSize <= len(s.buf); n++ {
		if s.buf[at] != syncByte {
			return false, false
		}
		at += mpegts.PacketSize
	}
	if n == syncPackets {
		return true, false
	}
	if !s.eof {
		return false, true
	}
	// At the end of the file as many as there are have to do; what follows may be a part of a packet.
	return n > 0 && (at == len(s.buf) || s.buf[at] == syncByte), false
}

// skipped notes that a part of the file has no packets.
func (s *tsScanner) skipped(from, to int64) error {
	if from == to {
		return nil
	}
	s.watch, s.unit = noPID, tsUnit{data: s.unit.data[:0]}
	if from == 0 { // nothing before it is ever sent
		return nil
	}
	if len(s.index.holes) == maxHoles {
		return fmt.Errorf("hls: more than %d places that are not MPEG-2 TS: %w", maxHoles, smooth.ErrTooLarge)
	}
	s.index.holes = append(s.index.holes, tsHole{from, to})
	return nil
}

// searched fails once there is no hope of finding something to serve.
func (s *tsScanner) searched() error {
	switch at := s.base + int64(s.pos); {
	case at > maxSearch && s.program.main() == 0:
		return fmt.Errorf("%w: no program with these in the first %d bytes", errNotTS, maxSearch)
	case at > maxSearch && len(s.index.points) == 0 && at-s.program.found > maxSearch:
		return fmt.Errorf("%w: nowhere in the first %d bytes can decoding begin", errNotTS, at)
	}
	return nil
}

// packet looks at a packet that starts something or belongs to a unit under examination.
func (s *tsScanner) packet(p []byte, h uint32) error {
	pid := pidOf(h)
	isTable := pid == patPID || pid == s.program.pmt && pid != 0
	if h&flagError != 0 || !isTable && pid != s.program.main() && pid != s.program.side() {
		return nil
	}
	if h&flagScrambled != 0 {
		return fmt.Errorf("%w: it is scrambled", errNotTS)
	}
	body := tsPayload(p, h)
	switch {
	case len(body) == 0:
	case isTable:
		return s.table(p, pid, body)
	case pid == s.program.main():
		return s.mainPacket(p, h, body)
	case h&flagUnitStart != 0 && s.index.audio == nil:
		_, rest, ok := parsePES(body)
		if ok {
			s.index.audio = adtsCodec(rest)
		}
	}
	return nil
}

// tsPayload returns what follows the header and the adaptation field of a packet, or nothing.
func tsPayload(p []byte, h uint32) []byte {
	if h&flagHasPayload == 0 {
		return nil
	}
	body := p[4:]
	if h&flagAdaptation != 0 {
		n := int(body[0])
		if n >= len(body)-1 {
			return nil
		}
		body = body[1+n:]
	}
	return body
}

// isRandomAccess reports whether the adaptation field of a packet has the random_access_indicator.
func isRandomAccess(p []byte, h uint32) bool {
	const indicator = 0x40
	return h&flagAdaptation != 0 && p[4] > 0 && p[5]&indicator != 0
}

// tabledBefore reports whether the two packets before pos are those of the PAT and the PMT.
func (s *tsScanner) tabledBefore() bool {
	if s.pos < lookBack {
		return false
	}
	if n := len(s.index.holes); n > 0 && s.index.holes[n-1].to > s.base+int64(s.pos-lookBack) {
		return false
	}
	pat := binary.BigEndian.Uint32(s.buf[s.pos-lookBack:])
	pmt := binary.BigEndian.Uint32(s.buf[s.pos-mpegts.PacketSize:])
	return pat>>24 == syncByte && pidOf(pat) == patPID && pat&flagUnitStart != 0 &&
		pmt>>24 == syncByte && pidOf(pmt) == s.program.pmt && pmt&flagUnitStart != 0
}

// addPoint adds a point unless the last one is near.
func (s *tsScanner) addPoint(u *tsUnit, cell uint64) error {
	ix := &s.index
	if n := len(ix.points); n > 0 {
		last := &ix.points[n-1]
		if u.time <= last.time || !s.clock.restarted && u.time/cell == last.time/cell {
			return nil
		}
	}
	if len(ix.points) == maxPoints {
		return fmt.Errorf("hls: more than %d key frames: %w", maxPoints, smooth.ErrTooLarge)
	}
	ix.points = append(ix.points, tsPoint{
		offset: u.offset, time: u.time, end: u.time, tables: int32(len(ix.tables) - 1), counters: s.program.counters,
		tabled: u.tabled, restart: s.clock.restarted && len(ix.points) > 0,
	})
	s.clock.restarted = false
	if len(ix.points) == 1 {
		s.takeLead(u)
	} else if n := len(ix.points); n%4096 == 0 {
		ix.points = slices.Grow(ix.points, 4096)
	}
	return nil
}

// takeLead gives to the first point what comes before it, such as sound, unless that is a part of a picture without its
// key frame.
func (s *tsScanner) takeLead(u *tsUnit) {
	p := &s.index.points[0]
	if !u.first || p.offset-s.program.found > maxLead || len(s.index.holes) > 0 || len(s.index.tables) != 1 {
		return
	}
	p.offset, p.tabled, p.counters = s.program.found, s.program.joined, s.program.foundWith
}
