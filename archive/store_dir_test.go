package archive_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/storetest"
)

// openDir opens the store in a directory until the end of the test.
func openDir(t *testing.T, path string) *archive.DirStore {
	t.Helper()
	s, err := archive.Dir(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestDirStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) archive.Store { return openDir(t, t.TempDir()) })
}
