package playlist_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

func TestNested(t *testing.T) {
	w := newWatch(t, files(map[string]string{
		"tv/list.isx":    isx("more/in.isx canSkipForward", "film.wmv"),
		"tv/more/in.isx": isx("ad.wmv duration=10 canSkipForward", "/tv/film.wmv"),
		"tv/more/ad.wmv": "aaaaaaaaaa", "tv/film.wmv": "ffffffffff",
	}), nil)
	u := w.open("/tv/list.isx")
	below := strings.Replace(u[0], "entryId=1", "entryId=1.2", 1)
	w.want(404, below)
	w.want(403, u[1])
	in := w.open(u[0])
	require.Len(t, in, 2)
	assert.Equal(t, below, in[1])
	w.want(403, in[1])
	w.want(403, u[1])
	assert.Equal(t, "aaaaaaaaaa", w.want(200, in[0]), "relative to the nested list")
	w.want(403, in[1])
	w.clock.forward(8 * time.Second)
	w.want(403, u[1])
	assert.Equal(t, "ffffffffff", w.want(200, in[1]))
	w.want(200, u[1])
	assert.Equal(t, "1.1", w.seen[0].Entry)
	assert.Equal(t, "tv/list.isx", w.seen[0].Playlist)
	w.want(200, in[0])
}

// TestNestedNotOpened: a list that is locked is not passed by not opening it.
func TestNestedNotOpened(t *testing.T) {
	w := newWatch(t, files(map[string]string{
		"list.isx": isx("in.isx canSkipForward", "film.wmv", "in.isx", "film.wmv"), "in.isx": isx("ad.wmv canSkipForward", "film.wmv"),
		"ad.wmv": "a", "film.wmv": "f",
	}), nil)
	u := w.open("/list.isx")
	for _, i := range []int{1, 2, 3} {
		w.want(403, u[i])
	}
	in := w.open(u[0])
	w.want(403, in[1])
	w.want(200, in[0])
	w.want(200, in[1])
	w.want(200, u[1])
	w.want(200, u[3])
	w.want(200, u[1])
	third := w.open(u[2])
	w.want(200, third[0], "If-None-Match", `"x"`)
	w.want(200, u[3])
}

// TestNestedDepth: a list that is too deep, or in itself, is an error of that entry alone.
func TestNestedDepth(t *testing.T) {
	fsys := files(map[string]string{
		"1.isx": isx("2.isx"), "2.isx": isx("3.isx"), "3.isx": isx("4.isx"), "4.isx": isx("5.isx"), "5.isx": isx("6.isx"+locked, "film.wmv"),
		"6.isx": isx("film.wmv"), "film.wmv": "f",
		"A.isx": isx("b.isx"+locked, "film.wmv"), "b.isx": isx("a.ISX"+locked, "film.wmv"),
		"self.isx": isx("Self.isx"+locked, "film.wmv"),
	})
	w := newWatch(t, fsys, nil)
	u := w.open("/1.isx")
	for range 4 {
		u = w.open(u[0])
	}
	require.Len(t, u, 2)
	assert.Contains(t, u[0], "entryId=1.1.1.1.1")
	w.want(403, u[1])
	w.want(404, u[0])
	w.want(200, u[1])
	w.want(404, u[0]+".1")

	u = w.open("/A.isx")
	in := w.open(u[0])
	w.want(403, in[1])
	w.want(404, in[0])
	w.want(200, in[1])
	w.want(200, u[1])

	u = w.open("/self.isx")
	w.want(404, u[0])
	w.want(200, u[1])

	deep := newWatch(t, fsys, &playlist.HandlerOptions{MaxDepth: 1})
	deep.want(404, deep.open("/1.isx")[0])
}

// TestNestedVersion: a session goes on with the nested list that it has opened, also where that has changed since.
func TestNestedVersion(t *testing.T) {
	lists := map[string]*playlist.Playlist{
		"list.isx": {Entries: []playlist.Entry{{Src: "in.isx", SrcType: playlist.RelativeURI}}},
		"in.isx":   {Entries: []playlist.Entry{{Src: "a.wmv", SrcType: playlist.RelativeURI}}},
	}
	asked := 0
	w := newWatch(t, nil, nil)
	w.h = playlist.NewHandler(providerOf(lists, &asked), &playlist.HandlerOptions{
		Files: files(map[string]string{"a.wmv": "a", "b.wmv": "b"}), Logger: quietLog(), Now: w.clock.Now, TimeToLive: 1000 * time.Hour,
		InactivityTimeout: 1000 * time.Hour, Store: playlist.NewMemoryStore(&playlist.MemoryOptions{Now: w.clock.Now}),
	})
	u := w.open("/list.isx")
	in := w.open(u[0])
	assert.Equal(t, "a", w.want(200, in[0]))
	lists["in.isx"] = &playlist.Playlist{Entries: []playlist.Entry{{Src: "b.wmv", SrcType: playlist.RelativeURI}}}
	w.clock.forward(900 * time.Hour)
	before := asked
	assert.Equal(t, in, w.open(u[0]))
	assert.Equal(t, before, asked)
	assert.Equal(t, "a", w.want(200, in[0]))
	in = w.open(w.open("/list.isx")[0])
	assert.Equal(t, "b", w.want(200, in[0]))
}

