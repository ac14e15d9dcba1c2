package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestPlaylists: .isx files below the root play as they did, with files and presentations for entries, and are listed.
func TestPlaylists(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(root, "tv", "films"), smoothtest.Sample()))
	const list = `<smil><head><meta name="title" content="Evening"/></head><body><seq>
		<ref src="ad.wmv"><param name="canSkipForward" value="False"/></ref><ref src="films/sample.ism/Manifest"/></seq></body></smil>`
	require.NoError(t, os.WriteFile(filepath.Join(root, "tv", "my evening.isx"), []byte(list), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "tv", "ad.wmv"), []byte("a film"), 0o644))
	base, printed := start(t, "-root", root)
	assert.Contains(t, printed, "Playlist:  "+base+"tv/my%20evening.isx\n")
	_, body := get(t, base+"presentations.json")
	assert.Contains(t, string(body), `"playlists":[{"name":"tv/my evening.isx","url":"tv/my%20evening.isx"}]`)

	resp, body := get(t, base+"tv/my%20evening.isx")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	entries := regexp.MustCompile(`HREF="([^"]+)"`).FindAllSubmatch(body, -1)
	require.Len(t, entries, 2, "%s", body)
	resp, _ = get(t, string(entries[1][1]))
	assert.Equal(t, http.StatusOK, resp.StatusCode, "a manifest shows nothing")
	_, media := get(t, string(entries[0][1]))
	assert.Equal(t, "a film", string(media))

	var all struct{ Stitched string }
	_, body = get(t, base+"tv/my%20evening.isx?format=json")
	require.NoError(t, json.Unmarshal(body, &all))
	resp, body = get(t, all.Stitched)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Contains(t, string(body), "#EXTM3U")

	for _, name := range []string{"tv/none.isx", "tv/my%20evening.isx/none/all.ism/Manifest"} {
		resp, _ = get(t, base+name)
		assert.Equal(t, http.StatusNotFound, resp.StatusCode, name)
	}
	_, media = get(t, base+"tv/ad.wmv")
	assert.NotEmpty(t, media, "what a site does not hide is a file of its own too")
	resp, _ = get(t, base+"tv/films/sample.ism/Manifest")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}
