package archive

import (
	"errors"
	"path"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// syncedDirs returns the directories that are synced for an entry.
func syncedDirs(t *testing.T, n *dirNames, dir string, entry uint64) (dirs []string) {
	t.Helper()
	require.NoError(t, n.sync(dir, entry, func(dir string) error {
		dirs = append(dirs, dir)
		return nil
	}))
	return dirs
}

// TestDirNames: every directory on the way is synced for a first file, and after that only what has changed.
func TestDirNames(t *testing.T) {
	n := newDirNames()
	n.hold("a/b")
	f := n.entered("a/b")
	g := n.entered("a/b")
	assert.Equal(t, []string{"a/b", "a", "."}, syncedDirs(t, &n, "a/b", f))
	assert.Empty(t, syncedDirs(t, &n, "a/b", g), "it was there at that time")
	h := n.entered("a/b")
	assert.Equal(t, []string{"a/b"}, syncedDirs(t, &n, "a/b", h))

	n.hold("a/c")
	n.making("a/c")
	f = n.entered("a/c") // by another than the one that makes it
	assert.Equal(t, []string{"a/c", "a"}, syncedDirs(t, &n, "a/c", f))
	assert.Equal(t, []string{"a"}, syncedDirs(t, &n, "a/c", f), "nobody knows yet whether it was made then")
	n.made("a/c")
	assert.Equal(t, []string{"a"}, syncedDirs(t, &n, "a/c", f))
	assert.Empty(t, syncedDirs(t, &n, "a/c", f))

	n.making("a/c") // removed and made again
	n.made("a/c")
	f = n.entered("a/c")
	assert.Equal(t, []string{"a/c", "a"}, syncedDirs(t, &n, "a/c", f))

	n.release("a/c")
	n.hold("a/c")
	f = n.entered("a/c")
	assert.Equal(t, []string{"a/c", "a"}, syncedDirs(t, &n, "a/c", f), "what was forgotten is not certain")
	n.release("a/c")
	n.release("a/b")
	assert.Len(t, n.dirs, 1, "only the root is remembered")
}

func TestDirNamesFault(t *testing.T) {
	n := newDirNames()
	n.hold("a")
	f := n.entered("a")
	fault := errors.New("fault")
	for _, bad := range []string{"a", "."} {
		require.ErrorIs(t, n.sync("a", f, func(dir string) error {
			if dir == bad {
				return fault
			}
			return nil
		}), fault)
	}
	assert.Equal(t, []string{"."}, syncedDirs(t, &n, "a", f), "what has failed is not done")
}

// TestDirNamesConcurrent: no file is taken for certain whose directory was not synced after it was made.
func TestDirNamesConcurrent(t *testing.T) {
	n := newDirNames()
	var mu sync.Mutex
	onDisk, inMemory := map[string]bool{}, map[string]bool{}
	fsync := func(dir string) error {
		mu.Lock()
		defer mu.Unlock()
		for name := range inMemory {
			if path.Dir(name) == dir {
				onDisk[name] = true
			}
		}
		return nil
	}
	make := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		inMemory[name] = true
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 100 {
				dir := "a/" + string(rune('0'+j%10))
				file := path.Join(dir, string(rune('a'+i))+string(rune('a'+j)))
				n.hold(dir)
				for _, d := range []string{"a", dir} {
					n.making(d)
					make(d)
					n.made(d)
				}
				make(file)
				if !assert.NoError(t, n.sync(dir, n.entered(dir), fsync)) {
					return
				}
				mu.Lock()
				assert.True(t, onDisk[file] && onDisk[dir] && onDisk["a"], file)
				mu.Unlock()
				n.release(dir)
			}
		})
	}
	wg.Wait()
	assert.Len(t, n.dirs, 1)
}
