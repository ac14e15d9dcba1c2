package smooth_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// liveEvent is a live presentation that publishes a snapshot per call of publish, as a publishing point does: each stream
// gains a chunk and, once the window is full, loses one.
type liveEvent struct {
	lines  []smooth.Timeline
	window int // chunks per stream
	minor  uint32
	number int
	snap   *smooth.Snapshot
}

func (p *liveEvent) Snapshot(context.Context) (*smooth.Snapshot, error) { return p.snap, nil }
func (p *liveEvent) Close() error                                       { return nil }
func (p *liveEvent) Fragment(context.Context, smooth.FragmentKey) (*smooth.Fragment, error) {
	return nil, smooth.ErrNotFound
}

// newLiveEvent returns an event of so many streams, the first half of which have fragments of two seconds, the others ones
// of whole AAC frames.
func newLiveEvent(streams, window int, minor uint32) *liveEvent {
	p := &liveEvent{lines: make([]smooth.Timeline, streams), window: window, minor: minor}
	for range window {
		p.grow()
	}
	p.publish()
	return p
}

// chunk returns the nth chunk of a stream.
func (p *liveEvent) chunk(stream, n int) smooth.Chunk {
	at := func(n uint64) uint64 { return n * 2 * second }
	if 2*stream >= len(p.lines) {
		at = func(n uint64) uint64 { // in frames of 1024 samples at 48 kHz, one more or less as it comes
			h := (n + uint64(stream)) * 0x9e3779b97f4a7c15
			frames := n*96000/1024 + ((h^h>>31)*0xbf58476d1ce4e5b9)>>63
			return (frames*1024*second + 24000) / 48000
		}
	}
	from := at(uint64(n))
	return smooth.Chunk{Time: from + 7*second, Duration: at(uint64(n)+1) - from}
}

func (p *liveEvent) grow() {
	for i := range p.lines {
		p.lines[i] = append(p.lines[i], p.chunk(i, p.number))
		p.lines[i] = p.lines[i][max(0, len(p.lines[i])-p.window):]
	}
	p.number++
}

func (p *liveEvent) publish() {
	m := &smooth.Manifest{
		MajorVersion: 2, MinorVersion: p.minor, Timescale: second, IsLive: true, LookaheadCount: 2,
		DVRWindowLength: uint64(p.window) * 2 * second, CanSeek: true, CanPause: true,
	}
	for i, tl := range p.lines {
		s := videoStream(slices.Clip(tl)...)
		s.Name = fmt.Sprintf("video%d", i)
		m.Streams = append(m.Streams, s)
	}
	old := p.snap
	p.snap = smooth.NewSnapshot(m, fmt.Sprintf("v%d", p.number))
	if old != nil {
		old.Supersede()
	}
}

// liveHandler serves an event as a.isml.
func liveHandler(p smooth.Presentation) *smooth.Handler {
	return smooth.NewHandler(&fakeSource{name: "a.isml", p: p}, quiet(&smooth.HandlerOptions{ChildQuery: []string{"token"}}))
}

// liveForms are the requests whose answers differ, each with whether it asks for gzip.
var liveForms = map[string]bool{
	"/a.isml/Manifest": false, "/a.isml/Manifest ": true, "/a.isml/Manifest(format=fmp4-v20)": false,
	"/a.isml/Manifest(format=fmp4-v20) ": true, "/a.isml/Manifest?token=a%26b": false, "/a.isml/Manifest?token=a%26b ": true,
	"/a.isml/Manifest(startTime=20000000000) ": true,
}

// liveAnswers returns the bodies and headers of all forms, and the text in each.
func liveAnswers(t *testing.T, h http.Handler) (answers, texts map[string]string) {
	t.Helper()
	answers, texts = make(map[string]string), make(map[string]string)
	for form, zipped := range liveForms {
		var headers []string
		if zipped {
			headers = []string{"Accept-Encoding: gzip"}
		}
		resp := do(h, "GET", strings.TrimSpace(form), headers...)
		if !strings.Contains(form, "start") { // which may be ahead
			require.Equal(t, 200, resp.StatusCode, form)
		}
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		answers[form] = fmt.Sprint(resp.Header) + string(b)
		if resp.Header.Get("Content-Encoding") == "gzip" {
			b = gunzip(t, b)
		}
		texts[form] = string(b)
	}
	return answers, texts
}

