package livesmooth

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// folderTree makes a directory with definitions, each with its name as title, and opens it.
func folderTree(t *testing.T, names ...string) (*folder, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	require.NoError(t, os.Mkdir(root, 0o755))
	for _, name := range names {
		folderWrite(t, root, name, name)
	}
	f, err := openFolder(root)
	require.NoError(t, err)
	t.Cleanup(func() { f.close() })
	return f, root
}

func folderWrite(t *testing.T, root, name, title string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	s := DefaultSettings()
	s.Title = title
	data, err := s.AppendISML(nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o644))
}

func folderScan(t *testing.T, f *folder) []string {
	t.Helper()
	found, err := f.scan(context.Background())
	require.NoError(t, err)
	for name, version := range found {
		_, v, actual, err := f.load(name)
		require.NoError(t, err)
		assert.Equal(t, []string{version, name}, []string{v, actual})
	}
	return slices.Sorted(maps.Keys(found))
}

// needsCase skips a test on file systems that do not tell names apart by case.
func needsCase(t *testing.T, root string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(root, "case"), nil, 0o644))
	if _, err := os.Stat(filepath.Join(root, "CASE")); err == nil {
		t.Skip("the file system does not tell names apart by case")
	}
}

func TestFolderScan(t *testing.T) {
	f, root := folderTree(t, "demo.isml", "live/a.isml", "live/deep/er/B.ISML", "live/not.ism", "live/.isml", "film.isml/inside.isml", "live/demo.isml.bak")
	assert.Equal(t, []string{"demo.isml", "live/a.isml", "live/deep/er/B.ISML"}, folderScan(t, f))

	before, err := f.scan(context.Background())
	require.NoError(t, err)
	folderWrite(t, root, "live/a.isml", "another title")
	folderWrite(t, root, "new/c.isml", "c")
	require.NoError(t, os.Remove(filepath.Join(root, "demo.isml")))
	require.NoError(t, os.RemoveAll(filepath.Join(root, "live", "deep")))
	after, err := f.scan(context.Background())
	require.NoError(t, err)
	assert.Equal(t, []string{"live/a.isml", "new/c.isml"}, slices.Sorted(maps.Keys(after)))
	assert.NotEqual(t, before["live/a.isml"], after["live/a.isml"])
	assert.ElementsMatch(t, []string{".", "live", "new"}, slices.Collect(maps.Keys(f.dirs)), "listings of what is gone are dropped")
}

// TestFolderScanReadsChanges: a directory that has not changed is not read again, unless it changed just before.
func TestFolderScanReadsChanges(t *testing.T) {
	f, root := folderTree(t, "live/a.isml")
	live := filepath.Join(root, "live")
	long := time.Now().Add(-time.Hour)
	settled := func(at time.Time) { require.NoError(t, os.Chtimes(live, at, at)) }
	settled(long)
	assert.Equal(t, []string{"live/a.isml"}, folderScan(t, f))
	folderWrite(t, root, "live/b.isml", "b")
	settled(long)
	assert.Equal(t, []string{"live/a.isml"}, folderScan(t, f), "the time of the directory says that nothing has changed")
	settled(long.Add(time.Nanosecond * 100))
	assert.Equal(t, []string{"live/a.isml", "live/b.isml"}, folderScan(t, f))

	recent := f.now().Add(-folderSettle / 2)
	settled(recent)
	assert.Len(t, folderScan(t, f), 2)
	folderWrite(t, root, "live/c.isml", "c")
	settled(recent)
	assert.Len(t, folderScan(t, f), 3, "the step of the clock may be the same")
}

func TestFolderLoad(t *testing.T) {
	f, root := folderTree(t, "demo.isml", "Live/Zürich.isml", "live2/x.isml")
	for name, want := range map[string]string{
		"demo.isml": "demo.isml", "DEMO.ISML": "demo.isml", "live/zÜrich.ISML": "Live/Zürich.isml", "LIVE2/X.isml": "live2/x.isml",
	} {
		s, version, actual, err := f.load(name)
		require.NoError(t, err, name)
		assert.Equal(t, want, actual, name)
		assert.Equal(t, want, s.Title, name)
		assert.NotEmpty(t, version, name)
	}
	require.NoError(t, os.Mkdir(filepath.Join(root, "dir.isml"), 0o755))
	for _, name := range []string{"", "none.isml", "live/none.isml", "none/x.isml", "dir.isml", "demo.isml/x.isml", "../root/demo.isml", "/demo.isml", `live2\x.isml`, "demo", "NUL.isml"} {
		_, _, _, err := f.load(name)
		assert.ErrorIs(t, err, fs.ErrNotExist, name)
	}
}

