package hls_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestMasterOfSeveralPeriods: a master playlist names the formats of all periods, and the size of the largest picture.
func TestMasterOfSeveralPeriods(t *testing.T) {
	high := []byte("\x00\x00\x00\x01\x67\x64\x00\x1f\xac\xd9\x40\xf0\x11\x7e\xf0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x18\x31\x96" +
		"\x00\x00\x00\x01\x68\xea\xec\xb2\x2c")
	p := &edited{Presentation: smoothtest.New(smoothtest.Default()), edit: func(s *smooth.Snapshot) {
		tracks := append([]smooth.Track(nil), s.Periods[0].Tracks...)
		for i, tr := range tracks {
			codec := *tr.Codec
			switch {
			case tr.Stream == "video" && tr.Bitrate > 400_000:
				codec.Width, codec.Height, codec.PrivateData, codec.SampleEntry = 960, 540, high, nil
			case tr.Stream == "audio_eng":
				codec.FourCC, codec.PrivateData, codec.SampleEntry = "AACH", []byte("\x2b\x11\x88\x00"), nil
			}
			tracks[i].Codec = &codec
		}
		s.Periods = []smooth.Period{s.Periods[0], {Start: 4 * second, Discontinuity: 1, Tracks: tracks}}
	}}
	h := smoothHandler(sourceOf(p), nil)
	for format, sounds := range map[string]string{"m3u8-aapl-v3": "mp4a.40.2,mp4a.40.5", "m3u8-aapl": "mp4a.40.2,mp4a.40.5", "m3u8-cmaf": "mp4a.40.2,mp4a.40.5"} {
		body := string(get(t, h, "/a.ism/Manifest(format="+format+")"))
		assert.Contains(t, body, `,CODECS="avc1.42c01f,avc1.64001f,`+sounds+`",RESOLUTION=1280x720`, format)
		assert.Contains(t, body, `,CODECS="avc1.42c01f,avc1.64001f,`+sounds+`",RESOLUTION=960x540`, format)
		assert.Contains(t, body, `,CODECS="avc1.42c01f,`+sounds+`",RESOLUTION=320x180`, format)
	}
}
