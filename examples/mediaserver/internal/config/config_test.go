package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
)

func parse(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	return config.Parse([]byte(text), filepath.Join(t.TempDir(), "m.yaml"))
}

// TestProblems: every mistake is told with its line, all of a kind together.
func TestProblems(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"rooot: /srv", `1: unknown key "rooot"`},
		{"live:\n  demo: true\n  memry: 5MB\n", `3: unknown key "memry"`},
		{"listen:\n  - address: localhost\n", `2: "localhost" is not an address such as :80, 127.0.0.1:8080 or [::1]:8080`},
		{"listen:\n  - address: ':99999'\n", `2: port "99999" of ":99999" is not a number from 0 to 65535`},
		{"listen:\n  - address: ':80'\n    for: [everybody]\n", `3: "everybody" is none of viewers, encoders, operators`},
		{"listen:\n  - address: ':443'\n    tls: {}\n", `3: tls without certificates`},
		{"grace: 10 minutes\n", `1: "10 minutes" is not a time such as 10s, 5m, 36h or 7d`},
		{"grace: -1s\n", `1: "-1s" is not a time such as 10s, 5m, 36h or 7d`},
		{"live:\n  memory: much\n", `2: "much" is not a size such as 256MB or 10GiB`},
		{"live:\n  memory: -1MB\n", `2: "-1MB" is not a size such as 256MB or 10GiB`},
		{"live: [1]\n", `1: a list is not what is wanted here`},
		{"limits:\n  playerConnections: many\n", "2: a text `many` is not what is wanted here"},
		{"limits:\n  publishingPoints:\n    live/a.isml: {}\n", `3: "live/a.isml" is not a path such as /live/event.isml`},
		{"debug: ':6060'\n", `1: ":6060" is not an address of this machine alone, such as 127.0.0.1:6060`},
		{"on: [':81']\nlisten: [{address: ':80'}]\nsample: true\n", `1: ":81" is no address of listen`},
		{"root: /does/not/exist\n", `1: /does/not/exist cannot be read: no such file or directory`},
		{"edge:\n  - path: /cdn\n", `2: an edge without upstreams`},
		{"edge:\n  - path: cdn\n    upstreams: [{url: 'ftp://x'}]\n", `2: "cdn" is not the path of a part of a site, such as /video`},
		{"access:\n  viewers:\n    allow: [10.0.0.0/33]\n", `3: "10.0.0.0/33" is not an address or network such as 10.0.0.0/8`},
		{"access:\n  viewers:\n    signed: {keys: [short]}\n", `3: a key of 5 bytes, at least 16 are wanted`},
		{"access:\n  encoders:\n    basic: {users: {joe: '${SMOOTHKIT_NOT_SET}'}}\n", `3: the environment variable SMOOTHKIT_NOT_SET is not set`},
		{"sites:\n  - {name: a, hosts: [x.example]}\n  - {name: b, hosts: [X.example]}\n", `3: site "b" is for host x.example on *, as site "a" is`},
		{"sites:\n  - {name: a/b, hosts: [x.example]}\n  - {name: A-B, hosts: [y.example]}\n", `3: site "A-B" needs a name of its own`},
		{"sites:\n  - {hosts: [x.example]}\n  - {hosts: [y.example]}\n", `3: site "" needs a name of its own`},
		{"usage:\n  metrics: metrics\n", `2: "metrics" is neither a path such as /metrics nor off`},
		{"root: .\nroot: .\n", `2: mapping key "root" already defined at line 1`},
		{"a: &x [*x]\n", ""},
		{"a: b: c\n", "mapping values are not allowed in this context"},
		{"root: .\n---\nroot: .\n", "there is more than one document in the file"},
	} {
		_, err := parse(t, tt.text)
		var all config.Problems
		require.ErrorAs(t, err, &all, tt.text)
		for _, p := range all {
			p.File = "m"
		}
		if tt.want == "" {
			continue
		}
		lines := strings.ReplaceAll(all.Error(), "m:", "")
		assert.Contains(t, lines, tt.want, tt.text)
	}
}

