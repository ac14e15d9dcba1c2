package server_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
)

// TestCheck: what files say that a configuration names is checked before it is used.
func TestCheck(t *testing.T) {
	root := site(t)
	write := func(name, text string) string {
		name = filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
		return name
	}
	require.NoError(t, server.Check(parsed(t, root, "root: DIR\naliases: ["+write("good.map", "/a /b\n")+"]\n")))
	for text, want := range map[string]string{
		"root: DIR\naliases: [" + write("bad.map", "/a\n") + "]\n":                                               "line 1",
		"root: DIR\nthrottle: {file: " + write("t.config", "<bitrateThrottling enabled='perhaps'/>") + "}\n":     "enabled",
		"root: DIR\nplaylist: {file: " + write("p.config", "<playlist maximumPlaylistDepth='0'/>") + "}\n":       "maximumPlaylistDepth",
		"root: DIR\naccess: {viewers: {basic: {file: " + write("users", "joe:plain\n") + "}}}\n":                 "line 1",
		"root: DIR\nsiteAccess: {viewers: {bearer: {jwks: ['http://keys.example/'], issuer: a, audience: b}}}\n": "http",
	} {
		assert.ErrorContains(t, server.Check(parsed(t, root, text)), want, text)
	}
}
