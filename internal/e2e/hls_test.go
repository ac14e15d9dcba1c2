package e2e_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafov/m3u8"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// master returns the name of the master playlist in a format.
func master(format string) string { return "Manifest(format=" + format + ").m3u8" }

// serveHLS serves the presentations below root as HLS too and returns the address, with a slash at the end.
func serveHLS(t *testing.T, root string, e *hls.Encryption) string {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	source := smooth.Dir(root, &smooth.FileOptions{Logger: log})
	t.Cleanup(func() { require.NoError(t, source.Close()) })
	return serveSource(t, source, log, e)
}

// serveSample serves the sample as HLS and returns the address of the presentation, with a slash at the end.
func serveSample(t *testing.T, e *hls.Encryption) string {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	source := smooth.FS(smoothtest.Sample(), &smooth.FileOptions{Logger: log})
	t.Cleanup(func() { require.NoError(t, source.Close()) })
	return serveSource(t, source, log, e) + "sample.ism/"
}

func serveSource(t *testing.T, source smooth.Source, log *slog.Logger, e *hls.Encryption) string {
	t.Helper()
	output := hls.NewOutput(&hls.Options{Logger: log, Encryption: e})
	handler := smooth.NewHandler(source, &smooth.HandlerOptions{Logger: log, Outputs: []smooth.Output{output}})
	mux := http.NewServeMux()
	mux.Handle("/video/", http.StripPrefix("/video", handler))
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		srv.Close()
		require.NoError(t, output.Close())
	})
	return srv.URL + "/video/"
}

// download returns the body behind an URL.
func download(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := http.Get(address)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", address, body)
	return body
}

// resolve returns the URL of a reference in the document at base.
func resolve(t *testing.T, base, reference string) string {
	t.Helper()
	u, err := url.Parse(base)
	require.NoError(t, err)
	u, err = u.Parse(reference)
	require.NoError(t, err)
	return u.String()
}

// readMaster returns the master playlist at an URL.
func readMaster(t *testing.T, address string) *m3u8.MasterPlaylist {
	t.Helper()
	list, kind, err := m3u8.DecodeFrom(strings.NewReader(string(download(t, address))), true)
	require.NoError(t, err)
	require.Equal(t, m3u8.MASTER, kind)
	return list.(*m3u8.MasterPlaylist)
}

// readMedia returns the segments of the media playlist at an URL, whose URIs become whole URLs.
func readMedia(t *testing.T, address string) (*m3u8.MediaPlaylist, []*m3u8.MediaSegment) {
	t.Helper()
	list, kind, err := m3u8.DecodeFrom(strings.NewReader(string(download(t, address))), true)
	require.NoError(t, err)
	require.Equal(t, m3u8.MEDIA, kind)
	media := list.(*m3u8.MediaPlaylist)
	segments := media.Segments[:media.Count()]
	for _, s := range segments {
		s.URI = resolve(t, address, s.URI)
	}
	return media, segments
}

// hlsTrack is a media playlist of picture or sound, or of both, that a master playlist names.
type hlsTrack struct {
	url    string
	stream string // of the presentation that it shows
	rate   string // bit rate of the level, as in its URL
	video  bool
}

// name is what tests of the track are called.
func (k hlsTrack) name() string { return k.stream + "@" + k.rate }

// tracksOf returns the media playlists of a master playlist, each once. Their URLs say which stream they show:
// QualityLevels(RATE)/Manifest(STREAM,format=...).
func tracksOf(t *testing.T, address string) (tracks []hlsTrack) {
	t.Helper()
	seen := map[string]bool{}
	add := func(reference string) {
		if seen[reference] {
			return
		}
		seen[reference] = true
		k := hlsTrack{url: resolve(t, address, reference)}
		rate, rest, ok := strings.Cut(strings.TrimPrefix(reference, "QualityLevels("), ")/Manifest(")
		require.True(t, ok, reference)
		k.rate = rate
		k.stream, _, _ = strings.Cut(rest, ",")
		k.video = k.stream == "video"
		tracks = append(tracks, k)
	}
	for _, v := range readMaster(t, address).Variants {
		if v.Iframe {
			continue
		}
		add(v.URI)
		for _, a := range v.Alternatives {
			if a.Type == "AUDIO" {
				add(a.URI)
			}
		}
	}
	require.NotEmpty(t, tracks)
	return tracks
}

