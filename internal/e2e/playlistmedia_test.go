package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The parts of the programme that the tests of playlists play, in seconds: the advertisement between them is smaller, by
// which it is told apart.
const (
	firstPart, adPart, secondPart = 4, 16, 8
	programmeWidth, adWidth       = 320, 256
)

// playlistMedia makes the files of a programme with an advertisement, and lists of them: a catalogue for
// examples/playlist, and list.isx with the advertisement locked.
func playlistMedia(t *testing.T) string {
	t.Helper()
	need(t, "ffmpeg")
	dir := t.TempDir()
	makeFilm(t, filepath.Join(dir, "one.mp4"), firstPart, programmeWidth, 300)
	makeFilm(t, filepath.Join(dir, "ad.mp4"), adPart, adWidth, 900)
	makeFilm(t, filepath.Join(dir, "two.mp4"), secondPart, programmeWidth, 400)
	writeFile(t, dir, "catalogue.json", `{"programmes": {"tonight": ["one.mp4", "two.mp4"]}, "ads": {"": ["ad.mp4"]}}`)
	writeFile(t, dir, "list.isx", isx("mp4"))
	return dir
}

// isx returns a list of the files with an extension.
func isx(extension string) string {
	return strings.ReplaceAll(`<?xml version="1.0" encoding="utf-8"?>
<smil xmlns="http://www.w3.org/2005/SMIL21/Language"><head><meta name="title" content="Tonight"/></head><body><seq>
<ref src="one.EXT"><param name="title" value="Part one"/></ref>
<ref src="ad.EXT"><param name="title" value="Soap &amp; more"/><param name="role" value="advertisement"/>
 <param name="canSeek" value="False"/><param name="canSkipForward" value="False"/><param name="canSkipBack" value="False"/></ref>
<ref src="two.EXT"><param name="title" value="Part two"/></ref>
</seq></body></smil>`, "EXT", extension)
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

// makeFilm makes a film with picture and sound, in the codecs that go with the extension of its name.
func makeFilm(t *testing.T, file string, seconds, width, tone int) {
	t.Helper()
	args := []string{
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%dx%d:r=25:d=%d", width, width*9/16, seconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=f=%d:r=48000:d=%d", tone, seconds), "-pix_fmt", "yuv420p", "-g", "50", "-b:v", "300k", "-ac", "2",
	}
	if filepath.Ext(file) == ".wmv" {
		args = append(args, "-c:v", "wmv2", "-c:a", "wmav2", "-b:a", "64k")
	} else {
		args = append(args, "-c:v", "libx264", "-preset", "veryfast", "-sc_threshold", "0", "-c:a", "aac", "-b:a", "64k", "-movflags", "+faststart")
	}
	require.NoError(t, ffmpeg(t, append(args, file)...))
}

// buildExample returns the program of an example.
func buildExample(t *testing.T, name string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), name+".exe")
	out, err := run(t, 3*time.Minute, "go", "build", "-o", exe, module(t, "examples/"+name))
	require.NoError(t, err, out)
	return exe
}

// startPlaylists starts examples/playlist on a free port and returns the address of the folder, with a slash at the end.
// The test kills it.
func startPlaylists(t *testing.T, exe string, args ...string) (*program, string) {
	t.Helper()
	p := &program{cmd: exec.Command(exe, append([]string{"-listen", "127.0.0.1:0"}, args...)...), done: make(chan struct{})}
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.cmd.Stderr = t.Output()
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	lines, base, out := bufio.NewScanner(stdout), "", t.Output()
	for base == "" && lines.Scan() {
		if u, ok := strings.CutPrefix(lines.Text(), "Playlist: "); ok {
			base = u[:strings.Index(u[len("http://"):], "/")+len("http://")+1]
		}
	}
	go func() {
		defer close(p.done)
		io.Copy(out, stdout)
		p.cmd.Wait()
	}()
	require.NotEmpty(t, base, "the server printed no address")
	return p, base
}

// listOrder is what the driver is told about a playlist, see playlist.mjs.
type listOrder struct {
	List       bool      `json:"list"`
	Player     string    `json:"player"`
	URL        string    `json:"url"`
	To         float64   `json:"to,omitempty"`
	Cheat      []float64 `json:"cheat,omitempty"`
	Parts      int       `json:"parts,omitempty"`
	Stream     int       `json:"stream,omitempty"` // width of the advertisement
	Ahead      float64   `json:"ahead,omitempty"`
	Chromium   string    `json:"chromium"`
	Screenshot string    `json:"screenshot,omitempty"`
}

// listReport is what the driver has seen.
type listReport struct {
	Steps map[string]pageStep
	Gaps  []float64
	Asked struct {
		Status int
		Rule   string
	}
	Statuses map[string]int // of fragments and segments
	Runs     []sizeRun
	Jumps    []struct {
		To, Time float64
		Shown    []sizeRun
	}
	Wall           float64
	Failed, Errors []string
}

// pageStep is what the page of a playlist says after something was done.
type pageStep struct {
	Entry, State, Reason, Message, Focus string
	Refused, Width                       int
	Time, Rate                           float64
	Muted, NextOff, SeekOff              bool
}

// sizeRun is a run of frames of one size.
type sizeRun struct {
	Width, Height, Frames int
	Start, End, Pause     float64
}

// playList runs the driver once. It may be called by any goroutine.
func playList(t *testing.T, o listOrder) (*listReport, error) {
	o.List = true
	arg, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	out, err := run(t, 2*time.Minute, "node", "play.mjs", string(arg))
	t.Logf("%s", out)
	if err != nil {
		return nil, fmt.Errorf("node play.mjs '%s': %w", arg, err)
	}
	r := &listReport{}
	if err := json.Unmarshal([]byte(out), r); err != nil {
		return nil, fmt.Errorf("report of the driver: %w", err)
	}
	return r, nil
}

// answers returns how often the server has given a status.
func (r *listReport) answers(status int) int { return r.Statuses[strconv.Itoa(status)] }
