package bitrate_test

import (
	"bytes"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// amrFrame returns a frame of a mode, of size bytes.
func amrFrame(mode, size int) []byte { return join([]byte{byte(mode<<3 | 4)}, zeros(size-1)) }

func TestAMR(t *testing.T) {
	narrow := bytes.Repeat(amrFrame(7, 32), 250)
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"12.2 kbit/s":  {join([]byte("#!AMR\n"), narrow), found{bitrate.AMR, 12_800, 5, "frames"}},
		"silence":      {join([]byte("#!AMR\n"), narrow, bytes.Repeat(amrFrame(15, 1), 250)), found{bitrate.AMR, 6_600, 10, "frames"}},
		"wide":         {join([]byte("#!AMR-WB\n"), bytes.Repeat(amrFrame(8, 61), 100)), found{bitrate.AMR, 24_400, 2, "frames"}},
		"two channels": {join([]byte("#!AMR_MC1.0\n\x00\x00\x00\x02"), narrow), found{bitrate.AMR, 25_600, 2.5, "frames"}},
		"wide, five channels": {join([]byte("#!AMR-WB_MC1.0\n\x00\x00\x00\x05"), bytes.Repeat(amrFrame(0, 18), 100)),
			found{bitrate.AMR, 36_000, 0.4, "frames"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

func TestAMREstimatesLongFiles(t *testing.T) {
	body := repeat(20_000, func(i int) []byte { return amrFrame(i%8, []int{13, 14, 16, 18, 20, 21, 27, 32}[i%8]) })
	data := join([]byte("#!AMR\n"), body)
	info, err := bitrate.Detect(bytes.NewReader(data), int64(len(data)))
	requireEstimate(t, info, err, bitrate.AMR, float64(len(body))*8/400)
}

func TestAMRRefuses(t *testing.T) {
	assertRefused(t, "", []byte("#!AMR\n"), bitrate.AMR, bitrate.ErrCorrupt)
	assertRefused(t, "", join([]byte("#!AMR\n"), bytes.Repeat([]byte{0xFF}, 1000)), bitrate.AMR, bitrate.ErrCorrupt)
	assertRefused(t, "", join([]byte("#!AMR\n"), bytes.Repeat([]byte{0x4C}, 1000)), bitrate.AMR, bitrate.ErrCorrupt) // mode 9
}

func TestAMRCut(t *testing.T) {
	assertCut(t, "", join([]byte("#!AMR-WB_MC1.0\n\x00\x00\x00\x02"), bytes.Repeat(amrFrame(0, 18), 30)))
}

func FuzzAMR(f *testing.F) {
	fuzzContainer(f, "", [][]byte{
		join([]byte("#!AMR-WB_MC1.0\n\x00\x00\x00\x02"), bytes.Repeat(amrFrame(0, 18), 30)),
		join([]byte("#!AMR\n"), bytes.Repeat(amrFrame(7, 32), 20)),
	}, "amr")
}
