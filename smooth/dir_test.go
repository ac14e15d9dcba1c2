package smooth_test

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// confinedTree makes a root with a secret beside it, and returns the root and a source of it.
func confinedTree(t *testing.T) (root string, src *smooth.FileSource, log *logs) {
	t.Helper()
	av := testmedia.File(t, "av.mp4")
	video := ism("", track("video", "av.mp4", 40000))
	top := writeTree(t, map[string][]byte{
		"secret/av.mp4": av, "secret/secret.ism": video,
		"root/a/film.ism": video, "root/a/av.mp4": av, "root/av.mp4": av, "root/film.ism": video,
	})
	root = filepath.Join(top, "root")
	log = new(logs)
	src = smooth.Dir(root, &smooth.FileOptions{Logger: log.logger()})
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	return root, src, log
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
}

// TestDirConfined asks for names that lead out of the root, or to what is no file, from the source and from a handler.
func TestDirConfined(t *testing.T) {
	root, src, _ := confinedTree(t)
	link(t, filepath.Join(root, "..", "secret"), filepath.Join(root, "absolute"))
	link(t, filepath.Join("..", "secret"), filepath.Join(root, "relative"))
	link(t, filepath.Join("..", "secret", "secret.ism"), filepath.Join(root, "file.ism"))
	link(t, "loop.ism", filepath.Join(root, "loop.ism"))
	link(t, "a", filepath.Join(root, "inside"))
	require.NoError(t, os.Mkdir(filepath.Join(root, "dir.ism"), 0o755))
	makePipe(t, filepath.Join(root, "pipe.ism"))
	makePipe(t, filepath.Join(root, "pipe.mp4"))

	for _, name := range []string{"a/film.ism", "inside/film.ism", "A/FILM.ISM", "a/film-m3u8-aapl.ism", "A/Film-M3U8-AAPL.ism"} {
		p, err := src.Open(context.Background(), name)
		require.NoError(t, err, name)
		require.NoError(t, p.Close())
	}
	for _, name := range []string{
		"", ".", "..", "../secret/secret.ism", "a/../../secret/secret.ism", "/film.ism", "a//film.ism", "a/./film.ism", "./film.ism",
		`..\secret\secret.ism`, `a\film.ism`, "..%2fsecret%2fsecret.ism", "%2e%2e/secret/secret.ism", "%252e%252e/secret.ism",
		"film.ism\x00", "a\x00/film.ism", "film.ism\n", "\xff.ism", "NUL.ism", "con.ism", "com1.ism", "a/aux.ism", "film.ism.", "film.ism ",
		"film.ism::$DATA", "C:/film.ism", "absolute/secret.ism", "relative/secret.ism", "file.ism", "loop.ism", "dir.ism", "pipe.ism",
		"pipe.mp4", "av.mp4/film.ism", "film.ism/film.ism", "film", "film.txt", "none/film.ism", "-m3u8-aapl.ism", "a/-m3u8-aapl.ism",
	} {
		_, err := src.Open(context.Background(), name)
		assert.ErrorIs(t, err, smooth.ErrNotFound, "%q", name)
	}
	h := smooth.NewHandler(src, &smooth.HandlerOptions{Logger: slog.New(slog.DiscardHandler)})
	for path, want := range map[string]int{
		"/a/film.ism/Manifest": 200, "/A/FILM.ism/manifest": 200, "/a/film-m3u8-aapl.ism/Manifest": 200, "/av.mp4/Manifest": 200,
		"/../secret/secret.ism/Manifest": 404, "/a/%2e%2e/%2e%2e/secret/secret.ism/Manifest": 404, "/..%2fsecret/secret.ism/Manifest": 404,
		"/..%5csecret%5csecret.ism/Manifest": 404, "/%252e%252e/secret/secret.ism/Manifest": 404, "/absolute/secret.ism/Manifest": 404,
		"/relative/secret.ism/Manifest": 404, "/file.ism/Manifest": 404, "/film.ism%00/Manifest": 404, "/nul.ism/Manifest": 404,
		"/pipe.ism/Manifest": 404, "/dir.ism/Manifest": 404, "/film.ism": 404, "/av.mp4": 404, "/a%2ffilm.ism/Manifest": 404,
		"/absolute/av.mp4/Manifest": 404, "/loop.ism/Manifest": 404,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if want == 404 {
			assert.Contains(t, []int{400, 404}, w.Code, path)
			assert.Less(t, w.Body.Len(), 40, path)
		} else {
			assert.Equal(t, want, w.Code, path)
		}
		assert.NotContains(t, w.Header(), "Set-Cookie")
	}
}

