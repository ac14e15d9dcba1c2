package smooth

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxListDepth bounds the directories that List descends into.
const maxListDepth = 32

// List implements [Lister]. It yields .ism and .csm files, and the .mp4 files of directories without any. It does not
// follow symbolic links to directories.
func (s *FileSource) List(ctx context.Context, yield func(Info) bool) error {
	_, err := s.list(ctx, ".", 0, yield)
	return err
}

func (s *FileSource) list(ctx context.Context, dir string, depth int, yield func(Info) bool) (bool, error) {
	if err := ctx.Err(); err != nil || depth > maxListDepth {
		return err == nil, err
	}
	entries, err := s.files.ReadDir(ctx, dir)
	if err != nil {
		if depth > 0 { // an unreadable directory hides nothing but itself
			s.opts.Logger.Warn("directory cannot be listed", "dir", dir, "err", err)
			return true, nil
		}
		return false, fmt.Errorf("smooth: list %s: %w", dir, err)
	}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(listKey(a), listKey(b)) })
	manifests := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && isManifestName(e.Name()) })
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		more := true
		switch {
		case e.IsDir():
			more, err = s.list(ctx, name, depth+1, yield)
		case isManifestName(e.Name()), !manifests && hasSuffixFold(e.Name(), ".mp4") && !s.hides(name):
			if info, ok := s.describe(ctx, name, e); ok {
				more = yield(info)
			}
		}
		if !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

// listKey orders the entries of a directory as the names in it are ordered.
func listKey(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// describe returns what List tells of a directory entry. It reports false for what cannot be opened: pipes, symbolic
// links that lead nowhere or out of the root, names that no request can have.
func (s *FileSource) describe(ctx context.Context, name string, e fs.DirEntry) (Info, bool) {
	if !validName(name) || !safePath(name) || !e.Type().IsRegular() && e.Type() != fs.ModeSymlink {
		return Info{}, false
	}
	fi, err := e.Info()
	if e.Type() == fs.ModeSymlink {
		fi, err = s.files.Stat(ctx, name)
	}
	if err != nil || !fi.Mode().IsRegular() {
		return Info{}, false
	}
	return Info{Name: name, ModTime: fi.ModTime(), Size: fi.Size()}, true
}

// isManifestName reports whether a file is a server or composite manifest. The server manifest of an HLS rendition is
// not one: see resolver.
func isManifestName(name string) bool {
	if hasSuffixFold(name, ".ism") {
		_, hls := withoutHLSSuffix(name[:len(name)-len(".ism")])
		return !hls
	}
	return hasSuffixFold(name, ".csm")
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
