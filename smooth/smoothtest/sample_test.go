package smoothtest_test

import (
	"context"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestSampleSize keeps the module small to download.
func TestSampleSize(t *testing.T) {
	var total int64
	require.NoError(t, fs.WalkDir(smoothtest.Sample(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	}))
	assert.Less(t, total, int64(3_000_000), "bytes")
	assert.Greater(t, total, int64(1_000_000), "bytes")
}

// TestSamplePresentation opens the sample and reads every sample of every fragment.
func TestSamplePresentation(t *testing.T) {
	ctx := context.Background()
	source := smooth.FS(smoothtest.Sample(), nil)
	defer source.Close()
	p, err := source.Open(ctx, "sample.ism")
	require.NoError(t, err)
	defer p.Close()
	snap, err := p.Snapshot(ctx)
	require.NoError(t, err)
	for _, stream := range snap.Manifest.Streams {
		scale := snap.Manifest.TimescaleOf(stream)
		assert.GreaterOrEqual(t, stream.Timeline.End(), 30*scale, stream.Name)
		for _, level := range stream.Levels {
			for _, chunk := range stream.Timeline {
				key := smooth.FragmentKey{Stream: stream.Name, Bitrate: level.Bitrate, Time: chunk.Time}
				checkFragment(t, p, key, chunk.Duration)
			}
		}
	}
}

func checkFragment(t *testing.T, p smooth.Presentation, key smooth.FragmentKey, duration uint64) {
	t.Helper()
	f, err := p.Fragment(context.Background(), key)
	require.NoError(t, err, "%+v", key)
	defer f.Close()
	var sum uint64
	var size int64
	first := true
	for s, err := range f.Samples() {
		require.NoError(t, err, "%+v", key)
		assert.True(t, !first || s.IsSync(), "%+v begins with a sync sample", key)
		first = false
		sum += uint64(s.Duration)
		size += int64(s.Size)
	}
	assert.Equal(t, duration, sum, "%+v: duration of the samples", key)
	assert.Equal(t, f.PayloadSize(), size, "%+v: bytes of the samples", key)
}
