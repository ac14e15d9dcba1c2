package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
)

// TestExampleFile: the example can be used as it is, and everything that it comments out is right too, apart from what is not there.
func TestExampleFile(t *testing.T) {
	data, err := os.ReadFile("../../mediaserver.yaml")
	require.NoError(t, err)
	_, err = config.Parse(data, filepath.Join(t.TempDir(), "mediaserver.yaml"))
	require.NoError(t, err)

	commented := regexp.MustCompile(`(?m)^( *)#([^ #].*| {2,}[^ ].*)$`)
	all := commented.ReplaceAllString(string(data), "$1$2")
	all = strings.Replace(all, "#   mediaserver", "# mediaserver", 1) // the two lines of the introduction are text
	lines := strings.Split(all, "\n")
	for i, line := range lines {
		if i < 10 && !strings.HasPrefix(line, "#") {
			lines[i] = "# " + line
		}
	}
	for _, name := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(all, -1) {
		t.Setenv(name[1], "0123456789abcdef")
	}
	_, err = config.Parse([]byte(strings.Join(lines, "\n")), filepath.Join(t.TempDir(), "mediaserver.yaml"))
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	for _, p := range problems {
		assert.Contains(t, p.Text, "cannot be read", "line %d: %s", p.Line, p.Text)
	}
	for _, key := range []string{"handover:", "folders:", "edge:", "sites:", "import:", "access:", "webhooks:", "archive:"} {
		assert.Regexp(t, "(?m)^ *"+key, strings.Join(lines, "\n"), "%s is not commented out any more", key)
	}
}