// TestAllProblems: one run tells all of them, in the order of lines.
func TestAllProblems(t *testing.T) {
	_, err := parse(t, "debug: x\nlog:\n  level: loud\n  format: xml\nplayers: ''\n")
	var all config.Problems
	require.ErrorAs(t, err, &all)
	var lines []int
	for _, p := range all {
		lines = append(lines, p.Line)
	}
	assert.Equal(t, []int{1, 3, 4}, lines)
}

// TestComplete: what is left out has its default, and paths are those of the file.
func TestComplete(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "www", "old"), 0o755))
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		c, err := config.Parse([]byte(text), filepath.Join(dir, "m.yaml"))
		require.NoError(t, err, text)
		require.Len(t, c.Sites, 1)
		assert.Equal(t, config.DefaultGrace, c.Grace.D())
	}
	c, err := config.Parse([]byte("root: www\nfolders: {/old: www/old}\narchive: {directory: rec, keepFor: 7d, keepBytes: 1.5TB}\n"),
		filepath.Join(dir, "m.yaml"))
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "www"), c.Sites[0].Root)
	assert.Equal(t, filepath.Join(dir, "www", "old"), c.Sites[0].Folders["/old"])
	assert.Equal(t, filepath.Join(dir, "rec"), c.Archive.Directory)
	assert.Equal(t, 7*24*time.Hour, c.Archive.KeepFor.D())
	assert.Equal(t, config.Size(1_500_000_000_000), c.Archive.KeepBytes)
	assert.Equal(t, []string{
		filepath.Join(dir, "m.yaml"), filepath.Join(dir, "www", "old", "web.config"), filepath.Join(dir, "www", "web.config"),
	}, c.Files)
}

// TestSecrets: they come from the environment and from files, and are not shown.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SMOOTHKIT_TEST_SECRET", "0123456789abcdef")
	file := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(file, []byte("fedcba9876543210\r\n"), 0o600))
	c, err := config.Parse([]byte(fmt.Sprintf("access:\n  viewers:\n    signed:\n      keys: ['${SMOOTHKIT_TEST_SECRET}', 'file:%s']\n", file)+
		"  encoders:\n    basic: {users: {joe: 'file:key'}}\nlive: {credentials: {up: {user: a, password: 'file:key'}}}\n"), filepath.Join(dir, "m.yaml"))
	require.NoError(t, err)
	keys := c.Access.Viewers.Signed.Keys
	assert.Equal(t, "0123456789abcdef", keys[0].Value())
	assert.Equal(t, "fedcba9876543210", keys[1].Value())
	assert.Equal(t, "fedcba9876543210", c.Access.Encoders.Basic.Users["joe"].Value(), "beside the configuration")
	assert.Equal(t, "fedcba9876543210", c.Live.Credentials["up"].Password.Value())
	shown, err := json.Marshal(c)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c.Access.Viewers.Signed), string(shown)} {
		assert.NotContains(t, text, "0123456789abcdef")
		assert.NotContains(t, text, "fedcba9876543210")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("root: .\nlisten:\n  - address: ':80'\n"))
	f.Add([]byte("sites:\n  - {name: a, hosts: [x], edge: [{path: /c, upstreams: [{url: 'http://o'}]}]}\n"))
	f.Add([]byte("limits: {playerConnections: 5, publishingPoints: {/a: {replace: true}}}\n"))
	f.Add([]byte("access: {viewers: {signed: {keys: ['0123456789abcdef']}}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse(data, "m.yaml")
		if err == nil && len(c.Sites)+len(c.Import) == 0 {
			t.Fatal("a configuration that serves nothing")
		}
		var all config.Problems
		if err != nil && assert.ErrorAs(t, err, &all) && len(all) == 0 {
			t.Fatal("an error without a problem")
		}
	})
}
