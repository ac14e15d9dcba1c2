package e2e_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// need skips the test unless real clients were asked for and the programs are installed.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if os.Getenv("SMOOTHKIT_E2E") != "1" {
		t.Skip("plays with real clients for minutes: set SMOOTHKIT_E2E=1 to run it, as .ci/run does")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed; .ci/run installs it on Debian", p)
		}
	}
}

// chromium skips the test unless there is a browser and the npm packages are installed. It returns the browser's path.
func chromium(t *testing.T) string {
	t.Helper()
	need(t, "node")
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		t.Skip("the players are not installed: run npm ci in internal/e2e")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("Chromium is not installed; .ci/run installs it on Debian")
	return ""
}

// run runs a program to its end and returns what it printed. The time limit is a safeguard against a client that hangs.
func run(t *testing.T, limit time.Duration, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// twice repeats a failed attempt once: clients that play in real time lose frames when the machine is busy with
// something else. The log of the test records it.
func twice(t *testing.T, attempt func() error) {
	t.Helper()
	err := attempt()
	if err != nil {
		t.Logf("trying once more after: %v", err)
		err = attempt()
	}
	require.NoError(t, err)
}

// serve serves the presentations below root on loopback and returns the address, with a slash at the end.
func serve(t *testing.T, root string) string {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	source := smooth.Dir(root, &smooth.FileOptions{Logger: log})
	handler := smooth.NewHandler(source, &smooth.HandlerOptions{Logger: log})
	mux := http.NewServeMux()
	mux.Handle("/video/", http.StripPrefix("/video", handler))
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		srv.Close()
		require.NoError(t, source.Close())
	})
	return srv.URL + "/video/"
}

// module returns the path of a file of the module.
func module(t *testing.T, rel string) string {
	t.Helper()
	return filepath.Join(testmedia.Root(t), filepath.FromSlash(rel))
}