// gunzip reads a gzip file that is one member and nothing else.
func gunzip(t *testing.T, b []byte) []byte {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(b))
	z, err := gzip.NewReader(in)
	require.NoError(t, err)
	z.Multistream(false)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	_, err = in.ReadByte()
	require.Equal(t, io.EOF, err, "bytes after the member")
	return text
}

// TestLiveManifestSame: a handler that has followed an event sends what a new one sends, byte for byte, and that is the
// manifest.
func TestLiveManifestSame(t *testing.T) {
	for minor, window := range map[uint32]int{0: 1300, 2: 1800} { // neither fills whole blocks
		p := newLiveEvent(2, window, minor)
		follower := liveHandler(p)
		for i := range 7 {
			answers, texts := liveAnswers(t, follower)
			fresh, _ := liveAnswers(t, liveHandler(p))
			for form := range answers {
				require.Equal(t, fresh[form], answers[form], "step %d, version 2.%d, %s", i, minor, form)
				m, err := smooth.ParseManifest([]byte(texts[form]))
				require.NoError(t, err, form)
				for n, s := range m.Streams {
					from := 0
					if strings.Contains(form, "start") {
						from, _ = p.lines[n].Overlap(2000*second, math.MaxUint64)
					}
					require.Equal(t, p.lines[n][from:], s.Timeline, form)
				}
			}
			want, err := p.snap.Manifest.AppendXML(nil, nil)
			require.NoError(t, err)
			require.Equal(t, string(want), texts["/a.isml/Manifest"])
			require.Equal(t, string(want), texts["/a.isml/Manifest "])
			require.Equal(t, texts["/a.isml/Manifest?token=a%26b"], texts["/a.isml/Manifest?token=a%26b "])
			require.Equal(t, len(p.lines), strings.Count(texts["/a.isml/Manifest?token=a%26b"], "?token=a%26b\""))
			assert.Equal(t, minor == 2, bytes.Contains(want, []byte(` r="`)))
			assert.NotContains(t, texts["/a.isml/Manifest(format=fmp4-v20)"], ` r="`)
			for range []int{1, 1, 255, 256, 257, 700, 0}[i] {
				p.grow()
			}
			p.publish()
		}
	}
}

// TestLiveManifestChanges: what changes inside the window is seen, also in blocks that were written before.
func TestLiveManifestChanges(t *testing.T) {
	p := newLiveEvent(1, 2000, 0)
	follower := liveHandler(p)
	for name, change := range map[string]func(tl smooth.Timeline) smooth.Timeline{
		"a gap":             func(tl smooth.Timeline) smooth.Timeline { return slices.Delete(tl, 900, 901) },
		"a duration":        func(tl smooth.Timeline) smooth.Timeline { tl[900].Duration--; return tl },
		"a time":            func(tl smooth.Timeline) smooth.Timeline { tl[900].Time++; return tl },
		"a beginning":       func(tl smooth.Timeline) smooth.Timeline { return tl[300:] },
		"an early end":      func(tl smooth.Timeline) smooth.Timeline { return tl[:700] },
		"another programme": func(smooth.Timeline) smooth.Timeline { return smooth.Timeline{{Time: 3, Duration: 4}} },
		"nothing":           func(smooth.Timeline) smooth.Timeline { return nil },
	} {
		before := p.lines[0]
		p.lines[0] = change(slices.Clone(before))
		p.publish()
		answers, texts := liveAnswers(t, follower)
		fresh, _ := liveAnswers(t, liveHandler(p))
		assert.Equal(t, fresh, answers, name)
		m, err := smooth.ParseManifest([]byte(texts["/a.isml/Manifest "]))
		require.NoError(t, err)
		assert.Equal(t, p.lines[0], m.Streams[0].Timeline, name)
		p.lines[0] = before
	}
}

// TestLiveManifestEnds: with the end of the event it is a manifest as any other.
func TestLiveManifestEnds(t *testing.T) {
	p := newLiveEvent(2, 700, 0)
	h := liveHandler(p)
	_, live := liveAnswers(t, h)
	assert.Contains(t, live["/a.isml/Manifest"], `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="0" `+
		`TimeScale="10000000" IsLive="TRUE" LookAheadFragmentCount="2" DVRWindowLength="14000000000" CanSeek="TRUE" CanPause="TRUE">`)
	for _, noRepeats := range []bool{false, true} {
		m := p.snap.Manifest.Clone()
		m.IsLive, m.LookaheadCount, m.Duration, m.NoRepeats = false, 0, 14000000000, noRepeats
		p.snap = smooth.NewSnapshot(m, fmt.Sprint("ended ", noRepeats))
		_, ended := liveAnswers(t, h)
		text := ended["/a.isml/Manifest"]
		assert.NotContains(t, text, "IsLive")
		assert.Contains(t, text, `Duration="14000000000"`)
		assert.Equal(t, noRepeats, !strings.Contains(text, ` r="`))
		assert.Equal(t, noRepeats, strings.Contains(text, `MinorVersion="0"`))
		assert.Equal(t, text, ended["/a.isml/Manifest "])
		want, err := m.AppendXML(nil, nil)
		require.NoError(t, err)
		assert.Equal(t, string(want), text)
	}
}

