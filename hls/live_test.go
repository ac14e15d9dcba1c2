package hls_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// edited is a presentation with changed snapshots, one for each of the inner presentation.
type edited struct {
	*smoothtest.Presentation
	edit func(s *smooth.Snapshot)

	mu    sync.Mutex // guards the fields below
	inner *smooth.Snapshot
	outer *smooth.Snapshot
}

func (e *edited) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	s, err := e.Presentation.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s != e.inner {
		m := *s.Manifest
		m.Streams = nil
		for _, st := range s.Manifest.Streams {
			c := *st
			m.Streams = append(m.Streams, &c)
		}
		e.inner, e.outer = s, smooth.NewSnapshot(&m, s.Validator+"e")
		e.outer.Periods, e.outer.Edges, e.outer.Ended = s.Periods, s.Edges, s.Ended
		e.edit(e.outer)
	}
	return e.outer, nil
}

// without drops the fragments between two times, in seconds, from all streams.
func without(s *smooth.Snapshot, from, to uint64) {
	for _, st := range s.Manifest.Streams {
		var kept smooth.Timeline
		scale := s.Manifest.TimescaleOf(st)
		for _, c := range st.Timeline {
			if c.End() <= from*scale || c.Time >= to*scale {
				kept = append(kept, c)
			}
		}
		st.Timeline = kept
	}
	s.Edges = nil // they know nothing of it
}

// liveConfig is a live presentation of picture, sound and text in fragments of about two seconds with a window of 40.
func liveConfig(window time.Duration) smoothtest.Config {
	return smoothtest.Config{
		Live: true, Lookahead: 2, DVRWindow: window, MaxPayload: 400, Wall: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
		Streams: []smoothtest.Stream{
			{Type: smooth.Video, Durations: smoothtest.Repeat(3, 2*second), Levels: []smoothtest.Level{{Bitrate: 300_000}}},
			{Type: smooth.Audio, Timescale: 48_000, Durations: smoothtest.Repeat(3, 94*1024), Levels: []smoothtest.Level{{Bitrate: 96_000}}},
			{Type: smooth.Text, Timescale: 1000, Durations: smoothtest.Repeat(3, 2000), Levels: []smoothtest.Level{{Bitrate: 1000}}},
		},
	}
}

// liveTargets are the playlists of a live presentation in all forms.
var liveTargets = []string{
	"/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-aapl).m3u8",
	"/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-aapl-v3).m3u8",
	"/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-cmaf).m3u8",
	"/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-aapl,type=keyframes).m3u8",
	"/a.ism/QualityLevels(96000)/Manifest(audio,format=m3u8-cmaf).m3u8",
	"/a.ism/QualityLevels(96000)/Manifest(audio,format=m3u8-aapl-v3).m3u8",
	"/a.ism/QualityLevels(1000)/Manifest(text,format=m3u8-aapl).m3u8",
}

// liveCases edit what a live presentation looks like.
var liveCases = map[string]func(s *smooth.Snapshot){
	"regular": func(*smooth.Snapshot) {},
	"gaps": func(s *smooth.Snapshot) {
		without(s, 20, 23)
		without(s, 50, 73)
		without(s, 90, 91)
	},
	"restarts": restart,
	"restarts that are forgotten": func(s *smooth.Snapshot) {
		restart(s)
		for len(s.Periods) > 1 && s.Periods[1].Start <= s.Manifest.Streams[0].Timeline.Start() {
			s.Periods = s.Periods[1:]
		}
	},
}

// restart makes three periods of a presentation.
func restart(s *smooth.Snapshot) {
	wall := s.Periods[0].Wall
	tracks := s.Periods[0].Tracks
	s.Periods = []smooth.Period{
		{Wall: wall, Tracks: tracks},
		{Start: 26 * second, Wall: wall.Add(time.Minute), Discontinuity: 1, Tracks: tracks},
		{Start: 60 * second, Wall: wall.Add(2 * time.Minute), Discontinuity: 3, Tracks: tracks},
	}
	without(s, 58, 60)
}

// seen is what a list has said of a number.
type seen struct {
	url      string
	duration uint64
	gap      bool
}

// TestLive lets presentations grow, move and end at random, and compares each list with one that is built anew, and
// with those before.
func TestLive(t *testing.T) {
	for name, edit := range liveCases {
		for _, window := range []time.Duration{0, 40 * time.Second} {
			for _, key := range []*hls.Encryption{nil, {Keys: hls.StaticKey{1}, Rotate: 3}} {
				t.Run(fmt.Sprintf("%s, window %v, encrypted %t", name, window, key != nil), func(t *testing.T) {
					t.Parallel()
					testLive(t, edit, window, key)
				})
			}
		}
	}
}

