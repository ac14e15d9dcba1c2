// Package page holds the page of the media server: a list of presentations and a small Smooth Streaming player in
// plain JavaScript. manifest.js and mp4.js are the protocol, player.js feeds Media Source Extensions, live.js follows live
// presentations, app.js, list.js and livebar.js are the user interface, and engines.js has the other players.
package page

import (
	"bytes"
	"embed"
	"io/fs"
)

//go:embed index.html *.js *.css *.svg
var files embed.FS

// Files returns index.html and what it loads from the directory _page.
func Files() fs.FS { return files }

// Below returns index.html for another place than the root, which is at a relative URL from there, such as "../".
func Below(root string) ([]byte, error) {
	index, err := files.ReadFile("index.html")
	const head = "<head>\n"
	return bytes.Replace(index, []byte(head), []byte(head+`  <base href="`+root+`">`+"\n"), 1), err
}
