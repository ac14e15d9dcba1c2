package e2e_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestArchive makes an archive as IIS left it, with transport streams that ffmpeg writes, and decodes what is served of
// it: all frames, and nothing to complain of.
func TestArchive(t *testing.T) {
	need(t, "ffmpeg")
	dir := t.TempDir()
	makeArchive(t, dir)
	source := hls.WithArchives(smooth.Dir(dir, nil), nil)
	output := hls.NewOutput(&hls.Options{MaxBitrate: 1_600_000})
	srv := httptest.NewServer(smooth.NewHandler(source, &smooth.HandlerOptions{Outputs: []smooth.Output{output}}))
	t.Cleanup(func() {
		srv.Close()
		require.NoError(t, source.Close())
	})
	for _, l := range levels {
		file := filepath.Join(dir, fmt.Sprintf("Event_%d.ts", l.kbits))
		for _, kind := range []string{"v", "a"} {
			want, _ := decoded(t, file, kind)
			require.NotEmpty(t, want)
			url := fmt.Sprintf("%s/Event-m3u8-aapl.ism/QualityLevels(%d)/Manifest(Video,format=m3u8-aapl).m3u8", srv.URL, l.kbits*1000)
			got, complaints := decoded(t, url, kind)
			assert.Equal(t, want, got, "%d kbit/s, %s", l.kbits, kind)
			assert.Empty(t, complaints)
		}
	}
	want, _ := decoded(t, filepath.Join(dir, "Event_audio.ts"), "a")
	got, complaints := decoded(t, srv.URL+"/Event.ism/QualityLevels(64000)/Manifest(audio,format=m3u8-aapl).m3u8", "a")
	assert.Equal(t, want, got)
	assert.Empty(t, complaints)
	_, complaints = decoded(t, srv.URL+"/Event.ism/manifest(format=m3u8-aapl).m3u8", "v:0")
	assert.Empty(t, complaints)
}

// makeArchive writes an archive: picture and sound in one file for each bit rate, the sound alone in another.
func makeArchive(t *testing.T, dir string) {
	t.Helper()
	const sound = "sine=f=500:r=48000:d=%d"
	ism := `<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head/><body><switch>`
	for _, l := range levels {
		name := fmt.Sprintf("Event_%d.ts", l.kbits)
		require.NoError(t, ffmpeg(t, "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%dx%d:r=25:d=%d", l.height*16/9, l.height, clip),
			"-f", "lavfi", "-i", fmt.Sprintf(sound, clip), "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p",
			"-b:v", fmt.Sprintf("%dk", l.kbits), "-g", "50", "-keyint_min", "50", "-sc_threshold", "0",
			"-c:a", "aac", "-b:a", "64k", "-ac", "2", "-f", "mpegts", filepath.Join(dir, name)))
		ism += fmt.Sprintf(`<video src="%s" systemBitrate="%d">%s</video>`, name, l.kbits*1000, param("trackName", "Video"))
	}
	require.NoError(t, ffmpeg(t, "-f", "lavfi", "-i", fmt.Sprintf(sound, clip), "-c:a", "aac", "-b:a", "64k", "-ac", "2",
		"-f", "mpegts", filepath.Join(dir, "Event_audio.ts")))
	ism += fmt.Sprintf(`<audio src="Event_audio.ismx" systemBitrate="64000">%s</audio>`, param("trackName", "audio"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Event-m3u8-aapl.ism"), []byte(ism+"</switch></body></smil>"), 0o644))
}