func testLive(t *testing.T, edit func(s *smooth.Snapshot), window time.Duration, key *hls.Encryption) {
	p := &edited{Presentation: smoothtest.New(liveConfig(window)), edit: edit}
	src := sourceOf(p)
	opts := &hls.Options{Encryption: key}
	h := smoothHandler(src, opts)
	known := make(map[string]map[uint64]seen)
	last := make(map[string]*mediaList)
	r := rand.New(rand.NewPCG(1, 4))
	size := 3
	for range 40 {
		fresh := smoothHandler(&renamed{src}, opts)
		for _, target := range liveTargets {
			if key != nil && strings.Contains(target, "keyframes") || r.IntN(3) == 0 {
				continue // a client does not ask for each
			}
			list := parseMedia(t, target, get(t, h, target))
			other := get(t, fresh, target)
			require.Equal(t, string(other), list.text, "built anew")
			checkLive(t, list, last[target], known)
			last[target] = list
			require.False(t, list.ended)
			require.Equal(t, map[bool]string{true: "EVENT"}[window == 0], list.kind)
		}
		n := 1 + r.IntN(2)
		p.Append(n)
		if size += n; window > 0 && size > 24 {
			p.Trim(size - 24)
			size = 24
		}
	}
	bodies := make(map[string][]byte)
	for _, target := range liveTargets {
		for _, e := range last[target].latest() {
			bodies[e.url] = get(t, h, e.url)
		}
	}
	p.End()
	for u, body := range bodies {
		assert.True(t, bytes.Equal(body, get(t, smoothHandler(src, opts), u)), "%s has changed with the end", u)
	}
	for _, target := range liveTargets {
		if key != nil && strings.Contains(target, "keyframes") {
			continue
		}
		list := readMedia(t, h, target)
		assert.True(t, list.ended)
		checkLive(t, list, last[target], known)
		assert.Equal(t, last[target].target, list.target)
		assert.Equal(t, last[target].kind, list.kind)
	}
	assert.Zero(t, p.OpenFragments())
}

// latest returns the last segments of a list that are there, as far as those of a presentation surely still are.
func (m *mediaList) latest() (list []entry) {
	if m == nil {
		return nil
	}
	for i, e := range m.entries {
		if !e.gap && i >= len(m.entries)-2 {
			list = append(list, e)
		}
	}
	return list
}

// checkLive compares a list with the one before.
func checkLive(t *testing.T, list, before *mediaList, known map[string]map[uint64]seen) {
	t.Helper()
	if before != nil {
		require.GreaterOrEqual(t, list.sequence, before.sequence)
		require.GreaterOrEqual(t, list.dseq, before.dseq)
		require.GreaterOrEqual(t, list.sequence+uint64(len(list.entries)), before.sequence+uint64(len(before.entries)))
	}
	numbers := known[list.url]
	if numbers == nil {
		numbers = make(map[uint64]seen)
		known[list.url] = numbers
	}
	for _, e := range list.entries {
		v := seen{e.url, e.duration, e.gap}
		if old, ok := numbers[e.number]; ok {
			require.Equal(t, old, v, "number %d of %s", e.number, list.url)
		}
		numbers[e.number] = v
	}
}

// renamed gives presentations new snapshots, so that nothing kept with them counts.
type renamed struct{ *smoothtest.Source }

func (r *renamed) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	p, err := r.Source.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	e := p.(*edited)
	return &edited{Presentation: e.Presentation, edit: e.edit}, nil
}

