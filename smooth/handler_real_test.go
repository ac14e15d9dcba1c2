package smooth_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestHandlerRealPackage fetches the first and last fragment of every track of a package from Azure in all nouns, as
// the URLs in its manifest say.
func TestHandlerRealPackage(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/smooth/package-bbb")
	stored, err := os.ReadFile(filepath.Join(dir, "BigBuckBunny.ismc"))
	require.NoError(t, err)
	src := smooth.Dir(dir, nil)
	h := smooth.NewHandler(src, quiet(nil))
	resp := do(h, "GET", "/BigBuckBunny.ism/Manifest")
	require.Equal(t, 200, resp.StatusCode)
	text := []byte(body(t, resp))
	m, err := smooth.ParseManifest(text)
	require.NoError(t, err)
	assert.Equal(t, string(stored), string(text), "the file is not stale, so it is served as it is")
	p, err := src.Open(context.Background(), "BigBuckBunny.ism")
	require.NoError(t, err)
	defer p.Close()
	for _, s := range m.Streams {
		for _, l := range s.Levels {
			for _, i := range []int{0, len(s.Timeline) - 1} {
				q := smooth.Request{Presentation: "BigBuckBunny.ism", Kind: smooth.FragmentRequest, Key: smooth.FragmentKey{
					Stream: s.Name, Bitrate: l.Bitrate, Attrs: l.AttrsKey(), Time: s.Timeline[i].Time,
				}}
				size := map[smooth.Noun]int{}
				for noun := smooth.Fragments; noun <= smooth.KeyFrames; noun++ {
					q.Noun = noun
					resp := do(h, "GET", "/"+q.String())
					require.Equal(t, 200, resp.StatusCode, q.String())
					size[noun] = len(body(t, resp))
					assert.Equal(t, fmt.Sprint(size[noun]), resp.Header.Get("Content-Length"), q.String())
				}
				assert.Equal(t, size[smooth.Fragments], size[smooth.FragmentInfo]+8+size[smooth.RawFragments], q.String())
				if s.Type == smooth.Video {
					// Only sdtp tells which samples are key frames. There is one, of a few percent of the bytes.
					assert.Less(t, size[smooth.KeyFrames], size[smooth.Fragments]/5, q.String())
				}
			}
		}
	}
}
