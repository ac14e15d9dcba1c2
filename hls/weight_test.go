package hls_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// weights is a presentation whose fragments have any sizes: for each time the one of another level is taken from a
// presentation with many. It counts the fragments that are opened.
type weights struct {
	*smoothtest.Presentation // with the levels to choose from
	snap                     *smooth.Snapshot
	choose                   func(time uint64) uint64 // the bit rate to take
	opened                   atomic.Int64
	broken                   func(k smooth.FragmentKey) error // or nil
}

// newWeights returns a presentation that claims a bit rate and has n fragments of two seconds with those of choose, in
// bits per second, which are multiples of 10,000 up to 400,000. With sound it has an audio stream, too.
func newWeights(t testing.TB, claimed uint64, n int, sound bool, choose func(i int) uint64) *weights {
	t.Helper()
	return newWeightsOf(t, claimed, n, 2*second, sound, choose)
}

// newWeightsOf is newWeights with fragments of any duration. Each has eight pictures.
func newWeightsOf(t testing.TB, claimed uint64, n int, each uint64, sound bool, choose func(i int) uint64) *weights {
	t.Helper()
	cfg := smoothtest.Config{MaxPayload: 1 << 20, Streams: []smoothtest.Stream{{Type: smooth.Video, Durations: smoothtest.Repeat(n, each)}}}
	for rate := uint64(10_000); rate <= 400_000; rate += 10_000 {
		cfg.Streams[0].Levels = append(cfg.Streams[0].Levels, smoothtest.Level{Bitrate: rate})
	}
	if sound {
		cfg.Streams = append(cfg.Streams, *audioStream(48_000, 0, smoothtest.Repeat(n, 94*1024)...))
	}
	w := &weights{Presentation: smoothtest.New(cfg), choose: func(time uint64) uint64 { return choose(int(time / each)) }}
	inner, err := w.Presentation.Snapshot(t.Context())
	require.NoError(t, err)
	m := *inner.Manifest
	m.Streams = append([]*smooth.Stream(nil), m.Streams...)
	video := *m.Streams[0]
	level := *video.Levels[0]
	level.Bitrate = claimed
	video.Levels = []*smooth.QualityLevel{&level}
	m.Streams[0] = &video
	w.snap = smooth.NewSnapshot(&m, fmt.Sprint("v", claimed))
	tracks := append([]smooth.Track(nil), inner.Periods[0].Tracks...)
	tracks[0].Bitrate = claimed
	w.snap.Periods = []smooth.Period{{Tracks: tracks}}
	return w
}

func (w *weights) Snapshot(context.Context) (*smooth.Snapshot, error) { return w.snap, nil }

func (w *weights) inner(k smooth.FragmentKey) smooth.FragmentKey {
	if k.Stream == "video" {
		k.Bitrate = w.choose(k.Time)
	}
	return k
}

func (w *weights) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	w.opened.Add(1)
	if w.broken != nil {
		if err := w.broken(k); err != nil {
			return nil, err
		}
	}
	return w.Presentation.Fragment(ctx, w.inner(k))
}

func (w *weights) FragmentSize(k smooth.FragmentKey) (int64, error) {
	return w.Presentation.FragmentSize(w.inner(k))
}

// unsized hides the sizes of a presentation.
type unsized struct{ smooth.Presentation }

// peaks returns the highest and the average bit rate of the segments of a playlist, in bits per second.
func peaks(t testing.TB, h *smooth.Handler, list *mediaList) (peak, average float64) {
	t.Helper()
	bytes := 0
	for _, e := range list.entries {
		n := len(get(t, h, e.url))
		bytes += n
		peak = max(peak, float64(n)*8e6/float64(e.duration))
	}
	return peak, float64(bytes) * 8e6 / float64(list.total())
}

var shapes = map[string]func(i int) uint64{
	"even":    func(int) uint64 { return 200_000 },
	"tiny":    func(int) uint64 { return 10_000 },
	"a spike": func(i int) uint64 { return map[bool]uint64{true: 400_000, false: 50_000}[i == 77] },
	"rising":  func(i int) uint64 { return 10_000 * uint64(1+i%5000*39/90%40) },
	"random": func(i int) uint64 {
		return 10_000 * uint64(1+rand.New(rand.NewPCG(uint64(i), 3)).IntN(40))
	},
	"waves": func(i int) uint64 { return 10_000 * uint64(1+i%30) },
}

