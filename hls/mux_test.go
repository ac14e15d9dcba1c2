package hls_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// muxCase is a presentation of a video and an audio stream, either of which may be missing.
type muxCase struct {
	name         string
	video, audio *smoothtest.Stream
}

const second = smooth.DefaultTimescale

func videoStream(start uint64, durations ...uint64) *smoothtest.Stream {
	return &smoothtest.Stream{Type: smooth.Video, Start: start, Durations: durations, Levels: []smoothtest.Level{{Bitrate: 300_000}}}
}

func audioStream(timescale, start uint64, durations ...uint64) *smoothtest.Stream {
	return &smoothtest.Stream{
		Type: smooth.Audio, Timescale: timescale, Start: start, Durations: durations, Levels: []smoothtest.Level{{Bitrate: 96_000}},
	}
}

func (c *muxCase) presentation() *smoothtest.Presentation {
	var cfg smoothtest.Config
	for _, s := range []*smoothtest.Stream{c.video, c.audio} {
		if s != nil {
			cfg.Streams = append(cfg.Streams, *s)
		}
	}
	cfg.MaxPayload = 1000
	return smoothtest.New(cfg)
}

// frame is the length of a frame of sound at 48 kHz in ticks.
const frame = 213_333

var muxCases = []muxCase{
	{"aligned", videoStream(0, smoothtest.Repeat(9, 2*second)...), audioStream(0, 0, smoothtest.Repeat(9, 2*second)...)},
	{"audio fragments of a frame more or less", videoStream(0, smoothtest.Repeat(15, 2*second)...),
		audioStream(48_000, 0, 93*1024, 94*1024, 94*1024, 94*1024, 93*1024, 94*1024, 94*1024, 94*1024, 94*1024, 93*1024, 94*1024, 94*1024, 94*1024, 94*1024, 93*1024)},
	{"44.1 kHz", videoStream(0, smoothtest.Repeat(15, 2*second)...), audioStream(44_100, 0, smoothtest.Repeat(15, 86*1024)...)},
	{"seven audio fragments a segment", videoStream(0, smoothtest.Repeat(9, 2*second)...), audioStream(0, 0, smoothtest.Repeat(21, 8_571_428)...)},
	{"audio fragments longer than segments", videoStream(0, smoothtest.Repeat(9, 2*second)...), audioStream(0, 0, smoothtest.Repeat(2, 9*second)...)},
	{"audio first", videoStream(5*second, smoothtest.Repeat(6, 2*second)...), audioStream(0, 0, smoothtest.Repeat(9, 2*second)...)},
	{"video first", videoStream(0, smoothtest.Repeat(9, 2*second)...), audioStream(0, 7*second, smoothtest.Repeat(4, 2*second)...)},
	{"audio longer", videoStream(0, smoothtest.Repeat(4, 2*second)...), audioStream(0, 0, smoothtest.Repeat(30, 2*second)...)},
	{"video longer", videoStream(0, smoothtest.Repeat(30, 2*second)...), audioStream(0, 0, smoothtest.Repeat(4, 2*second)...)},
	{"far apart", videoStream(100*second, smoothtest.Repeat(4, 2*second)...), audioStream(0, 0, smoothtest.Repeat(4, 2*second)...)},
	{"video only", videoStream(0, smoothtest.Repeat(9, 2*second)...), nil},
	{"audio only", nil, audioStream(48_000, 1000, smoothtest.Repeat(20, 94*1024)...)},
	{"a wall clock", videoStream(1_700_000_000*second, smoothtest.Repeat(9, 2*second)...),
		audioStream(0, 1_700_000_000*second-3*frame, smoothtest.Repeat(9, 2*second+7)...)},
	{"across the wrap of 33 bits", videoStream(95_440*second, smoothtest.Repeat(9, 2*second)...),
		audioStream(0, 95_440*second, smoothtest.Repeat(9, 2*second)...)},
}

// TestMuxedSegments: all segments of a presentation together have every picture and every frame of sound once, in order,
// in all layouts, and continuity counters and times go on from segment to segment.
func TestMuxedSegments(t *testing.T) {
	for _, c := range muxCases {
		t.Run(c.name, func(t *testing.T) { testMuxed(t, c) })
	}
}

