package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is an encoder, or another program, that runs until it is told not to.
type program struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// start starts a program, whose complaints go to the log of the test. The test ends it.
func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p, err := launch(t, name, args...)
	require.NoError(t, err)
	return p
}

// launch is start for any goroutine.
func launch(t *testing.T, name string, args ...string) (*program, error) {
	p := &program{cmd: exec.Command(name, args...), done: make(chan struct{})}
	said, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	out := t.Output()
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if !strings.Contains(lines.Text(), "starts with a nonzero dts") { // ffmpeg's sound does
				fmt.Fprintf(out, "%s: %s\n", name, lines.Text())
			}
		}
		p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p, nil
}

// kill ends a program as a power cut does.
func (p *program) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// interrupt asks a program to end and waits until it has.
func (p *program) interrupt(limit time.Duration) error {
	p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
		return nil
	case <-time.After(limit):
		p.kill()
		return fmt.Errorf("%s has not ended within %v", p.cmd.Path, limit)
	}
}

// What encoders send: the same picture in two sizes, with a bit rate each, and sound.
const (
	highLines, lowLines = 360, 180
	highRate, lowRate   = 400_000, 120_000
	soundRate           = 64_000
	liveGroup           = 50 // frames from one key frame to the next, which are a fragment
)

// ffmpegInput makes ffmpeg read pictures as [high] and [low], and sound as 1:a, in real time.
func ffmpegInput() []string {
	return []string{
		"-hide_banner", "-loglevel", "warning", "-nostdin",
		"-re", "-f", "lavfi", "-i", codedPicture(highLines),
		"-re", "-f", "lavfi", "-i", "sine=f=440:r=48000",
		"-filter_complex", fmt.Sprintf("[0:v]split[high][copy];[copy]scale=%d:%d:flags=area[low]", lowLines/codeRows*codeCells, lowLines),
	}
}

func pictureCoder(format string, args ...any) []string {
	const common = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -sc_threshold 0"
	group := fmt.Sprintf(" -g %[1]d -keyint_min %[1]d ", liveGroup)
	return strings.Fields(common + group + fmt.Sprintf(format, args...))
}

func soundCoder() []string { return strings.Fields(fmt.Sprintf("-c:a aac -b:a %d", soundRate)) }

// allTracks makes ffmpeg code two pictures and sound into one output, which follows.
func allTracks() []string {
	return slices.Concat([]string{"-map", "[high]", "-map", "[low]", "-map", "1:a"},
		pictureCoder("-b:v:0 %d -b:v:1 %d", highRate, lowRate), soundCoder())
}

// ismlTo is an output of ffmpeg: a live push to an URL.
func ismlTo(url string) []string {
	return []string{"-f", "ismv", "-movflags", "isml+frag_keyframe", url}
}

// pushOnce pushes all tracks in one POST.
func pushOnce(t *testing.T, s *station) *program {
	t.Helper()
	return start(t, "ffmpeg", slices.Concat(ffmpegInput(), allTracks(), ismlTo(s.url+"Streams(enc1)"))...)
}

// pushEach pushes each track in a POST of its own. Every frame of sound is a key frame, so its fragments go by duration.
func pushEach(t *testing.T, s *station) *program {
	t.Helper()
	return start(t, "ffmpeg", slices.Concat(ffmpegInput(),
		[]string{"-map", "[high]"}, pictureCoder("-b:v %d", highRate), ismlTo(s.url+"Streams(high)"),
		[]string{"-map", "[low]"}, pictureCoder("-b:v %d", lowRate), ismlTo(s.url+"Streams(low)"),
		[]string{"-map", "1:a"}, soundCoder(), []string{"-f", "ismv", "-movflags", "isml", "-frag_duration", "2000000", s.url + "Streams(sound)"},
	)...)
}