// TestFolderLoadFaults: the version is known, so that the file is not read again before it changes.
func TestFolderLoadFaults(t *testing.T) {
	f, root := folderTree(t, "live/a.isml")
	for content, want := range map[string]error{"<smil>\n<head>": smooth.ErrCorrupt, strings.Repeat(" ", maxISMLBytes+2): smooth.ErrTooLarge} {
		require.NoError(t, os.WriteFile(filepath.Join(root, "live", "a.isml"), []byte(content), 0o644))
		s, version, actual, err := f.load("LIVE/a.isml")
		assert.Nil(t, s)
		assert.ErrorIs(t, err, want)
		assert.ErrorContains(t, err, "live/a.isml")
		assert.Equal(t, "live/a.isml", actual)
		found, err := f.scan(context.Background())
		require.NoError(t, err)
		assert.Equal(t, found["live/a.isml"], version)
	}
}

func TestFolderAmbiguous(t *testing.T) {
	f, root := folderTree(t, "live/a.isml", "live/b.isml")
	needsCase(t, root)
	folderWrite(t, root, "live/A.isml", "capital")
	folderWrite(t, root, "LIVE/c.isml", "c")
	s, _, actual, err := f.load("live/A.isml")
	require.NoError(t, err)
	assert.Equal(t, []string{"capital", "live/A.isml"}, []string{s.Title, actual})
	for _, name := range []string{"Live/b.isml", "Live/c.isml", "live/c.isml", "LIVE/b.isml"} {
		_, _, _, err := f.load(name)
		assert.ErrorIs(t, err, fs.ErrNotExist, name)
	}
	require.ErrorIs(t, f.save("Live/new.isml", DefaultSettings()), fs.ErrNotExist)
	require.NoError(t, f.save("LIVE/new.isml", DefaultSettings()))
	assert.Equal(t, []string{"LIVE/c.isml", "LIVE/new.isml", "live/A.isml", "live/a.isml", "live/b.isml"}, folderScan(t, f))
}

func TestFolderSave(t *testing.T) {
	f, root := folderTree(t, "Live/demo.isml")
	s := DefaultSettings()
	s.Title = "saved"
	for name, want := range map[string]string{
		"Live/demo.isml": "Live/demo.isml", "live/DEMO.isml": "Live/demo.isml", "new.isml": "new.isml", "a/b/c.isml": "a/b/c.isml",
		"LIVE/Deep/x.isml": "Live/Deep/x.isml", "A/B/D.isml": "a/b/D.isml",
	} {
		if want == "a/b/D.isml" {
			require.NoError(t, f.save("a/b/c.isml", s))
		}
		s.Title = name
		require.NoError(t, f.save(name, s), name)
		got, _, actual, err := f.load(name)
		require.NoError(t, err, name)
		assert.Equal(t, s, got, name)
		assert.Equal(t, want, actual)
	}
	assert.Equal(t, []string{"Live/Deep/x.isml", "Live/demo.isml", "a/b/D.isml", "a/b/c.isml", "new.isml"}, folderScan(t, f))
	require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		assert.NotContains(t, path, ".tmp")
		return err
	}))
	assert.ErrorIs(t, f.save("../x.isml", s), ErrName)
	assert.ErrorIs(t, f.save("x.ism", s), ErrName)
	assert.ErrorIs(t, f.save("x.isml", &Settings{Lookahead: -1}), ErrSettings)
	require.NoError(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o644))
	assert.ErrorIs(t, f.save("file/x.isml", s), fs.ErrExist)
	require.NoError(t, os.Mkdir(filepath.Join(root, "dir.isml"), 0o755))
	assert.Error(t, f.save("dir.isml", s))
}

func TestFolderSaveMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	f, root := folderTree(t, "a.isml")
	mode := func(name string) fs.FileMode {
		info, err := os.Stat(filepath.Join(root, name))
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	require.NoError(t, os.Chmod(filepath.Join(root, "a.isml"), 0o666))
	secret := DefaultSettings()
	secret.HLS = &HLSSettings{Key: make([]byte, 16)}
	require.NoError(t, f.save("a.isml", secret))
	require.NoError(t, f.save("b.isml", secret))
	assert.Equal(t, []fs.FileMode{0o666, 0o600}, []fs.FileMode{mode("a.isml"), mode("b.isml")})
}

// TestFolderSaveAtOnce reads while others write: there is never half a file.
func TestFolderSaveAtOnce(t *testing.T) {
	f, _ := folderTree(t, "live/a.isml")
	var writers sync.WaitGroup
	for i := range 2 {
		writers.Go(func() {
			s := DefaultSettings()
			s.Title = strings.Repeat(strconv.Itoa(i), 10_000*i)
			for range 20 {
				assert.NoError(t, f.save("live/a.isml", s))
			}
		})
	}
	for range 40 {
		_, _, _, err := f.load("live/a.isml")
		assert.NoError(t, err)
		found, err := f.scan(context.Background())
		assert.NoError(t, err)
		assert.Len(t, found, 1)
	}
	writers.Wait()
}

func TestFolderRemove(t *testing.T) {
	f, _ := folderTree(t, "Live/a.isml", "Live/b.isml")
	require.NoError(t, f.remove("live/A.isml"))
	assert.Equal(t, []string{"Live/b.isml"}, folderScan(t, f))
	assert.ErrorIs(t, f.remove("Live/a.isml"), fs.ErrNotExist)
	assert.ErrorIs(t, f.remove("../x.isml"), fs.ErrNotExist)
}

// TestFolderLinks: links to files inside count, links to directories and out of the folder do not.
func TestFolderLinks(t *testing.T) {
	f, root := folderTree(t, "live/a.isml", "../secret/s.isml")
	for name, target := range map[string]string{
		"file.isml": filepath.Join("live", "a.isml"), "out.isml": filepath.Join("..", "secret", "s.isml"), "loop.isml": "loop.isml",
		"nowhere.isml": "none", "dir": "live", "outside": filepath.Join("..", "secret"), "dir.isml": "live",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Skipf("no symbolic links: %v", err)
		}
	}
	assert.Equal(t, []string{"file.isml", "live/a.isml"}, folderScan(t, f))
	for _, name := range []string{"out.isml", "loop.isml", "nowhere.isml", "dir/a.isml", "outside/s.isml", "dir.isml", "DIR/a.isml"} {
		_, _, _, err := f.load(name)
		assert.ErrorIs(t, err, fs.ErrNotExist, name)
	}
	assert.ErrorIs(t, f.save("outside/x.isml", DefaultSettings()), fs.ErrExist)
	assert.ErrorIs(t, f.save("dir/x.isml", DefaultSettings()), fs.ErrExist)
	require.NoError(t, f.save("out.isml", DefaultSettings()), "the link is replaced, not what it leads to")
	secret, err := os.ReadFile(filepath.Join(root, "..", "secret", "s.isml"))
	require.NoError(t, err)
	assert.Contains(t, string(secret), "../secret/s.isml")
}

func TestFolderLimits(t *testing.T) {
	f, _ := folderTree(t, "a.isml", "live/b.isml", "live/c.isml", "other/x")
	f.maxPoints = 2
	_, err := f.scan(context.Background())
	assert.ErrorIs(t, err, ErrLimit)
	f.maxPoints, f.maxDirs = 3, 2
	_, err = f.scan(context.Background())
	assert.ErrorIs(t, err, ErrLimit)
	f.maxDirs = 3
	assert.Len(t, folderScan(t, f), 3)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = f.scan(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, f.close())
	_, err = f.scan(context.Background())
	assert.ErrorIs(t, err, fs.ErrClosed)
	_, _, _, err = f.load("a.isml")
	assert.ErrorIs(t, err, fs.ErrClosed)
	_, err = openFolder(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
