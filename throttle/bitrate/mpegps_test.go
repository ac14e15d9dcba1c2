package bitrate_test

import (
	"bytes"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// pack2 returns a pack of MPEG-2 of 2048 bytes, with its clock in units of 90 kHz and its rate in units of 400 bit/s.
func pack2(scr, mux uint64) []byte {
	head := []byte{0, 0, 1, 0xBA, 0x44 | byte(scr>>27)&0x38 | byte(scr>>28)&3, byte(scr >> 20), byte(scr>>12)&0xF8 | 4 | byte(scr>>13)&3,
		byte(scr >> 5), byte(scr<<3) | 4, 1, byte(mux >> 14), byte(mux >> 6), byte(mux<<2) | 3, 0xF8}
	return join(head, noise(2048-len(head)))
}

// pack1 is pack2 of MPEG-1.
func pack1(scr, mux uint64) []byte {
	head := join([]byte{0, 0, 1, 0xBA}, stamp(2, scr), []byte{0x80 | byte(mux>>15), byte(mux >> 7), byte(mux<<1) | 1})
	return join(head, noise(2048-len(head)))
}

func TestMPEGPS(t *testing.T) {
	const rate = 2048 * 8 * 25 // packs are 3600 units apart
	want := found{bitrate.MPEGPS, rate, 399 * 0.04, "SCR"}
	packs := func(f func(scr, mux uint64) []byte, n int, from uint64) []byte {
		return repeat(n, func(i int) []byte { return f((from+uint64(i)*3600)%(1<<33), 25_000) })
	}
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"MPEG-2":         {packs(pack2, 400, 0), want},
		"MPEG-1":         {packs(pack1, 400, 0), want},
		"wrap":           {packs(pack2, 400, 1<<33-90_000), want},
		"end code":       {join(packs(pack2, 400, 3<<31), []byte("\x00\x00\x01\xB9")), want},
		"long last pack": {join(packs(pack2, 400, 0), noise(50_000)), want},
		"joined":         {join(packs(pack2, 200, 1<<32), packs(pack2, 200, 0)), found{bitrate.MPEGPS, rate, 16, "SCR (estimated)"}},
		"one pack":       {pack2(5, 25_000), found{bitrate.MPEGPS, 10_000_000, 0, "mux rate"}},
		"clock stands":   {bytes.Repeat(pack1(5, 25_000), 100), found{bitrate.MPEGPS, 10_000_000, 0, "mux rate"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

func TestMPEGPSRefuses(t *testing.T) {
	assertRefused(t, "", pack2(5, 0), bitrate.MPEGPS, bitrate.ErrUnknownRate)
	for name, data := range map[string][]byte{
		"elementary video": join([]byte("\x00\x00\x01\xB3"), noise(3000)),
		"no marks":         join([]byte("\x00\x00\x01\xBA\x44"), zeros(3000)),
		"no version":       join([]byte("\x00\x00\x01\xBA\x84"), noise(3000)),
		"cut header":       pack2(5, 5)[:13],
	} {
		t.Run(name, func(t *testing.T) {
			info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
			requireUnknown(t, info, err)
		})
	}
}

func TestMPEGPSCut(t *testing.T) {
	assertCut(t, "", join(pack2(5, 5)[:100], pack1(9005, 5)[:100], pack2(18_005, 5)[:100]))
	assertCut(t, "", join(pack1(5, 5)[:100], pack1(9005, 5)[:100]))
}

func FuzzMPEGPS(f *testing.F) {
	fuzzContainer(f, "", [][]byte{
		join(pack2(5, 5)[:100], pack2(9005, 5)[:100], pack2(18_005, 5)[:100]),
		join(pack1(5, 5)[:100], pack1(9005, 5)[:100]),
		pack2(5, 5)[:100],
	}, "mpeg-ps")
}
