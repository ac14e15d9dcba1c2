package alias_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/alias"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func containers(names ...string) fstest.MapFS {
	fsys := make(fstest.MapFS)
	for _, name := range names {
		fsys[name] = &fstest.MapFile{}
	}
	return fsys
}

func scan(t *testing.T, fsys fs.FS, opts *alias.ScanOptions) (text string, m *alias.Map, inv *alias.Inventory) {
	t.Helper()
	inv, err := alias.Scan(fsys, opts)
	require.NoError(t, err)
	m, err = inv.Map()
	require.NoError(t, err)
	out, err := inv.AppendText(nil)
	require.NoError(t, err)
	again := parse(t, string(out))
	assert.Equal(t, m.Len(), again.Len(), "the text is read as the same rules")
	return string(out), m, inv
}

func TestScan(t *testing.T) {
	fsys := containers(
		"asset-"+id3+"/Film.ism", "asset-"+id3+"/Film.ismc", "asset-"+id3+"/Film_1.ismv", "my trailer/trailer 1.ism", "my trailer/x/deep.ism",
		"asset-"+id2+"/same.ism", "other/SAME.ism", "other/other.ism", "downloads/a.mp4", ".hidden/h.ism", "file.ism", "Trailer2/*.ism",
	)
	var c alias.Catalog
	require.NoError(t, c.Read(strings.NewReader(restList)))
	require.NoError(t, c.Read(strings.NewReader(`[{"name":"film","container":"ASSET-`+id3+`"}]`)))
	require.NoError(t, c.Read(strings.NewReader("11111111-2222-4333-8444-555555555555,my trailer\n"+id+",other\n99999999-2222-4333-8444-555555555555,lost")))
	text, m, inv := scan(t, fsys, &alias.ScanOptions{Prefix: "/azure/", Catalog: &c, Host: "ams.example"})
	assert.Equal(t, `# 6 containers, 7 rules
# "downloads" has no .ism
# locator `+id2+`: no container of "Trailer"
# `+id+`: both of "asset-`+id3+`" and "other"; it leads to the first
# locator 99999999-2222-4333-8444-555555555555: no container of "lost"
# "same.ism" is in 2 containers, so only known locators lead to it: "asset-`+id2+`", "other"
ams.example/`+id+`/* /azure/asset-`+id3+`/*
ams.example/11111111-2222-4333-8444-555555555555/* /azure/my%20trailer/*
ams.example/`+id2+`/* /azure/asset-`+id2+`/*
ams.example/{guid}/%2A.ism/* /azure/Trailer2/%2A.ism/*
ams.example/{guid}/Film.ism/* /azure/asset-`+id3+`/Film.ism/*
ams.example/{guid}/other.ism/* /azure/other/other.ism/*
ams.example/{guid}/trailer%201.ism/* /azure/my%20trailer/trailer%201.ism/*
`, text)
	assert.Equal(t, alias.Container{Name: "asset-" + id3, Presentations: []string{"Film.ism"}, Locators: []string{id}}, inv.Containers[2])
	for path, want := range map[string]string{
		"/" + id + "/film.ism/manifest(format=m3u8-aapl)":                      "/azure/asset-" + id3 + "/film.ism/manifest(format=m3u8-aapl)",
		"/" + id + "/a_720.mp4":                                                "/azure/asset-" + id3 + "/a_720.mp4",
		"/" + id3 + "/FILM.ism/manifest":                                       "/azure/asset-" + id3 + "/Film.ism/manifest",
		"/" + id2 + "/same.ism/manifest":                                       "/azure/asset-" + id2 + "/same.ism/manifest",
		"/" + id3 + "/same.ism/manifest":                                       "-",
		"/11111111-2222-4333-8444-555555555555/trailer 1.ism/manifest":         "/azure/my trailer/trailer 1.ism/manifest",
		"/11111111-2222-4333-8444-555555555556/Trailer 1.ISM/manifest":         "/azure/my trailer/trailer 1.ism/manifest",
		"/99999999-2222-4333-8444-555555555555/lost.ism/manifest":              "-",
		"/" + id + "/../asset-" + id2 + "/same.ism/manifest":                   "-",
		"/11111111-2222-4333-8444-555555555555/asset-" + id2 + "/same.ism/man": "/azure/my trailer/asset-" + id2 + "/same.ism/man",
	} {
		assert.Equal(t, want, led(m, "AMS.example:443", path), path)
	}
}

