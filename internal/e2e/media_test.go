package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// presentation is one of the presentations that every client plays.
type presentation struct {
	name    string
	path    string
	seconds float64 // duration
}

var presentations = []presentation{
	{"sample", "sample/sample.ism", 32},      // made by our packager, part of the module
	{"packaged", "packaged/clip.ism", clip},  // packaged now from ffmpeg's MP4 files with B-frames
	{"mp4", "mp4/clip.ism", clip},            // an .ism over the same MP4 files, as Azure Media Services had it
	{"ffmpeg-ismv", "ffmpeg/clip.ism", clip}, // an .ism over what ffmpeg writes with -f ismv
}

// clip is the duration of the presentations that are made here, in seconds.
const clip = 24

var library struct {
	once sync.Once
	root string
	err  error
}

// TestMain removes the presentations that the tests have shared.
func TestMain(m *testing.M) {
	code := m.Run()
	if library.root != "" {
		os.RemoveAll(library.root)
	}
	os.Exit(code)
}

// media returns a directory with all presentations, which the first test makes.
func media(t *testing.T) string {
	t.Helper()
	need(t, "ffmpeg")
	library.once.Do(func() {
		library.root, library.err = os.MkdirTemp("", "smoothkit-e2e-media-")
		if library.err == nil {
			library.err = makeMedia(t, library.root)
		}
	})
	require.NoError(t, library.err)
	return library.root
}

func makeMedia(t *testing.T, root string) error {
	start := time.Now()
	defer func() { t.Logf("made the presentations in %v", time.Since(start).Round(time.Second)) }()
	for _, dir := range []string{"sample", "packaged", "mp4", "ffmpeg"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := copyInto(filepath.Join(root, "sample")); err != nil {
		return err
	}
	files, err := makeMP4(t, filepath.Join(root, "mp4"))
	if err != nil {
		return err
	}
	if err := makePackaged(t, filepath.Join(root, "packaged"), files); err != nil {
		return err
	}
	if err := makeISMV(t, filepath.Join(root, "ffmpeg"), files); err != nil {
		return err
	}
	return makeISM(filepath.Join(root, "mp4"), "mp4", ".mp4")
}

func copyInto(dir string) error { return os.CopyFS(dir, smoothtest.Sample()) }

// levels and languages of the clip.
var (
	levels    = []struct{ height, kbits int }{{180, 150}, {360, 500}}
	languages = []string{"eng", "fra"}
)

func ffmpeg(t *testing.T, args ...string) error {
	args = append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-y"}, args...)
	if out, err := run(t, 2*time.Minute, "ffmpeg", args...); err != nil {
		return fmt.Errorf("ffmpeg %q: %w\n%s", args, err, out)
	}
	return nil
}

// makeMP4 makes ordinary MP4 files, one per video bit rate and per language.
func makeMP4(t *testing.T, dir string) ([]string, error) {
	var files []string
	for _, l := range levels {
		file := filepath.Join(dir, fmt.Sprintf("video_%d.mp4", l.kbits))
		files = append(files, file)
		err := ffmpeg(t, "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%dx%d:r=25:d=%d", l.height*16/9, l.height, clip),
			"-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p", "-b:v", strconv.Itoa(l.kbits)+"k",
			"-g", "50", "-keyint_min", "50", "-sc_threshold", "0", file)
		if err != nil {
			return nil, err
		}
	}
	for i, lang := range languages {
		file := filepath.Join(dir, "audio_"+lang+".mp4")
		files = append(files, file)
		err := ffmpeg(t, "-f", "lavfi", "-i", fmt.Sprintf("sine=f=%d:r=48000:d=%d", 300*(i+1), clip),
			"-c:a", "aac", "-b:a", "64k", "-ac", "2", "-metadata:s:a:0", "language="+lang, file)
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// makePackaged runs the packager as a user would.
func makePackaged(t *testing.T, dir string, files []string) error {
	args := append([]string{"run", module(t, "examples/package"), "-out", dir, "-name", "clip"}, files...)
	if out, err := run(t, 3*time.Minute, "go", args...); err != nil {
		return fmt.Errorf("go %q: %w\n%s", args, err, out)
	}
	return nil
}

// makeISMV lets ffmpeg write fragmented files, and the .ism that goes with them.
func makeISMV(t *testing.T, dir string, files []string) error {
	for _, file := range files {
		name := filepath.Base(file)
		out := filepath.Join(dir, name[:len(name)-len(".mp4")]+".ismv")
		if err := ffmpeg(t, "-i", file, "-c", "copy", "-movflags", "frag_keyframe", "-frag_duration", "2000000", "-f", "ismv", out); err != nil {
			return err
		}
	}
	return makeISM(dir, "", ".ismv")
}

// makeISM writes a server manifest over the files of the clip, without a client manifest.
func makeISM(dir, formats, ext string) error {
	const param = `<param name="%s" value="%s" valueType="data"/>`
	var tracks string
	for _, l := range levels {
		tracks += fmt.Sprintf(`<video src="video_%d%s" systemBitrate="%d">`+param+"</video>\n", l.kbits, ext, l.kbits*1000, "trackID", "1")
	}
	for _, lang := range languages {
		tracks += fmt.Sprintf(`<audio src="audio_%s%s" systemBitrate="64000" systemLanguage="%s">`+param+param+"</audio>\n",
			lang, ext, lang, "trackID", "1", "trackName", "audio_"+lang)
	}
	if formats != "" {
		formats = fmt.Sprintf(`<meta name="formats" content="%s"/>`, formats)
	}
	ism := `<?xml version="1.0" encoding="utf-8"?>
<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head>` + formats + `</head><body><switch>
` + tracks + `</switch></body></smil>
`
	return os.WriteFile(filepath.Join(dir, "clip.ism"), []byte(ism), 0o644)
}
