package playlist_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// films are a list of two films and one with session times of its own.
func films(t *testing.T, opts *playlist.HandlerOptions) *watch {
	return newWatch(t, filmFiles(), opts)
}

func filmFiles() fstest.MapFS {
	return files(map[string]string{"list.isx": isx("a.wmv", "b.wmv"), "a.wmv": "aaa", "b.wmv": "bbb", "locked.isx": isx("a.wmv canSkipForward", "b.wmv")})
}

func TestSessionLifetime(t *testing.T) {
	w := films(t, nil)
	u := w.open("/list.isx")
	for range 11 {
		w.clock.forward(playlist.DefaultInactivityTimeout - time.Second)
		w.want(200, u[0])
	}
	w.clock.forward(playlist.DefaultInactivityTimeout)
	assert.Contains(t, w.want(410, u[0]), "expired")
	u = w.open("/list.isx")
	for range 13 {
		w.clock.forward(playlist.DefaultTimeToLive / 13)
		if w.get(u[0]).StatusCode != 200 {
			break
		}
	}
	w.clock.forward(time.Minute)
	w.want(410, u[0])
	r := w.get(u[0])
	assert.Equal(t, "no-store", r.Header.Get("Cache-Control"))
}

func TestSessionTimesOfPlaylist(t *testing.T) {
	asked := 0
	lists := map[string]*playlist.Playlist{"a.isx": {
		InactivityTimeout: time.Minute, TimeToLive: 2 * time.Minute, Entries: []playlist.Entry{{Src: "a.wmv", SrcType: playlist.RelativeURI}},
	}}
	w := films(t, nil)
	w.h = playlist.NewHandler(providerOf(lists, &asked), &playlist.HandlerOptions{Files: filmFiles(), Now: w.clock.Now, Logger: quietLog()})
	u := w.open("/a.isx")
	w.clock.forward(59 * time.Second)
	w.want(200, u[0])
	w.clock.forward(59 * time.Second)
	w.want(200, u[0])
	w.clock.forward(2 * time.Second)
	w.want(410, u[0])
	u = w.open("/a.isx")
	w.clock.forward(time.Minute)
	w.want(410, u[0])
}

func TestSessionsAtOnce(t *testing.T) {
	w := films(t, &playlist.HandlerOptions{MaxSessions: 2, Bind: playlist.BindCookie})
	w.open("/list.isx")
	w.open("/list.isx")
	r := w.get("/list.isx")
	assert.Equal(t, 503, r.StatusCode)
	assert.NotEmpty(t, r.Header.Get("Retry-After"))
	assert.Empty(t, r.Header.Values("Set-Cookie"))
	assert.Equal(t, 200, w.do(t.Context(), http.MethodHead, "/list.isx").StatusCode, "which begins none")
	w.clock.forward(playlist.DefaultInactivityTimeout)
	w.open("/list.isx")
}

// TestSessionOfOther: a session is one of a playlist.
func TestSessionOfOther(t *testing.T) {
	w := films(t, nil)
	u := w.open("/list.isx")
	w.want(404, strings.Replace(u[0], "list", "locked", 1))
	w.want(404, strings.Replace(u[0], "list", "none", 1))
	w.want(200, strings.Replace(u[0], "list", "LIST", 1))
}

// TestFarm: two handlers with one store share sessions, also of lists that one of them has never seen.
func TestFarm(t *testing.T) {
	c := newClock()
	fsys := files(map[string]string{
		"list.isx": isx("in.isx canSkipForward", "b.wmv"), "in.isx": isx("a.wmv canSkipForward duration=20", "b.wmv"), "a.wmv": "aaa", "b.wmv": "bbb",
	})
	opts := &playlist.HandlerOptions{Store: &coded{Store: playlist.NewMemoryStore(&playlist.MemoryOptions{Now: c.Now})}, Hold: -1}
	one, two := newWatch(t, fsys, opts), newWatch(t, files(nil), opts)
	two.h = playlist.NewHandler(playlist.NewFiles(files(map[string]string{"a.wmv": "aaa", "b.wmv": "bbb"}), quietLog()), &playlist.HandlerOptions{
		Store: opts.Store, Now: one.clock.Now, Logger: quietLog(), Hold: -1,
	})
	u := one.open("/list.isx")
	two.want(403, u[1])
	in := one.open(u[0])
	assert.Equal(t, in, two.open(u[0]), "it has no such list itself")
	two.want(403, in[1])
	one.want(200, in[0])
	two.want(403, in[1])
	one.clock.forward(18 * time.Second)
	two.want(200, in[1])
	one.want(200, u[1])
	two.want(200, u[1])
}