// TestLiveSegments: what is listed can be had, has the same bytes whenever and from whichever server it comes, and keeps
// them when the presentation has ended.
func TestLiveSegments(t *testing.T) {
	for _, target := range liveTargets {
		t.Run(target, func(t *testing.T) {
			p := &edited{Presentation: smoothtest.New(liveConfig(40 * time.Second)), edit: liveCases["regular"]}
			first, second := smoothHandler(sourceOf(p), nil), smoothHandler(sourceOf(p), &hls.Options{CacheBytes: -1})
			known := make(map[string]*http.Response)
			bodies := make(map[string]string)
			for round := range 24 {
				for _, e := range readMedia(t, first, target).entries {
					for _, h := range []*smooth.Handler{first, second} {
						w := do(h, "GET", e.url)
						require.Equal(t, 200, w.Code, "%s: %s", e.url, w.Body)
						if body, ok := bodies[e.url]; ok {
							require.True(t, body == w.Body.String(), "%s has changed", e.url)
							require.Equal(t, known[e.url].Header["Etag"], w.Header()["Etag"])
						}
						known[e.url], bodies[e.url] = w.Result(), w.Body.String()
					}
				}
				p.Append(1)
				if round > 20 {
					p.Trim(1)
				}
			}
			list := readMedia(t, first, target)
			p.End()
			for i, e := range list.entries {
				if body, ok := bodies[e.url]; ok && i > 0 {
					require.True(t, body == string(get(t, first, e.url)), "%s has changed with the end", e.url)
				}
			}
			assert.Zero(t, p.OpenFragments())
		})
	}
}

// TestLiveLookahead: segments are listed as soon as they have been received, whatever Smooth Streaming has to hold back;
// a filter that ends earlier still counts.
func TestLiveLookahead(t *testing.T) {
	cfg := liveConfig(0)
	cfg.Streams[0].Durations = smoothtest.Repeat(6, 2*second)
	cfg.Streams[1].Durations = smoothtest.Repeat(6, 2*48_000)
	p := smoothtest.New(cfg)
	h := smoothHandler(sourceOf(p), nil)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Manifest.Streams[0].Timeline, 4)
	for _, tt := range []struct {
		options string
		want    int
	}{{"", 2}, {",startTime=60000000", 1}, {",endTime=60000000", 1}, {",endTime=100000000", 1}, {",endTime=120000000", 2}} {
		for _, format := range []string{"m3u8-aapl", "m3u8-aapl-v3", "m3u8-cmaf"} {
			list := readMedia(t, h, "/a.ism/QualityLevels(300000)/Manifest(video,format="+format+tt.options+")")
			assert.Len(t, list.entries, tt.want, "%s %s", format, tt.options)
			for _, e := range list.entries {
				assert.NotEmpty(t, get(t, h, e.url))
			}
		}
	}
}

// TestLiveEdge: what is not there yet is 412, what has left is 404, and nothing waits.
func TestLiveEdge(t *testing.T) {
	cfg := liveConfig(40 * time.Second)
	cfg.Lookahead = 0
	p := smoothtest.New(cfg)
	p.Append(25)
	p.Trim(5)
	h := smoothHandler(sourceOf(p), nil)
	for _, tt := range []struct {
		target string
		status int
	}{
		{"Fragments(video=480000000,format=m3u8-aapl,n=3).ts", 200},
		{"Fragments(video=540000000,format=m3u8-aapl,n=1).ts", 200},
		{"Fragments(video=540000000,format=m3u8-aapl,n=3).ts", 412},
		{"Fragments(video=540000000,format=m3u8-aapl).ts", 412},
		{"Fragments(video=540000000,format=m3u8-cmaf,n=3).mp4", 412},
		{"Fragments(video=600000000,format=m3u8-aapl,n=3).ts", 412},
		{"KeyFrames(video=540000000,format=m3u8-aapl).ts", 200},
		{"KeyFrames(video=560000000,format=m3u8-aapl).ts", 412},
		{"Fragments(video=60000000,format=m3u8-aapl,n=3).ts", 404},
		{"Fragments(video=480000001,format=m3u8-aapl,n=3).ts", 404},
	} {
		w := do(h, "GET", "/a.ism/QualityLevels(300000)/"+tt.target)
		assert.Equal(t, tt.status, w.Code, tt.target)
		if tt.status == 412 {
			assert.Empty(t, w.Body.String())
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		}
	}
	assert.Zero(t, p.OpenFragments())
}

