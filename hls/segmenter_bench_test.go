package hls_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
)

// discard is a sink that keeps nothing.
type discard struct{ io.Writer }

func (d discard) Create(context.Context, string) (hls.SinkFile, error) { return d, nil }
func (discard) Commit() error                                          { return nil }
func (discard) Abort() error                                           { return nil }

// BenchmarkSegmenter segments the sample, whose segments are small: what counts here is what a segment costs besides its
// bytes. Whole files are measured by internal/bench/segment.sh.
func BenchmarkSegmenter(b *testing.B) {
	p := openSample(b)
	for name, format := range map[string]hls.SegmentFormat{"TS": hls.TS, "fMP4": hls.FMP4} {
		b.Run(name, func(b *testing.B) {
			opts := options(2 * time.Second)
			opts.Format, opts.Parallel = format, 1
			b.ReportAllocs()
			for b.Loop() {
				res, err := segmentInto(discard{io.Discard}, opts, p)
				require.NoError(b, err)
				b.SetBytes(res.Bytes)
			}
		})
	}
}
