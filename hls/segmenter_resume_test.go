package hls_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

var errSink = errors.New("the sink fails")

// TestSegmenterResume runs again and again with a sink that fails at random. Nothing that is whole is made twice, and
// the outcome is that of one run.
func TestSegmenterResume(t *testing.T) {
	p := openSample(t)
	for seed := range uint64(6) {
		opts := options(2 * time.Second)
		opts.Parallel = 1 + int(seed%3)
		if seed%2 == 1 {
			opts.Format = hls.FMP4
		}
		want, _ := segmentAll(t, opts, p)
		m := newMemory()
		r := rand.New(rand.NewPCG(seed, 1))
		fails := 0
		m.fail = func(string) error {
			if r.IntN(12) == 0 && fails < 300 {
				fails++
				return errSink
			}
			return nil
		}
		kept := 0
		for runs := 0; ; runs++ {
			require.Less(t, runs, 400)
			res, err := segmentInto(m, opts, p)
			require.Zero(t, m.open)
			if err == nil {
				kept = res.Kept
				break
			}
			require.ErrorIs(t, err, errSink)
			require.NotContains(t, m.files, "master.m3u8")
		}
		assert.Positive(t, fails)
		assert.Positive(t, kept)
		assert.Equal(t, "master.m3u8", m.commits[len(m.commits)-1])
		assertSameFiles(t, want, m)
	}
}

func assertSameFiles(t *testing.T, want, got *memory) {
	t.Helper()
	for name, f := range want.files {
		require.Contains(t, got.files, name)
		assert.Equal(t, string(f.Data), string(got.files[name].Data), name)
	}
	for name := range got.files {
		assert.Contains(t, want.files, name)
	}
}

// TestSegmenterAgain does nothing when all is there.
func TestSegmenterAgain(t *testing.T) {
	p := openMedia(t, "high.mp4")
	m, first := segmentAll(t, options(2*time.Second), p)
	before := len(m.commits)
	res, err := segmentInto(m, options(2*time.Second), p)
	require.NoError(t, err)
	assert.Empty(t, m.commits[before:])
	assert.Zero(t, res.Written)
	assert.Equal(t, first.Written, res.Kept)
	assert.Equal(t, first.Files, res.Files)
	assert.Equal(t, first.Bytes, res.Bytes)

	m.files["a/00001.ts"].Data = m.files["a/00001.ts"].Data[:188] // as after a power failure
	delete(m.files, "a/00002.ts")
	res, err = segmentInto(m, options(2*time.Second), p)
	require.NoError(t, err)
	assert.Equal(t, 2, res.Written)
	whole, _ := segmentAll(t, options(2*time.Second), p)
	assertSameFiles(t, whole, m)

	opts := options(2 * time.Second)
	opts.StartOver = true
	res, err = segmentInto(m, opts, p)
	require.NoError(t, err)
	assert.Zero(t, res.Kept)
}

// TestSegmenterChanged starts over when anything differs that the files depend on, and leaves nothing old behind.
func TestSegmenterChanged(t *testing.T) {
	key := func(k hls.StaticKey) *hls.SegmenterOptions {
		opts := options(2 * time.Second)
		opts.Encryption = &hls.Encryption{Keys: k, URI: "k"}
		return opts
	}
	fmp4 := options(2 * time.Second)
	fmp4.Format = hls.FMP4
	for name, change := range map[string]struct {
		from, to *hls.SegmenterOptions
		media    string
	}{
		"duration":   {options(2 * time.Second), options(4 * time.Second), "high.mp4"},
		"format":     {options(2 * time.Second), fmp4, "high.mp4"},
		"source":     {options(2 * time.Second), options(2 * time.Second), "low.mp4"},
		"encryption": {options(2 * time.Second), key(hls.StaticKey{1}), "high.mp4"},
		"key":        {key(hls.StaticKey{1}), key(hls.StaticKey{2}), "high.mp4"},
	} {
		m, _ := segmentAll(t, change.from, openMedia(t, "high.mp4"))
		m.fail = func(op string) error { // nothing is made any more before the old master playlist has gone
			assert.NotContains(t, m.files, "master.m3u8", "%s: %s", name, op)
			return nil
		}
		res, err := segmentInto(m, change.to, openMedia(t, change.media))
		require.NoError(t, err, name)
		assert.Zero(t, res.Kept, name)
		want, _ := segmentAll(t, change.to, openMedia(t, change.media))
		assertSameFiles(t, want, m)
	}
}

