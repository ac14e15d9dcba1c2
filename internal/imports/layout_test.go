package imports_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// strays returns the directories among names that do not belong at the top of the module. What a name with a dot
// holds is no part of it, nor is out, which Git ignores.
func strays(names []string) []string {
	var bad []string
	for _, name := range names {
		if _, known := families[name]; !known && name != "out" && !strings.HasPrefix(name, ".") {
			bad = append(bad, name)
		}
	}
	return bad
}

func TestTopLevelDirectories(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	require.NoError(t, err)
	var dirs []string
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, e.Name())
		}
	}
	assert.Contains(t, dirs, "smooth")
	assert.Empty(t, strays(dirs))
	assert.Equal(t, []string{"util"}, strays([]string{"smooth", ".git", "out", "util"}))
}
