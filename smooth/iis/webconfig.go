package iis

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"
)

// MaxWebConfigBytes is the size of a web.config file in a tree of files, in bytes. IIS has 250 kB.
const MaxWebConfigBytes = 1 << 20

// Bounds of the web.config files of a tree.
const (
	maxWebConfigs  = 1024 // that are remembered, and directories without one
	maxConfigDepth = 64   // directories below one another that are looked at
)

// webConfigs reads and remembers the web.config files of a tree. It is safe for concurrent use.
type webConfigs struct {
	tree     *tree
	rootRead bool // see FilesOptions

	mu    sync.Mutex // guards known
	known map[webKey]*webConfig
}

// webKey is a directory and what holds in it without a web.config.
type webKey struct {
	dir    string
	parent *Settings
}

// webConfig is what was found in a directory. It is not changed.
type webConfig struct {
	looked  time.Time
	version string // empty if there is none
	config  *Config
	err     error
}

func newWebConfigs(t *tree, rootRead bool) *webConfigs {
	return &webConfigs{tree: t, rootRead: rootRead, known: make(map[webKey]*webConfig)}
}

// settings returns what holds for a name over settings, with the directory whose web.config has the redirect. The name is the
// actual one if there is such a file; if there is none, directories above it count all the same.
func (c *webConfigs) settings(name string, exists bool, s *Settings) (*Settings, string, error) {
	last := ""
	dir, rest := ".", name
	for range maxConfigDepth {
		w := &webConfig{}
		if dir != "." || !c.rootRead {
			w = c.at(dir, s)
		}
		if w.err != nil {
			return nil, "", w.err
		}
		if w.config != nil {
			over := w.config.For("", rest)
			if over.Redirect != s.Redirect {
				last = dir
			}
			s = over
		}
		element, further, _ := strings.Cut(rest, "/")
		var ok bool
		if dir, ok = c.below(dir, element, exists && further != ""); !ok {
			return s, last, nil
		}
		rest = further
	}
	return s, last, nil
}

// below returns the actual name of a directory in another one, which may be known to be there.
func (c *webConfigs) below(dir, element string, known bool) (string, bool) {
	if element == "" || element == "." {
		return "", false
	}
	next := path.Join(dir, element)
	if known {
		return next, true
	}
	found, info, err := c.tree.resolve(next)
	return found, err == nil && info.IsDir()
}

// at returns what a directory has.
func (c *webConfigs) at(dir string, parent *Settings) *webConfig {
	key := webKey{dir, parent}
	c.mu.Lock()
	known := c.known[key]
	c.mu.Unlock()
	now := c.tree.now()
	if known != nil && now.Sub(known.looked) < treeAge {
		return known
	}
	w := c.read(dir, parent, known)
	w.looked = now
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxWebConfigs {
		clear(c.known)
	}
	c.known[key] = w
	return w
}

// read looks at the web.config of a directory, and reads it if it is not the one that is known.
func (c *webConfigs) read(dir string, parent *Settings, known *webConfig) *webConfig {
	name, info, err := c.tree.resolve(path.Join(dir, "web.config"))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular():
		return &webConfig{}
	case err != nil:
		return &webConfig{err: err}
	}
	w := &webConfig{version: fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())}
	if known != nil && known.version == w.version {
		w.config, w.err = known.config, known.err
		return w
	}
	data, err := c.load(name)
	if err != nil {
		return &webConfig{err: fmt.Errorf("iis: %s: %w", name, err)} // without a version, so that it is read again
	}
	if w.config, err = ParseOver(parent, data); err != nil {
		w.err = fmt.Errorf("iis: %s: %w", name, err)
		return w
	}
	c.tell(name, parent, w.config)
	return w
}

func (c *webConfigs) load(name string) ([]byte, error) {
	f, err := c.tree.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxWebConfigBytes+1))
	if err == nil && len(data) > MaxWebConfigBytes {
		err = &ConfigError{Err: fmt.Errorf("more than %d bytes", MaxWebConfigBytes)}
	}
	return data, err
}

// tell logs what of a file has no effect.
func (c *webConfigs) tell(name string, parent *Settings, config *Config) {
	for _, n := range config.Notes {
		if !n.Understood {
			c.tree.log.Debug("part of a web.config is not understood", "name", name, "note", n.String())
		}
	}
	own := config.base
	if len(own.Rewrite.Rules) != len(parent.Rewrite.Rules) {
		c.tree.log.Warn("rewrite rules of a web.config in the tree are not applied", "name", name, "rules", len(own.Rewrite.Rules))
	}
}
