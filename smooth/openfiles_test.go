package smooth_test

import (
	"context"
	"fmt"
	"io/fs"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// crowdedFiles may have no more than most files open at a time.
type crowdedFiles struct {
	*countingFiles
	most    int64
	refused atomic.Int64
}

func (c *crowdedFiles) Open(ctx context.Context, name string) (smooth.File, error) {
	if c.open.Load() >= c.most {
		c.refused.Add(1)
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	return c.countingFiles.Open(ctx, name)
}

// TestOutOfFiles opens more presentations than there may be open files: those that are not in use make room.
func TestOutOfFiles(t *testing.T) {
	tree := map[string][]byte{}
	for i := range 20 {
		tree[fmt.Sprintf("%d.mp4", i)] = testmedia.File(t, "av.mp4")
	}
	files := &crowdedFiles{countingFiles: newCountingFiles(tree), most: 4}
	src := smooth.NewFileSource(files, &smooth.FileOptions{MaxOpenFiles: 100})
	defer src.Close()
	for round := range 2 {
		for i := range 20 {
			p, err := src.Open(context.Background(), fmt.Sprintf("%d.mp4", i))
			require.NoError(t, err, "round %d, file %d", round, i)
			require.NoError(t, p.Close())
		}
	}
	assert.NotZero(t, files.refused.Load())

	// All are in use: an error, which is not remembered.
	var held []smooth.Presentation
	for i := range 4 {
		p, err := src.Open(context.Background(), fmt.Sprintf("%d.mp4", i))
		require.NoError(t, err)
		held = append(held, p)
	}
	_, err := src.Open(context.Background(), "9.mp4")
	require.ErrorIs(t, err, syscall.EMFILE)
	for _, p := range held {
		require.NoError(t, p.Close())
	}
	p, err := src.Open(context.Background(), "9.mp4")
	require.NoError(t, err)
	require.NoError(t, p.Close())
}