// kind returns what ffmpeg calls the kind of stream, v or a.
func (k hlsTrack) kind() string {
	if k.video {
		return "v"
	}
	return "a"
}

// sampleFiles returns a directory with the files of the sample.
func sampleFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, copyInto(dir))
	return dir
}

// sampleFile returns the name of the file of the sample that a track comes from. The .ismt is not among them.
func sampleFile(k hlsTrack) string {
	if k.video {
		return fmt.Sprintf("sample_%s.ismv", strings.TrimSuffix(k.rate, "000"))
	}
	return fmt.Sprintf("sample_%s_%s.isma", strings.TrimPrefix(k.stream, "audio_"), strings.TrimSuffix(k.rate, "000"))
}

// decoded returns the digests of all decoded frames of one kind, v or a, and what ffmpeg had to say. Further arguments
// are for the output.
func decoded(t *testing.T, input, kind string, further ...string) (frames []string, complaints string) {
	t.Helper()
	dir := t.TempDir()
	sums := filepath.Join(dir, "frames")
	args := append([]string{"-hide_banner", "-nostdin", "-v", "warning", "-i", input, "-map", "0:" + kind,
		"-fps_mode", "passthrough"}, further...)
	said, err := run(t, time.Minute, "ffmpeg", append(args, "-f", "framemd5", sums)...)
	require.NoError(t, err, said)
	for line := range strings.Lines(said) {
		// Its parser, which has no name in the log, reads samples before they are decrypted, and meets slice headers that
		// SAMPLE-AES leaves in the clear to the first 32 bytes only.
		if !strings.HasPrefix(line, "[NULL @ ") {
			complaints += line
		}
	}
	data, err := os.ReadFile(sums)
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		if fields := strings.Split(line, ","); !strings.HasPrefix(line, "#") && len(fields) >= 6 {
			frames = append(frames, strings.TrimSpace(fields[5]))
		}
	}
	return frames, complaints
}

// sourceFrames decodes the files of the sample, each once.
func sourceFrames(t *testing.T) func(k hlsTrack) []string {
	dir := sampleFiles(t)
	known := map[string][]string{}
	return func(k hlsTrack) []string {
		file := sampleFile(k)
		if known[file] == nil {
			frames, complaints := decoded(t, filepath.Join(dir, file), k.kind())
			require.Empty(t, complaints)
			known[file] = frames
		}
		return known[file]
	}
}

// first returns what makes ffmpeg stop after some frames. With SAMPLE-AES it must do so before the end: what ffmpeg 5.1
// reads last it does not decrypt, since it has no segment, and so no key, at hand then.
func (k hlsTrack) first(frames int) []string {
	return []string{"-frames:" + k.kind(), strconv.Itoa(frames)}
}

// TestHLSFrames decodes every media playlist of the sample with ffmpeg, which must not complain, and compares all frames
// with those of the Smooth source files. Media playlists are read, not master playlists, since ffmpeg 5.1 warns of any
// WebVTT rendition that a master playlist names.
func TestHLSFrames(t *testing.T) {
	need(t, "ffmpeg")
	source := sourceFrames(t)
	oneKey := func(m hls.EncryptionMethod) *hls.Encryption {
		return &hls.Encryption{Method: m, Master: []byte("a secret of tests")}
	}
	for _, c := range []struct {
		name, format string
		encryption   *hls.Encryption
	}{
		{"ts", "m3u8-aapl", nil},
		{"muxed", "m3u8-aapl-v3", nil},
		{"muxed/german", "m3u8-aapl-v3,audiotrack=audio_deu,audio-only=false", nil},
		{"fmp4", "m3u8-cmaf", nil},
		{"ts/aes-128", "m3u8-aapl", rotating(hls.AES128)},
		{"muxed/aes-128", "m3u8-aapl-v3", rotating(hls.AES128)},
		{"fmp4/aes-128", "m3u8-cmaf", rotating(hls.AES128)},
		{"ts/sample-aes", "m3u8-aapl", oneKey(hls.SampleAES)},
		{"muxed/sample-aes", "m3u8-aapl-v3", oneKey(hls.SampleAES)},
	} {
		base := serveSample(t, c.encryption)
		for _, k := range tracksOf(t, base+master(c.format)) {
			t.Run(c.name+"/"+k.name(), func(t *testing.T) {
				var further []string
				want := source(k)
				if c.encryption != nil && c.encryption.Method == hls.SampleAES {
					want = want[:len(want)*31/32]
					further = k.first(len(want))
				}
				frames, complaints := decoded(t, k.url, k.kind(), further...)
				require.Empty(t, complaints)
				require.Equal(t, want, frames)
				if !k.video || !strings.HasPrefix(c.format, "m3u8-aapl-v3") {
					return
				}
				sound := hlsTrack{stream: "audio_eng", rate: "11000"}
				if strings.Contains(c.format, "audio_deu") {
					sound = hlsTrack{stream: "audio_deu", rate: "17000"}
				}
				want = source(sound)
				frames, complaints = decoded(t, k.url, "a")
				require.Empty(t, complaints)
				require.Equal(t, want, frames, "sound in the segments of the picture")
			})
		}
	}
}

