package mpegts_test

import (
	"fmt"

	"github.com/smoothkit/smoothkit/hls/mpegts"
)

// A segment with a picture and a frame of sound.
func Example() {
	m, err := mpegts.NewMuxer([]mpegts.Stream{
		{Codec: mpegts.AVC, ParameterSets: [][]byte{{0x67, 0x42, 0xC0, 0x1E, 0xD9}, {0x68, 0xCE, 0x3C, 0x80}}},
		{Codec: mpegts.AAC, AudioConfig: []byte{0x12, 0x10}, Language: "eng"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	const start = 10 * 90000 // so that no time is below zero
	picture := []byte{0, 0, 0, 5, 0x65, 0x88, 0x84, 0x00, 0x10}
	sound := []byte{0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C}

	segment := m.Start(nil, 0)
	for _, u := range []struct {
		stream int
		unit   mpegts.Unit
	}{
		{0, mpegts.Unit{DTS: start, PTS: start + 3600, Duration: 3600, Sync: true, Data: picture}},
		{1, mpegts.Unit{PTS: start, Frames: [][]byte{sound, sound}, Last: true}},
		{0, mpegts.Unit{DTS: start + 3600, PTS: start + 7200, Duration: 3600, Sync: true, Data: picture, Last: true}},
	} {
		if segment, err = m.Append(segment, u.stream, &u.unit); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("%d packets, the first % x\n", len(segment)/mpegts.PacketSize, segment[:4])
	// Output: 34 packets, the first 47 40 00 10
}

// The bound of a segment before there is one.
func ExampleMuxer_SizeBound() {
	m, err := mpegts.NewMuxer([]mpegts.Stream{{Codec: mpegts.AVC}})
	if err != nil {
		fmt.Println(err)
		return
	}
	size := uint64(mpegts.TablesSize + mpegts.ClosingSize)
	size += m.SizeBound(0, mpegts.Load{Units: 150, Sync: 3, Bytes: 2_250_000, Duration: 6 * 90000})
	fmt.Println(size, "bytes at most in six seconds")
	// Output: 2346428 bytes at most in six seconds
}
