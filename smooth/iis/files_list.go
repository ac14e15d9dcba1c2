package iis

import (
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// maxIndex is the number of names in a list of a directory. Further ones are counted.
const maxIndex = 10_000

// listEntry is a line of a list.
type listEntry struct {
	Name, Link, Size, Time string
}

// serveList sends a list of a directory, without what is not sent.
func (h *Files) serveList(v *visit) error {
	entries, err := fs.ReadDir(h.tree.fsys, v.name)
	if err != nil {
		return plainError(v.name, err)
	}
	var list []listEntry
	more := 0
	for _, e := range entries {
		if !h.isListed(v, e) {
			continue
		}
		if len(list) == maxIndex {
			more++
			continue
		}
		list = append(list, lineOf(e))
	}
	var b strings.Builder
	data := struct {
		List []listEntry
		Root bool
		More int
	}{list, v.name == ".", more}
	if err := h.list.Execute(&b, data); err != nil {
		return err
	}
	v.s.addHeaders(v.w)
	header := v.w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	http.ServeContent(v.w, v.r, "", time.Time{}, strings.NewReader(b.String()))
	return nil
}

// isListed tells whether an entry of a directory could be asked for.
func (h *Files) isListed(v *visit, e fs.DirEntry) bool {
	inside := *v
	inside.name = path.Join(v.name, e.Name())
	if badElement(e.Name()) || strings.Contains(e.Name(), `\`) || h.isHidden(&inside) {
		return false
	}
	if e.IsDir() {
		return true
	}
	_, known := v.s.StaticContent.Types.TypeOf(e.Name())
	return e.Type().IsRegular() && (known || h.opts.UnknownType != "")
}

func lineOf(e fs.DirEntry) listEntry {
	name, size, changed := e.Name(), "", ""
	if info, err := e.Info(); err == nil {
		changed = info.ModTime().UTC().Format("2006-01-02 15:04")
		size = strconv.FormatInt(info.Size(), 10)
	}
	if e.IsDir() {
		name, size = name+"/", "dir"
	}
	return listEntry{name, "./" + (&url.URL{Path: name}).EscapedPath(), size, changed}
}

const listPage = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Files</title>
<table>
{{if not .Root}}<tr><td><a href="../">..</a><td><td>
{{end}}{{range .List}}<tr><td><a href="{{.Link}}">{{.Name}}</a><td>{{.Size}}<td>{{.Time}}
{{end}}</table>
{{if .More}}<p>and {{.More}} more
{{end}}</html>
`
