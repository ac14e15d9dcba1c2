package archive_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/smoothkit/smoothkit/archive"
)

// TestDirRoom looks at what is set aside for a file that grows, and that it is given back: by Truncate, by Close, and, if a crash
// has left it, when the file is closed the next time.
func TestDirRoom(t *testing.T) {
	const step, slack = 8 << 20, 1 << 20
	root := t.TempDir()
	name := filepath.Join(root, "f")
	probe, err := os.Create(filepath.Join(root, "probe"))
	require.NoError(t, err)
	defer probe.Close()
	if err := unix.Fallocate(int(probe.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, step); err != nil {
		t.Skip("the file system sets nothing aside: ", err)
	}
	ahead := func() int64 {
		var st unix.Stat_t
		require.NoError(t, unix.Stat(name, &st))
		return int64(st.Blocks)*512 - st.Size
	}
	open := func() (*archive.DirStore, archive.Appender) {
		s := openDir(t, root)
		a, err := s.Append(t.Context(), "f")
		require.NoError(t, err)
		return s, a
	}
	block := make([]byte, 1<<20)
	write := func(a archive.Appender, blocks int) {
		for range blocks {
			writeTo(t, a, string(block))
		}
		require.NoError(t, a.Sync())
	}
	_, a := open()
	write(a, 7)
	assert.Less(t, ahead(), int64(slack), "a small file gets nothing")
	write(a, 2)
	assert.Greater(t, ahead(), int64(step/2))
	require.NoError(t, a.Truncate(a.Size()))
	assert.EqualValues(t, 9<<20, a.Size())
	assert.Less(t, ahead(), int64(slack), "given back")
	write(a, 1)
	assert.Greater(t, ahead(), int64(step/2), "and set aside again")

	copied, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	assert.Less(t, ahead(), int64(slack), "given back by Close")
	require.NoError(t, unix.Fallocate(int(copied.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 5*step), "what a crash has left")
	require.NoError(t, copied.Close())
	_, a = open()
	write(a, 1)
	require.NoError(t, a.Close())
	assert.Less(t, ahead(), int64(slack))
	info, err := os.Stat(name)
	require.NoError(t, err)
	assert.EqualValues(t, 11<<20, info.Size())
}
