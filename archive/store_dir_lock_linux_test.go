package archive_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/smoothkit/smoothkit/archive"
)

// TestDirLockIsGivenBack closes a store of which another process has the descriptors, as one that is being started has.
func TestDirLockIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	s, err := archive.Dir(dir)
	require.NoError(t, err)
	defer s.Close()
	lock, err := s.Lock(t.Context())
	require.NoError(t, err)
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	var held []int // found before they are copied, as a copy may get the number of a descriptor in the list
	for _, d := range list {
		if name, _ := os.Readlink("/proc/self/fd/" + d.Name()); name == filepath.Join(dir, ".lock") {
			n, err := strconv.Atoi(d.Name())
			require.NoError(t, err)
			held = append(held, n)
		}
	}
	require.Len(t, held, 1)
	n, err := unix.Dup(held[0])
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Close(n)) }()
	require.NoError(t, lock.Close())
	lock, err = s.Lock(t.Context())
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}
