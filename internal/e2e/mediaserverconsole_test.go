package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// console uses the console while an encoder pushes, see console.mjs.
func (b *box) console(t *testing.T, browser string) error {
	shots, err := shotsDir(t)
	if err != nil {
		return err
	}
	arg, err := json.Marshal(map[string]string{
		"url": b.url("console/"), "live": boxPoint, "spare": boxSpare, "shots": shots, "chromium": browser,
	})
	if err != nil {
		return err
	}
	out, err := run(t, 2*time.Minute, "node", "console.mjs", string(arg))
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	t.Logf("console: %sscreenshots in %s", out, shots)
	var r struct {
		Errors []string
		Seen   struct {
			Window  []string
			Stopped string
			Shots   int
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return fmt.Errorf("report of the console: %w\n%s", err, out)
	}
	if len(r.Errors) > 0 || len(r.Seen.Window) != 2 || !strings.EqualFold(r.Seen.Stopped, "stopped") || r.Seen.Shots != 6 {
		return fmt.Errorf("%s", out)
	}
	return nil
}

// shotsDir is where screenshots go, the directory of SMOOTHKIT_SCREENSHOTS if that is set, to be looked at.
func shotsDir(t *testing.T) (string, error) {
	if dir := os.Getenv("SMOOTHKIT_SCREENSHOTS"); dir != "" {
		return dir, os.MkdirAll(dir, 0o755)
	}
	return t.TempDir(), nil
}