func TestScanDefaults(t *testing.T) {
	text, _, _ := scan(t, containers(strings.ToUpper(id)+"/a.ism", "new\nline/b\\c.ism"), nil)
	assert.Equal(t, "# 2 containers, 2 rules\n"+
		`# /{guid}/b%5Cc.ism/*: malformed pattern: "b%5Cc.ism": an encoded slash or a backslash`+"\n"+
		"/"+id+"/* /"+strings.ToUpper(id)+"/*\n/{guid}/a.ism/* /"+strings.ToUpper(id)+"/a.ism/*\n", text)
	text, _, _ = scan(t, fstest.MapFS{}, nil)
	assert.Equal(t, "# 0 containers, 0 rules\n", text)
}

func TestScanLinks(t *testing.T) {
	inv, err := alias.Scan(fstest.MapFS{
		".store/x.ism": {}, "link": {Mode: fs.ModeSymlink, Data: []byte(".store")}, "file": {}, "tofile": {Mode: fs.ModeSymlink, Data: []byte("file")},
		"broken": {Mode: fs.ModeSymlink, Data: []byte("none")},
	}, nil)
	require.NoError(t, err)
	assert.Equal(t, []alias.Container{{Name: "link", Presentations: []string{"x.ism"}}}, inv.Containers)
}

func TestScanErrors(t *testing.T) {
	for _, prefix := range []string{"azure", "/a?b", "/a#b", "/{name}", "/a/*", "/a b", "/..", "//a"} {
		_, err := alias.Scan(fstest.MapFS{}, &alias.ScanOptions{Prefix: prefix})
		assert.Error(t, err, prefix)
	}
	_, err := alias.Scan(fstest.MapFS{}, &alias.ScanOptions{Prefix: "https://x/y"})
	assert.ErrorIs(t, err, alias.ErrTarget)
	_, err = alias.Scan(fstest.MapFS{}, &alias.ScanOptions{Host: "x:80"})
	assert.ErrorIs(t, err, alias.ErrPattern)
	_, err = alias.Scan(brokenFS{dir: "."}, nil)
	assert.ErrorIs(t, err, errBroken)
	inv, err := alias.Scan(brokenFS{fstest.MapFS{"a/x.ism": {}, "b/y.ism": {}}, "a"}, nil)
	require.NoError(t, err)
	assert.Len(t, inv.Rules, 1)
	assert.Equal(t, []string{`"a": broken`}, inv.Notes)
}

// brokenFS can not list one directory.
type brokenFS struct {
	fstest.MapFS
	dir string
}

func (b brokenFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == b.dir {
		return nil, errBroken
	}
	return b.MapFS.ReadDir(name)
}

// The sample, in a container, plays at its Azure URL.
func TestScanServes(t *testing.T) {
	fsys := make(fstest.MapFS)
	sample := smoothtest.Sample()
	require.NoError(t, fs.WalkDir(sample, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(sample, path)
		fsys["asset-"+id3+"/"+path] = &fstest.MapFile{Data: data}
		return err
	}))
	_, m, _ := scan(t, fsys, nil)
	h := alias.NewHandler(smooth.NewHandler(smooth.FS(fsys, nil), nil), m, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+id+"/Sample.ism/manifest", nil))
	assert.Equal(t, http.StatusOK, w.Code)
	_, err := smooth.ParseManifest(w.Body.Bytes())
	assert.NoError(t, err)
}

func TestScanLongNotes(t *testing.T) {
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("c%d/x.ism", i))
	}
	inv, err := alias.Scan(containers(names...), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{`"x.ism" is in 10 containers, so only known locators lead to it: "c0", "c1", "c2", "c3", "c4" ...`}, inv.Notes)
	assert.False(t, errors.Is(err, alias.ErrTooLarge))
}
