package hls

import (
	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// encryptSamples makes the segment one of SAMPLE-AES.
func (t *tsSegment) encryptSamples(key, iv [16]byte) error {
	t.protect = newSampleEncrypter(key, iv)
	streams := t.streams()
	for i := range streams {
		declareEncrypted(&streams[i], t.tracks[i].codec)
	}
	muxer, err := mpegts.NewMuxer(streams)
	if err == nil {
		t.muxer, t.muxers = muxer, nil
	}
	return err
}

// sampleAESGrowth bounds what SAMPLE-AES adds to a segment of so many bytes by the emulation prevention that encrypted
// bytes need. Of random bytes it is three in 2^24; encoded black, which repeats itself, was seen to grow by 0.5 percent.
func sampleAESGrowth(size uint64) uint64 { return size>>7 + 64 }

// refusesSampleAES returns why a track cannot be encrypted by SAMPLE-AES, or "".
func refusesSampleAES(l layout, c *smooth.Codec) string {
	if l == fragmented {
		return "SAMPLE-AES of fragmented MP4 is not done"
	}
	s := elementary(c)
	declareEncrypted(&s, c)
	if _, err := mpegts.NewMuxer([]mpegts.Stream{s}); err != nil {
		return "SAMPLE-AES does not cover it"
	}
	return ""
}
