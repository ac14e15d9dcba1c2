package smooth_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestCompositeOfFiles cuts a package that IIS served and plays the cut from a directory.
func TestCompositeOfFiles(t *testing.T) {
	dir := t.TempDir()
	from := testmedia.Shared(t, "testdata/smooth/package-bbb")
	require.NoError(t, os.CopyFS(filepath.Join(dir, "bbb"), os.DirFS(from)))
	src := smooth.FS(os.DirFS(dir), nil)
	defer src.Close()
	p, err := src.Open(t.Context(), "bbb/BigBuckBunny.ism")
	require.NoError(t, err)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	defer p.Close()

	video := s.Manifest.Stream("video")
	tl := video.Timeline
	require.Len(t, tl, 2)
	at := func(i int) uint64 {
		return smooth.Rescale(tl[i].Time+tl[i].Duration/2, s.Manifest.TimescaleOf(video), second)
	}
	m, err := smooth.BuildComposite([]smooth.ClipSpec{
		{URL: "bbb/BigBuckBunny.ism/Manifest", Manifest: s.Manifest, Begin: at(1)},
		{URL: "BBB/bigbuckbunny.ism/manifest", Manifest: s.Manifest, Begin: at(0), End: at(1)},
	})
	require.NoError(t, err)
	xml, err := m.AppendXML(nil, nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cut.csm"), xml, 0o600))

	cut, err := src.Open(t.Context(), "cut.csm")
	require.NoError(t, err)
	defer cut.Close()
	c, err := cut.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, c.Manifest.Streams, 2)
	assert.Len(t, c.Manifest.Stream("video").Timeline, 3)
	assert.Len(t, c.Manifest.Stream("audio").Timeline, 3+5)
	requireFragments(t, cut, c)

	for i, pos := range []int{1, 0, 1} {
		st := c.Manifest.Stream("video")
		bitrate := st.Levels[0].Bitrate
		f, err := cut.Fragment(t.Context(), smooth.FragmentKey{Stream: st.Name, Bitrate: bitrate, Time: st.Timeline[i].Time})
		require.NoError(t, err)
		inner, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: "video", Bitrate: bitrate, Time: tl[pos].Time})
		require.NoError(t, err)
		want, err := inner.Load(t.Context(), nil)
		require.NoError(t, err)
		var b bytes.Buffer
		_, err = f.WriteTo(&b)
		require.NoError(t, err)
		assert.Equal(t, int64(b.Len()), f.Size())
		assert.True(t, bytes.HasSuffix(b.Bytes(), want), "fragment %d", i)
		require.NoError(t, inner.Close())
		require.NoError(t, f.Close())
	}

	h := smooth.NewHandler(src, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/cut.csm", nil))
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, xml, w.Body.Bytes(), "the file as it is")
}
