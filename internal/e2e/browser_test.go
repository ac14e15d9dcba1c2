package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// order is what the driver is told, see play.mjs.
type order struct {
	Player     string  `json:"player"`
	URL        string  `json:"url"`
	Name       string  `json:"name,omitempty"`
	Format     string  `json:"format,omitempty"`
	Engine     string  `json:"engine,omitempty"`
	Seconds    float64 `json:"seconds"`
	Seek       float64 `json:"seek"`
	After      float64 `json:"after,omitempty"`
	Captions   bool    `json:"captions,omitempty"`
	Chromium   string  `json:"chromium"`
	Screenshot string  `json:"screenshot,omitempty"`
	Missing    string  `json:"missing,omitempty"`
	Refused    string  `json:"refused,omitempty"`

	Brief bool `json:"brief,omitempty"`

	single bool // one quality and one language, or none that can be chosen: nothing to switch
	muxed  bool // sound comes with the picture: no language to switch
}

// report is what the driver has seen.
type report struct {
	Loading float64
	Played  struct{ Media, Wall float64 }
	Quality struct{ Levels, From, To int }
	Audio   struct {
		Tracks   int
		From, To string
	}
	Sought  struct{ To, Time float64 }
	After   struct{ Media, Wall float64 }
	Frames  int
	Heights []int
	Caption struct {
		Text string
		Time float64
	}
	Cues []struct {
		Text       string
		Start, End float64
	}
	Requests map[string]int
	Failed   []string
	Errors   []string
}

// play runs the driver once.
func play(t *testing.T, o order) (*report, error) {
	t.Helper()
	arg, err := json.Marshal(o)
	require.NoError(t, err)
	out, err := run(t, 90*time.Second, "node", "play.mjs", string(arg))
	if err != nil {
		return nil, fmt.Errorf("node play.mjs '%s': %w\n%s", arg, err, out)
	}
	t.Logf("%s", out)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return nil, fmt.Errorf("report of the driver: %w\n%s", err, out)
	}
	return &r, r.check(o)
}

// check says what was not as it should be.
func (r *report) check(o order) error {
	var errs []error
	once := o.single || o.Brief // nothing has been switched
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	expect(len(r.Errors) == 0, "the player reports %q", r.Errors)
	expect(len(r.Failed) == 0, "requests failed: %q", r.Failed)
	expect(r.Played.Media >= o.Seconds, "played %.1f s of %.1f", r.Played.Media, o.Seconds)
	expect(r.Played.Wall < o.Seconds*1.25+1, "%.1f s of media took %.1f s", r.Played.Media, r.Played.Wall)
	expect(once || r.Quality.To != 0 && r.Quality.To != r.Quality.From, "no switch of quality: %+v", r.Quality)
	expect(once || o.muxed || r.Audio.To != "" && r.Audio.To != r.Audio.From, "no switch of the audio language: %+v", r.Audio)
	expect(r.Sought.Time > o.Seek && r.Sought.Time < o.Seek+5, "sought to %.1f, got to %.1f", o.Seek, r.Sought.Time)
	expect(float64(r.Frames) > o.Seconds*20, "%d frames shown", r.Frames)
	if o.Captions {
		expect(r.captionFits(), "caption %+v", r.Caption)
	}
	audio, video := 0, 0
	for track := range r.Requests {
		if strings.HasPrefix(track, "audio") {
			audio++
		}
		if strings.HasPrefix(track, "video") {
			video++
		}
	}
	expect(video >= 1 && (once || video >= 2), "fragments of picture asked for: %v", r.Requests)
	expect(o.muxed || audio >= 1 && (once || audio >= 2), "fragments of sound asked for: %v", r.Requests)
	return errors.Join(errs...)
}

// captionFits reports whether a caption of the sample, "Fragment 3: seconds 4 to 6", is shown at its time.
func (r *report) captionFits() bool {
	_, from, to, ok := readCaption(r.Caption.Text)
	return ok && from-0.2 < r.Caption.Time && r.Caption.Time < to+0.2
}

// readCaption returns the numbers in a caption of the sample.
func readCaption(text string) (fragment int, from, to float64, ok bool) {
	n, err := fmt.Sscanf(text, "Fragment %d: seconds %f to %f", &fragment, &from, &to)
	return fragment, from, to, err == nil && n == 3
}

