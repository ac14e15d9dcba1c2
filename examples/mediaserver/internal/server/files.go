package server

import (
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

// plainFiles serves the files of a folder as IIS did, media among them paced.
func (g *generation) plainFiles(f *folder, dir string) (http.Handler, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	g.own(root)
	options := &iis.FilesOptions{
		WebConfig: f.site.cfg.WebConfig == nil || *f.site.cfg.WebConfig, Index: true, Logger: g.server.log,
		Address: f.site.access.address, Next: f.smooth, Hidden: f.media.has,
	}
	if im := f.site.cfg.IIS; im == nil {
		options.Settings = iis.DefaultSettings().Clone()
		options.Settings.Filtering.AllowDoubleEscaping = true // no IIS has refused names with a plus sign here
	} else {
		options.Config, options.Site, options.Path = im.Config, im.Site, strings.TrimSuffix(f.prefix, "/")
		options.RootRead = im.Site == "" && sameFile(im.File, filepath.Join(dir, "web.config"))
	}
	files, err := iis.NewFiles(root.FS(), options)
	if err != nil {
		return nil, err
	}
	return g.paced(f, withPatience(files))
}

// section returns the configuration file of IIS that has the sections of media services for a folder, and the place of the folder in it:
// the one that is named, else the imported one, else the folder's own web.config. The data is nil if there is none.
func (g *generation) section(named string, f *folder) (data []byte, place string, err error) {
	place = strings.TrimSuffix(f.prefix, "/")
	if named != "" {
		data, err = readSection(named)
		return data, place, err
	}
	if im := f.site.cfg.IIS; im != nil {
		return im.Data, path.Join(im.Site, place), nil
	}
	if f.dir == "" {
		return nil, place, nil
	}
	data, err = readSection(filepath.Join(f.dir, "web.config"))
	if os.IsNotExist(err) {
		return nil, "", nil
	}
	return data, "", err
}

// sameFile reports whether two names are of one file.
func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

func readSection(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, iis.MaxBytes+1)) // who parses it refuses what is larger
}

// exists reports whether there is something of that name in a directory.
func exists(dir, name string) bool {
	if dir == "" {
		return false
	}
	_, err := fs.Stat(os.DirFS(dir), name)
	return err == nil
}
