package server

import (
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/smooth/access"
)

// Presentations have several names, and whoever locks one means all of them:
//
//   - NAME-m3u8-aapl.ism is NAME.ism, as IIS called its rendition for HLS;
//   - NAME.ism may be the directory NAME of MP4 files;
//   - archive/live/event-isml/... is what the point live/event.isml has recorded, and may also lie below the root.
//
// Case is left to access.Router.

// fold returns a name in the form in which handlers that find files without regard to case compare it.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// aapl is what IIS put behind the name of a presentation for HLS.
const aapl = "-m3u8-aapl"

// ownName returns a path with presentations under their own names.
func ownName(p string) string {
	if !strings.Contains(strings.ToLower(p), aapl) {
		return p
	}
	elements := strings.Split(p, "/")
	for i, e := range elements {
		ext := path.Ext(e)
		if !strings.EqualFold(ext, ".ism") {
			continue
		}
		stem := e[:len(e)-len(ext)]
		for n := len(stem) - len(aapl); n > 0 && strings.EqualFold(stem[n:], aapl); n = len(stem) - len(aapl) {
			stem = stem[:n]
		}
		elements[i] = stem + ext
	}
	return strings.Join(elements, "/")
}

// viewersOf returns the policy for viewers of a path. What is recorded has the rules of the point that has recorded it, where there are
// none for its place in the archive.
func (st *site) viewersOf(p string) *access.Policy {
	if !st.access.byPath {
		return st.access.viewersAt(p)
	}
	p = ownName(p)
	found := st.access.viewersFor(p)
	name, ok := st.inArchive(p)
	if !ok {
		return found
	}
	everywhere := st.access.viewersAt("/")
	if found == everywhere {
		found = st.access.viewersFor("/" + archivePrefix + name)
	}
	if found == everywhere {
		found = st.access.viewersFor("/" + recordedBy(name))
	}
	return found
}

// viewersFor returns the policy of a path under one name, or as that of the directory that the presentation is made of.
func (a *accessRules) viewersFor(p string) *access.Policy {
	found := a.viewersAt(p)
	for begin := 0; begin < len(p); {
		end := len(p)
		if i := strings.IndexByte(p[begin:], '/'); i >= 0 {
			end = begin + i
		}
		element := p[begin:end]
		if ext := path.Ext(element); len(ext) < len(element) && strings.EqualFold(ext, ".ism") && found == a.viewersAt(p[:begin]) {
			found = a.viewersAt(p[:end-len(ext)] + p[end:])
		}
		begin = end + 1
	}
	return found
}

// viewersAt returns the policy of a path as it is.
func (a *accessRules) viewersAt(p string) *access.Policy {
	return a.viewers.Resolve(&http.Request{URL: &url.URL{Path: p}})
}

// recordedBy returns the path of what is recorded with the name of the point in it, such as live/event.isml for live/event-isml.
func recordedBy(name string) string {
	const suffix = "-isml"
	elements := strings.Split(name, "/")
	for i, e := range elements {
		if n := len(e) - len(suffix); n > 0 && strings.EqualFold(e[n:], suffix) {
			elements[i] = e[:n] + ".isml"
			break
		}
	}
	return strings.Join(elements, "/")
}

// archivePlace is a directory that is served and is part of the archive, or has it in it.
type archivePlace struct {
	prefix string // of URLs, folded and with slashes at both ends
	dir    string // where that is in the archive, "" or with a slash at its end
}

// findArchive finds the folders that have the archive in them, or a part of it.
func (st *site) findArchive() error {
	if st.gen.archive == nil {
		return nil
	}
	archive, err := filepath.Abs(st.gen.archive.options.Directory)
	if err != nil {
		return err
	}
	for _, f := range st.folders {
		if f.dir == "" {
			continue
		}
		in, err := below(f.dir, archive)
		if err != nil {
			return err
		}
		if in != "" {
			st.places = append(st.places, archivePlace{prefix: fold(strings.TrimSuffix(path.Clean("/"+f.prefix+in), "/") + "/")})
			continue
		}
		if in, err = below(archive, f.dir); err != nil {
			return err
		}
		if in != "" {
			st.places = append(st.places, archivePlace{prefix: fold("/" + f.prefix), dir: in + "/"})
		}
	}
	return nil
}

// inArchive returns the name that a path has among the recordings of the site, or false. It is "" for what another site has recorded.
func (st *site) inArchive(p string) (name string, ok bool) {
	if name, ok = strings.CutPrefix(p, "/"+archivePrefix); ok || len(st.places) == 0 {
		return name, ok
	}
	folded := fold(p)
	for _, place := range st.places {
		if rest, ok := strings.CutPrefix(folded, place.prefix); ok {
			name, _ := st.recorded(place.dir + rest)
			return name, true
		}
	}
	return "", false
}

// foreign reports whether a path leads to what another site has recorded, below a folder of this one.
func (st *site) foreign(p string) bool {
	folded := fold(p)
	for _, place := range st.places {
		if rest, ok := strings.CutPrefix(folded, place.prefix); ok {
			_, own := st.recorded(place.dir + rest)
			return !own
		}
	}
	return false
}
