package archive_test

import (
	"fmt"
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
	copied := 0
	for _, d := range list {
		if name, _ := os.Readlink("/proc/self/fd/" + d.Name()); name != filepath.Join(dir, ".lock") {
			continue
		}
		n, err := strconv.Atoi(d.Name())
		require.NoError(t, err)
		n, err = unix.Dup(n)
		require.NoError(t, err)
		defer func() { require.NoError(t, unix.Close(n)) }()
		copied++
	}
	require.Equal(t, 1, copied, fmt.Sprint(list))
	require.NoError(t, lock.Close())
	lock, err = s.Lock(t.Context())
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}
