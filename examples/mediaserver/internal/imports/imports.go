// Package imports makes sites, listeners and settings of configuration files of IIS.
package imports

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/smooth/iis"
)

// Report says line by line what was understood of imported files.
type Report struct{ notes []note }

type note struct {
	file       string
	line       int
	understood bool
	text       string
}

func (n note) String() string {
	if n.line > 0 {
		return fmt.Sprintf("%s:%d: %s", n.file, n.line, n.text)
	}
	return n.file + ": " + n.text
}

// Lines returns everything, in the order of the files.
func (r *Report) Lines() (list []string) {
	for _, n := range r.notes {
		list = append(list, n.String())
	}
	return list
}

// Problems returns what was not understood, or has no effect.
func (r *Report) Problems() (list []string) {
	for _, n := range r.notes {
		if !n.understood {
			list = append(list, n.String())
		}
	}
	return list
}

func (r *Report) add(file string, line int, understood bool, format string, args ...any) {
	r.notes = append(r.notes, note{file, line, understood, fmt.Sprintf(format, args...)})
}

// Apply adds what the imported files of a configuration say to it: sites of an applicationHost.config, and what a web.config says of
// the site at the top level.
func Apply(c *config.Config) (*Report, error) {
	r := &Report{}
	bind := len(c.Listen) == 0
	for i := range c.Import {
		im := &c.Import[i]
		if im.Bindings != nil {
			bind = *im.Bindings
		}
		if err := r.apply(c, im, bind); err != nil {
			return nil, err
		}
	}
	return r, conflict(c)
}

// apply adds one file.
func (r *Report) apply(c *config.Config, im *config.Import, bind bool) error {
	data, err := read(im.File)
	if err != nil {
		return err
	}
	parsed, err := iis.Parse(data)
	if err != nil {
		return fmt.Errorf("%s: %w", im.File, err)
	}
	for _, n := range parsed.Notes {
		text := n.Element + ": " + n.Text
		if !n.Understood {
			text = n.Element + ": not understood: " + n.Text
		}
		r.add(im.File, n.Line, n.Understood, "%s", text)
	}
	paths, err := iis.NewPaths(im.Paths)
	if err != nil {
		return fmt.Errorf("%s: %w", im.File, err)
	}
	from := config.IIS{File: im.File, Data: data, Config: parsed, Paths: paths}
	if len(parsed.Sites) == 0 {
		return r.settings(c, from)
	}
	return r.sites(c, im, from, bind)
}

// settings gives the site at the top level what a web.config says.
func (r *Report) settings(c *config.Config, from config.IIS) error {
	if len(c.Sites) == 0 {
		c.Sites = append(c.Sites, config.Site{})
	}
	if c.Sites[0].IIS != nil {
		return fmt.Errorf("%s: %s says already how the site at the top level is served", from.File, c.Sites[0].IIS.File)
	}
	c.Sites[0].IIS = &from
	return nil
}

// sites adds those that are wanted.
func (r *Report) sites(c *config.Config, im *config.Import, from config.IIS, bind bool) error {
	if len(c.Sites) == 1 && empty(&c.Sites[0]) {
		c.Sites = nil // nothing was configured but this file
	}
	wanted := slices.Clone(im.Sites)
	for i := range from.Config.Sites {
		s := &from.Config.Sites[i]
		if len(im.Sites) > 0 {
			at := slices.IndexFunc(wanted, func(name string) bool { return strings.EqualFold(name, s.Name) })
			if at < 0 {
				continue
			}
			wanted = slices.Delete(wanted, at, at+1)
		}
		if !s.AutoStart && len(im.Sites) == 0 {
			r.add(im.File, s.Line, false, "site %q is left out: it is stopped (serverAutoStart is false)", s.Name)
			continue
		}
		if site, ok := r.site(c, s, from, bind); ok {
			add(c, site)
		}
	}
	if len(wanted) > 0 {
		return fmt.Errorf("%s: there is no site %q", im.File, wanted[0])
	}
	if len(c.Sites) == 0 {
		return fmt.Errorf("%s: of no site the directories are here: say with paths (-map) where they are", im.File)
	}
	return nil
}

// add adds a site. One of the same name in the configuration, which has what IIS did not know, such as aliases, is completed instead.
func add(c *config.Config, site config.Site) {
	i := slices.IndexFunc(c.Sites, func(s config.Site) bool { return s.IIS == nil && s.Name != "" && strings.EqualFold(s.Name, site.Name) })
	if i < 0 {
		c.Sites = append(c.Sites, site)
		return
	}
	s := &c.Sites[i]
	s.IIS, s.Root = site.IIS, cmp.Or(s.Root, site.Root)
	if len(s.Hosts) == 0 {
		s.Hosts = site.Hosts
	}
	if len(s.On) == 0 {
		s.On = site.On
	}
	maps.Copy(site.Folders, s.Folders)
	s.Folders = site.Folders
}

