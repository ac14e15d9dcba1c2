package e2e_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	hlsvalidate "github.com/smoothkit/smoothkit/hls/validate"
)

// segmented is one output of examples/segment: a directory of its name, beside the others.
type segmented struct {
	name   string
	inputs []string // MP4 files, without extension
	format string
	key    []string // how players get the key of AES-128; none means in the clear
}

var segmentedOutputs = []segmented{
	{"muxed", []string{"film"}, "ts", nil},
	{"ts", []string{"video_500", "video_150", "audio_eng", "audio_fra"}, "ts", []string{"-key-uri", "/film.key"}},
	{"fmp4", []string{"video_500", "video_150", "audio_eng", "audio_fra"}, "fmp4", nil},
	{"fmp4-aes-128", []string{"video_500", "audio_eng"}, "fmp4", []string{"-write-key"}},
}

// TestSegment makes HLS in a directory as a user would, with the program, of MP4 files with B-frames. A plain file
// server hands it out: ffmpeg decodes the frames of the source and has nothing to complain of, the validator has no
// objection, and hls.js plays.
func TestSegment(t *testing.T) {
	root := segmentFiles(t)
	asked := &askedFiles{n: make(map[string]int)}
	srv := httptest.NewServer(asked.count(http.FileServer(http.Dir(root))))
	t.Cleanup(srv.Close)
	source := mp4Frames(root)
	for _, o := range segmentedOutputs {
		t.Run(o.name+"/frames", func(t *testing.T) { checkSegmentedFrames(t, srv.URL+"/"+o.name+"/master.m3u8", source) })
		t.Run(o.name+"/validator", func(t *testing.T) { checkSegmentedRules(t, root, o.name) })
	}
	for name, seconds := range map[string]float64{"ts": 2, "fmp4": 2} {
		t.Run(name+"/player", func(t *testing.T) {
			p := order{Player: "hls", URL: srv.URL + "/" + name + "/master.m3u8", Seconds: seconds, Seek: 17, Chromium: chromium(t)}
			twice(t, func() error {
				asked.taken() // by what went before
				r, err := play(t, p)
				if r == nil {
					return err
				}
				r.Requests = asked.taken() // the driver knows those of Smooth Streaming only
				return r.check(p)
			})
		})
	}
}

// segmentFiles runs the program for all outputs and returns the directory that they, the sources and the key are in.
// Segments are short, so that players need not wait long for a switch.
func segmentFiles(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	mp4 := filepath.Join(media(t), "mp4")
	require.NoError(t, os.CopyFS(root, os.DirFS(mp4)))
	require.NoError(t, ffmpeg(t, "-i", filepath.Join(mp4, "video_500.mp4"), "-i", filepath.Join(mp4, "audio_eng.mp4"),
		"-c", "copy", filepath.Join(root, "film.mp4")))
	key := filepath.Join(root, "film.key")
	require.NoError(t, os.WriteFile(key, []byte("16 secret bytes."), 0o644))
	exe := filepath.Join(t.TempDir(), "segment.exe")
	out, err := run(t, 3*time.Minute, "go", "build", "-o", exe, module(t, "examples/segment"))
	require.NoError(t, err, out)
	for _, o := range segmentedOutputs {
		args := []string{"-out", filepath.Join(root, o.name), "-format", o.format, "-duration", "2s"}
		for _, name := range o.inputs {
			args = append(args, "-in", filepath.Join(root, name+".mp4"))
		}
		if o.key != nil {
			args = append(append(args, "-key-file", key), o.key...)
		}
		out, err := run(t, time.Minute, exe, args...)
		require.NoError(t, err, out)
		assert.Contains(t, out, "master.m3u8: ", "and nothing left out")
		assert.NotContains(t, out, "left out")
	}
	return root
}

// frameSource returns the digests of the frames of an MP4 file, of one kind, v or a.
type frameSource func(t *testing.T, name, kind string) []string

// mp4Frames decodes the MP4 files in a directory, each once. Sound is decoded from a plain stream of its frames, since
// the edit list of the file hides the first, which HLS has no means to hide.
func mp4Frames(dir string) frameSource {
	known := make(map[string][]string)
	return func(t *testing.T, name, kind string) []string {
		t.Helper()
		id := name + " " + kind
		if known[id] != nil {
			return known[id]
		}
		file := filepath.Join(dir, name+".mp4")
		if kind == "a" {
			adts := filepath.Join(t.TempDir(), name+".aac")
			require.NoError(t, ffmpeg(t, "-i", file, "-map", "0:a", "-c", "copy", adts))
			file = adts
		}
		frames, _ := decoded(t, file, kind) // a stream without times has it complain
		require.NotEmpty(t, frames)
		known[id] = frames
		return frames
	}
}

// checkSegmentedFrames decodes every media playlist of a master playlist, which are in directories that are called like
// the source, or, of sound, like its language.
func checkSegmentedFrames(t *testing.T, address string, source frameSource) {
	t.Helper()
	const keyInterval = 50 // frames
	same := func(want []string, uri, kind string) {
		t.Helper()
		got, complaints := decoded(t, resolve(t, address, uri), kind)
		assert.Empty(t, complaints, uri)
		assert.Equal(t, want, got, "%s of %s", kind, uri)
	}
	sounds := make(map[string]string)
	for _, v := range readMaster(t, address).Variants {
		name := path.Dir(v.URI)
		frames := source(t, name, "v")
		if v.Iframe {
			var keys []string
			for i := 0; i < len(frames); i += keyInterval {
				keys = append(keys, frames[i])
			}
			same(keys, v.URI, "v")
			continue
		}
		same(frames, v.URI, "v")
		if v.Audio == "" {
			same(source(t, name, "a"), v.URI, "a")
		}
		for _, a := range v.Alternatives {
			if a.Type == "AUDIO" {
				sounds[a.URI] = map[string]string{"en": "audio_eng", "fr": "audio_fra"}[a.Language]
			}
		}
	}
	for uri, name := range sounds {
		same(source(t, name, "a"), uri, "a")
	}
}

// checkSegmentedRules validates an output as files. The root of URLs is the directory with all outputs.
func checkSegmentedRules(t *testing.T, root, name string) {
	t.Helper()
	report, err := hlsvalidate.FS(context.Background(), os.DirFS(root), name+"/master.m3u8", nil)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, report.Checked.Fragments, 12)
	for _, v := range report.Violations {
		if about, known := advice[v.Rule.ID]; !known || about != nil {
			t.Error(v)
		}
	}
}

// askedFiles counts the segments that are asked for by the directory they are in: {"video_500": 5}.
type askedFiles struct {
	mu sync.Mutex // guards n
	n  map[string]int
}

// count returns a handler that counts requests before h gets them.
func (a *askedFiles) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, inside, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if ext := path.Ext(inside); ext == ".ts" || ext == ".m4s" {
			a.add(path.Dir(inside))
		}
		h.ServeHTTP(w, r)
	})
}

func (a *askedFiles) add(dir string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n[dir]++
}

// taken returns the count and begins a new one.
func (a *askedFiles) taken() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.n
	a.n = make(map[string]int)
	return n
}
