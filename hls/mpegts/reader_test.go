package mpegts_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// packet is a transport packet as an independent reader sees it.
type packet struct {
	pid           int
	start         bool
	counter       int
	hasAdaptation bool
	flags         byte // of the adaptation field
	pcr           int64
	hasPCR        bool
	payload       []byte
}

// readPackets takes a stream apart and checks the form of each packet (ISO/IEC 13818-1 2.4.3.2 to 2.4.3.5).
func readPackets(ts []byte) (list []packet, err error) {
	for at := 0; at < len(ts); at += 188 {
		if at+188 > len(ts) {
			return nil, fmt.Errorf("%d bytes behind the last packet", len(ts)-at)
		}
		p, err := readPacket(ts[at : at+188])
		if err != nil {
			return nil, fmt.Errorf("packet %d: %w", at/188, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func readPacket(b []byte) (p packet, err error) {
	h := binary.BigEndian.Uint32(b)
	if h>>24 != 0x47 || h&(1<<23|1<<21|3<<6) != 0 {
		return p, fmt.Errorf("header %08x", h)
	}
	p.pid, p.start, p.counter = int(h>>8&0x1FFF), h&(1<<22) != 0, int(h&15)
	p.hasAdaptation = h&0x20 != 0
	hasPayload := h&0x10 != 0
	body := b[4:]
	if p.hasAdaptation {
		n := int(body[0])
		if hasPayload && n > 182 || !hasPayload && n != 183 {
			return p, fmt.Errorf("adaptation field of %d bytes, payload %t", n, hasPayload)
		}
		if err := p.readAdaptation(body[1 : 1+n]); err != nil {
			return p, err
		}
		body = body[1+n:]
	}
	if hasPayload != (len(body) > 0) {
		return p, fmt.Errorf("%d bytes of payload, announced %t", len(body), hasPayload)
	}
	p.payload = body
	return p, nil
}

func (p *packet) readAdaptation(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	p.flags, b = b[0], b[1:]
	if p.flags&0x2F != 0 {
		return fmt.Errorf("adaptation flags %02x", p.flags)
	}
	if p.hasPCR = p.flags&0x10 != 0; p.hasPCR {
		v := int64(binary.BigEndian.Uint32(b))<<16 | int64(binary.BigEndian.Uint16(b[4:]))
		if v>>9&0x3F != 0x3F || v&0x1FF != 0 {
			return fmt.Errorf("PCR % x", b[:6])
		}
		p.pcr, b = v>>15, b[6:]
	}
	if s := bytes.TrimLeft(b, "\xFF"); len(s) > 0 {
		return fmt.Errorf("stuffing % x", s)
	}
	return nil
}

// pes is a PES packet, put together again.
type pes struct {
	first     packet
	packets   int
	stream    byte
	length    int
	aligned   bool
	stuffing  int
	pts, dts  int64
	hasDTS    bool
	payload   []byte
	headFirst bool // the times stand in the first transport packet
}

// readPES joins the payload of one PID and reads the PES packets in it.
func readPES(packets []packet, pid int) (list []pes, err error) {
	var data []byte
	var cur pes
	flush := func() error {
		if data == nil {
			return nil
		}
		if err := cur.read(data); err != nil {
			return err
		}
		list = append(list, cur)
		return nil
	}
	for _, p := range packets {
		if p.pid != pid || len(p.payload) == 0 {
			continue
		}
		if p.start {
			if err := flush(); err != nil {
				return nil, err
			}
			data, cur = nil, pes{first: p}
		} else if data == nil {
			return nil, fmt.Errorf("PID %#x begins in the middle", pid)
		}
		cur.packets++
		data = append(data, p.payload...)
	}
	return list, flush()
}

func (p *pes) read(b []byte) error {
	if len(b) < 9 || b[0] != 0 || b[1] != 0 || b[2] != 1 {
		return fmt.Errorf("no PES header: % x", b[:min(9, len(b))])
	}
	p.stream, p.length = b[3], int(binary.BigEndian.Uint16(b[4:]))
	if p.length != 0 && p.length != len(b)-6 {
		return fmt.Errorf("PES length %d of %d", p.length, len(b)-6)
	}
	if b[6]&^4 != 0x80 {
		return fmt.Errorf("PES flags %02x", b[6])
	}
	p.aligned = b[6]&4 != 0
	n := 9 + int(b[8])
	var err error
	times := b[9:]
	switch b[7] {
	case 0x80:
		p.pts, err = readTime(times, 2)
		times = times[5:]
	case 0xC0:
		p.hasDTS = true
		if p.pts, err = readTime(times, 3); err == nil {
			p.dts, err = readTime(times[5:], 1)
		}
		times = times[10:]
	default:
		err = fmt.Errorf("PES flags %02x", b[7])
	}
	if err != nil {
		return err
	}
	p.headFirst = len(p.first.payload) >= len(b)-len(times)
	p.stuffing = n - (len(b) - len(times))
	if p.stuffing < 0 || len(bytes.TrimLeft(b[n-p.stuffing:n], "\xFF")) > 0 {
		return fmt.Errorf("PES header of %d bytes: % x", n, b[:n])
	}
	p.payload = b[n:]
	return nil
}

func readTime(b []byte, prefix byte) (int64, error) {
	if b[0]>>4 != prefix || b[0]&b[2]&b[4]&1 != 1 {
		return 0, fmt.Errorf("time % x", b[:5])
	}
	return int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4]>>1), nil
}

// checkCounters follows the continuity counter of each PID through segments that were joined. A packet
// with payload advances it, one without repeats it (2.4.3.3).
func checkCounters(packets []packet) error {
	last := map[int]int{}
	for i, p := range packets {
		prev, known := last[p.pid]
		want := prev
		if len(p.payload) > 0 {
			want = (prev + 1) % 16
		}
		if known && p.counter != want {
			return fmt.Errorf("packet %d of PID %#x: counter %d, want %d", i, p.pid, p.counter, want)
		}
		last[p.pid] = p.counter
	}
	return nil
}

// demux reads a stream and checks all that does not depend on its content.
func demux(t testing.TB, ts []byte) []packet {
	t.Helper()
	packets, err := readPackets(ts)
	require.NoError(t, err)
	require.NoError(t, checkCounters(packets))
	return packets
}

// unpack returns the PES packets of a PID.
func unpack(t testing.TB, packets []packet, pid int) []pes {
	t.Helper()
	list, err := readPES(packets, pid)
	require.NoError(t, err)
	for _, p := range list {
		require.True(t, p.headFirst, "the times are in the first packet")
		require.True(t, p.aligned)
	}
	return list
}