// TestBandwidthOfSlowPictures: packets with nothing but a clock reference count, too.
func TestBandwidthOfSlowPictures(t *testing.T) {
	for _, each := range []uint64{8, 16, 40} {
		w := newWeightsOf(t, 100_000, 60, each*second, false, func(i int) uint64 {
			return map[bool]uint64{true: 20_000, false: 10_000}[i == 37]
		})
		h := smoothHandler(sourceOf(w), &hls.Options{CacheBytes: -1})
		v := &readMaster(t, h, "/a.ism/Manifest(format=m3u8-aapl).m3u8").variants[0]
		peak, _ := peaks(t, h, readMedia(t, h, v.url))
		assert.GreaterOrEqual(t, float64(v.number(t, "BANDWIDTH")), peak, "a picture in %d s", each/8)
		assert.LessOrEqual(t, float64(v.number(t, "BANDWIDTH")), peak*1.1+cycle, "a picture in %d s", each/8)
	}
}

// shortLengths makes the NAL units of a presentation have lengths of two bytes, with one more unit in each sample.
type shortLengths struct {
	*weights
	codec *smooth.Codec
	cut   bool // the last unit is longer than its sample
}

func (s *shortLengths) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := s.weights.Fragment(ctx, k)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		return nil, err
	}
	head := int(f.Size() - f.PayloadSize())
	for x, err := range f.Samples() {
		if err != nil {
			return nil, err
		}
		nalu := b.Bytes()[head+int(x.Offset):][:x.Size]
		header := nalu[4]
		length := uint16(len(nalu) - 5)
		if s.cut {
			length++
		}
		copy(nalu, []byte{0, 1, 0x06, byte(length >> 8), byte(length), header})
	}
	return smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: f.Timescale, Duration: f.Duration, Codec: s.codec, Memory: b.Bytes(), HeadLen: head,
	}), nil
}

func newShortLengths(t *testing.T) *shortLengths {
	s := &shortLengths{weights: newWeights(t, 100_000, 60, false, shapes["waves"])}
	track := &s.snap.Periods[0].Tracks[0]
	codec := *track.Codec
	codec.NALULengthSize = 2
	s.codec, track.Codec = &codec, &codec
	return s
}

// TestBandwidthOfShortLengths: start codes of four bytes in place of lengths of two are counted, not bounded.
func TestBandwidthOfShortLengths(t *testing.T) {
	w := newShortLengths(t)
	h := smoothHandler(sourceOf(w), &hls.Options{CacheBytes: -1})
	m := readMaster(t, h, "/a.ism/Manifest(format=m3u8-aapl).m3u8")
	require.Len(t, m.keys, 1)
	for _, v := range []tagged{m.variants[0], m.keys[0]} {
		peak, _ := peaks(t, h, readMedia(t, h, v.url))
		assert.GreaterOrEqual(t, float64(v.number(t, "BANDWIDTH")), peak, v.url)
		assert.LessOrEqual(t, float64(v.number(t, "BANDWIDTH")), peak*1.1+3*cycle, v.url) // a key frame lasts two seconds
	}
	assert.Zero(t, w.OpenFragments())
}

// TestBrokenShortLengths: a malformed sample does not keep a master playlist from being made.
func TestBrokenShortLengths(t *testing.T) {
	w := newShortLengths(t)
	w.cut = true
	h := smoothHandler(sourceOf(w), &hls.Options{CacheBytes: -1})
	assert.Len(t, readMaster(t, h, "/a.ism/Manifest(format=m3u8-aapl).m3u8").variants, 1)
}

// cycle is how much the bound of a segment may be above its size, in bits per second of segments of six seconds: the
// packets that complete the cycle of one continuity counter. It shows at the lowest bit rates only.
const cycle = 16 * 188 * 8 / 6.0

// TestBandwidthOfShort: a presentation of few segments is measured as a whole, so that its average is exact.
func TestBandwidthOfShort(t *testing.T) {
	for segments := 1; segments <= 8; segments++ {
		for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
			falling := func(i int) uint64 { return 400_000 / uint64(1+i/3*2) / 10_000 * 10_000 }
			w := newWeights(t, 100_000, 3*segments, format == "m3u8-aapl-v3", falling)
			h := smoothHandler(sourceOf(w), &hls.Options{OmitAudioOnly: true, CacheBytes: -1})
			v := &readMaster(t, h, "/a.ism/Manifest(format="+format+").m3u8").variants[0]
			_, want := peaks(t, h, readMedia(t, h, v.url))
			assert.InDelta(t, want, v.number(t, "AVERAGE-BANDWIDTH"), cycle+100, "%d segments of %s", segments, format)
		}
	}
}

