//go:build unix

package livesmooth

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFolderOddFiles: a pipe is never opened, names that Windows cannot have are left out, and so is what nobody may read.
func TestFolderOddFiles(t *testing.T) {
	f, root := folderTree(t, "live/a.isml", "shut/b.isml", "c:/d.isml", "con/e.isml", `live/f\g.isml`, "live/h .isml")
	require.NoError(t, syscall.Mkfifo(filepath.Join(root, "live", "pipe.isml"), 0o644))
	shut := filepath.Join(root, "shut")
	require.NoError(t, os.Chmod(shut, 0))
	t.Cleanup(func() { assert.NoError(t, os.Chmod(shut, 0o755)) })
	want := []string{"live/a.isml", "live/h .isml"}
	if _, err := os.ReadDir(shut); err == nil { // the super-user
		want = append(want, "shut/b.isml")
	}
	found, err := f.scan(context.Background())
	require.NoError(t, err)
	assert.ElementsMatch(t, want, folderScan(t, f))
	assert.Len(t, found, len(want))
	_, _, _, err = f.load("live/pipe.isml")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