// What is wrong with the bit rates of a live presentation is not said again with every fragment.
func TestLiveLog(t *testing.T) {
	p := smoothtest.New(liveConfig(0))
	p.Append(6)
	var log bytes.Buffer
	h := smoothHandler(sourceOf(p), &hls.Options{MaxBitrate: 1000, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		require.Equal(t, 200, do(h, "GET", "/a.ism/Manifest(format=m3u8-aapl)").Code)
		p.Append(1)
	}
	assert.Empty(t, log.String())
	p.End()
	require.Equal(t, 200, do(h, "GET", "/a.ism/Manifest(format=m3u8-aapl)").Code)
	assert.Contains(t, log.String(), "variant above the maximum bit rate")
}

// A muxed segment waits for its sound, and a text segment for its text.
func TestLiveWaitsForSound(t *testing.T) {
	cfg := liveConfig(0)
	cfg.Streams[1].Durations = smoothtest.Repeat(2, 94*1024) // it comes late
	cfg.Streams[2].Durations = smoothtest.Repeat(2, 2000)
	cfg.Lookahead = 0
	p := smoothtest.New(cfg)
	h := smoothHandler(sourceOf(p), nil)
	count := func(i int) int { return len(readMedia(t, h, liveTargets[i]).entries) }
	assert.Equal(t, []int{1, 0, 1, 0}, []int{count(0), count(1), count(2), count(6)})
	muxed := "/a.ism/QualityLevels(300000)/Fragments(video=0,format=m3u8-aapl-v3,n=3).ts"
	text := "/a.ism/QualityLevels(1000)/Fragments(text=0,format=m3u8-aapl,n=3).vtt"
	assert.Equal(t, []int{412, 412}, []int{do(h, "GET", muxed).Code, do(h, "GET", text).Code})
	p.Append(1)
	assert.Equal(t, []int{1, 1, 1, 1}, []int{count(0), count(1), count(2), count(6)})
	assert.Equal(t, []int{200, 200}, []int{do(h, "GET", muxed).Code, do(h, "GET", text).Code})
}

// Two sounds whose frames are of equal sizes do not share segments.
func TestLiveSoundsOfOneSize(t *testing.T) {
	cfg := liveConfig(0)
	sound := cfg.Streams[1]
	sound.Name, sound.Language = "other", "fra"
	cfg.Streams = append(cfg.Streams, sound)
	p := smoothtest.New(cfg)
	p.Append(10)
	h := smoothHandler(sourceOf(p), nil)
	bodies := make(map[string]bool)
	for range 3 { // from the second time on it comes from the cache
		for _, name := range []string{"audio", "other"} {
			bodies[string(get(t, h, "/a.ism/QualityLevels(300000)/Fragments(video=0,format=m3u8-aapl-v3,n=3,audiotrack="+name+").ts"))] = true
		}
	}
	assert.Len(t, bodies, 2)
}

// TestLiveFilterByQuery: viewers whose filters leave different sounds do not share lists.
func TestLiveFilterByQuery(t *testing.T) {
	cfg := liveConfig(0)
	for _, name := range []string{"other", "third"} {
		sound := cfg.Streams[1]
		sound.Name, sound.Language = name, "fra"
		cfg.Streams = append(cfg.Streams, sound)
	}
	p := smoothtest.New(cfg)
	p.Append(10)
	h := smoothHandler(sourceOf(p), nil)
	const target = "/a.ism/QualityLevels(300000)/Manifest(video,format=m3u8-aapl-v3)"
	for _, query := range []string{
		"?tracks=video,audio,third", "?tracks=video,other,third", "?token=1", "?tracks=video,audio", "?tracks=video,third,other",
	} {
		fresh := smoothHandler(sourceOf(p), nil)
		assert.Equal(t, string(get(t, fresh, target+query)), string(get(t, h, target+query)), query)
		p.Append(1)
	}
}

// TestEndedJump: a clock that has jumped by a day does not hide what was before.
func TestEndedJump(t *testing.T) {
	cfg := liveConfig(0)
	cfg.Live = false
	cfg.Streams = cfg.Streams[:1]
	const day = 24 * 3600
	cfg.Streams[0].Durations = append(append(smoothtest.Repeat(30, 2*second), day*second), smoothtest.Repeat(30, 2*second)...)
	p := &edited{Presentation: smoothtest.New(cfg), edit: func(s *smooth.Snapshot) { without(s, 60, day+60) }}
	h := smoothHandler(sourceOf(p), &hls.Options{Encryption: &hls.Encryption{Keys: hls.StaticKey{1}}})
	list := readMedia(t, h, liveTargets[0])
	require.Len(t, list.entries, 20)
	for _, e := range list.entries {
		body := get(t, h, e.url)
		block, err := aes.NewCipher([]byte{1, 15: 0})
		require.NoError(t, err)
		var iv [16]byte
		binary.BigEndian.PutUint64(iv[8:], e.number)
		cipher.NewCBCDecrypter(block, iv[:]).CryptBlocks(body, body)
		require.EqualValues(t, 0x47, body[0], "segment %d is decrypted by its number", e.number)
	}
}
