package smooth_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// zipOf makes an archive; method applies to media, manifests are always compressed.
func zipOf(t testing.TB, method uint16, files map[string][]byte) *zip.Reader {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		h := &zip.FileHeader{Name: name, Method: method}
		if strings.HasSuffix(name, ".ism") {
			h.Method = zip.Deflate
		}
		w, err := z.CreateHeader(h)
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	return r
}

// seekFS hides ReadAt from the files of a file system.
type seekFS struct{ fs.FS }

type seekFile struct {
	fs.File
	io.Seeker
}

func (s seekFS) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if seeker, ok := f.(io.Seeker); ok {
		return seekFile{f, seeker}, nil
	}
	return f, nil
}

// TestFSKinds reads the same presentation from every kind of file system.
func TestFSKinds(t *testing.T) {
	files := map[string][]byte{
		"dir/x.ism":   ism("", track("video", "av.ismv", 40000, "trackID", "1"), track("audio", "av.ismv", 16000, "trackID", "2")),
		"dir/av.ismv": testmedia.File(t, "av.ismv"),
	}
	kinds := map[string]fs.FS{
		"fstest.MapFS": tree(files), "os.DirFS": os.DirFS(writeTree(t, files)), "stored zip": zipOf(t, zip.Store, files),
		"compressed zip": zipOf(t, zip.Deflate, files), "seeking": seekFS{tree(files)},
	}
	for name, fsys := range kinds {
		t.Run(name, func(t *testing.T) {
			src, log := source(t, fsys, nil)
			_, got := fetchAll(t, src, "dir/X.ISM")
			assert.Equal(t, trackSamples(t, files["dir/av.ismv"], 1), got["video/40000/"].samples)
			assert.Equal(t, trackSamples(t, files["dir/av.ismv"], 2), got["audio/16000/"].samples)
			assert.Empty(t, log.String())
		})
	}
	t.Run("embed.FS", func(t *testing.T) {
		src, _ := source(t, testmedia.Files(), nil)
		s, got := fetchAll(t, src, "testdata/av.mp4")
		assert.True(t, s.ModTime.IsZero())
		assert.Equal(t, trackSamples(t, testmedia.File(t, "av.mp4"), 1), got[levelKey("video", s.Manifest.Streams[0].Levels[0])].samples)
	})
	t.Run("large compressed zip", func(t *testing.T) {
		big := map[string][]byte{"x.mp4": append(testmedia.File(t, "av.mp4"), mkbox("free", make([]byte, 5<<20))...)}
		src, log := source(t, zipOf(t, zip.Deflate, big), nil)
		_, err := src.Open(context.Background(), "x.mp4")
		assert.ErrorIs(t, err, smooth.ErrUnsupported)
		assert.Contains(t, log.String(), "do not compress")
		src, _ = source(t, zipOf(t, zip.Store, big), nil)
		fetchAll(t, src, "x.mp4")
	})
}

// TestValidator identifies content: the same for copies with other times, another one for another index.
func TestValidator(t *testing.T) {
	files := func() map[string][]byte {
		return map[string][]byte{
			"x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1")), "av.ismv": testmedia.File(t, "av.ismv"), "av.mp4": testmedia.File(t, "av.mp4"),
			"chunks.mp4": testmedia.File(t, "chunks.mp4"),
		}
	}
	one, two := writeTree(t, files()), writeTree(t, files())
	for i, n := range []string{"x.ism", "av.ismv", "av.mp4", "chunks.mp4"} {
		require.NoError(t, os.Chtimes(filepath.Join(two, n), time.Unix(int64(i), 0), time.Unix(int64(i), 0)))
	}
	a, b := smooth.Dir(one, nil), smooth.Dir(two, nil)
	defer a.Close()
	defer b.Close()
	tags := func(src smooth.Source, path string) string {
		resp := do(smooth.NewHandler(src, quiet(nil)), "GET", path)
		require.Equal(t, 200, resp.StatusCode, path)
		return resp.Header.Get("ETag")
	}
	for _, path := range []string{"/x.ism/Manifest", "/x.ism/QualityLevels(40000)/Fragments(video=0)", "/av.mp4/Manifest", "/chunks.mp4/Manifest"} {
		assert.NotEmpty(t, tags(a, path))
		assert.Equal(t, tags(a, path), tags(b, path), path)
	}
	validator := func(f map[string][]byte, name string, opts *smooth.FileOptions) string {
		src, _ := source(t, tree(f), opts)
		p, err := src.Open(context.Background(), name)
		require.NoError(t, err)
		defer p.Close()
		s, err := p.Snapshot(context.Background())
		require.NoError(t, err)
		return s.Validator
	}
	seen := map[string]string{}
	add := func(what, v string) {
		require.NotContains(t, seen, v, "%s and %s", what, seen[v])
		seen[v] = what
	}
	add("as it is", validator(files(), "x.ism", nil))
	f := files()
	f["x.ism"] = append(f["x.ism"], ' ')
	add("server manifest", validator(f, "x.ism", nil))
	f = files()
	f["av.ismv"] = parseISMV(t, f["av.ismv"]).bytes(func(id uint32, e []fmp4.TfraEntry) []fmp4.TfraEntry {
		e[3].Time++
		return e
	})
	add("time in mfra", validator(f, "x.ism", nil))
	f = files()
	i := bytes.Index(f["av.ismv"], []byte("avcC"))
	f["av.ismv"][i+12] ^= 1
	add("codec configuration", validator(f, "x.ism", nil))
	add("progressive", validator(files(), "av.mp4", nil))
	add("progressive, other fragments", validator(files(), "av.mp4", &smooth.FileOptions{FragmentDuration: time.Second}))
	add("scanned", validator(files(), "chunks.mp4", nil))
	f = files()
	f["chunks.mp4"] = laterByOne(f["chunks.mp4"])
	add("scanned, other times", validator(f, "chunks.mp4", nil))
}

