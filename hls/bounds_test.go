package hls_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// claiming is a presentation each of whose fragments states a million samples of no bytes, in a head of a hundred.
type claiming struct {
	smooth.Presentation
	opened atomic.Int32
}

func (c *claiming) Fragment(_ context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	c.opened.Add(1)
	box := func(name string, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), name...), body...)
	}
	words := func(list ...uint32) (b []byte) {
		for _, v := range list {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		return b
	}
	tfhd := box("tfhd", words(0x020008|0x10|0x20, 1, 19, 0, 0x02000000)) // duration, size and flags of all samples
	trun := box("trun", words(0, 1<<20))
	head := box("moof", box("mfhd", words(0, 1)), box("traf", tfhd, trun))
	head = append(head, box("mdat")...)
	return smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: smooth.DefaultTimescale, Duration: 2 * second, Memory: head, HeadLen: len(head),
	}), nil
}

// TestClaimedSamples: what a segment takes of the memory is bounded whatever the headers of its fragments state.
func TestClaimedSamples(t *testing.T) {
	p := smoothtest.New(smoothtest.Default())
	for target, opened := range map[string]int32{
		"/a/hls-ts/video/400000/0-10.ts": 2, "/a/hls-muxed/video/400000/0-10.ts": 2, "/a/hls-fmp4/video/400000/0-10.mp4": 9,
		"/a/hls-ts/audio_eng/96000/0-10.ts": 2,
	} {
		c := &claiming{Presentation: p}
		w := do(plainHandler(t, sourceOf(c), nil), "GET", target)
		assert.Equal(t, 500, w.Code, target)
		assert.LessOrEqual(t, c.opened.Load(), opened+1, "%s: and the one for the decode delay", target)
	}
}

// TestSoundBehindThePicture: how much sound goes with the last picture is bounded.
func TestSoundBehindThePicture(t *testing.T) {
	cfg := smoothtest.Default()
	for i := range cfg.Streams {
		if cfg.Streams[i].Type == smooth.Audio {
			cfg.Streams[i].Durations = smoothtest.Repeat(20_000, second/10)
		}
	}
	h := plainHandler(t, sourceOf(smoothtest.New(cfg)), nil)
	picture := readMedia(t, h, "/a/hls-muxed/video/400000/index.m3u8")
	assert.Equal(t, 500, do(h, "GET", picture.entries[len(picture.entries)-1].url).Code)
	assert.Equal(t, 200, do(h, "GET", picture.entries[0].url).Code)
}
