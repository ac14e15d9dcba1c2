package bitrate_test

import (
	"bytes"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// tsPacket returns a packet of a PID with some bytes of adaptation field, without its length, and payload.
func tsPacket(pid int, start bool, adaptation, payload []byte) []byte {
	b := []byte{0x47, byte(pid >> 8), byte(pid), 0x10}
	if start {
		b[1] |= 0x40
	}
	room := 184 - len(payload)
	if adaptation != nil || room > 0 {
		b[3] |= 0x20
		b = append(b, byte(room-1))
		b = append(b, adaptation...)
	}
	stuffing := bytes.Repeat([]byte{0xFF}, 188-len(payload)-len(b))
	return join(b, stuffing, payload)
}

// pcr returns an adaptation field with a clock reference in units of 27 MHz.
func pcr(flags byte, t uint64) []byte {
	base, extension := t/300%(1<<33), t%300
	return []byte{flags | 0x10, byte(base >> 25), byte(base >> 17), byte(base >> 9), byte(base >> 1), byte(base<<7) | 0x7E | byte(extension>>8), byte(extension)}
}

// stamp returns a time of 90 kHz as PES headers have it.
func stamp(mark byte, t uint64) []byte {
	return []byte{mark<<4 | byte(t>>29)&0x0E | 1, byte(t >> 22), byte(t>>14) | 1, byte(t >> 7), byte(t<<1) | 1}
}

// pes returns the beginning of a PES packet with PTS.
func pes(pts uint64) []byte {
	return join([]byte("\x00\x00\x01\xE0\x00\x00\x80\x80\x05"), stamp(2, pts), noise(170))
}

// pesDTS returns one with PTS and DTS.
func pesDTS(pts, dts uint64) []byte {
	return join([]byte("\x00\x00\x01\xE0\x00\x00\x80\xC0\x0A"), stamp(3, pts), stamp(1, dts), noise(160))
}

const second27 = 27_000_000

// filler returns n packets without clocks.
func filler(n int) []byte { return bytes.Repeat(tsPacket(0x101, false, nil, noise(184)), n) }

// pcrStream returns groups of 20 packets, of which the first has the clock of PID 256, that advances by 1/40 second.
func pcrStream(groups int, from uint64) []byte {
	return repeat(groups, func(i int) []byte {
		return join(tsPacket(0x100, false, pcr(0, from+uint64(i)*second27/40), nil), filler(19))
	})
}

// slow returns packets a second apart, each with the clock of PID 256.
func slow(n int, from uint64) []byte {
	return repeat(n, func(i int) []byte { return tsPacket(0x100, false, pcr(0, from+uint64(i)*second27), nil) })
}

// packets changes what is between packets of 188 bytes.
func packets(data []byte, before, after int) []byte {
	var out []byte
	for ; len(data) >= 188; data = data[188:] {
		out = append(append(append(out, zeros(before)...), data[:188]...), zeros(after)...)
	}
	return out
}

func TestMPEGTS(t *testing.T) {
	const rate = 20 * 188 * 8 * 40 // 1,203,200 bit/s
	want := found{bitrate.MPEGTS, rate, 4.975, "PCR"}
	ptsOf := func(n int, header func(i uint64) []byte) []byte {
		return repeat(n, func(i int) []byte { return join(tsPacket(0x100, true, nil, header(uint64(i))), filler(19)) })
	}
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"188 bytes":                {pcrStream(200, 5*second27), want},
		"192 bytes":                {packets(pcrStream(200, 0), 4, 0), found{bitrate.M2TS, rate * 192 / 188, 4.975, "PCR"}},
		"204 bytes":                {packets(pcrStream(200, 0), 0, 16), found{bitrate.MPEGTS, rate * 204 / 188, 4.975, "PCR"}},
		"begins in a packet":       {pcrStream(201, 0)[100:], want},
		"ends in a packet":         {pcrStream(200, 0)[:200*20*188-50], want},
		"junk in the tail":         {join(pcrStream(199, 0), zeros(77), pcrStream(1, 199*second27/40)), want},
		"wrap":                     {pcrStream(200, (1<<33-90_000)*300), want},
		"discontinuity of a start": {join(tsPacket(0x100, false, pcr(0x80, 0), nil), filler(19), pcrStream(199, second27/40)), want},
		"no clock in the head":     {join(filler(200), pcrStream(200, 0)), want},
		"no clock in the tail":     {join(pcrStream(200, 0), filler(300)), want},
		"clock set in between":     {join(pcrStream(200, 0), pcrStream(200, 40_000*second27)), found{bitrate.MPEGTS, rate, 10, "PCR (estimated)"}},
		"clock set in the tail": {join(pcrStream(398, 0), tsPacket(0x100, false, pcr(0x80, 0), nil), filler(19), pcrStream(1, second27/40)),
			found{bitrate.MPEGTS, rate, 10, "PCR (estimated)"}},
		"black at both ends": {join(slow(300, 0), pcrStream(400, 300*second27), slow(300, 310*second27)), // 300 s each
			found{bitrate.MPEGTS, 21_240, 609, "PCR"}},
		"PTS": {ptsOf(100, func(i uint64) []byte { return pes(i * 3600) }),
			found{bitrate.MPEGTS, 759_600, 3.96, "PTS"}},
		"PTS not in order": {ptsOf(100, func(i uint64) []byte { return pes((i ^ 1) * 3600) }),
			found{bitrate.MPEGTS, 767_350, 3.92, "PTS"}},
		"DTS": {ptsOf(100, func(i uint64) []byte { return pesDTS((i^1)*3600+7200, i*3600) }),
			found{bitrate.MPEGTS, 759_600, 3.96, "PTS"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

func TestMPEGTSRefuses(t *testing.T) {
	unknown := bitrate.ErrUnknownRate
	assertRefused(t, "", filler(100), bitrate.MPEGTS, unknown)
	assertRefused(t, "", filler(3000), bitrate.MPEGTS, unknown)
	assertRefused(t, "", join(pcrStream(1, 0), filler(3000)), bitrate.MPEGTS, unknown) // one clock
	assertRefused(t, "", bytes.Repeat(tsPacket(0x100, false, pcr(0, 77), nil), 500), bitrate.MPEGTS, unknown)
	assertRefused(t, "", bytes.Repeat([]byte{0x47}, 100_000), bitrate.MPEGTS, unknown)
	assertRefused(t, "a.ts", filler(4), bitrate.MPEGTS, bitrate.ErrCorrupt)
	assertRefused(t, "a.ts", []byte("export const types = 1;"), bitrate.MPEGTS, bitrate.ErrCorrupt)
	assertRefused(t, "", join(pcrStream(1, 0), repeat(3000, func(i int) []byte { // PIDs without number
		return tsPacket(0x100+i%0x1000, true, pcr(0, 5), pes(uint64(i) << 20)[:100])
	})), bitrate.MPEGTS, unknown)
}

func TestMPEGTSCut(t *testing.T) {
	data := join(pcrStream(1, 0)[:188*4], tsPacket(0x100, true, nil, pesDTS(5000, 4000)), tsPacket(0x100, false, pcr(0, second27), nil),
		tsPacket(0x100, true, nil, pes(8000)))
	assertCut(t, "a.ts", data)
	assertCut(t, "a.m2ts", packets(data, 4, 0))
}

func FuzzMPEGTS(f *testing.F) {
	data := join(pcrStream(1, 0)[:188*4], tsPacket(0x100, true, nil, pesDTS(5000, 4000)), tsPacket(0x100, false, pcr(0, second27), nil),
		tsPacket(0x100, true, nil, pes(8000)))
	fuzzContainer(f, "a.ts", [][]byte{data, packets(data, 4, 0), packets(data, 0, 16), data[50:]}, "mpegts")
}
