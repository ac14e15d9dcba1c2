package archive_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/storetest"
	"github.com/smoothkit/smoothkit/smooth"
)

// openDir opens the store in a directory until the end of the test.
func openDir(t *testing.T, path string) *archive.DirStore {
	t.Helper()
	s, err := archive.Dir(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func appendTo(t *testing.T, s archive.Store, name, data string) archive.Appender {
	t.Helper()
	a, err := s.Append(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	_, err = a.Write([]byte(data))
	require.NoError(t, err)
	return a
}

func TestDirStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) archive.Store { return openDir(t, t.TempDir()) })
}

func TestDirMade(t *testing.T) {
	t.Chdir(t.TempDir())
	s := openDir(t, filepath.Join("new", "deep", "root"))
	top, err := os.Getwd()
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	require.NoError(t, s.Replace(t.Context(), "f", []byte("x")))
	assert.Equal(t, "x", string(storetest.Content(t, s, "f")), "the working directory does not matter any more")
	path := filepath.Join(top, "new", "deep", "root", "f")
	assert.FileExists(t, path)
	_, err = archive.Dir(path)
	require.Error(t, err, "a file")
	_, err = archive.Dir(filepath.Join(path, "below"))
	require.Error(t, err, "below a file")
	assert.Equal(t, "x", string(storetest.Content(t, openDir(t, filepath.Dir(path)), "f")), "one that there is")
}

func TestDirClosed(t *testing.T) {
	s, err := archive.Dir(t.TempDir())
	require.NoError(t, err)
	a := appendTo(t, s, "d/f", "x")
	require.NoError(t, s.Close())
	_, err = s.Append(t.Context(), "g")
	require.ErrorIs(t, err, fs.ErrClosed)
	require.ErrorIs(t, s.Replace(t.Context(), "g", nil), fs.ErrClosed)
	require.ErrorIs(t, s.Remove(t.Context(), "g"), fs.ErrClosed)
	_, err = s.Lock(t.Context())
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = s.Open(t.Context(), "d/f")
	require.ErrorIs(t, err, smooth.ErrClosed)
	_, err = a.Write([]byte("y"))
	require.NoError(t, err)
	require.Error(t, a.Sync(), "its directory cannot be synced")
}

// TestDirEscapes: nothing outside the directory is read, made, changed or removed.
func TestDirEscapes(t *testing.T) {
	top := t.TempDir()
	root, outside := filepath.Join(top, "root"), filepath.Join(top, "outside")
	require.NoError(t, os.Mkdir(outside, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o666))
	s := openDir(t, root)
	require.NoError(t, s.Replace(t.Context(), "inside/f", []byte("x")))
	for name, target := range map[string]string{
		"absolute": outside, "relative": filepath.Join("..", "outside"), "file": filepath.Join("..", "outside", "secret"),
		"new": filepath.Join("..", "outside", "made"), "in": "inside",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Skipf("no symbolic links: %v", err)
		}
	}
	for _, name := range []string{"absolute/secret", "relative/secret", "absolute/made", "relative/a/made", "file", "new"} {
		_, err := s.Append(t.Context(), name)
		require.Error(t, err, name)
		_, err = s.Open(t.Context(), name)
		require.ErrorIs(t, err, fs.ErrNotExist, name)
		if name != "file" && name != "new" { // there the link itself is replaced and removed
			require.Error(t, s.Replace(t.Context(), name, nil), name)
			assert.Error(t, s.Remove(t.Context(), name), name)
		}
	}
	require.NoError(t, s.Replace(t.Context(), "file", []byte("mine")))
	require.NoError(t, s.Remove(t.Context(), "new"))
	require.NoError(t, s.Remove(t.Context(), "absolute"))
	list, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, list, 1)
	secret, err := os.ReadFile(filepath.Join(outside, "secret"))
	require.NoError(t, err)
	assert.Equal(t, "secret", string(secret))
	assert.Equal(t, "mine", string(storetest.Content(t, s, "file")))
	assert.EqualValues(t, 1, appendTo(t, s, "in/g", "y").Size())
	assert.Equal(t, "y", string(storetest.Content(t, s, "inside/g")))
}