func empty(s *config.Site) bool {
	return s.Root == "" && len(s.Folders)+len(s.Edge)+len(s.Aliases)+len(s.Hosts) == 0 && !s.Sample && s.Name == ""
}

// site makes a site of one of IIS. It reports false if nothing of it is here.
func (r *Report) site(c *config.Config, s *iis.Site, from config.IIS, bind bool) (config.Site, bool) {
	from.Site = s.Name
	site := config.Site{Name: s.Name, IIS: &from, Folders: make(map[string]string)}
	for _, app := range s.Applications {
		for _, dir := range app.VirtualDirectories {
			r.directory(&site, path.Join("/", app.Path, dir.Path), dir)
		}
	}
	if site.Root == "" && len(site.Folders) == 0 {
		return site, false
	}
	r.bindings(c, &site, s.Bindings, bind)
	return site, true
}

// directory adds a directory, if it is here.
func (r *Report) directory(site *config.Site, at string, dir iis.VirtualDirectory) {
	file := site.IIS.File
	local, ok := site.IIS.Paths.Map(dir.PhysicalPath)
	if !ok {
		r.add(file, dir.Line, false, "%s of site %q is left out: where %s is now is not said: see paths (-map)", at, site.Name, dir.PhysicalPath)
		return
	}
	if info, err := os.Stat(local); err != nil || !info.IsDir() {
		r.add(file, dir.Line, false, "%s of site %q is left out: %s is not a directory here", at, site.Name, local)
		return
	}
	r.add(file, dir.Line, true, "%s of site %q is %s", at, site.Name, local)
	if at == "/" {
		site.Root = local
		return
	}
	site.Folders[at] = local
}

// bindings takes over the names of hosts, and if wanted makes listeners.
func (r *Report) bindings(c *config.Config, site *config.Site, list []iis.Binding, bind bool) {
	anyHost := false
	for _, b := range list {
		if bind && !r.listen(c, site, b) {
			continue
		}
		if b.Host == "" {
			anyHost = true
		} else if !slices.Contains(site.Hosts, b.Host) {
			site.Hosts = append(site.Hosts, b.Host)
		}
	}
	if anyHost {
		site.Hosts = nil
	}
}

// listen makes a listener of a binding, unless there is one. It reports false if that cannot be.
func (r *Report) listen(c *config.Config, site *config.Site, b iis.Binding) bool {
	host := ""
	if b.Address.IsValid() && !b.Address.IsUnspecified() {
		host = b.Address.String()
	}
	address := net.JoinHostPort(host, strconv.Itoa(int(b.Port)))
	known := slices.ContainsFunc(c.Listen, func(l config.Listener) bool { return l.Address == address })
	if !known && b.Protocol == "https" {
		r.add(site.IIS.File, b.Line, false, "https at %s is left out: its certificate is in the store of Windows; "+
			"give a listener for %s with tls in the configuration", address, address)
		return false
	}
	if !known {
		c.Listen = append(c.Listen, config.Listener{Address: address})
	}
	if !slices.Contains(site.On, address) {
		site.On = append(site.On, address)
	}
	return true
}

// conflict returns an error if two sites could not be told apart.
func conflict(c *config.Config) error {
	seen := make(map[string]string)
	names := make(map[string]bool)
	for i := range c.Sites {
		s := &c.Sites[i]
		name := strings.ToLower(s.Events())
		if names[name] {
			return fmt.Errorf("site %q needs a name of its own", s.Name)
		}
		names[name] = true
		for _, host := range orAny(s.Hosts) {
			for _, on := range orAny(s.On) {
				key := strings.ToLower(host) + " on " + on
				if other, taken := seen[key]; taken {
					return fmt.Errorf("sites %q and %q are both for host %s: their bindings tell them apart (bindings: true in the import, or no listen)", other, s.Name, key)
				}
				seen[key] = s.Name
			}
		}
	}
	return nil
}

func orAny(list []string) []string {
	if len(list) == 0 {
		return []string{"*"}
	}
	return list
}

// read reads a file of at most as much as package iis takes.
func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, iis.MaxBytes+1))
	if err == nil && len(data) > iis.MaxBytes {
		err = errors.New(name + " is too large")
	}
	return data, err
}
