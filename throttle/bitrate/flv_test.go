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

const flvAudioVideo = 5

// flvTag returns a tag with the size that follows it.
func flvTag(kind byte, ms uint32, data ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(kind)<<24|uint32(len(data)))
	b = append(b, byte(ms>>16), byte(ms>>8), byte(ms), byte(ms>>24), 0, 0, 0)
	return binary.BigEndian.AppendUint32(append(b, data...), uint32(11+len(data)))
}

// flvFile returns a file of tags.
func flvFile(flags byte, tags ...[]byte) []byte {
	return append([]byte{'F', 'L', 'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0}, bytes.Join(tags, nil)...)
}

// flvMedia returns a video tag of 989 bytes, 1004 with its header, every 40 ms up to a time.
func flvMedia(ms uint32) []byte {
	var b []byte
	for t := uint32(0); t < ms; t += 40 {
		b = append(b, flvTag(9, t, make([]byte, 989)...)...)
	}
	return b
}

func amfName(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func amfNumber(v float64) []byte {
	return binary.BigEndian.AppendUint64([]byte{0}, math.Float64bits(v))
}

// amfPairs returns keys with values, and the end marker.
func amfPairs(pairs ...any) (b []byte) {
	for i := 0; i < len(pairs); i += 2 {
		b = append(b, amfName(pairs[i].(string))...)
		switch v := pairs[i+1].(type) {
		case float64:
			b = append(b, amfNumber(v)...)
		case []byte:
			b = append(b, v...)
		}
	}
	return append(b, 0, 0, 9)
}

func amfStrict(n int, value []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{10}, uint32(n))
	return append(b, bytes.Repeat(value, n)...)
}

// onMetaData returns a script tag with an ECMA array.
func onMetaData(pairs ...any) []byte {
	b := append([]byte{2}, amfName("onMetaData")...)
	b = append(b, 8, 0, 0, 0, 99) // the count is a lie
	return flvTag(18, 0, append(b, amfPairs(pairs...)...)...)
}

func onMetaDataObject(pairs ...any) []byte {
	b := append(append([]byte{2}, amfName("onMetaData")...), 3)
	return flvTag(18, 0, append(b, amfPairs(pairs...)...)...)
}

// bitsPer returns the rate of data over a time.
func bitsPer(data []byte, d time.Duration) int64 {
	return int64(len(data)) * 8 * int64(time.Second) / int64(d)
}

func flvCases() []headerCase {
	failed := bitrate.Info{Container: bitrate.FLV}
	with := func(name string, data []byte, d time.Duration, method string) headerCase {
		return headerCase{name: name, data: data, want: bitrate.Info{
			Container: bitrate.FLV, Average: bitsPer(data, d), Duration: d, Method: method,
		}}
	}
	rates := func(name string, data []byte, rate int64) headerCase {
		return headerCase{name: name, data: data, want: bitrate.Info{
			Container: bitrate.FLV, Average: rate, Method: "onMetaData rates",
		}}
	}
	index := amfStrict(60_000, amfNumber(1))
	var everything []any
	for _, v := range [][]byte{
		{1, 1}, append([]byte{2}, amfName("text")...), append([]byte{3}, amfPairs("duration", 99.0)...), {5}, {6}, {7, 0, 1},
		append([]byte{8, 0, 0, 0, 1}, amfPairs("duration", 98.0)...), amfStrict(3, append([]byte{2}, amfName("x")...)),
		amfStrict(2, append([]byte{3}, amfPairs("duration", 97.0)...)), {11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {12, 0, 0, 0, 2, 'a', 'b'},
		{13}, {15, 0, 0, 0, 1, '<'}, append(append([]byte{16}, amfName("class")...), amfPairs("duration", 96.0)...),
	} {
		everything = append(everything, "k", v)
	}
	whole := func(fileSize int) []byte {
		return flvFile(1, onMetaData("duration", 100.0, "filesize", float64(fileSize)), flvMedia(4000))
	}
	live := flvMedia(4000)
	torn := func(data []byte) []byte { return data[:len(data)-500] }
	list := []headerCase{
		with("duration", flvFile(1, onMetaData("duration", 4.0), live), 4*time.Second, "onMetaData duration"),
		with("object instead of array", flvFile(1, onMetaDataObject("duration", 4.0), live), 4*time.Second, "onMetaData duration"),
		with("metadata after media",
			flvFile(1, flvTag(9, 0, 1, 2, 3), onMetaData("duration", 4.0), live), 4*time.Second, "onMetaData duration"),
		with("all types", flvFile(1, onMetaData(append(everything, "duration", 4.0)...), live), 4*time.Second, "onMetaData duration"),
		with("large index before duration",
			flvFile(1, onMetaData("keyframes", append([]byte{3}, amfPairs("times", index, "filepositions", index)...), "duration", 4.0), live),
			4*time.Second, "onMetaData duration"),
		with("last timestamp against duration", flvFile(1, onMetaData("duration", 100.0), live), 4*time.Second, "last timestamp"),
		with("duration by metadata that knows the size", whole(len(whole(0))), 100*time.Second, "onMetaData duration"),
		with("size of another file", whole(1000), 4*time.Second, "last timestamp"),
		with("no metadata", flvFile(1, live), 4*time.Second, "last timestamp"),
		with("no metadata, torn", torn(flvFile(1, live)), 3960*time.Millisecond, "last timestamp"),
		with("duration, torn", torn(flvFile(1, onMetaData("duration", 100.0), live)), 3960*time.Millisecond, "last timestamp"),
		with("live capture with rates",
			flvFile(1, onMetaData("duration", 0.0, "videodatarate", 150.0), live), 4*time.Second, "last timestamp"),
		with("end of sequence without time", flvFile(1, live, flvTag(9, 0, 1, 2)), 4*time.Second, "last timestamp"),
		with("duration that is not a number", flvFile(1, onMetaData("duration", math.NaN()), live), 4*time.Second, "last timestamp"),
		with("duration without end", flvFile(1, onMetaData("duration", math.Inf(1)), live), 4*time.Second, "last timestamp"),
		with("duration of ages", flvFile(1, onMetaData("duration", 1e300), live), 4*time.Second, "last timestamp"),
		with("duration below a microsecond", flvFile(1, onMetaData("duration", 1e-300), live), 4*time.Second, "last timestamp"),
		rates("timestamps that contradict the rates", flvFile(1, onMetaData("videodatarate", 800.0), live), 800_000),
		rates("rates", flvFile(flvAudioVideo, onMetaData("videodatarate", 400.0, "audiodatarate", 96.5), make([]byte, 100)), 496_500),
		rates("total rate, as one is unknown",
			flvFile(flvAudioVideo, onMetaData("videodatarate", 0.0, "audiodatarate", 96.0, "totaldatarate", 300.0), make([]byte, 100)), 300_000),
		rates("audio only", flvFile(4, onMetaData("audiodatarate", 96.0), make([]byte, 100)), 96_000),
		rates("duration of a file cut early", flvFile(1, onMetaData("duration", 100.0, "videodatarate", 800.0), make([]byte, 3000)), 800_000),
		{
			name: "cut, the metadata knows the size",
			data: torn(whole(1_000_000)),
			want: bitrate.Info{Container: bitrate.FLV, Average: 80_000, Duration: 100 * time.Second, Method: "onMetaData duration"},
		},
		{name: "nothing known", data: flvFile(1, onMetaData("width", 1.0), make([]byte, 100)), want: failed, err: bitrate.ErrUnknownRate},
		{name: "no tag", data: flvFile(1, make([]byte, 100)), want: failed, err: bitrate.ErrCorrupt, offset: 13},
		{name: "only a header", data: flvFile(1), want: failed, err: bitrate.ErrCorrupt, offset: 13},
	}
	short := flvFile(1, live)
	short[8] = 8
	return append(list, headerCase{name: "header too short", data: short, want: failed, err: bitrate.ErrCorrupt, offset: 5})
}

func TestFLV(t *testing.T) { checkHeaders(t, flvCases()) }

// An array states more values than it has bytes, values nest without end, and many small ones take long to walk.
func TestFLVHostileMetadata(t *testing.T) {
	deep := bytes.Repeat([]byte{10, 0, 0, 0, 1}, 20_000)
	for _, c := range []headerCase{
		{name: "array count", data: onMetaData("k", []byte{10, 0xff, 0xff, 0xff, 0xff, 5, 5}, "duration", 4.0)},
		{name: "depth", data: onMetaData("k", deep, "duration", 4.0)},
		{name: "long string", data: onMetaData("k", []byte{12, 0xff, 0xff, 0xff, 0xff, 5, 5}, "duration", 4.0)},
		{name: "unknown type", data: onMetaData("k", []byte{17}, "duration", 4.0)},
		{name: "many values", data: onMetaData("k", amfStrict(200_000, []byte{5}), "duration", 4.0)},
	} {
		c.data = flvFile(1, c.data, flvMedia(8000))
		c.want = bitrate.Info{Container: bitrate.FLV, Average: bitsPer(c.data, 8*time.Second), Duration: 8 * time.Second, Method: "last timestamp"}
		t.Run(c.name, c.check)
		require.NoError(t, checkBounds(c.data, int64(len(c.data))))
	}
}

func FuzzFLV(f *testing.F) { fuzzHeaders(f, flvCases(), "malformed/flv", "media/flv") }
