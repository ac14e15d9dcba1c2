package livesmooth

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// pushBenchmark reads a body again and again, and gives back each fragment at once.
func pushBenchmark(b *testing.B, body []byte, fragments int) {
	pool := newPool()
	limits := Limits{}.withDefaults()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		p := newPushReader(bytes.NewReader(body), pushReaderConfig{pool: pool, limits: limits})
		for {
			item, err := p.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if f, ok := item.(*pushFragment); ok {
				f.buf.release()
				n++
			}
		}
		if n != fragments {
			b.Fatalf("%d fragments", n)
		}
	}
	b.ReportMetric(float64(fragments), "fragments/op")
}

// BenchmarkPushReader reads a minute of one video track of 4 Mbit/s in fragments of two seconds.
func BenchmarkPushReader(b *testing.B) {
	for name, timescale := range map[string]uint64{"plain": scale, "converted": 90000} {
		b.Run(name, func(b *testing.B) {
			e := smoothtest.NewEncoder(smoothtest.Config{MaxPayload: 1 << 20, Streams: []smoothtest.Stream{
				{Type: smooth.Video, Timescale: timescale, Levels: []smoothtest.Level{{Bitrate: 4_000_000}}},
			}})
			body, err := io.ReadAll(e.Body(time.Minute))
			if err != nil {
				b.Fatal(err)
			}
			pushBenchmark(b, body, 30)
		})
	}
	b.Run("chunks", func(b *testing.B) { pushBenchmark(b, pushRecording(b, "dash-video-chunks.m4s"), 3) })
}
