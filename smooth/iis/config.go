package iis

import (
	"fmt"
	"strings"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
)

// Limits of what [Parse] and [ParseOver] accept, and of what they return.
const (
	// MaxBytes is the size of a document in bytes, in whatever encoding it is in.
	MaxBytes = iisconfig.MaxBytes
	// MaxElements is the number of elements of a document; and that of entries of collections in all locations, with
	// those that they inherit.
	MaxElements = iisconfig.MaxEntries
	// MaxDepth is the number of elements that are inside one another.
	MaxDepth = 64
	// MaxNotes is the number of notes that are kept of a document. One more counts the others.
	MaxNotes = 8192
)

// Config is what a configuration file of IIS says. It is not changed by anything here, so that it may be used by
// several goroutines.
type Config struct {
	// Sites are those of an applicationHost.config, in its order.
	Sites []Site
	// Media are the sections of IIS Media Services that the file has, which other packages read.
	Media []MediaSection
	// Notes say of every element and attribute of the file whether it was understood, in the order of the file. What
	// is not said of an element by itself is in the note of the element around it.
	Notes []Note

	base      *Settings            // of the whole server, or of the directory of a web.config
	locations map[string]*Settings // by keyOf; that of the empty path is base
}

// MediaSection is a section below system.webServer/media.
type MediaSection struct {
	Name string // such as bitrateThrottling, playlist, liveStreaming
	// Location is the path of the location element that it is in, empty for the whole server or directory.
	Location string
	Line     int
}

// Note says of a part of a file whether it was understood.
type Note struct {
	Line, Column int // from 1
	// Element is the path of the element, such as "system.webServer/handlers/add PHP".
	Element string
	// Understood is false for what has no effect here.
	Understood bool
	Text       string
}

// String returns a line such as: line 12: system.webServer/modules: not understood: modules of IIS are not loaded.
func (n Note) String() string {
	how := ""
	if !n.Understood {
		how = "not understood: "
	}
	if n.Line == 0 {
		return how + n.Text
	}
	return fmt.Sprintf("line %d: %s: %s%s", n.Line, n.Element, how, n.Text)
}

// Parse reads an applicationHost.config, or a web.config alone, in UTF-8 or UTF-16. A document may also be a part of
// one: system.webServer, system.applicationHost, or locations.
//
// Sections begin with [DefaultSettings]. Where the server's own part of an applicationHost.config has a list, as it has
// all of them, that is the whole list; elsewhere add, remove and clear change what is inherited. What a web.config adds
// replaces a default, while adding what a configuration above has already is an error as it is in IIS.
//
// Errors are [*ConfigError], several of them joined. There is none for what is not understood: see [Config.Notes].
// Documents with a document type are refused.
func Parse(data []byte) (*Config, error) { return ParseOver(nil, data) }

// ParseOver is [Parse] for a web.config that inherits from parent, the settings of the directory around it. Sections
// that parent has locked have no effect; there is a note of each, as IIS would answer every request with 500.19. Nil
// means DefaultSettings.
func ParseOver(parent *Settings, data []byte) (*Config, error) {
	if parent == nil {
		parent = DefaultSettings()
	}
	b := &builder{}
	b.log.Keys = noteKeys()
	b.log.Secrets = []string{"password"}
	roots, err := b.read(data)
	if err != nil {
		return nil, readError(err)
	}
	c, err := b.config(parent, roots)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// For returns the settings of a file or directory: those of the longest location that contains it. Path is that of a
// URL below the site, with slashes; case does not matter. The site is empty for a web.config, whose locations are
// relative to its directory, and the path is, too. The result is never nil, and is shared: it must not be changed.
func (c *Config) For(site, path string) *Settings {
	key := keyOf(site + "/" + strings.Trim(path, "/"))
	if s := c.locations[key]; s != nil {
		return s
	}
	if s := iisconfig.Above(c.locations, key); s != nil {
		return s
	}
	return c.base
}

// keyOf returns what is the same for names of locations that Windows takes for the same.
func keyOf(location string) string { return foldName(iisconfig.CleanPath(location)) }

// Site returns the site of a name in any case, nil if there is none.
func (c *Config) Site(name string) *Site {
	for i := range c.Sites {
		if strings.EqualFold(c.Sites[i].Name, name) {
			return &c.Sites[i]
		}
	}
	return nil
}