// TestDirSrc resolves names in server manifests as IIS did, inside the root only.
func TestDirSrc(t *testing.T) {
	root, _, _ := confinedTree(t)
	link(t, filepath.Join("..", "..", "secret", "av.mp4"), filepath.Join(root, "a", "out.mp4"))
	makePipe(t, filepath.Join(root, "a", "pipe.mp4"))
	writeFile(t, root, "a/Sub Dir/Film 1.mp4", testmedia.File(t, "av.mp4"))
	writeFile(t, root, "a/50%25.mp4", testmedia.File(t, "av.mp4"))
	for src1, ok := range map[string]bool{
		"av.mp4": true, "AV.MP4": true, `.\av.mp4`: true, "./av.mp4": true, "../av.mp4": true, `..\AV.mp4`: true, "/av.mp4": true,
		"Sub%20Dir/Film%201.mp4": true, `sub dir\film 1.MP4`: true, "Sub Dir/../av.mp4": true, "50%25.mp4": true, " av.mp4 ": true,
		"%2e%2e/av.mp4": true, "..%5cav.mp4": true,
		"../../secret/av.mp4": false, `..\..\secret\av.mp4`: false, "%2e%2e%2f%2e%2e%2fsecret/av.mp4": false, "out.mp4": false,
		"//secret/av.mp4": false, `C:\av.mp4`: false, "av.mp4\u0001": false, "av.mp4%00": false, "pipe.mp4": false, "a": false, ".": false,
		"": false, "none/av.mp4": false, "av.mp4/": true,
	} {
		writeFile(t, root, "a/t.ism", ism("", track("video", src1, 40000)))
		one := smooth.Dir(root, &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
		p, err := one.Open(context.Background(), "a/t.ism")
		if ok {
			if assert.NoError(t, err, "%q", src1) {
				p.Close()
			}
		} else {
			assert.Error(t, err, "%q", src1)
		}
		require.NoError(t, one.Close())
	}
}

// TestNamesAmbiguous refuses to choose between names that differ in case only.
func TestNamesAmbiguous(t *testing.T) {
	video, av := ism("", track("video", "AV.mp4", 40000)), testmedia.File(t, "av.mp4")
	fsys := tree(map[string][]byte{"Film.ism": video, "FILM.ism": video, "av.mp4": av, "dir/x.ism": video, "DIR/y.ism": video, "dir/av.mp4": av, "DIR/AV.MP4": av})
	src, log := source(t, fsys, nil)
	ctx := context.Background()
	for name, ok := range map[string]bool{"Film.ism": true, "FILM.ism": true, "film.ism": false, "dir/X.ism": true, "Dir/x.ism": false, "DIR/Y.ISM": true} {
		p, err := src.Open(ctx, name)
		if !ok {
			assert.ErrorIs(t, err, smooth.ErrNotFound, name)
			continue
		}
		if assert.NoError(t, err, name) {
			p.Close()
		}
	}
	assert.Contains(t, log.String(), "ambiguous")
	assert.Contains(t, log.String(), "film.ism")
}

// TestDirMissing tells the operator that the directory itself is not there.
func TestDirMissing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "later")
	log, now := new(logs), newClock()
	src := smooth.Dir(root, &smooth.FileOptions{Logger: log.logger(), Now: now.Now})
	defer src.Close()
	_, err := src.Open(context.Background(), "av.mp4")
	require.Error(t, err)
	assert.NotErrorIs(t, err, smooth.ErrNotFound)
	assert.Contains(t, log.String(), "media directory")
	assert.Error(t, src.List(context.Background(), func(smooth.Info) bool { return true }))
	writeFile(t, root, "av.mp4", testmedia.File(t, "av.mp4"))
	now.Add(2_000_000_000)
	p, err := src.Open(context.Background(), "av.mp4")
	require.NoError(t, err)
	require.NoError(t, p.Close())
}

// TestList lists what can be opened, in order of names.
func TestList(t *testing.T) {
	root, src, _ := confinedTree(t)
	link(t, filepath.Join("..", "secret", "secret.ism"), filepath.Join(root, "out.ism"))
	link(t, "film.ism", filepath.Join(root, "linked.ism"))
	link(t, ".", filepath.Join(root, "self"))
	makePipe(t, filepath.Join(root, "pipe.ism"))
	for _, n := range []string{"a.ism", "a-b.ism", "film-m3u8-aapl.ism", "b/one.mp4", "b/two.mp4", "b/deep/x.csm", "c/only.txt"} {
		writeFile(t, root, n, []byte("x"))
	}
	list := func() (names []string) {
		require.NoError(t, src.List(context.Background(), func(i smooth.Info) bool {
			names = append(names, i.Name)
			assert.Positive(t, i.Size, i.Name)
			assert.False(t, i.ModTime.IsZero(), i.Name)
			return true
		}))
		return names
	}
	assert.Equal(t, []string{"a-b.ism", "a.ism", "a/film.ism", "b/deep/x.csm", "b/one.mp4", "b/two.mp4", "film.ism", "linked.ism"}, list())
	n := 0
	require.NoError(t, src.List(context.Background(), func(smooth.Info) bool { n++; return n < 3 }))
	assert.Equal(t, 3, n, "List stops when it is told to")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	assert.ErrorIs(t, src.List(ctx, func(smooth.Info) bool { return true }), context.Canceled)
}

// TestForeignFS maps what a file system says about impossible names to not found.
func TestForeignFS(t *testing.T) {
	root, _, _ := confinedTree(t)
	makePipe(t, filepath.Join(root, "pipe.ism"))
	for name, fsys := range map[string]fs.FS{"os.DirFS": os.DirFS(root), "fstest.MapFS": tree(map[string][]byte{"av.mp4": testmedia.File(t, "av.mp4")})} {
		src, log := source(t, fsys, nil)
		for _, n := range []string{"av.mp4/x.ism", "pipe.ism", "none.ism", "av.mp4\x00.ism"} {
			_, err := src.Open(context.Background(), n)
			assert.ErrorIs(t, err, smooth.ErrNotFound, "%s: %q", name, n)
		}
		p, err := src.Open(context.Background(), "AV.mp4")
		require.NoError(t, err)
		require.NoError(t, p.Close())
		assert.Empty(t, log.String())
	}
}

// TestNewFileSourceClose: who has opened the files closes them.
func TestNewFileSourceClose(t *testing.T) {
	files := smooth.NewDirFiles(writeTree(t, map[string][]byte{"a.txt": []byte("x")}))
	require.NoError(t, smooth.NewFileSource(files, nil).Close())
	_, err := files.Stat(context.Background(), "a.txt")
	require.NoError(t, err)
	require.NoError(t, files.Close())
	_, err = files.Stat(context.Background(), "a.txt")
	require.ErrorIs(t, err, smooth.ErrClosed)
}
