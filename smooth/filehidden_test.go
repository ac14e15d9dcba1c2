package smooth_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestHiddenMedia: media files that are hidden are presentations neither of their own nor as part of their directory, and those of their
// server manifest all the same.
func TestHiddenMedia(t *testing.T) {
	files := fstest.MapFS{}
	sample := smoothtest.Sample()
	media, err := fs.Glob(sample, "*.ismv")
	require.NoError(t, err)
	for _, name := range append(media, "sample.ism", "sample.ismc") {
		data, err := fs.ReadFile(sample, name)
		require.NoError(t, err)
		files["vod/"+name] = &fstest.MapFile{Data: data}
		if name == media[0] {
			files["dir/a.mp4"] = &fstest.MapFile{Data: data}
			files["dir/b.mp4"] = &fstest.MapFile{Data: data}
		}
	}
	open := func(src *smooth.FileSource, name string) error {
		p, err := src.Open(t.Context(), name)
		if err == nil {
			p.Close()
		}
		return err
	}
	hidden := map[string]bool{"vod/" + media[0]: true, "dir/a.mp4": true, "dir/b.mp4": true}
	own := "vod/" + media[0]
	for _, hide := range []bool{false, true} {
		src := smooth.FS(files, &smooth.FileOptions{Hidden: func(name string) bool { return hide && hidden[name] }})
		assert.NoError(t, open(src, "vod/sample.ism"))
		for _, name := range []string{own, "VOD/" + media[0], "dir.ism", "dir/a.mp4"} {
			if hide {
				assert.ErrorIs(t, open(src, name), smooth.ErrNotFound, name)
			} else {
				assert.NoError(t, open(src, name), name)
			}
		}
		var listed []string
		require.NoError(t, src.List(t.Context(), func(info smooth.Info) bool {
			listed = append(listed, info.Name)
			return true
		}))
		assert.Equal(t, !hide, len(listed) == 3, listed)
		assert.Contains(t, listed, "vod/sample.ism")
		assert.NoError(t, src.Close())
	}
}
