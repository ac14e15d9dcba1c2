package playlist_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// fuzzParts makes presentations of bytes: timescales, starts, lengths and numbers of levels of a picture, a sound and perhaps
// a text each.
func fuzzParts(data []byte) (src *smoothtest.Source, names []string) {
	next := func(n int) uint64 {
		if len(data) == 0 {
			return 0
		}
		v := data[0]
		data = data[1:]
		return uint64(v) % uint64(n)
	}
	scales := []uint64{stitchSecond, 90_000, 48_000, 1000, 1}
	src = smoothtest.NewSource()
	for part := 0; len(data) > 0 && part < 5; part++ {
		var c smoothtest.Config
		for i, kind := range []smooth.StreamType{smooth.Video, smooth.Audio, smooth.Text} {
			if next(8) == 0 {
				continue
			}
			scale := scales[next(len(scales))]
			s := smoothtest.Stream{Type: kind, Timescale: scale, Start: next(200) * max(scale/100, 1)}
			for range next(4) + 1 {
				s.Durations = append(s.Durations, (next(250)+1)*max(scale/50, 1))
			}
			for l := range next(3) + 1 {
				s.Levels = append(s.Levels, smoothtest.Level{Bitrate: 1000 * (1 + uint64(l) + next(50)*4)})
			}
			if i == 2 {
				s.Levels = s.Levels[:1]
			}
			c.Streams = append(c.Streams, s)
		}
		if len(c.Streams) == 0 {
			continue
		}
		c.MaxPayload = 32
		names = append(names, fmt.Sprintf("part%d.ism", part))
		src.Add(names[len(names)-1], smoothtest.New(c))
	}
	return src, names
}

// FuzzStitched: whatever parts are like, timelines go on without overlaps and have no gaps between parts, and every fragment
// that is listed is there with its times.
func FuzzStitched(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x03\x64\x64\x64\x64\x02\x01\x02\x03\x01\x02\x05\x03\x60\x61\x62\x63\x00\x09\x01\x00\x00\x01\xf9\x00\x00"))
	f.Add([]byte("\x01\x01\x10\x03\x64\x64\x64\x64\x00\x01\x01\x02\x05\x03\x60\x61\x62\x63\x00\x09\x01\x00\x00\x01\xf9\x00\x00\x01\x02\x01\x01\x01\x01\x01\x01\x01\x02\x03\x04\x05\x06\x07\x01\x01\x01"))
	f.Add([]byte("1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		src, names := fuzzParts(data)
		p := stitch(src, append(names, names...)...)
		s, err := p.Snapshot(t.Context())
		if err != nil {
			return
		}
		require.NotEmpty(t, s.Periods)
		require.Zero(t, s.Periods[0].Start)
		for i := 1; i < len(s.Periods); i++ {
			require.Greater(t, s.Periods[i].Start, s.Periods[i-1].Start)
			require.EqualValues(t, i, s.Periods[i].Discontinuity)
		}
		for _, st := range s.Manifest.Streams {
			require.NotEmpty(t, st.Timeline)
			at := st.Timeline.Start()
			for _, c := range st.Timeline {
				require.Equal(t, at, c.Time, "%s %v", st.Name, st.Timeline)
				require.Positive(t, c.Duration)
				at = c.End()
			}
			for _, l := range st.Levels {
				for i, k := range fragmentKeys(st, l) {
					list, f := fragmentSamples(t, p, k)
					require.Equal(t, k, f.Key)
					requireHead(t, f, uint32(i+1))
					require.NotEmpty(t, list)
					require.Equal(t, k.Time, list[0].DTS)
					sum := uint64(0)
					for _, x := range list {
						sum += uint64(x.Duration)
					}
					require.True(t, sum == f.Duration || f.Duration > math.MaxUint32 && sum < f.Duration, "%s %d", st.Name, k.Time)
					require.NotNil(t, s.Track(k), "%s %d %v", st.Name, k.Time, s.Periods)
					place, err := p.Locate(t.Context(), k, 1)
					require.NoError(t, err)
					require.LessOrEqual(t, place.From, place.To)
				}
			}
		}
		parts, err := p.Parts(t.Context())
		require.NoError(t, err)
		var end time.Duration
		for _, x := range parts {
			if x.Err == nil {
				require.Equal(t, end, x.Start)
				end += x.Duration
			}
		}
		require.EqualValues(t, s.Manifest.Duration*100, end)
	})
}
