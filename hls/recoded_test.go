package hls_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// recoded is a presentation whose encoder was restarted with another sampling rate of the sound.
type recoded struct {
	*edited
	from  uint64 // seconds
	codec *smooth.Codec
}

func (r *recoded) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := r.edited.Fragment(ctx, k)
	if err == nil && k.Stream == "audio" && f.Key.Time >= r.from*f.Timescale {
		f.Codec = r.codec
	}
	return f, err
}

// TestSoundChanges: each segment tells the configuration of the sound that is in it, though a fragment of the sound before
// reaches up to its start or a little further.
func TestSoundChanges(t *testing.T) {
	const from = 24
	codec := &smooth.Codec{Type: smooth.Audio, FourCC: "AACL", PrivateData: []byte{0x12, 0x10}, SamplingRate: 44_100, Channels: 2}
	p := &recoded{from: from, codec: codec}
	p.edited = &edited{Presentation: smoothtest.New(liveConfig(0)), edit: func(s *smooth.Snapshot) {
		tracks := append([]smooth.Track(nil), s.Periods[0].Tracks...)
		for i := range tracks {
			if tracks[i].Stream == "audio" {
				tracks[i].Codec = codec
			}
		}
		s.Periods = []smooth.Period{s.Periods[0], {Start: from * second, Discontinuity: 1, Tracks: tracks}}
	}}
	p.Append(30)
	h := smoothHandler(sourceOf(p), nil)
	for _, target := range []string{liveTargets[1], liveTargets[5]} {
		list, restarted := readMedia(t, h, target), false
		require.Greater(t, len(list.entries), 6)
		for _, e := range list.entries {
			if restarted = restarted || e.discontinuity; e.gap {
				continue
			}
			packets := new(demuxer).read(t, get(t, h, e.url))[streamAAC]
			require.NotEmpty(t, packets)
			for _, pkt := range packets {
				want := 3 // 48 kHz
				if restarted {
					want = 4 // 44.1 kHz
				}
				assert.Equal(t, want, int(pkt.payload[2]>>2&15), e.url)
			}
		}
		assert.True(t, restarted)
	}
}
