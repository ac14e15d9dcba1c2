package playlist

import (
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// open opens a file of a place. Names are those of IIS, where case does not matter: the file that differs only in case
// is opened if there is no other.
func (h *Handler) open(at place) (fs.File, error) {
	fsys := h.opts.Files
	if at.root != "" {
		n, err := strconv.Atoi(at.root) // see useRoots
		if err != nil || n < 1 || n > len(h.rootFS) {
			return nil, ErrNotFound
		}
		fsys = h.rootFS[n-1]
	}
	if fsys == nil {
		return nil, ErrNotFound
	}
	return openFold(fsys, at.file)
}

// openFold opens the file of a name, else the one that differs from it in nothing but case.
func openFold(fsys fs.FS, name string) (fs.File, error) {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if other, ok := foldName(fsys, name); ok {
			return fsys.Open(other)
		}
	}
	return f, err
}

// foldName returns the name of a file that differs from a name in nothing but case, if there is exactly one.
func foldName(fsys fs.FS, name string) (string, bool) {
	dir := "."
	for element := range strings.SplitSeq(name, "/") {
		list, err := fs.ReadDir(fsys, dir)
		if err != nil {
			return "", false
		}
		found := ""
		for _, d := range list {
			if d.Name() == element {
				found = element
				break
			}
			if strings.EqualFold(d.Name(), element) {
				if found != "" {
					return "", false
				}
				found = d.Name()
			}
		}
		if found == "" {
			return "", false
		}
		if dir = dir + "/" + found; strings.HasPrefix(dir, "./") {
			dir = dir[2:]
		}
	}
	return dir, true
}

// readISX reads a file within the limit.
func readISX(f io.Reader) (*Playlist, error) {
	data, err := io.ReadAll(io.LimitReader(f, MaxDocument+1))
	if err != nil {
		return nil, err
	}
	return ParseISX(data)
}

// String returns the place of a playlist as a session keeps it; see placeOf.
func (p place) String() string {
	switch {
	case p.remote != nil:
		return p.remote.String()
	case p.root != "":
		return rootMark + p.root + "/" + p.file
	}
	return p.file
}

// rootMark begins what a session keeps of a playlist in a root of physical paths. No URL and no valid path begins so.
const rootMark = "?/"

// placeOf returns the place of a playlist that a session keeps.
func placeOf(text string) place {
	if rest, ok := strings.CutPrefix(text, rootMark); ok {
		root, file, _ := strings.Cut(rest, "/")
		return place{root: root, file: file}
	}
	if u, err := parseRemote(text); err == nil {
		return place{remote: u}
	}
	return place{file: text}
}
