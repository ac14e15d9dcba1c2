package hls_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
)

var (
	_ hls.Sink    = (*hls.DirSink)(nil)
	_ hls.Resumer = (*hls.DirSink)(nil)
)

func TestDirSink(t *testing.T) {
	ctx := context.Background()
	for _, sync := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "new")
		d := hls.NewDirSink(dir, &hls.DirSinkOptions{Sync: sync})
		_, err := d.Stat(ctx, "a/b.ts")
		require.ErrorIs(t, err, fs.ErrNotExist)

		f, err := d.Create(ctx, "a/b.ts")
		require.NoError(t, err)
		_, err = f.Write([]byte("one"))
		require.NoError(t, err)
		_, err = d.Stat(ctx, "a/b.ts")
		require.ErrorIs(t, err, fs.ErrNotExist, "not before Commit")
		require.NoError(t, f.Commit())
		size, err := d.Stat(ctx, "a/b.ts")
		require.NoError(t, err)
		assert.EqualValues(t, 3, size)

		f, err = d.Create(ctx, "a/b.ts")
		require.NoError(t, err)
		_, err = f.Write([]byte("other"))
		require.NoError(t, err)
		require.NoError(t, f.Abort())
		data, err := d.ReadFile(ctx, "a/b.ts", 100)
		require.NoError(t, err)
		assert.Equal(t, "one", string(data))

		f, err = d.Create(ctx, "a/b.ts")
		require.NoError(t, err)
		_, isReaderFrom := f.(io.ReaderFrom)
		assert.True(t, isReaderFrom, "for the kernel to copy")
		require.NoError(t, f.Commit())
		size, err = d.Stat(ctx, "a/b.ts")
		require.NoError(t, err)
		assert.Zero(t, size)

		entries, err := os.ReadDir(filepath.Join(dir, "a"))
		require.NoError(t, err)
		assert.Len(t, entries, 1, "no temporary files")
		require.NoError(t, d.Remove(ctx, "a/b.ts"))
		require.ErrorIs(t, d.Remove(ctx, "a/b.ts"), fs.ErrNotExist)
	}
}

func TestDirSinkErrors(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	d := hls.NewDirSink(dir, nil)
	for _, name := range []string{"../x", "/x", "a//b"} {
		_, err := d.Create(ctx, name)
		assert.Error(t, err, name)
		_, err = d.Stat(ctx, name)
		assert.Error(t, err, name)
		_, err = d.ReadFile(ctx, name, 1)
		assert.Error(t, err, name)
		assert.Error(t, d.Remove(ctx, name), name)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	_, err := d.Create(ctx, "file/x")
	assert.Error(t, err, "a file in place of a directory")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "taken", "x"), 0o777))
	_, err = d.Stat(ctx, "taken")
	assert.Error(t, err)
	f, err := d.Create(ctx, "taken")
	require.NoError(t, err)
	assert.Error(t, f.Commit(), "a directory has the name")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "the temporary file has gone")
}