// TestSegmenterForeignFiles: a state that names files which no segmenter makes does not get them removed, nor asked for.
func TestSegmenterForeignFiles(t *testing.T) {
	foreign := []string{"photo.jpg", "a/index.html", "\u00fc.ts", "a b/00000.ts"}
	m := newMemory()
	state := `{"content":"other","files":{`
	for i, name := range foreign {
		m.files[name] = &fstest.MapFile{Data: []byte("own")}
		state += strings.Repeat(",", min(i, 1)) + strconv.Quote(name) + `:{"size":3}`
	}
	m.files[".segmenter.json"] = &fstest.MapFile{Data: []byte(state + "}}")}
	_, err := segmentInto(m, options(2*time.Second), openMedia(t, "low.mp4"))
	require.NoError(t, err)
	for _, name := range foreign {
		assert.Contains(t, m.files, name)
	}
}

// TestSegmenterState reads states that no segmenter has written.
func TestSegmenterState(t *testing.T) {
	p := openMedia(t, "low.mp4")
	want, _ := segmentAll(t, options(2*time.Second), p)
	good := string(want.data(t, ".segmenter.json"))
	for _, state := range []string{
		"", "{", "null", "[]", `{"content":""}`, strings.Replace(good, `"size":`, `"size":-`, -1),
		strings.Replace(good, `"frames":[`, `"frames":[7,`, -1), strings.Replace(good, `"frames":[`, `"frames":[-1,5,`, -1),
		strings.Replace(good, "a/00000.ts", "../../a/00000.ts", 1),
	} {
		m := newMemory()
		for name, f := range want.files {
			m.files[name] = &fstest.MapFile{Data: f.Data}
		}
		m.files[".segmenter.json"].Data = []byte(state)
		_, err := segmentInto(m, options(2*time.Second), p)
		require.NoError(t, err, state)
		delete(m.files, "../../a/00000.ts")
		assertSameFiles(t, want, m)
	}
}

// forgetful is a sink that is no Resumer.
type forgetful struct{ hls.Sink }

func TestSegmenterNoResumer(t *testing.T) {
	m := newMemory()
	res, err := segmentInto(forgetful{m}, options(2*time.Second), openMedia(t, "low.mp4"))
	require.NoError(t, err)
	assert.NotContains(t, m.files, ".segmenter.json")
	assert.Len(t, m.files, len(res.Files))
}

func TestSegmenterSinkFails(t *testing.T) {
	for _, op := range []string{"create .segmenter.json", "write .segmenter.json", "commit .segmenter.json", "commit a/index.m3u8", "create master.m3u8"} {
		m := newMemory()
		m.fail = func(o string) error {
			if o == op {
				return errSink
			}
			return nil
		}
		_, err := segmentInto(m, options(2*time.Second), openMedia(t, "low.mp4"))
		require.ErrorIs(t, err, errSink, op)
		assert.Zero(t, m.open, op)
		assert.NotContains(t, m.files, "master.m3u8", op)
	}
}

func FuzzSegmenterState(f *testing.F) {
	tiny := smoothtest.Default()
	tiny.Streams = tiny.Streams[:1]
	tiny.Streams[0].Levels, tiny.Streams[0].Durations = tiny.Streams[0].Levels[:1], tiny.Streams[0].Durations[:3]
	p := smoothtest.New(tiny)
	want, _ := segmentAll(f, options(2*time.Second), p)
	good := want.data(f, ".segmenter.json")
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(strings.Replace(string(good), "[", "[-", -1)))
	f.Add([]byte(`{"files":{"../x":{"size":1},"":{},"a\u0000":{"size":-1}}}`))
	f.Fuzz(func(t *testing.T, state []byte) {
		m := newMemory()
		m.files[".segmenter.json"] = &fstest.MapFile{Data: state}
		m.files["a/00000.ts"] = want.files["a/00000.ts"]
		_, err := segmentInto(m, options(2*time.Second), p)
		require.NoError(t, err)
		for name, f := range want.files {
			if name != "a/00000.ts" && !strings.HasSuffix(name, ".m3u8") && name != ".segmenter.json" {
				require.Equal(t, f.Data, m.files[name].Data, name)
			}
			require.True(t, fs.ValidPath(name))
		}
	})
}