// TestLiveManifestEmbedded: what sparse streams carry in the manifest is not taken from a block with the same times.
func TestLiveManifestEmbedded(t *testing.T) {
	p := newLiveEvent(1, 1000, 0)
	h := liveHandler(p)
	for _, text := range []string{"one", "two"} {
		p.publish()
		s := p.snap.Manifest.Streams[0]
		s.Embedded = make([][]smooth.ChunkData, len(s.Timeline))
		for i := range s.Embedded {
			s.Embedded[i] = []smooth.ChunkData{{Data: []byte(text)}}
		}
		_, texts := liveAnswers(t, h)
		m, err := smooth.ParseManifest([]byte(texts["/a.isml/Manifest "]))
		require.NoError(t, err)
		assert.Equal(t, s.Timeline, m.Streams[0].Timeline)
		assert.Equal(t, s.Embedded, m.Streams[0].Embedded)
	}
}

// TestLiveManifestFaults: a timeline out of order is refused wherever the fault is.
func TestLiveManifestFaults(t *testing.T) {
	for _, at := range []int{1, 300, 507, 508, 509, 999} { // inside blocks and between two
		for name, change := range map[string]func(*smooth.Chunk, smooth.Chunk){
			"same":  func(c *smooth.Chunk, before smooth.Chunk) { *c = before },
			"lower": func(c *smooth.Chunk, before smooth.Chunk) { c.Time = 1 },
			"wide":  func(c *smooth.Chunk, before smooth.Chunk) { c.Duration = math.MaxUint64 },
		} {
			p := newLiveEvent(1, 1000, 0)
			h := liveHandler(p)
			liveAnswers(t, h) // so that blocks are known
			p.lines[0] = slices.Clone(p.lines[0])
			change(&p.lines[0][at], p.lines[0][at-1])
			p.publish()
			assert.Equal(t, 500, do(h, "GET", "/a.isml/Manifest").StatusCode, "%s at %d", name, at)
			_, err := p.snap.Manifest.AppendXML(nil, nil)
			assert.ErrorIs(t, err, smooth.ErrCorrupt, "%s at %d", name, at)
		}
	}
}

// TestLiveManifestForgets: blocks that have left the window do not pile up, and those of one view are kept while another
// one goes on.
func TestLiveManifestForgets(t *testing.T) {
	p := newLiveEvent(1, 1100, 0)
	h := liveHandler(p)
	most := 0
	for range 30 {
		do(h, "GET", "/a.isml/Manifest")
		blocks, size := h.LiveBlocks()
		most = max(most, blocks)
		assert.Less(t, size, blocks*16<<10)
		for range 200 {
			p.grow()
		}
		p.publish()
	}
	assert.Less(t, most, 10)
	assert.Greater(t, most, 3)
}

// TestLiveManifestShared: all filtered views of an event use the same blocks.
func TestLiveManifestShared(t *testing.T) {
	p := newLiveEvent(1, 2000, 0)
	h := liveHandler(p)
	do(h, "GET", "/a.isml/Manifest")
	want, _ := h.LiveBlocks()
	for i := range 20 {
		resp := do(h, "GET", fmt.Sprintf("/a.isml/Manifest(startTime=%d)", (100+i)*second))
		require.Equal(t, 200, resp.StatusCode)
	}
	got, _ := h.LiveBlocks()
	assert.Equal(t, want, got)
}

