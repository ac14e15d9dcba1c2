package server

import (
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// mediaNames knows the files that presentations are made of: they are not presentations of their own, and those with names that plain
// files have, such as .mp4, are not sent as such.
// It is safe for concurrent use.
type mediaNames struct {
	files fs.FS
	now   func() time.Time

	mu   sync.Mutex // guards dirs
	dirs map[string]*mediaDir
}

// mediaDir are the files that the presentations of a directory name, relative to it and without regard to case.
type mediaDir struct {
	read  time.Time
	names map[string]bool
}

const (
	// mediaFor is how long is believed what was read of a directory.
	mediaFor = 10 * time.Second
	// maxMediaDirs bounds the directories that are remembered, maxManifests the presentations of one that are read.
	maxMediaDirs = 10_000
	maxManifests = 1_000
)

func newMediaNames(files fs.FS) *mediaNames {
	return &mediaNames{files: files, now: time.Now, dirs: make(map[string]*mediaDir)}
}

// has reports whether a file is part of a presentation beside it, or in a directory above.
func (m *mediaNames) has(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".mp4", ".m4a", ".m4v", ".mov", ".ts", ".vtt", ".ttml", ".dfxp", ".xml", ".ismv", ".isma":
	default:
		return false // others are no media of presentations
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if m.dir(dir).names[fold(strings.TrimPrefix(name, dir+"/"))] {
			return true
		}
		if dir == "." {
			return false
		}
	}
}

// dir returns what the presentations of a directory name.
func (m *mediaNames) dir(name string) *mediaDir {
	now := m.now()
	m.mu.Lock()
	d := m.dirs[name]
	m.mu.Unlock()
	if d != nil && now.Sub(d.read) < mediaFor {
		return d
	}
	d = &mediaDir{read: now, names: m.read(name)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.dirs) >= maxMediaDirs {
		clear(m.dirs)
	}
	m.dirs[name] = d
	return d
}

// read reads the server manifests of a directory.
func (m *mediaNames) read(dir string) map[string]bool {
	entries, err := fs.ReadDir(m.files, dir)
	if err != nil {
		return nil
	}
	names := make(map[string]bool)
	read := 0
	for _, e := range entries {
		if !strings.EqualFold(path.Ext(e.Name()), ".ism") || read == maxManifests {
			continue
		}
		read++
		f, err := m.files.Open(path.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(f, smooth.MaxServerManifest))
		f.Close()
		if err != nil {
			continue
		}
		manifest, err := smooth.ParseServerManifest(data)
		if err != nil {
			continue // it is no presentation
		}
		for _, t := range manifest.Tracks {
			names[fold(path.Clean(t.SrcPath()))] = true
		}
	}
	return names
}