func TestMuxedSegmentsAtRandom(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		some := func(mean, spread float64) (list []uint64) {
			for range 1 + r.IntN(30) {
				list = append(list, uint64(mean*(1+spread*(2*r.Float64()-1))))
			}
			return list
		}
		scale := []uint64{44_100, 48_000, 90_000, second}[r.IntN(4)]
		c := muxCase{
			video: videoStream(uint64(r.IntN(5)*second), some(2*second, r.Float64()*0.9)...),
			audio: audioStream(scale, uint64(r.IntN(5))*scale, some(float64(scale)*(0.3+3*r.Float64()), r.Float64()*0.9)...),
		}
		testMuxed(t, c)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func testMuxed(t *testing.T, c muxCase) {
	t.Helper()
	p := c.presentation()
	h := smoothHandler(sourceOf(p), &hls.Options{CacheBytes: -1})
	main, other := c.video, c.audio
	if main == nil {
		main, other = c.audio, nil
	}
	for _, format := range []string{"m3u8-aapl-v3", "m3u8-aapl"} {
		target := "/a.ism/" + level(main.Levels[0].Bitrate) + "/Manifest(" + string(main.Type) + ",format=" + format + ").m3u8"
		list := readMedia(t, h, target)
		got := readTransport(t, h, list)
		if c.video != nil {
			sameSamples(t, payloadsOf(t, p, "video", 300_000), pictures(t, got[streamAVC]), "pictures")
		}
		if c.video == nil || format == "m3u8-aapl-v3" && other != nil {
			sameSamples(t, payloadsOf(t, p, "audio", 96_000), frames(t, got[streamAAC]), "frames of sound")
		} else {
			assert.Empty(t, got[streamAAC])
		}
	}
	if c.video != nil && c.audio != nil { // its own rendition
		list := readMedia(t, h, "/a.ism/QualityLevels(96000)/Manifest(audio,format=m3u8-aapl).m3u8")
		got := readTransport(t, h, list)
		sameSamples(t, payloadsOf(t, p, "audio", 96_000), frames(t, got[streamAAC]), "frames of sound alone")
	}
	assert.Zero(t, p.OpenFragments())
}

// TestClockReferences: a clock reference comes every 100 ms at least, also where there is sound and no picture any more.
func TestClockReferences(t *testing.T) {
	for _, c := range muxCases {
		if c.video == nil || c.audio == nil || c.video.Start > c.audio.Start {
			continue // before the first picture there are none
		}
		h := smoothHandler(sourceOf(c.presentation()), &hls.Options{CacheBytes: -1})
		list := readMedia(t, h, "/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-aapl-v3).m3u8")
		last := uint64(0)
		for i, e := range list.entries {
			if e.gap {
				last = 0
				continue
			}
			ts := get(t, h, e.url)
			var d demuxer
			end := uint64(0)
			for _, packets := range d.read(t, ts) {
				end = max(end, packets[len(packets)-1].dts)
			}
			for at := 0; at < len(ts); at += 188 {
				if p := ts[at:]; p[3]&0x20 != 0 && p[4] > 0 && p[5]&0x10 != 0 {
					pcr := uint64(binary.BigEndian.Uint32(p[6:]))<<1 | uint64(p[10]>>7)
					if last != 0 {
						step := (pcr - last) & (1<<33 - 1)
						require.True(t, step > 0 && step <= 9000, "%s: segment %d, packet %d: %d after %d", c.name, i, at/188, pcr, last)
					}
					last = pcr
				}
			}
			require.LessOrEqual(t, int64(end-last)<<31>>31, int64(2*9000), "%s: the end of segment %d", c.name, i)
		}
	}
}

// readTransport returns the PES packets of all segments of a list in order.
func readTransport(t testing.TB, h *smooth.Handler, list *mediaList) map[byte][]pes {
	t.Helper()
	require.True(t, list.ended)
	all := make(map[byte][]pes)
	var d demuxer
	for i, e := range list.entries {
		if e.gap {
			d = demuxer{} // the counters of the tables go by the number of the segment
			continue
		}
		for kind, packets := range d.read(t, get(t, h, e.url)) {
			if kind == streamAVC {
				require.Equal(t, []byte{0, 0, 0, 1, 9}, packets[0].payload[:5], "segment %d begins with a delimiter", i)
			}
			for _, p := range packets {
				if n := len(all[kind]); n > 0 {
					require.Less(t, (p.dts-all[kind][n-1].dts)&(1<<33-1), uint64(1<<32), "times of segment %d go back", i)
				}
				all[kind] = append(all[kind], p)
			}
		}
	}
	return all
}

// pictures undoes what the muxer makes of access units of one NAL unit.
func pictures(t testing.TB, packets []pes) (list [][]byte) {
	t.Helper()
	for _, p := range packets {
		nalus := splitAnnexB(p.payload)
		last := nalus[len(nalus)-1]
		require.EqualValues(t, 9, nalus[0][0]&31)
		if last[0]&31 == 5 {
			require.Len(t, nalus, 4, "delimiter, parameter sets, picture")
		}
		list = append(list, append([]byte{0, 0, byte(len(last) >> 8), byte(len(last))}, last...))
	}
	return list
}

func splitAnnexB(b []byte) (list [][]byte) {
	for len(b) > 0 {
		b = b[4:]
		end := len(b)
		for i := 0; i+4 <= len(b); i++ {
			if b[i] == 0 && b[i+1] == 0 && b[i+2] == 0 && b[i+3] == 1 {
				end = i
				break
			}
		}
		list = append(list, b[:end])
		b = b[end:]
	}
	return list
}

// TestContinuity: counters go on over all segments of the sample, whose numbers are consecutive.
func TestContinuity(t *testing.T) {
	h := smoothHandler(sampleSource(t), &hls.Options{SegmentDuration: 4 * time.Second})
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3"} {
		for _, v := range readMaster(t, h, "/sample.ism/Manifest(format="+format+").m3u8").variants {
			var d demuxer
			for _, e := range readMedia(t, h, v.url).entries {
				d.read(t, get(t, h, e.url))
			}
		}
	}
}