// laterByOne changes the decode time of the last fragment of a file.
func laterByOne(data []byte) []byte {
	i := bytes.LastIndex(data, []byte("moof"))
	i += bytes.Index(data[i:], []byte("tfdt"))
	data[i+15]++
	return data
}

// TestCompositeFiles plays a composite manifest of files through the handler.
func TestCompositeFiles(t *testing.T) {
	const clip = `<Clip Url="%s" ClipBegin="%d" ClipEnd="%d"><StreamIndex Type="video" Chunks="2" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})"><QualityLevel Index="0" Bitrate="40000" FourCC="H264" MaxWidth="160" MaxHeight="120" CodecPrivateData="00"/><c t="%d"/><c t="%d" d="10000000"/></StreamIndex></Clip>`
	csm := `<?xml version="1.0"?><SmoothStreamingMedia MajorVersion="1" MinorVersion="0" Duration="40000000">` +
		fmt.Sprintf(clip, "media/x.ism/Manifest", 0, 20_000_000, 0, 10_000_000) +
		fmt.Sprintf(clip, "Media/X.ism/Manifest", 30_000_000, 50_000_000, 30_000_000, 40_000_000) + `</SmoothStreamingMedia>`
	fsys := tree(map[string][]byte{
		"cut.csm": []byte(csm), "media/av.ismv": testmedia.File(t, "av.ismv"),
		"media/x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1")),
	})
	now := newClock()
	src, log := source(t, fsys, &smooth.FileOptions{Now: now.Now})
	h := smooth.NewHandler(src, quiet(nil))
	resp := do(h, "GET", "/cut.csm")
	require.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, csm, body(t, resp))
	resp = do(h, "GET", "/Cut.CSM/Manifest")
	require.Equal(t, 200, resp.StatusCode)
	m, err := smooth.ParseManifest([]byte(body(t, resp)))
	require.NoError(t, err)
	require.Len(t, m.Streams, 1)
	require.Len(t, m.Streams[0].Timeline, 4)
	var all []byte
	p, err := src.Open(context.Background(), "cut.csm")
	require.NoError(t, err)
	for _, c := range m.Streams[0].Timeline {
		resp := do(h, "GET", fmt.Sprintf("/cut.csm/QualityLevels(40000)/Fragments(video=%d)", c.Time))
		require.Equal(t, 200, resp.StatusCode)
		assert.NotEmpty(t, body(t, resp))
		f, err := p.Fragment(context.Background(), smooth.FragmentKey{Stream: "video", Bitrate: 40000, Time: c.Time})
		require.NoError(t, err)
		data, err := f.Load(context.Background(), nil)
		require.NoError(t, err)
		all = append(all, data...)
		f.Close()
	}
	require.NoError(t, p.Close())
	_, got := fetchAll(t, src, "media/x.ism")
	whole := got["video/40000/"].samples
	assert.Less(t, len(all), len(whole))
	assert.Equal(t, all[:1000], whole[:1000])
	assert.Empty(t, log.String())
	fsys["cut.csm"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(csm, "50000000", "40000000")), ModTime: time.Unix(9, 0)}
	now.Add(time.Second)
	m, err = smooth.ParseManifest([]byte(body(t, do(h, "GET", "/cut.csm/Manifest"))))
	require.NoError(t, err)
	assert.Len(t, m.Streams[0].Timeline, 3, "the changed composite manifest was noticed")
}

// TestIndexSize bounds the memory of an index.
func TestIndexSize(t *testing.T) {
	assert.LessOrEqual(t, smooth.FragmentEntrySize, uintptr(32))
	for _, name := range []string{"av.ismv", "av-frag.mp4", "cmaf.mp4"} {
		src, _ := source(t, tree(map[string][]byte{name: testmedia.File(t, name)}), nil)
		s, _ := fetchAll(t, src, name)
		fragments, chunks := 0, 0
		for _, st := range s.Manifest.Streams {
			fragments += len(st.Timeline) * len(st.Levels)
			chunks += len(st.Timeline)
		}
		assert.EqualValues(t, 32*fragments+16*chunks, src.Stats().IndexBytes, "%s: index and timeline", name)
		assert.EqualValues(t, 1, src.Stats().Files)
	}
}
