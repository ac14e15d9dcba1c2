package deploy_test

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

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(data)
}

// The configuration of the README is one, and its directories are those that the unit lets the program write to.
func TestConfiguration(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(read(t, "README.md"))
	require.NotNil(t, block)
	c, err := config.Parse([]byte(block[1]), filepath.Join(t.TempDir(), "mediaserver.yaml"))
	if problems, ok := err.(config.Problems); ok { // all but for files that are not there
		for _, p := range problems {
			assert.Regexp(t, "no such file|cannot find", p.Text)
		}
	} else {
		require.NoError(t, err)
		require.NotNil(t, c)
	}
	unit := read(t, "mediaserver.service")
	for directive, path := range map[string]string{
		"RuntimeDirectory": "/run/mediaserver/", "StateDirectory": "/var/lib/mediaserver/", "CacheDirectory": "/var/cache/mediaserver\n",
		"LogsDirectory": "/var/log/mediaserver\n", "ConfigurationDirectory": "/etc/mediaserver/",
	} {
		assert.Contains(t, unit, "\n"+directive+"=mediaserver\n")
		assert.Contains(t, block[1], path)
	}
	socket := read(t, "mediaserver.socket")
	for _, l := range regexp.MustCompile(`address: :(\d+)`).FindAllStringSubmatch(block[1], -1) {
		assert.Contains(t, socket, "\nListenStream="+l[1]+"\n")
	}
}

// What the files start is what the program is called, with flags that it has.
func TestCommands(t *testing.T) {
	assert.Contains(t, read(t, "mediaserver.service"), "ExecStart=/usr/local/bin/mediaserver -config /etc/mediaserver/mediaserver.yaml\n")
	assert.Contains(t, read(t, "Containerfile"), `CMD ["-config", "/etc/mediaserver/mediaserver.yaml"]`)
	plist := strings.Join(strings.Fields(read(t, "com.smoothkit.mediaserver.plist")), "")
	assert.Contains(t, plist, "<string>/usr/local/bin/mediaserver</string><string>-config</string>")
	for _, line := range strings.Split(read(t, "Containerfile"), "\n") {
		if from, ok := strings.CutPrefix(line, "FROM "); ok {
			assert.Equal(t, "scratch", from, "built from nothing that must be fetched")
		}
	}
}
