package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

func rmChunk(name string, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte(name), uint32(10+len(body)))
	return append(append(b, 0, 0), body...)
}

// rmProp returns a properties chunk. Rates are in bit/s, the duration is in ms.
func rmProp(peak, average, duration, data uint32) []byte {
	var b []byte
	for _, v := range []uint32{peak, average, 600, 500, 40, duration, 3000, 0, data} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return rmChunk("PROP", append(b, 0, 2, 0, 3)...)
}

// rmFile returns a file of chunks, padded to a size by a DATA chunk.
func rmFile(size int, chunks ...[]byte) []byte {
	b := append(rmChunk(".RMF", 0, 0, 0, 0, 0, 0, 0, 6), bytes.Join(chunks, nil)...)
	data := rmChunk("DATA", make([]byte, max(0, size-len(b)-10))...)
	return append(b, data...)
}

func rmCases() []headerCase {
	const data = 18 + 50 // offset of DATA behind the file header and PROP
	info := func(average, peak int64, d time.Duration, method string) bitrate.Info {
		return bitrate.Info{Container: bitrate.RealMedia, Average: average, Peak: peak, Duration: d, Method: method}
	}
	failed := bitrate.Info{Container: bitrate.RealMedia}
	zero := rmChunk("CONT")
	zero[7] = 0
	short := rmProp(1, 1, 1, 1)
	short[7] = 49
	cut := rmFile(10_000, rmProp(50_000, 45_000, 20_000, data))
	return []headerCase{
		{
			name: "stated rate",
			data: rmFile(11_000, rmProp(50_000, 40_000, 2000, data)),
			want: info(40_000, 50_000, 2*time.Second, "PROP"),
		},
		{
			name: "after another chunk",
			data: rmFile(11_000, rmChunk("CONT", make([]byte, 5000)...), rmProp(50_000, 40_000, 2000, 5078)),
			want: info(40_000, 50_000, 2*time.Second, "PROP"),
		},
		{
			name: "several renditions in one file",
			data: rmFile(100_000, rmProp(50_000, 40_000, 2000, data)),
			want: info(400_000, 50_000, 2*time.Second, "PROP duration"),
		},
		{
			name: "stated rate too high",
			data: rmFile(10_000, rmProp(500_000, 450_000, 2000, data)),
			want: info(40_000, 500_000, 2*time.Second, "PROP duration"),
		},
		{
			name: "cut short",
			data: cut[:9_000],
			want: info(45_000, 50_000, 20*time.Second, "PROP"),
		},
		{
			name: "no rate",
			data: rmFile(10_000, rmProp(0, 0, 2000, data)),
			want: info(40_000, 0, 2*time.Second, "PROP duration"),
		},
		{
			name: "live, no duration",
			data: rmFile(10_000, rmProp(50_000, 45_000, 0, data)),
			want: info(45_000, 50_000, 0, "PROP"),
		},
		{
			name: "neither",
			data: rmFile(10_000, rmProp(50_000, 0, 0, data)),
			want: failed, err: bitrate.ErrUnknownRate, offset: 18,
		},
		{
			name: "chunk of no size",
			data: rmFile(10_000, zero, rmProp(50_000, 45_000, 0, data)),
			want: failed, err: bitrate.ErrCorrupt, offset: 18,
		},
		{
			name: "properties too short",
			data: rmFile(10_000, short),
			want: failed, err: bitrate.ErrCorrupt, offset: 18,
		},
		{
			name: "no properties",
			data: rmFile(10_000),
			want: failed, err: bitrate.ErrCorrupt, offset: 10_000,
		},
	}
}

func TestRealMedia(t *testing.T) { checkHeaders(t, rmCases()) }

func FuzzRealMedia(f *testing.F) { fuzzHeaders(f, rmCases(), "malformed/rm", "media/rm") }
