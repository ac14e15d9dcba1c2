package archive_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/storetest"
)

// TestDirNoRoom writes to a file that cannot take all, as on a full disk, in a process of its own, since the limit is of the
// process.
func TestDirNoRoom(t *testing.T) {
	const variable, limit = "SMOOTHKIT_TEST_NO_ROOM", 100_000
	root := os.Getenv(variable)
	if root == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDirNoRoom$", "-test.count=1")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", variable, t.TempDir()))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}))
	s := openDir(t, root)
	require.NoError(t, s.Replace(t.Context(), "d/m", []byte("old")))
	require.ErrorIs(t, s.Replace(t.Context(), "d/m", make([]byte, limit+1)), syscall.EFBIG)
	assert.Equal(t, "old", string(storetest.Content(t, s, "d/m")))
	list, err := os.ReadDir(root + "/d")
	require.NoError(t, err)
	assert.Len(t, list, 1, "the temporary file is gone")

	a := appendTo(t, s, "d/f", "begin ")
	long := bytes.Repeat([]byte("0123456789"), limit/5)
	n, err := a.Write(long)
	require.ErrorIs(t, err, syscall.EFBIG)
	assert.Equal(t, limit-6, n)
	assert.EqualValues(t, limit, a.Size(), "what a write that failed has left counts")
	n, err = a.Write(long)
	require.ErrorIs(t, err, syscall.EFBIG)
	assert.Zero(t, n)
	require.NoError(t, a.Truncate(6))
	writeTo(t, a, "end")
	require.NoError(t, a.Sync())
	assert.Equal(t, "begin end", string(storetest.Content(t, s, "d/f")))
}

func writeTo(t *testing.T, a archive.Appender, data string) {
	t.Helper()
	n, err := a.Write([]byte(data))
	require.NoError(t, err)
	require.Equal(t, len(data), n)
}
