package main

import (
	"fmt"
	"hash/crc32"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// pointName is the publishing point of all measurements.
const pointName = "live/bench.isml"

// length is that of every fragment, lookahead the one of the point.
const (
	length    = 2 * time.Second
	lookahead = 2
	ticks     = uint64(length / 100)
)

// lane is a track.
type lane struct {
	stream  smooth.StreamType
	name    string
	bitrate uint64
}

// viewerLanes are six bit rates of 1 Mbit/s on average.
func viewerLanes() []lane {
	var list []lane
	for _, rate := range []uint64{1800, 1400, 1000, 800, 600, 400} {
		list = append(list, lane{smooth.Video, "video", rate * 1000})
	}
	return list
}

// latencyLanes are 20 tracks: two pictures at eight bit rates, sound in four languages.
func latencyLanes() []lane {
	var list []lane
	for _, name := range []string{"video", "angle"} {
		for _, rate := range []uint64{4000, 3000, 2400, 1800, 1200, 800, 500, 300} {
			list = append(list, lane{smooth.Video, name, rate * 1000})
		}
	}
	for _, name := range []string{"audio", "audio_deu", "audio_fra", "audio_ita"} {
		list = append(list, lane{smooth.Audio, name, 128_000})
	}
	return list
}

// config describes tracks to an encoder of package smoothtest.
func encoderConfig(lanes ...lane) smoothtest.Config {
	c := smoothtest.Config{MaxPayload: 64 << 20}
	for _, l := range lanes {
		if n := len(c.Streams); n > 0 && c.Streams[n-1].Name == l.name {
			c.Streams[n-1].Levels = append(c.Streams[n-1].Levels, smoothtest.Level{Bitrate: l.bitrate})
			continue
		}
		c.Streams = append(c.Streams, smoothtest.Stream{
			Type: l.stream, Name: l.name, Durations: []uint64{ticks}, Levels: []smoothtest.Level{{Bitrate: l.bitrate}},
		})
	}
	return c
}

// path returns the URL path of fragment n of the track.
func (l lane) path(n int) string {
	return fmt.Sprintf("/%s/QualityLevels(%d)/Fragments(%s=%d)", pointName, l.bitrate, l.name, uint64(n)*ticks)
}

// content is what is known of a fragment's sample data.
type content struct {
	size int
	sum  uint32
}

// contents returns what the fragments of a track hold, by making them once more.
func (l lane) contents(n int) []content {
	e := smoothtest.NewEncoder(encoderConfig(l))
	list := make([]content, n)
	for i := range list {
		b := e.Until(time.Duration(i+1) * length)
		b = b[boxSize(b)+8:]
		list[i] = content{len(b), crc32.Checksum(b, castagnoli)}
	}
	return list
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// boxSize returns the size of the box that b starts with.
func boxSize(b []byte) int {
	return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
}