// TestBandwidth: no segment exceeds BANDWIDTH, which is at most a tenth above the heaviest one.
func TestBandwidth(t *testing.T) {
	for name, shape := range shapes {
		for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
			for _, key := range []*hls.Encryption{nil, {Keys: hls.StaticKey{1}}} {
				if key != nil && name != "waves" {
					continue
				}
				w := newWeights(t, 100_000, 90, format == "m3u8-aapl-v3", shape)
				h := smoothHandler(sourceOf(w), &hls.Options{OmitAudioOnly: true, Encryption: key, CacheBytes: -1})
				m := readMaster(t, h, "/a.ism/Manifest(format="+format+").m3u8")
				require.Len(t, m.variants, 1)
				v := &m.variants[0]
				peak, average := peaks(t, h, readMedia(t, h, v.url))
				stated := float64(v.number(t, "BANDWIDTH"))
				assert.GreaterOrEqual(t, stated, peak, "%s %s", name, format)
				assert.LessOrEqual(t, stated, peak*1.1+cycle, "%s %s", name, format)
				assert.InDelta(t, average, v.number(t, "AVERAGE-BANDWIDTH"), average*0.1+cycle, "%s %s", name, format)
				assert.Zero(t, w.OpenFragments())
				if len(m.keys) > 0 {
					peak, _ := peaks(t, h, readMedia(t, h, m.keys[0].url))
					assert.GreaterOrEqual(t, float64(m.keys[0].number(t, "BANDWIDTH")), peak, "key frames of %s %s", name, format)
				}
			}
		}
	}
}

// TestBandwidthOfGroups: a variant has room for the heaviest sound that goes with it.
func TestBandwidthOfGroups(t *testing.T) {
	w := newWeights(t, 100_000, 30, true, shapes["random"])
	h := smoothHandler(sourceOf(w), nil)
	m := readMaster(t, h, "/a.ism/Manifest(format=m3u8-aapl).m3u8")
	require.Len(t, m.variants, 2)
	require.Len(t, m.renditions, 1)
	video, _ := peaks(t, h, readMedia(t, h, m.variants[0].url))
	sound, _ := peaks(t, h, readMedia(t, h, m.renditions[0].url))
	stated := float64(m.variants[0].number(t, "BANDWIDTH"))
	assert.GreaterOrEqual(t, stated, video+sound)
	assert.LessOrEqual(t, stated, 1.1*(video+sound))
	alone := float64(m.variants[1].number(t, "BANDWIDTH"))
	assert.GreaterOrEqual(t, alone, sound)
	assert.LessOrEqual(t, alone, 1.1*sound)
}

// TestBandwidthOfTheSample: the same for encoded pictures, whose sizes differ as they do.
func TestBandwidthOfTheSample(t *testing.T) {
	h := smoothHandler(sampleSource(t), &hls.Options{SegmentDuration: 2 * time.Second, OmitAudioOnly: true})
	for _, format := range []string{"m3u8-aapl-v3", "m3u8-cmaf"} {
		m := readMaster(t, h, "/sample.ism/Manifest(format="+format+").m3u8")
		sound := 0.0
		for _, r := range m.renditions {
			if r.attr("TYPE") == "AUDIO" {
				peak, _ := peaks(t, h, readMedia(t, h, r.url))
				sound = max(sound, peak)
			}
		}
		for _, v := range m.variants {
			peak, _ := peaks(t, h, readMedia(t, h, v.url))
			stated := float64(v.number(t, "BANDWIDTH"))
			assert.GreaterOrEqual(t, stated, peak+sound, format)
			assert.LessOrEqual(t, stated, 1.1*(peak+sound), format)
		}
		for _, v := range m.keys {
			peak, _ := peaks(t, h, readMedia(t, h, v.url))
			assert.GreaterOrEqual(t, float64(v.number(t, "BANDWIDTH")), peak)
		}
	}
}

// TestMasterOpensFew: of a long presentation a bounded number of fragments is opened.
func TestMasterOpensFew(t *testing.T) {
	for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
		for _, name := range []string{"even", "a spike", "random"} {
			w := newWeights(t, 20_000, 5000, true, func(i int) uint64 { return shapes[name](i)/100_000*10_000 + 10_000 })
			h := smoothHandler(sourceOf(w), nil)
			readMaster(t, h, "/a.ism/Manifest(format="+format+").m3u8")
			first := w.opened.Load()
			assert.Less(t, first, int64(1600), "%s %s", format, name)
			readMaster(t, h, "/a.ism/Manifest(format="+format+").m3u8")
			assert.Equal(t, first, w.opened.Load(), "it is made once")
			readMedia(t, h, "/a.ism/QualityLevels(20000)/Manifest(video,format="+format+").m3u8")
			assert.Equal(t, first, w.opened.Load(), "a media playlist opens none")
			assert.Zero(t, w.OpenFragments())
		}
	}
}