// coded is a store whose lists are other values than those that were put in, as from a database.
type coded struct{ playlist.Store }

func (c *coded) List(ctx context.Context, version string) (*playlist.Playlist, error) {
	p, err := c.Store.List(ctx, version)
	if p == nil || err != nil {
		return p, err
	}
	copied := *p
	return &copied, nil
}

// TestStateless: sessions that are tokens need no store, and are for lists without rules.
func TestStateless(t *testing.T) {
	keys := [][]byte{[]byte(strings.Repeat("k", 32))}
	opts := &playlist.HandlerOptions{Stateless: true, Keys: keys, Store: noStore{}, Presentations: openStitchFiles(t, stitchFiles(t))}
	fsys := filmFiles()
	fsys["films.isx"] = files(map[string]string{"films.isx": isx("low.mp4")})["films.isx"]
	fsys["low.mp4"] = stitchFiles(t)["low.mp4"]
	w, other := newWatch(t, fsys, opts), newWatch(t, fsys, opts)
	u := w.open("/list.isx")
	assert.NotRegexp(t, `sessionId=[0-9a-f]{8}-`, u[0])
	w.want(200, u[1])
	assert.Equal(t, "bbb", other.want(200, u[1]), "another server")
	w.want(404, strings.Replace(u[1], "list", "films", 1))
	w.want(404, strings.Replace(u[1], "entryId", "x=1;entryId=9;x", 1))
	for i := range 40 {
		at := strings.Index(u[1], "sessionId=") + 10 + i
		c := byte('A')
		if u[1][at] == 'A' {
			c = 'B'
		}
		w.want(404, u[1][:at]+string(c)+u[1][at+1:])
	}
	require.NotEmpty(t, w.seen)
	w.clock.forward(playlist.DefaultTimeToLive)
	w.want(410, u[1])

	r := w.get("/films.isx?format=json")
	require.Equal(t, 200, r.StatusCode)
	_, stitched, ok := strings.Cut(bodyOf(t, r), `"stitched":"`)
	require.True(t, ok)
	stitched, _, _ = strings.Cut(stitched, `"`)
	assert.Contains(t, w.want(200, stitched), "<SmoothStreamingMedia")
	w.want(404, strings.Replace(stitched, "films.isx", "list.isx", 1))
	assert.Equal(t, 500, w.get("/locked.isx").StatusCode, "which needs a store")
}

// noStore is a store that has nothing.
type noStore struct{ playlist.Store }

func (noStore) Create(context.Context, *playlist.Session) error { return http.ErrNotSupported }
func (noStore) List(context.Context, string) (*playlist.Playlist, error) {
	return nil, nil
}
func (noStore) PutList(context.Context, string, *playlist.Playlist, time.Duration) error { return nil }

// TestBind: sessions bound to an address or to a cookie, which only playlists set.
func TestBind(t *testing.T) {
	client := "1.2.3.4"
	w := films(t, &playlist.HandlerOptions{Bind: playlist.BindAddress, Client: func(*http.Request) string { return client }})
	u := w.open("/list.isx")
	w.want(200, u[0])
	client = "5.6.7.8"
	w.want(403, u[0])
	client = "1.2.3.4"
	w.want(200, u[0])

	w = films(t, &playlist.HandlerOptions{Bind: playlist.BindCookie})
	r := w.get("/list.isx")
	require.Len(t, r.Cookies(), 1)
	c := r.Cookies()[0]
	assert.Equal(t, "/list.isx", c.Path)
	assert.True(t, c.HttpOnly)
	assert.Equal(t, http.SameSiteLaxMode, c.SameSite)
	u = entries(t, bodyOf(t, r))
	w.want(403, u[0])
	w.want(403, u[0], "Cookie", c.Name+"=x")
	r = w.get(u[0], "Cookie", c.Name+"="+c.Value)
	assert.Equal(t, 200, r.StatusCode)
	assert.Empty(t, r.Header.Values("Set-Cookie"))
	other := w.get("/list.isx")
	w.want(403, u[0], "Cookie", other.Cookies()[0].Name+"="+other.Cookies()[0].Value)
	w.want(403, u[0], "Cookie", c.Name+"="+other.Cookies()[0].Value)
	assert.Equal(t, 403, w.do(t.Context(), http.MethodHead, u[0]).StatusCode)
	assert.NotContains(t, w.log.String(), c.Value)
}
