package bitrate_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
	"github.com/stretchr/testify/require"
)

func riffChunk(id string, body ...byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	b = append(b, body...)
	return append(b, make([]byte, len(body)&1)...)
}

func riffList(id, kind string, chunks ...[]byte) []byte {
	return riffChunk(id, append([]byte(kind), bytes.Join(chunks, nil)...)...)
}

// le32 returns little-endian values at offsets of a body of a size.
func le32(size int, at map[int]uint32) []byte {
	b := make([]byte, size)
	for off, v := range at {
		binary.LittleEndian.PutUint32(b[off:], v)
	}
	return b
}

func avih(frames, us uint32) []byte {
	return riffChunk("avih", le32(56, map[int]uint32{0: us, 4: 77, 16: frames})...)
}

func strh(kind string, length, scale, rate uint32) []byte {
	body := le32(56, map[int]uint32{20: scale, 24: rate, 32: length})
	copy(body, kind)
	return riffList("LIST", "strl", riffChunk("strh", body...), riffChunk("strf", make([]byte, 40)...))
}

func dmlh(frames uint32) []byte {
	return riffList("LIST", "odml", riffChunk("dmlh", le32(248, map[int]uint32{0: frames})...))
}

// aviFile returns a file of a size with the chunks in hdrl.
func aviFile(size int, chunks ...[]byte) []byte {
	hdrl := riffList("LIST", "hdrl", chunks...)
	media := size - 12 - len(hdrl) - 12
	return riffList("RIFF", "AVI ", hdrl, riffList("LIST", "movi", make([]byte, media)))
}

func aviCases() []headerCase {
	info := func(average int64, d time.Duration, method string) bitrate.Info {
		return bitrate.Info{Container: bitrate.AVI, Average: average, Duration: d, Method: method}
	}
	failed := bitrate.Info{Container: bitrate.AVI}
	junk := riffChunk("JUNK", make([]byte, 5001)...)
	second := func(n int) []byte { return riffList("RIFF", "AVIX", make([]byte, n-12)) }
	streamed := aviFile(10_000, avih(50, 40_000), strh("vids", 50, 1, 25))
	binary.LittleEndian.PutUint32(streamed[4:], math.MaxUint32)
	long := aviFile(10_000, avih(50, 40_000), strh("vids", 50, 1, 25))
	binary.LittleEndian.PutUint32(long[16:], 1<<30)
	return []headerCase{
		{
			name: "video",
			data: aviFile(10_000, avih(50, 40_000), strh("vids", 60, 1001, 30_000), strh("auds", 16_000, 1, 8000)),
			want: info(39_960, 2002*time.Millisecond, "strh"),
		},
		{
			name: "only avih",
			data: aviFile(10_000, avih(50, 40_000)),
			want: info(40_000, 2*time.Second, "avih"),
		},
		{
			name: "video without length",
			data: aviFile(10_000, avih(50, 40_000), strh("vids", 0, 1, 25), strh("auds", 16_000, 1, 8000)),
			want: info(40_000, 2*time.Second, "avih"),
		},
		{
			name: "audio only",
			data: aviFile(10_000, avih(0, 0), strh("auds", 16_000, 1, 8000)),
			want: info(40_000, 2*time.Second, "strh"),
		},
		{
			name: "audio only, avih counts chunks",
			data: aviFile(10_000, avih(7, 1_000_000), strh("auds", 16_000, 1, 8000)),
			want: info(40_000, 2*time.Second, "strh"),
		},
		{
			name: "strh wrong, the audio agrees with avih",
			data: aviFile(10_000, avih(50, 40_000), strh("vids", 5, 1, 25), strh("auds", 16_200, 1, 8000)),
			want: info(40_000, 2*time.Second, "avih"),
		},
		{
			name: "avih wrong, the audio agrees with strh",
			data: aviFile(10_000, avih(5, 40_000), strh("vids", 50, 1, 25), strh("auds", 16_200, 1, 8000)),
			want: info(40_000, 2*time.Second, "strh"),
		},
		{
			name: "junk around hdrl and in it",
			data: riffList("RIFF", "AVI ", junk, riffList("LIST", "INFO", junk),
				riffList("LIST", "hdrl", junk, avih(50, 40_000), junk, strh("vids", 250, 1, 25)), junk),
			want: info(20_219, 10*time.Second, "strh"),
		},
		{
			name: "several RIFF chunks, strh of the first",
			data: append(aviFile(10_000, avih(50, 40_000), strh("vids", 50, 1, 25), dmlh(100)), second(10_000)...),
			want: info(40_000, 4*time.Second, "dmlh"),
		},
		{
			name: "several RIFF chunks, strh of all",
			data: append(aviFile(10_000, avih(50, 40_000), strh("vids", 100, 1, 25), dmlh(50)), second(10_000)...),
			want: info(40_000, 4*time.Second, "strh"),
		},
		{
			name: "several RIFF chunks, avih and dmlh",
			data: append(aviFile(10_000, avih(50, 40_000), dmlh(100)), second(10_000)...),
			want: info(40_000, 4*time.Second, "dmlh"),
		},
		{
			name: "dmlh of one RIFF chunk does not count",
			data: aviFile(10_000, avih(50, 40_000), strh("vids", 50, 1, 25), dmlh(100_000)),
			want: info(40_000, 2*time.Second, "strh"),
		},
		{
			name: "cut short",
			data: aviFile(10_000, avih(50, 40_000), strh("vids", 50, 1, 25))[:5000],
			want: info(40_000, 2*time.Second, "strh"),
		},
		{
			name: "written to a pipe",
			data: streamed,
			want: info(40_000, 2*time.Second, "strh"),
		},
		{
			name: "hdrl longer than the file",
			data: long,
			want: info(40_000, 2*time.Second, "strh"),
		},
		{
			name: "no lengths",
			data: aviFile(10_000, avih(0, 40_000), strh("vids", 0, 1, 25)),
			want: failed, err: bitrate.ErrUnknownRate, offset: 12,
		},
		{
			name: "rate of zero",
			data: aviFile(10_000, avih(0, 40_000), strh("vids", 50, 1, 0)),
			want: failed, err: bitrate.ErrUnknownRate, offset: 12,
		},
		{
			name: "no hdrl",
			data: riffList("RIFF", "AVI ", junk, riffList("LIST", "movi", junk)),
			want: failed, err: bitrate.ErrCorrupt, offset: 12 + 5010,
		},
		{
			name: "empty hdrl",
			data: riffList("RIFF", "AVI ", riffList("LIST", "hdrl"), junk),
			want: failed, err: bitrate.ErrCorrupt, offset: 24,
		},
		{
			name: "avih too short",
			data: riffList("RIFF", "AVI ", riffList("LIST", "hdrl", riffChunk("avih", 1, 2, 3, 4)), junk),
			want: failed, err: bitrate.ErrCorrupt, offset: 32,
		},
	}
}

func TestAVI(t *testing.T) { checkHeaders(t, aviCases()) }

// Lists in lists must not be followed down.
func TestAVIDeepLists(t *testing.T) {
	deep := riffList("LIST", "strl")
	for range 3000 {
		deep = riffList("LIST", "strl", deep)
	}
	data := aviFile(100_000, deep)
	require.NoError(t, checkBounds(data, int64(len(data))))
}

func FuzzAVI(f *testing.F) { fuzzHeaders(f, aviCases(), "malformed/avi", "media/avi") }
