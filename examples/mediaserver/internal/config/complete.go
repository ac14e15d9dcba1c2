package config

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// complete fills in what is not said, and makes paths relative to the directory of the file absolute.
func (c *Config) complete(dir string) {
	c.Grace = cmp.Or(c.Grace, Duration(DefaultGrace))
	for i := range c.Sites {
		c.Sites[i].place = []any{"sites", i}
	}
	if c.Root != "" || len(c.Folders)+len(c.Edge)+len(c.Aliases)+len(c.Hosts) > 0 || c.Sample || len(c.Sites)+len(c.Import) == 0 {
		c.Sites = slices.Insert(c.Sites, 0, c.Site)
	}
	c.Site = Site{}
	for _, p := range c.paths() {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for i := range c.Sites {
		for at, to := range c.Sites[i].Folders {
			if to != "" && !filepath.IsAbs(to) {
				c.Sites[i].Folders[at] = filepath.Join(dir, to)
			}
		}
	}
	c.Files = append(c.Files, c.read()...)
	if c.Players != "" && !strings.Contains(c.Players, "://") && !filepath.IsAbs(c.Players) {
		c.Players = filepath.Join(dir, c.Players)
	}
}

// paths returns where the paths of files and directories are.
func (c *Config) paths() []*string {
	list := []*string{&c.Handover, &c.Archive.Directory, &c.Throttle.File, &c.Playlist.File, &c.Live.Spool}
	for i := range c.Listen {
		if t := c.Listen[i].TLS; t != nil {
			list = append(list, &t.ClientCA)
			for j := range t.Certificates {
				list = append(list, &t.Certificates[j].Certificate, &t.Certificates[j].Key)
			}
		}
	}
	for i := range c.Sites {
		s := &c.Sites[i]
		list = append(list, &s.Root)
		for j := range s.Aliases {
			list = append(list, &s.Aliases[j])
		}
		for j := range s.Edge {
			list = append(list, &s.Edge[j].Directory)
		}
		list = append(list, s.SiteAccess.files()...)
	}
	for i := range c.Import {
		list = append(list, &c.Import[i].File)
	}
	if c.Usage.Log != nil {
		list = append(list, &c.Usage.Log.Directory)
	}
	return append(list, c.Access.files()...)
}

// files returns where the paths of files with users are.
func (a *Access) files() (list []*string) {
	for _, p := range a.policies() {
		if p.Basic != nil {
			list = append(list, &p.Basic.File)
		}
	}
	return list
}

// policies returns all that are set.
func (a *Access) policies() (list []*Policy) {
	if a == nil {
		return nil
	}
	for _, p := range []*Policy{a.Viewers, a.Encoders, a.Operators} {
		if p != nil {
			list = append(list, p)
		}
	}
	for _, p := range a.Paths {
		if p != nil {
			list = append(list, p)
		}
	}
	return list
}

// webConfigs returns where the files are, if they are there, that may have sections of media services.
func (s *Site) webConfigs() (list []string) {
	for _, dir := range append(slices.Sorted(maps.Values(s.Folders)), s.Root) {
		if dir != "" {
			list = append(list, filepath.Join(dir, "web.config"))
		}
	}
	return list
}

// read returns the files whose content is part of the configuration.
func (c *Config) read() (list []string) {
	list = append(list, c.Throttle.File, c.Playlist.File)
	for _, i := range c.Import {
		list = append(list, i.File)
	}
	for _, name := range c.Access.files() {
		list = append(list, *name)
	}
	for i := range c.Sites {
		list = append(list, c.Sites[i].Aliases...)
		for _, name := range c.Sites[i].SiteAccess.files() {
			list = append(list, *name)
		}
		list = append(list, c.Sites[i].webConfigs()...)
	}
	return slices.DeleteFunc(list, func(name string) bool { return name == "" })
}
