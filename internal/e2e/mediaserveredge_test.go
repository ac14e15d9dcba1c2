package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// shield is a server that has nothing but a cache of another one, and two addresses of which one is taken at first.
type shield struct {
	exe      string
	upstream string // its address
	server   *serverProcess
	taken    string // address
	last     string // the end of a presentation, which nobody plays while the upstream is there
}

// TestMediaServerEdge plays through a server that caches another one, ends that one, and starts it again. One of the addresses of the
// cache is taken by another program at the beginning.
func TestMediaServerEdge(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	s := &shield{exe: buildMediaServer(t), upstream: freeAddress(t)}
	root := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(root, "vod"), smoothtest.Sample()))
	require.NoError(t, os.Mkdir(filepath.Join(root, "live"), 0o755))
	writeFile(t, root, "live/event.isml", `<smil><head><meta name="startOnFirstRequest" content="true"/></head></smil>`)
	upstream := func() *serverProcess {
		p, err := startServer(t, s.exe, "-root", root, "-listen", s.upstream)
		require.NoError(t, err)
		return p
	}
	origin := upstream()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { other.Close() })
	s.start(t, other.Addr().String())

	s.isTaken(t)
	require.NoError(t, other.Close())
	s.through(t, browser)
	live := s.push(t)
	origin.kill()
	s.without(t, live)
	upstream()
	s.again(t)
	require.NoError(t, s.server.interrupt())
}

// start starts the cache, with an address that is taken before one that is free.
func (s *shield) start(t *testing.T, taken string) {
	t.Helper()
	s.taken = taken
	dir := t.TempDir()
	writeFile(t, dir, "edge.yaml", fmt.Sprintf(`listen:
  - address: %s
  - address: %s
edge:
  - path: /
    upstreams: [{url: "http://%s"}]
    staleIfError: 1h
`, s.taken, freeAddress(t), s.upstream))
	var err error
	s.server, err = startServer(t, s.exe, "-config", filepath.Join(dir, "edge.yaml"))
	require.NoError(t, err)
}

// through plays through the cache, which asks for everything once.
func (s *shield) through(t *testing.T, browser string) {
	t.Helper()
	twice(t, func() error {
		_, err := play(t, order{Player: "hls", URL: s.server.page + "vod/sample.ism/" + master("m3u8-aapl"), Seconds: 2, Seek: 19, Chromium: browser})
		return err
	})
	m, err := smooth.ParseManifest(download(t, s.server.page+"vod/sample.ism/Manifest"))
	require.NoError(t, err)
	s.last = fragmentOf("vod/sample.ism", m.Streams[0], len(m.Streams[0].Timeline)-1)
	const fragment = "vod/sample.ism/QualityLevels(294000)/Fragments(video=0)"
	for i, want := range []string{"MISS", "HIT"} {
		a, err := inquire(s.server.page+fragment, "")
		require.NoError(t, err)
		assert.Equal(t, want, a.header.Get("X-Cache"), i)
		assert.Equal(t, download(t, "http://"+s.upstream+"/"+fragment), a.body)
	}
}

// isTaken looks at what an operator is told of the address that is taken: which one, by whom, and what to do.
func (s *shield) isTaken(t *testing.T) {
	t.Helper()
	said, err := s.server.waitFor(`level=\w+ msg="[^"]*" .*`+s.taken+`.*`, time.Second)
	if assert.NoError(t, err) {
		assert.Regexp(t, `is taken by .*stop it, give it another port, or choose another address`, said[0])
	}
	assert.NotContains(t, s.server.page, s.taken)
	page := string(download(t, s.server.page+"console/"))
	assert.Contains(t, page, `data-listener="`+s.taken+`"`)
	assert.Contains(t, page, "stop it, give it another port, or choose another address")
	assert.Contains(t, page, "is tried again by itself")
}

// push sends the beginning of an event to the server behind the cache and returns a fragment of it that the cache has.
func (s *shield) push(t *testing.T) (fragment string) {
	t.Helper()
	config := smoothtest.Default()
	config.Streams = config.Streams[:2]
	encoder := smoothtest.NewEncoder(config)
	resp, err := http.Post("http://"+s.upstream+"/live/event.isml/Streams(enc)", "application/octet-stream", bytes.NewReader(slices.Concat(encoder.Header(), encoder.Until(20*time.Second)))) // and no end
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	manifest := s.server.page + "live/event.isml/Manifest"
	require.NoError(t, becomes(manifest, http.StatusOK, 10*time.Second))
	m, err := smooth.ParseManifest(download(t, manifest))
	require.NoError(t, err)
	fragment = fragmentOf("live/event.isml", m.Streams[0], 0)
	download(t, s.server.page+fragment)
	return fragment
}

// fragmentOf returns the path of a fragment of the first level of a stream.
func fragmentOf(presentation string, st *smooth.Stream, i int) string {
	return fmt.Sprintf("%s/QualityLevels(%d)/Fragments(%s=%d)", presentation, st.Levels[0].Bitrate, st.Name, st.Timeline[i].Time)
}

// without looks at what is served while there is no server behind the cache: what it has, even if that is too old otherwise.
func (s *shield) without(t *testing.T, fragment string) {
	t.Helper()
	assert.NotEmpty(t, mediaOf(download(t, s.server.page+fragment)))
	err := poll(20*time.Second, func() bool {
		a, err := inquire(s.server.page+"live/event.isml/Manifest", "")
		return err == nil && a.status == http.StatusOK && a.header.Get("X-Cache") == "STALE" && a.header.Get("Age") != ""
	})
	assert.NoError(t, err, "the manifest is stale")
	a, err := inquire(s.server.page+s.last, "")
	require.NoError(t, err)
	assert.Contains(t, []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, a.status, "what it does not have")
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
}

// again looks at what has come back: the server behind the cache, and the address that was taken.
func (s *shield) again(t *testing.T) {
	t.Helper()
	require.NoError(t, becomes(s.server.page+s.last, http.StatusOK, 20*time.Second))
	require.NoError(t, becomes("http://"+s.taken+"/vod/sample.ism/Manifest", http.StatusOK, 40*time.Second))
}