// TestDirLeftovers: temporary files of a crash are not seen, and are deleted as soon as something is written beside them.
func TestDirLeftovers(t *testing.T) {
	const leftover = ".smoothkit-ABC-1.tmp"
	for name, do := range map[string]func(s *archive.DirStore) error{
		"replace": func(s *archive.DirStore) error { return s.Replace(t.Context(), "d/f", []byte("x")) },
		"append": func(s *archive.DirStore) error {
			a, err := s.Append(t.Context(), "d/f")
			return errors.Join(err, a.Close())
		},
		"remove": func(s *archive.DirStore) error {
			return errors.Join(s.Remove(t.Context(), "d"), s.Replace(t.Context(), "d/f", nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			path := filepath.Join(root, "d", leftover)
			require.NoError(t, os.Mkdir(filepath.Dir(path), 0o777))
			require.NoError(t, os.WriteFile(path, []byte("half"), 0o666))
			s := openDir(t, root)
			list, err := s.ReadDir(t.Context(), "d")
			require.NoError(t, err)
			assert.Empty(t, list)
			for _, name := range []string{"d/" + leftover, leftover, ".lock"} {
				_, err = s.Open(t.Context(), name)
				require.ErrorIs(t, err, fs.ErrNotExist)
				_, err = s.Stat(t.Context(), name)
				require.ErrorIs(t, err, fs.ErrNotExist)
				_, err = s.Append(t.Context(), name)
				require.ErrorIs(t, err, fs.ErrInvalid)
				require.ErrorIs(t, s.Replace(t.Context(), name, nil), fs.ErrInvalid)
				require.ErrorIs(t, s.Remove(t.Context(), name), fs.ErrInvalid)
			}
			assert.FileExists(t, path)
			require.NoError(t, do(s))
			assert.NoFileExists(t, path)
			list, err = s.ReadDir(t.Context(), "d")
			require.NoError(t, err)
			assert.Len(t, list, 1)
		})
	}
}

// TestDirReplaceFails: the old content stays, and nothing is left of the new one.
func TestDirReplaceFails(t *testing.T) {
	root := t.TempDir()
	s := openDir(t, root)
	require.NoError(t, s.Replace(t.Context(), "d/f", []byte("old")))
	archive.DirStoreFault(s, func(*os.File, func(*os.File) error) error { return syscall.ENOSPC })
	require.ErrorIs(t, s.Replace(t.Context(), "d/f", []byte("new")), syscall.ENOSPC)
	assert.Equal(t, "old", string(storetest.Content(t, s, "d/f")))
	list, err := os.ReadDir(filepath.Join(root, "d"))
	require.NoError(t, err)
	assert.Len(t, list, 1)
}

// TestDirSyncFails: the system tells of a failure once, the store until what may be lost is cut off.
func TestDirSyncFails(t *testing.T) {
	s := openDir(t, t.TempDir())
	a := appendTo(t, s, "f", "synced")
	require.NoError(t, a.Sync())
	_, err := a.Write([]byte("lost"))
	require.NoError(t, err)
	var results []error
	archive.DirStoreFault(s, func(f *os.File, real func(*os.File) error) error {
		var err error
		if len(results) > 0 {
			err, results = results[0], results[1:]
		}
		return errors.Join(err, real(f))
	})
	results = []error{syscall.EIO}
	require.ErrorIs(t, a.Sync(), syscall.EIO)
	require.ErrorIs(t, a.Sync(), syscall.EIO)
	require.NoError(t, a.Truncate(8))
	require.ErrorIs(t, a.Sync(), syscall.EIO, "two bytes of it are still there")
	require.NoError(t, a.Truncate(6))
	_, err = a.Write([]byte(" again"))
	require.NoError(t, err)
	require.NoError(t, a.Sync())
	assert.Equal(t, "synced again", string(storetest.Content(t, s, "f")))
	results = []error{syscall.EIO}
	require.ErrorIs(t, a.Sync(), syscall.EIO)
	require.NoError(t, a.Close())
	a = appendTo(t, s, "f", "")
	require.NoError(t, a.Sync(), "who opens it again starts anew")
}

// TestDirLock: a lock is held against other stores in the same directory.
func TestDirLock(t *testing.T) {
	root := t.TempDir()
	s, other := openDir(t, root), openDir(t, root)
	lock, err := s.Lock(t.Context())
	require.NoError(t, err)
	_, err = other.Lock(t.Context())
	require.ErrorIs(t, err, archive.ErrLocked)
	assert.Contains(t, err.Error(), root)
	require.NoError(t, lock.Close())
	lock, err = other.Lock(t.Context())
	require.NoError(t, err)
	require.NoError(t, lock.Close())

	require.NoError(t, os.Remove(filepath.Join(root, ".lock")))
	require.NoError(t, os.Mkdir(filepath.Join(root, ".lock"), 0o777))
	_, err = s.Lock(t.Context())
	require.Error(t, err)
}

// TestDirLease: the kernel can send from files, also from one that grows.
func TestDirLease(t *testing.T) {
	s := openDir(t, t.TempDir())
	a := appendTo(t, s, "f", "one")
	f, err := s.Open(t.Context(), "f")
	require.NoError(t, err)
	defer f.Close()
	_, err = a.Write([]byte("two"))
	require.NoError(t, err)
	file, err := f.(smooth.Leaser).Lease()
	require.NoError(t, err)
	b := make([]byte, 6)
	n, err := file.Read(b)
	require.NoError(t, err)
	assert.Equal(t, "onetwo", string(b[:n]))
	f.(smooth.Leaser).Return(file)
	assert.EqualValues(t, 3, f.Size())
}

// TestDirIrregular: what is not a regular file is not written to.
func TestDirIrregular(t *testing.T) {
	root := t.TempDir()
	s := openDir(t, root)
	require.NoError(t, os.Mkdir(filepath.Join(root, "d"), 0o777))
	_, err := s.Append(t.Context(), "d")
	require.ErrorContains(t, err, "not a regular file")
	require.Error(t, s.Replace(t.Context(), "d", nil))
	list, err := os.ReadDir(root)
	require.NoError(t, err)
	assert.Equal(t, []string{"d"}, slices.Collect(func(yield func(string) bool) {
		for _, d := range list {
			yield(d.Name())
		}
	}))
}
