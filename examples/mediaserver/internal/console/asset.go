package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"time"
)

//go:embed assets templates
var files embed.FS

// asset is a file that pages load, with its entity tag.
type asset struct {
	data []byte
	tag  string
}

// loadAssets reads what is embedded. It panics if that is not there, which a program that builds cannot have.
func loadAssets() map[string]*asset {
	assets := make(map[string]*asset)
	list, err := fs.ReadDir(files, "assets")
	if err != nil {
		panic(err)
	}
	for _, e := range list {
		data, err := fs.ReadFile(files, "assets/"+e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		assets[e.Name()] = &asset{data: data, tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return assets
}

// serveAsset answers with a file. It may be kept but must be asked for, so that a new version of the server brings its own.
func (c *Console) serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	a, ok := c.assets[name]
	if !ok {
		c.serveFault(w, r, http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		c.serveFault(w, r, http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", a.tag)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(a.data))
}
