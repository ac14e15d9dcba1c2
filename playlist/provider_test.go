package playlist_test

import (
	"context"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

func playlistOf(t *testing.T, p *playlist.Files, name string) (*playlist.Playlist, error) {
	t.Helper()
	return p.Playlist(t.Context(), &playlist.Request{Path: name, Format: "asx"})
}

// TestFilesReload: a file is read again when it has changed, stays as it was while it is broken, and is gone when it is.
func TestFilesReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &records{}
		fsys := files(map[string]string{"a.isx": isx("a.wmv")})
		p := playlist.NewFiles(fsys, log.logger())
		first, err := playlistOf(t, p, "a.isx")
		require.NoError(t, err)
		again, err := playlistOf(t, p, "a.isx")
		require.NoError(t, err)
		assert.Same(t, first, again)
		set := func(text string) {
			time.Sleep(time.Minute) // of the bubble
			fsys["a.isx"] = &fstest.MapFile{Data: []byte(text), ModTime: time.Now()}
		}
		set("<smil>")
		for range 3 {
			again, err = playlistOf(t, p, "a.isx")
			require.NoError(t, err)
			assert.Same(t, first, again)
			time.Sleep(time.Minute)
		}
		assert.Equal(t, 1, strings.Count(log.String(), "cannot be read"), "once per version")
		set(isx("a.wmv", "b.wmv"))
		second, err := playlistOf(t, p, "a.isx")
		require.NoError(t, err)
		assert.Len(t, second.Entries, 2)
		time.Sleep(time.Minute)
		delete(fsys, "a.isx")
		_, err = playlistOf(t, p, "a.isx")
		assert.ErrorIs(t, err, fs.ErrNotExist)
		set("<smil>")
		_, err = playlistOf(t, p, "a.isx")
		var syntax *playlist.SyntaxError
		assert.ErrorAs(t, err, &syntax)
	})
}

// TestReloadWhileWatched: sessions go on with the list that they began with.
func TestReloadWhileWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := files(map[string]string{"a.isx": isx("a.wmv canSkipForward", "b.wmv"), "a.wmv": "aaa", "b.wmv": "bbb", "c.wmv": "ccc"})
		v := &visit{t, playlist.NewHandler(playlist.NewFiles(fsys, quietLog()), &playlist.HandlerOptions{Logger: quietLog()})}
		old := entries(t, bodyOf(t, v.get("/a.isx")))
		time.Sleep(time.Minute)
		fsys["a.isx"] = &fstest.MapFile{Data: []byte(isx("c.wmv")), ModTime: time.Now()}
		now := entries(t, bodyOf(t, v.get("/a.isx")))
		require.Len(t, now, 1)
		assert.Equal(t, "ccc", bodyOf(t, v.get(now[0])))
		assert.Equal(t, 403, v.get(old[1]).StatusCode)
		assert.Equal(t, "aaa", bodyOf(t, v.get(old[0])))
		assert.Equal(t, "bbb", bodyOf(t, v.get(old[1])))
	})
}

// TestFilesNames: names are those of IIS, where case does not matter, and of UTF-8.
func TestFilesNames(t *testing.T) {
	w := newWatch(t, files(map[string]string{
		"TV/Abend ü.ISX": isx("Filme/%C3%BCber.wmv"), "TV/filme/Über.wmv": "x", "TV/filme/über.WMV": "film", "one.isx": isx("a.wmv"), "One.isx": isx("b.wmv"),
	}), nil)
	for _, name := range []string{"/TV/Abend%20%C3%BC.ISX", "/tv/abend%20%C3%BC.isx"} {
		u := w.open(name)
		require.Len(t, u, 1)
		assert.True(t, strings.HasPrefix(u[0], "http://example.com"+name+"?sessionId="), u[0])
		w.want(404, u[0]) // two files differ in nothing but case from the name
	}
	id := playlist.NewID().String()
	w = newWatch(t, files(map[string]string{"a/" + id + "/list.isx": isx("a.wmv"), "a/" + id + "/a.wmv": "aaa", "One.isx": isx("a.wmv"), "one.isx": isx("a.wmv")}), nil)
	assert.Equal(t, "aaa", w.want(200, w.open("/a/" + id + "/list.isx")[0]), "a directory may be called as sessions are")
	w.want(404, "/ONE.isx")
	w.open("/One.isx")
}

// stuckFS is a file system one of whose files takes for ever.
type stuckFS struct {
	fstest.MapFS
	began, let chan struct{}
}

func (s stuckFS) Open(name string) (fs.File, error) {
	if path.Base(name) == "stuck.isx" {
		s.began <- struct{}{}
		<-s.let
	}
	return s.MapFS.Open(name)
}

// TestFilesStuck: a file that takes long delays nobody who wants another, is read once, and is given up by those who leave.
func TestFilesStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stuckFS{files(map[string]string{"stuck.isx": isx("a.wmv"), "b.isx": isx("a.wmv")}), make(chan struct{}), make(chan struct{})}
		p := playlist.NewFiles(s, quietLog())
		results := make(chan error, 3)
		ask := func(ctx context.Context) {
			_, err := p.Playlist(ctx, &playlist.Request{Path: "stuck.isx"})
			results <- err
		}
		go ask(t.Context())
		<-s.began
		go ask(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		go ask(ctx)
		synctest.Wait()
		_, err := playlistOf(t, p, "b.isx")
		require.NoError(t, err)
		cancel()
		assert.ErrorIs(t, <-results, context.Canceled)
		close(s.let)
		assert.NoError(t, <-results)
		assert.NoError(t, <-results)
	})
}
