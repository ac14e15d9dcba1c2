package archive_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
)

// TestRetentionFreesFiles deletes files that were read before: none of them stays open, as the system would not free it then.
func TestRetentionFreesFiles(t *testing.T) { synctest.Test(t, testRetentionFreesFiles) }

func testRetentionFreesFiles(t *testing.T) {
	dir := t.TempDir()
	store, err := archive.Dir(dir)
	require.NoError(t, err)
	s := show(t, store, "a", begun, 12*time.Second, 4*time.Second, small())
	require.NoError(t, store.Close())
	clock := new(wallClock)
	clock.set(begun)
	a, err := archive.New(dir, keeping(clock, archive.Retention{Age: time.Hour}))
	require.NoError(t, err)
	defer a.Close()
	synctest.Wait()
	_, got := see(t, a, path.Join(s.dir, "demo.ism"))
	same(t, s.feed.sent, got)
	require.NotEmpty(t, openBelow(t, dir))
	time.Sleep(1100 * time.Millisecond) // what was opened is believed for a second
	_, err = a.Sweep(t.Context(), begun.Add(2*time.Hour))
	require.NoError(t, err)
	assert.Empty(t, openBelow(t, dir))
	_, err = os.Stat(filepath.Join(dir, "a"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// openBelow returns the media files below a directory that this process has open.
func openBelow(t *testing.T, dir string) (names []string) {
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, d := range list {
		if name, _ := os.Readlink("/proc/self/fd/" + d.Name()); strings.HasPrefix(name, dir) && strings.Contains(name, ".ism") {
			names = append(names, name)
		}
	}
	return names
}