// TestBandwidthWithoutSizes: a presentation that does not know its sizes is measured at some places.
func TestBandwidthWithoutSizes(t *testing.T) {
	w := newWeights(t, 200_000, 90, false, shapes["even"])
	h := smoothHandler(sourceOf(unsized{w}), nil)
	v := readMaster(t, h, "/a.ism/Manifest(format=m3u8-aapl).m3u8").variants[0]
	peak, average := peaks(t, h, readMedia(t, h, v.url))
	assert.GreaterOrEqual(t, float64(v.number(t, "BANDWIDTH")), peak)
	assert.InEpsilon(t, average, v.number(t, "AVERAGE-BANDWIDTH"), 0.1)
}

// TestBandwidthOfBrokenFragments: a fragment that nobody gets does not keep the others from being played.
func TestBandwidthOfBrokenFragments(t *testing.T) {
	for _, bad := range []error{smooth.ErrCorrupt, smooth.ErrNotFound} {
		for name, broken := range map[string]func(k smooth.FragmentKey) bool{
			"the first":    func(k smooth.FragmentKey) bool { return k.Time == 0 },
			"the heaviest": func(k smooth.FragmentKey) bool { return k.Time == 77*2*second },
			"all":          func(smooth.FragmentKey) bool { return true },
		} {
			w := newWeights(t, 100_000, 150, false, shapes["a spike"])
			w.broken = func(k smooth.FragmentKey) error {
				if broken(k) {
					return bad
				}
				return nil
			}
			h := smoothHandler(sourceOf(w), nil)
			m := readMaster(t, h, "/a.ism/Manifest(format=m3u8-aapl).m3u8")
			assert.Positive(t, m.variants[0].number(t, "AVERAGE-BANDWIDTH"), name)
			assert.Zero(t, w.OpenFragments())
		}
	}
	w := newWeights(t, 100_000, 150, false, shapes["even"])
	fails := true
	w.broken = func(smooth.FragmentKey) error {
		if fails {
			return fmt.Errorf("the disk is gone")
		}
		return nil
	}
	h := smoothHandler(sourceOf(w), nil)
	assert.Equal(t, 500, do(h, "GET", "/a.ism/Manifest(format=m3u8-aapl).m3u8").Code)
	fails = false
	assert.Equal(t, 200, do(h, "GET", "/a.ism/Manifest(format=m3u8-aapl).m3u8").Code, "what may pass is not kept")
}

// TestMaxBitrate: variants go by their measured rate, the last one never goes, and differences are logged.
func TestMaxBitrate(t *testing.T) {
	bitrates := func(h *smooth.Handler, query string) (list []string) {
		for _, v := range readMaster(t, h, "/a.ism/Manifest(format=m3u8-aapl"+query+").m3u8").variants {
			list = append(list, strings.TrimPrefix(strings.Split(v.url, "/")[2], "QualityLevels"))
		}
		return list
	}
	cfg := smoothtest.Default()
	cfg.MaxPayload = 1 << 20
	for i := range cfg.Streams[0].Levels {
		cfg.Streams[0].Levels[i].Bitrate /= 10
	}
	p := smoothtest.New(cfg)
	for _, tt := range []struct {
		max  uint64
		want []string
	}{
		{0, []string{"(120000)", "(300000)", "(40000)", "(96000)"}},
		{1_000_000, []string{"(120000)", "(300000)", "(40000)", "(96000)"}},
		{300_000, []string{"(120000)", "(40000)", "(96000)"}},
		{200_000, []string{"(40000)", "(96000)"}},
		{1, []string{"(40000)", "(96000)"}},
	} {
		assert.Equal(t, tt.want, bitrates(smoothHandler(sourceOf(p), &hls.Options{MaxBitrate: tt.max}), ""), "maximum %d", tt.max)
	}
	alone := smoothHandler(sourceOf(p), &hls.Options{OmitAudioOnly: true})
	assert.NotContains(t, bitrates(alone, ""), "(96000)")
	assert.NotContains(t, bitrates(smoothHandler(sourceOf(p), nil), ",audio-only=false"), "(96000)")

	for _, tt := range []struct {
		claimed uint64
		logged  bool
	}{{50_000, true}, {210_000, false}, {900_000, true}} {
		var log bytes.Buffer
		w := newWeights(t, tt.claimed, 30, false, shapes["even"])
		h := smoothHandler(sourceOf(w), &hls.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), MaxBitrate: 100_000})
		readMaster(t, h, "/a.ism/Manifest(format=m3u8-aapl).m3u8")
		assert.Equal(t, tt.logged, strings.Contains(log.String(), "bit rate differs"), "%d: %s", tt.claimed, &log)
		assert.Contains(t, log.String(), "above the maximum", "it goes by the measured rate")
	}
}