// providerOf provides lists, and counts how often it is asked.
func providerOf(lists map[string]*playlist.Playlist, asked *int) playlist.Provider {
	return playlist.ProviderFunc(func(_ context.Context, r *playlist.Request) (*playlist.Playlist, error) {
		*asked++
		if p := lists[r.Path]; p != nil {
			return p, nil
		}
		return nil, playlist.ErrNotFound
	})
}

// TestNestedPhysical: lists in roots of physical paths are lists, not files to be sent.
func TestNestedPhysical(t *testing.T) {
	root := files(map[string]string{"ads/in.isx": isx("ad.wmv"), "ads/ad.wmv": "from the root"})
	w := newWatch(t, files(map[string]string{
		"list.isx": isx(`C:\media\ads\in.isx srcType=physicalPath`), "off.isx": isx(`C:\media\ads\ad.wmv srcType=physicalPath`+locked, "film.wmv"),
		"film.wmv": "f",
	}), &playlist.HandlerOptions{AllowAbsolutePaths: true, Roots: map[string]fs.FS{`C:\media`: root}})
	u := w.open("/list.isx")
	in := w.open(u[0])
	require.Len(t, in, 1)
	assert.Equal(t, "from the root", w.want(200, in[0]))

	off := newWatch(t, files(map[string]string{"off.isx": isx(`C:\media\ads\ad.wmv srcType=physicalPath`+locked, "film.wmv"), "film.wmv": "f"}), nil)
	u = off.open("/off.isx")
	off.want(403, u[1])
	off.want(403, u[0])
	off.want(200, u[1])
	assert.NotContains(t, off.log.String(), "media")
}

// TestMissing: an entry that cannot be had is an error for that entry only, however it is locked.
func TestMissing(t *testing.T) {
	fsys := files(map[string]string{
		"list.isx": isx("none.wmv"+locked, "broken.isx"+locked, "none.isx"+locked, "dir"+locked, "../../x.wmv"+locked, "empty.wmv"+locked, "empty.isx"+locked, "film.wmv"),
		"film.wmv": "f", "broken.isx": "<smil>", "dir/x": "", "empty.wmv": "", "empty.isx": isx(),
	})
	w := newWatch(t, fsys, nil)
	u := w.open("/list.isx")
	for i, status := range []int{404, 500, 404, 404, 403, 200, 200} {
		w.want(403, u[len(u)-1])
		if i < 6 {
			assert.GreaterOrEqual(t, w.get(u[i+1]).StatusCode, 403)
			w.want(403, u[len(u)-1])
		}
		assert.Equal(t, status, w.do(t.Context(), http.MethodHead, u[i]).StatusCode)
		w.want(status, u[i])
	}
	w.want(200, u[7])
	for _, name := range []string{"none.wmv", "empty", "film"} { // which playlist is broken an operator has to know
		assert.NotContains(t, w.log.String(), name)
	}
}

// TestMissingFormat: a request that the client has spoilt passes nothing.
func TestMissingFormat(t *testing.T) {
	w := newWatch(t, files(map[string]string{"list.isx": isx("in.isx"+locked, "film.wmv"), "in.isx": isx("film.wmv"), "film.wmv": "f"}), nil)
	u := w.open("/list.isx")
	w.want(404, u[0]+";format=none")
	w.want(403, u[1])
}

var errDisk = errors.New("disk /mnt/secret/film.wmv failed")

// brokenFS is a file system whose files cannot be opened.
type brokenFS struct{ fstest.MapFS }

func (b brokenFS) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".isx") {
		return b.MapFS.Open(name)
	}
	return nil, errDisk
}

// TestNoPathsInAnswers: errors of the system stay in the log at Debug.
func TestNoPathsInAnswers(t *testing.T) {
	w := newWatch(t, nil, nil)
	fsys := brokenFS{files(map[string]string{"list.isx": isx("film.wmv")})}
	w.h = playlist.NewHandler(playlist.NewFiles(fsys, w.log.logger()), &playlist.HandlerOptions{Logger: w.log.logger()})
	u := w.open("/list.isx")
	r := w.get(u[0])
	assert.Equal(t, 500, r.StatusCode)
	assert.Equal(t, "Internal Server Error\n", bodyOf(t, r))
	assert.NotContains(t, w.log.String(), "secret")
	assert.NotContains(t, w.log.String(), "film")
	assert.Contains(t, w.log.String(), "status=500")
}
