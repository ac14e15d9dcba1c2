package hls_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
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
	return equalSamples(k, nil, 19, 1<<20, nil), nil
}

// equalSamples returns a fragment whose head states the duration and size of its samples once for all of them.
func equalSamples(k smooth.FragmentKey, codec *smooth.Codec, duration, samples uint32, payload []byte) *smooth.Fragment {
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
	tfhd := box("tfhd", words(0x020008|0x10|0x20, 1, duration, uint32(len(payload))/samples, 0x02000000))
	moof := box("moof", box("mfhd", words(0, 1)), box("traf", tfhd, box("trun", words(0, samples))))
	all := slices.Concat(moof, box("mdat", payload))
	return smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: smooth.DefaultTimescale, Duration: uint64(duration) * uint64(samples), Codec: codec,
		Memory: all, HeadLen: len(all) - len(payload),
	})
}

// TestClaimedSamples: what a segment takes of the memory is bounded whatever the headers of its fragments state.
func TestClaimedSamples(t *testing.T) {
	p := smoothtest.New(smoothtest.Default())
	for target, opened := range map[string]int32{
		"/a/hls-ts/video/400000/0-10.ts": 2, "/a/hls-fmp4/video/400000/0-10.mp4": 9, "/a/hls-ts/audio_eng/96000/0-10.ts": 2,
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

// repetitive is a presentation whose text is timed inside of its cues, so that a small document is much text.
type repetitive struct{ smooth.Presentation }

func (r repetitive) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := r.Presentation.Fragment(ctx, k)
	if err != nil || k.Stream != "text" {
		return f, err
	}
	defer f.Close()
	var doc strings.Builder
	doc.WriteString(`<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="0s" end="1s">` + strings.Repeat("text", 1000))
	for i := range 100 {
		fmt.Fprintf(&doc, `<span begin="%dms" end="%dms">x</span>`, 2*i, 2*i+1)
	}
	doc.WriteString(`</p></div></body></tt>`)
	return equalSamples(k, f.Codec, uint32(f.Duration), 1, []byte(doc.String())), nil
}

// TestRepetitiveText: the text of a segment is bounded, too.
func TestRepetitiveText(t *testing.T) {
	text := smoothtest.Stream{Type: smooth.Text, Name: "text", Durations: smoothtest.Repeat(60, second/10), Levels: []smoothtest.Level{{Bitrate: 1000}}}
	cfg := smoothtest.Config{Streams: []smoothtest.Stream{pictureStream("video", 100_000), text}}
	for n, status := range map[string]int{"1": 200, "3": 500} {
		p := repetitive{smoothtest.New(cfg)}
		w := do(plainHandler(t, sourceOf(p), nil), "GET", "/a/hls-ts/text/1000/0-"+n+".vtt")
		assert.Equal(t, status, w.Code, "%s: %d bytes", n, w.Body.Len())
	}
}