// TestHLSKeyChange decodes samples that are encrypted with two keys. ffmpeg 5.1 takes the next key one PES packet too
// early, since it gives out a packet when it meets the one after it: the last frames of a key are left out.
func TestHLSKeyChange(t *testing.T) {
	need(t, "ffmpeg")
	source := sourceFrames(t)
	base := serveSample(t, &hls.Encryption{Method: hls.SampleAES, Master: []byte("a secret of tests"), Rotate: 3})
	const period, seconds = 18, 32 // the sample has one change, after three segments of six seconds
	for _, k := range tracksOf(t, base+master("m3u8-aapl")) {
		t.Run(k.name(), func(t *testing.T) {
			want := source(k)
			const margin = 25
			change, end := len(want)*period/seconds, len(want)*31/seconds
			frames, _ := decoded(t, k.url, k.kind(), k.first(end)...)
			require.Len(t, frames, end)
			require.Equal(t, want[:change-margin], frames[:change-margin], "first key")
			want, frames = want[change+margin:], frames[change+margin:]
			if want[0] != frames[0] { // the last frame of the first key could not be decoded at all
				want = want[1:]
			}
			require.Equal(t, want[:len(frames)], frames, "second key")
		})
	}
}

// TestHLSGStreamer decodes the sample to its end with hlsdemux and counts what comes out. Unlike uridecodebin in
// gst-launch, playbin links again when hlsdemux changes its pads for another level. Sound in a rendition of its own it may
// lose a second of at such a switch (GStreamer 1.22), so there it is told a speed, and stays with one level.
func TestHLSGStreamer(t *testing.T) {
	need(t, "gst-launch-1.0")
	for _, c := range []struct {
		name, url string
		kbits     int
	}{
		{"ts", serveSample(t, nil) + master("m3u8-aapl"), 250},
		{"muxed", serveSample(t, nil) + master("m3u8-aapl-v3"), 0},
		{"fmp4", serveSample(t, nil) + master("m3u8-cmaf"), 250},
		{"ts/aes-128", serveSample(t, rotating(hls.AES128)) + master("m3u8-aapl"), 250},
		{"muxed/aes-128", serveSample(t, rotating(hls.AES128)) + master("m3u8-aapl-v3"), 250},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Tiny pictures and plain samples, so that sizes are counts.
			const frameBytes, secondBytes = 16 * 16, 48000 * 2
			video, audio := filepath.Join(t.TempDir(), "video"), filepath.Join(t.TempDir(), "audio")
			out, err := run(t, time.Minute, "gst-launch-1.0", "-q", "playbin", "flags=video+audio", "uri="+c.url,
				"connection-speed="+strconv.Itoa(c.kbits),
				"video-sink=videoconvert ! videoscale ! video/x-raw,format=GRAY8,width=16,height=16,pixel-aspect-ratio=1/1 ! "+
					"filesink sync=false location="+video,
				"audio-sink=audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! "+
					"filesink sync=false location="+audio)
			require.NoError(t, err, out)
			frames, seconds := size(t, video)/frameBytes, size(t, audio)/secondBytes
			t.Logf("%.0f frames, %.3f s of sound", frames, seconds)
			require.InDelta(t, 32*25, frames, 1, "frames")
			require.InDelta(t, 32, seconds, 0.1, "seconds of sound")
		})
	}
}
