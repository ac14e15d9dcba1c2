package console_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/console"
)

// TestBrowser looks at all pages in headless Chromium, on a phone, on a desk and in the dark, and uses them: see
// testdata/console.mjs. The pictures are saved in the directory that SMOOTHKIT_SHOTS names.
func TestBrowser(t *testing.T) {
	if os.Getenv("SMOOTHKIT_E2E") != "1" {
		t.Skip("needs a browser: set SMOOTHKIT_E2E=1")
	}
	modules, err := filepath.Abs("../../../../internal/e2e/node_modules")
	require.NoError(t, err)
	if _, err := os.Stat(modules); err != nil {
		t.Skip("playwright-core is not installed: run npm ci in internal/e2e")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Chromium is not installed")
	}
	c := console.New(newFake(time.Now), &console.Options{Version: "1.2.3", Location: time.UTC, Logger: slog.New(slog.DiscardHandler)})
	s := httptest.NewServer(http.StripPrefix(prefix, c))
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		s.Close()
	})
	arg, err := json.Marshal(map[string]any{
		"url": s.URL + prefix + "/", "modules": modules + "/", "chromium": chromium, "pages": pages, "screenshots": os.Getenv("SMOOTHKIT_SHOTS"),
		"chart": "presentation?name=sample/sample.ism", "point": arena, "counting": "[data-number=out] dd",
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", "testdata/console.mjs", string(arg)).CombinedOutput()
	require.NoError(t, err, "%s", out)
	var report struct {
		Errors []string
		Seen   map[string]any
	}
	require.NoError(t, json.Unmarshal(out, &report), "%s", out)
	assert.Empty(t, report.Errors)
	t.Logf("%v", report.Seen)
	assert.Equal(t, "Skip to the content", report.Seen["firstFocus"])
	assert.Regexp(t, `^\d+:\d\d · \d+ / \d+ / \d+ / \d+ kbit/s$`, report.Seen["hover"])
	assert.Regexp(t, `^0:00 · `, report.Seen["home"])
	assert.Equal(t, report.Seen["home"], report.Seen["spoken"])
	assert.Regexp(t, `from=12\d\d\.\d&to=25\d\d\.\d`, report.Seen["zoomed"], "of 5,024 seconds")
	assert.Equal(t, "shutdown", report.Seen["focus"])
	assert.Equal(t, "confirm", report.Seen["confirm"])
	assert.Equal(t, true, report.Seen["open"])
}
