package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGStreamer decodes each presentation to its end, as fast as it goes, and counts what comes out.
func TestGStreamer(t *testing.T) {
	need(t, "gst-launch-1.0")
	base := serve(t, media(t))
	for _, p := range presentations {
		t.Run(p.name, func(t *testing.T) {
			// Tiny pictures and plain samples, so that sizes are counts.
			const frameBytes, secondBytes = 16 * 16, 48000 * 2
			video, audio := filepath.Join(t.TempDir(), "video"), filepath.Join(t.TempDir(), "audio")
			out, err := run(t, time.Minute, "gst-launch-1.0", "-q", "uridecodebin", "uri="+base+p.path+"/Manifest", "name=d",
				"d.", "!", "queue", "!", "videoconvert", "!", "videoscale", "!",
				"video/x-raw,format=GRAY8,width=16,height=16,pixel-aspect-ratio=1/1", "!", "filesink", "sync=false", "location="+video,
				"d.", "!", "queue", "!", "audioconvert", "!", "audioresample", "!",
				"audio/x-raw,format=S16LE,rate=48000,channels=1", "!", "filesink", "sync=false", "location="+audio)
			require.NoError(t, err, out)
			frames, seconds := size(t, video)/frameBytes, size(t, audio)/secondBytes
			t.Logf("%.0f frames, %.3f s of sound", frames, seconds)
			require.InDelta(t, p.seconds*25, frames, 1, "frames")
			require.InDelta(t, p.seconds, seconds, 0.1, "seconds of sound")
		})
	}
}

func size(t *testing.T, file string) float64 {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	return float64(info.Size())
}

// TestVLC plays for some seconds and compares VLC's position with the clock: a fragment whose time VLC does not
// understand makes it race to the end.
func TestVLC(t *testing.T) {
	need(t, "cvlc")
	base := serve(t, media(t))
	for i, p := range presentations {
		t.Run(p.name, func(t *testing.T) {
			seconds := 3 * time.Second
			if i == 0 {
				seconds = 8 * time.Second
			}
			twice(t, func() error { return playVLC(t, base+p.path+"/Manifest", seconds) })
		})
	}
}

func playVLC(t *testing.T, url string, seconds time.Duration) error {
	v, err := startVLC(t, url)
	if err != nil {
		return err
	}
	defer v.stop()
	if err := v.waitFor(1, 15*time.Second); err != nil {
		return err
	}
	start := time.Now()
	from, err := v.position()
	if err != nil {
		return err
	}
	time.Sleep(seconds)
	to, err := v.position()
	if err != nil {
		return err
	}
	wall := time.Since(start).Seconds()
	frames, lost, err := v.frames()
	if err != nil {
		return err
	}
	t.Logf("from %.0f s to %.0f s in %.1f s, %d frames shown, %d lost", from, to, wall, frames, lost)
	if math.Abs((to-from)-wall) > 1.6 { // positions are whole seconds
		return fmt.Errorf("the position went from %.0f s to %.0f s in %.1f s", from, to, wall)
	}
	if frames < int(seconds.Seconds()*20) {
		return fmt.Errorf("%d frames shown in %.1f s", frames, wall)
	}
	return nil
}

// vlc is a running VLC with its command line on pipes.
type vlc struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan string
	cancel context.CancelFunc
}

// startVLC starts VLC without display and sound, under another user if we are root, which VLC refuses to be.
func startVLC(t *testing.T, url string) (*vlc, error) {
	t.Helper()
	home := t.TempDir()
	args := []string{"cvlc", "--intf", "rc", "--rc-fake-tty", "--vout", "dummy", "--aout", "dummy", "--play-and-exit", url}
	if os.Getuid() == 0 {
		need(t, "setpriv")
		const nobody = 65534
		require.NoError(t, os.Chown(home, nobody, nobody))
		args = append([]string{"setpriv", "--reuid", strconv.Itoa(nobody), "--clear-groups"}, args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	v := &vlc{cmd: cmd, stdin: stdin, lines: make(chan string, 1000), cancel: cancel}
	go func() {
		defer close(v.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			v.lines <- s.Text()
		}
	}()
	return v, nil
}

func (v *vlc) stop() {
	io.WriteString(v.stdin, "quit\n")
	v.stdin.Close()
	for range v.lines {
	}
	v.cmd.Wait()
	v.cancel()
}

// ask sends a command and returns the first number in the lines after it that match.
func (v *vlc) ask(command string, match *regexp.Regexp) (int, error) {
	if _, err := io.WriteString(v.stdin, command+"\n"); err != nil {
		return 0, err
	}
	limit := time.After(2 * time.Second)
	for {
		select {
		case line, ok := <-v.lines:
			if !ok {
				return 0, errors.New("vlc has ended early")
			}
			if m := match.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				return strconv.Atoi(m[1])
			}
		case <-limit:
			return 0, fmt.Errorf("vlc does not answer %q", command)
		}
	}
}

var (
	positionLine = regexp.MustCompile(`^(?:> )*(\d+)$`)
	shownLine    = regexp.MustCompile(`frames displayed : +(\d+)`)
	lostLine     = regexp.MustCompile(`frames lost +: +(\d+)`)
)

// position returns VLC's position in seconds.
func (v *vlc) position() (float64, error) {
	n, err := v.ask("get_time", positionLine)
	return float64(n), err
}

func (v *vlc) frames() (shown, lost int, err error) {
	if shown, err = v.ask("stats", shownLine); err != nil {
		return 0, 0, err
	}
	lost, err = v.ask("", lostLine)
	return shown, lost, err
}

// waitFor waits until VLC has played up to a position.
func (v *vlc) waitFor(seconds float64, limit time.Duration) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		// VLC answers get_time with nothing but a prompt until something plays.
		if at, err := v.position(); err == nil && at >= seconds {
			return nil
		}
	}
	return fmt.Errorf("vlc has not played %.0f s within %v", seconds, limit)
}
