package program

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// source is the program that is measured.
const source = "github.com/smoothkit/smoothkit/examples/mediaserver"

// Build builds the media server into a directory and returns its path. It needs the go command, and a working directory
// in the module.
func Build(dir string) (string, error) {
	binary := filepath.Join(dir, "mediaserver")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w: %s", source, err, out)
	}
	return binary, nil
}

// Mediaserver is the media server with a configuration file.
type Mediaserver struct {
	*Process
	// Config is the configuration file, and Log what the program writes about itself.
	Config, Log string
	// Debug is the address of pprof.
	Debug string
}

// StartMediaserver writes a configuration file into a directory and starts the program with it. Addresses are chosen:
// text is the rest of the file. It waits until the program says that it is ready.
func StartMediaserver(binary, dir, text string) (*Mediaserver, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	m := &Mediaserver{Config: filepath.Join(dir, "mediaserver.yaml"), Log: filepath.Join(dir, "mediaserver.log")}
	if m.Debug, err = FreeAddr(); err != nil {
		return nil, err
	}
	if err := m.write(addr, text); err != nil {
		return nil, err
	}
	log, err := os.Create(m.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(binary, "-config", m.Config)
	cmd.Stderr = log
	if m.Process, err = Start("mediaserver", addr, cmd); err != nil {
		return nil, fmt.Errorf("%w: %s", err, m.Complaints(5))
	}
	for range 200 {
		resp, err := http.Get(m.URL("/readyz"))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return m, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("mediaserver is not ready: %w: %s", m.Stop(), m.Complaints(5))
}

// URL returns the URL of a path.
func (m *Mediaserver) URL(path string) string { return "http://" + m.Addr + path }

// Rewrite replaces the rest of the configuration file. The program notices by itself, or when it gets SIGHUP.
func (m *Mediaserver) Rewrite(text string) error { return m.write(m.Addr, text) }

func (m *Mediaserver) write(addr, text string) error {
	text = fmt.Sprintf("listen: [{address: %q}]\ndebug: %q\nlog: {level: warn}\n%s", addr, m.Debug, text)
	next := m.Config + ".next" // nobody reads half a file
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, m.Config)
}

var goroutinesLine = regexp.MustCompile(`^goroutine profile: total (\d+)`)

// Goroutines returns how many there are, from pprof.
func (m *Mediaserver) Goroutines() (int, error) {
	b, err := m.Profile("goroutine?debug=1")
	if err != nil {
		return 0, err
	}
	found := goroutinesLine.FindSubmatch(b)
	if found == nil {
		return 0, fmt.Errorf("no goroutine profile: %.60q", b)
	}
	return strconv.Atoi(string(found[1]))
}

// maxProfile bounds a profile.
const maxProfile = 64 << 20

// Profile returns a profile from pprof, such as "heap" or "profile?seconds=5".
func (m *Mediaserver) Profile(name string) ([]byte, error) {
	resp, err := http.Get("http://" + m.Debug + "/debug/pprof/" + name)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProfile))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("pprof %s: %s", name, resp.Status)
	}
	return b, err
}

// Complaints returns the last lines of the log, n at most.
func (m *Mediaserver) Complaints(n int) string {
	b, err := os.ReadFile(m.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