func TestBrowserPlayers(t *testing.T) {
	browser := chromium(t)
	base := serve(t, media(t))
	for i, p := range presentations {
		players := []string{"dash", "rx"}
		seconds := 8.0
		if i >= 2 { // the others have shown long playback
			seconds = 2
		}
		if p.name == "ffmpeg-ismv" { // served as it is
			players = players[:1]
		}
		for _, player := range players {
			t.Run(player+"/"+p.name, func(t *testing.T) {
				o := order{Player: player, URL: base + p.path + "/Manifest", Seconds: seconds, Seek: 19, Captions: i == 0, Chromium: browser}
				twice(t, func() error {
					_, err := play(t, o)
					return err
				})
			})
		}
	}
}

// TestRealPackage plays what Azure Media Services left, with its own client manifest: one level, eight seconds.
func TestRealPackage(t *testing.T) {
	browser := chromium(t)
	base := serve(t, testmedia.Shared(t, "testdata/smooth/package-bbb"))
	o := order{Player: "rx", URL: base + "BigBuckBunny.ism/Manifest", Seconds: 2, Seek: 5, Chromium: browser, single: true}
	twice(t, func() error {
		_, err := play(t, o)
		return err
	})
}

// TestPage builds and starts the example server and uses its page.
func TestPage(t *testing.T) {
	browser := chromium(t)
	page := startMediaServer(t, "-root", media(t))
	for i, p := range presentations[:2] {
		t.Run(p.name, func(t *testing.T) {
			o := order{Player: "page", URL: page, Name: p.path, Seconds: 4, Seek: 19, Captions: i == 0, Chromium: browser}
			twice(t, func() error {
				_, err := play(t, o)
				return err
			})
		})
	}
}

// TestPageWithPlayers plays through dash.js on the page, which -players asks for.
func TestPageWithPlayers(t *testing.T) {
	browser := chromium(t)
	page := startMediaServer(t, "-players", "node_modules")
	twice(t, func() error {
		_, err := play(t, order{Player: "page", URL: page, Seconds: 2, Seek: 19, Captions: true, Chromium: browser})
		return err
	})
}

// TestPageWithoutPlayers names a mirror that has none of the players: the page plays all the same.
func TestPageWithoutPlayers(t *testing.T) {
	browser := chromium(t)
	mirror := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(mirror.Close)
	page := startMediaServer(t, "-players", mirror.URL)
	twice(t, func() error {
		_, err := play(t, order{Player: "page", URL: page, Seconds: 1, Seek: 19, Chromium: browser, Missing: mirror.URL})
		return err
	})
}

// TestPageHLS chooses HLS on the page: in the browser's own player, in hls.js, and where HLS is refused, which leaves
// Smooth Streaming.
func TestPageHLS(t *testing.T) {
	browser := chromium(t)
	own := startMediaServer(t)
	for _, c := range []struct {
		name string
		o    order
	}{
		{"browser", order{URL: own, Format: "hls", single: true}},
		{"hls.js", order{URL: startMediaServer(t, "-players", "node_modules"), Format: "hls-fmp4", Engine: "hls.js", Captions: true}},
		{"refused", order{URL: own, Format: "hls", Captions: true, Refused: "m3u8", Brief: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.o
			o.Player, o.Seconds, o.Seek, o.Chromium = "page", 1, 19, browser
			twice(t, func() error {
				_, err := play(t, o)
				return err
			})
		})
	}
}

// startMediaServer starts examples/mediaserver on a free port and returns the address of its page.
func startMediaServer(t *testing.T, args ...string) string {
	t.Helper()
	cmd, page := launchMediaServer(t, buildMediaServer(t), args...)
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		require.NoError(t, cmd.Wait(), "it ends by itself when it is interrupted")
	})
	return page
}

// buildMediaServer returns the program.
func buildMediaServer(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "mediaserver.exe")
	out, err := run(t, 3*time.Minute, "go", "build", "-o", exe, module(t, "examples/mediaserver"))
	require.NoError(t, err, out)
	return exe
}

// launchMediaServer starts the program and returns the address of its page. The caller ends it.
func launchMediaServer(t *testing.T, exe string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(exe, append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := regexp.MustCompile(`^Page: +(\S+)$`).FindStringSubmatch(lines.Text()); found != nil {
			go io.Copy(io.Discard, stdout)
			return cmd, found[1]
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	t.Fatal("the server printed no address")
	return nil, ""
}