// TestLiveManifestBounded: many events together keep to the bound.
func TestLiveManifestBounded(t *testing.T) {
	src := smoothtest.NewSource()
	p := newLiveEvent(8, 7200, 0)
	for i := range 24 {
		src.Add(fmt.Sprintf("%d.isml", i), p)
	}
	h := smooth.NewHandler(src, nil)
	for i := range 24 {
		p.publish() // of another point, but for its times
		require.Equal(t, 200, do(h, "HEAD", fmt.Sprintf("/%d.isml/Manifest", i)).StatusCode)
	}
	_, size := h.LiveBlocks()
	assert.LessOrEqual(t, size, smooth.LiveBlockBytes)
	assert.Greater(t, size, smooth.LiveBlockBytes/2)
}

// TestLiveManifestConcurrent lets many clients ask for the same snapshots at once.
func TestLiveManifestConcurrent(t *testing.T) {
	p := newLiveEvent(3, 1000, 0)
	h := liveHandler(p)
	for range 5 {
		want, _ := liveAnswers(t, liveHandler(p))
		done := make(chan map[string]string)
		for range 8 {
			go func() {
				got, _ := liveAnswers(t, h)
				done <- got
			}()
		}
		for range 8 {
			assert.Equal(t, want, <-done)
		}
		for range 100 {
			p.grow()
		}
		p.publish()
	}
}

// FuzzLiveManifest compares what a handler sends, which knows the blocks of another timeline, with the manifest written at
// once.
func FuzzLiveManifest(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 255, 255, 0, 7}, uint64(second), uint64(0))
	f.Add(bytes.Repeat([]byte{0, 1, 255, 200}, 30), uint64(1), uint64(math.MaxUint64-4000))
	f.Add(bytes.Repeat([]byte{2, 0, 2, 0}, 40), uint64(math.MaxUint64), uint64(math.MaxUint64-2048*600))
	f.Add([]byte{9, 9, 9, 9}, uint64(math.MaxUint64/512), uint64(1)<<63)
	f.Fuzz(func(t *testing.T, steps []byte, timescale, start uint64) {
		var tl smooth.Timeline
		for ; len(steps) >= 4; steps = steps[4:] {
			gap, d := binary.BigEndian.Uint16(steps), binary.BigEndian.Uint16(steps[2:])
			start += uint64(gap) // may wrap around
			tl = append(tl, smooth.Chunk{Time: start, Duration: uint64(d)})
			start += uint64(d) + 1
		}
		p := newLiveEvent(1, 1, uint32(len(tl)%2*2))
		h := liveHandler(p)
		for _, part := range []smooth.Timeline{tl[:len(tl)*2/3], tl, tl[len(tl)/3:]} {
			p.lines[0] = part
			p.publish()
			p.snap.Manifest.Streams[0].Timescale = timescale
			want, err := p.snap.Manifest.AppendXML(nil, nil)
			resp := do(h, "GET", "/a.isml/Manifest", "Accept-Encoding: gzip")
			if err != nil {
				require.Equal(t, 500, resp.StatusCode)
				continue
			}
			require.Equal(t, 200, resp.StatusCode)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			if resp.Header.Get("Content-Encoding") == "gzip" {
				body = gunzip(t, body)
			}
			require.Equal(t, string(want), string(body))
			m, err := smooth.ParseManifest(want)
			require.NoError(t, err)
			require.True(t, slices.Equal(part, m.Streams[0].Timeline))
		}
	})
}

// BenchmarkLiveManifest measures the first poll after a publish, with a window of four hours.
func BenchmarkLiveManifest(b *testing.B) {
	for _, streams := range []int{3, 8} {
		for _, form := range []struct {
			name    string
			minor   uint32
			headers []string
		}{{"2.0", 0, nil}, {"2.2", 2, nil}, {"2.0gzip", 0, []string{"Accept-Encoding", "gzip"}}, {"2.2gzip", 2, []string{"Accept-Encoding", "gzip"}}} {
			b.Run(fmt.Sprintf("%dx7200/%s", streams, form.name), func(b *testing.B) {
				p := newLiveEvent(streams, 7200, form.minor)
				h := smooth.NewHandler(&fakeSource{name: "a.isml", p: p}, nil)
				h.ServeHTTP(httptest.NewRecorder(), newRequest(form.headers))
				r := newRequest(form.headers)
				w := &nullWriter{header: make(map[string][]string)}
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					b.StopTimer()
					p.grow()
					p.publish()
					clear(w.header)
					b.StartTimer()
					h.ServeHTTP(w, r)
					n++
				}
				b.ReportMetric(float64(w.bytes)/float64(n), "B/body")
			})
		}
	}
}

func newRequest(headers []string) *http.Request {
	r := httptest.NewRequest("GET", "/a.isml/Manifest", nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}
