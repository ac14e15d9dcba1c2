package iis

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
)

// Site is a web site: where it listens and which directories it has.
type Site struct {
	Name string
	ID   uint32
	// AutoStart is false for a site that is stopped.
	AutoStart    bool
	Bindings     []Binding
	Applications []Application
	Limits       SiteLimits
	Line         int
}

// SiteLimits are those of the element limits of a site. Zero means that there is none.
type SiteLimits struct {
	MaxBandwidth      int64 // bytes per second
	MaxConnections    int64
	ConnectionTimeout time.Duration // of an idle connection
}

// Binding is an address that a site answers at. Those of other protocols than HTTP are left out.
type Binding struct {
	Protocol string // "http" or "https"
	// Address is the local one. The zero value means all of them.
	Address netip.Addr
	Port    uint16
	// Host is the name in requests, in lower case, such as "video.example.org" or "*.example.org". Empty means any.
	Host string
	Line int
}

// Application is a part of a site.
type Application struct {
	// Path is that of its URLs, which begins with a slash.
	Path               string
	Pool               string
	VirtualDirectories []VirtualDirectory
	Line               int
}

// VirtualDirectory says where the files of an application are.
type VirtualDirectory struct {
	// Path is relative to that of the application. It begins with a slash; the root of an application has "/".
	Path string
	// PhysicalPath is as it is written, such as %SystemDrive%\inetpub\wwwroot. See [Paths].
	PhysicalPath string
	// LogonName is the account that IIS reads a share with. Passwords are not kept.
	LogonName string
	// NoWebConfig tells that web.config files below the directory have no effect (allowSubDirConfig is false).
	NoWebConfig bool
	Line        int
}

// Place returns where a URL path of the site, which begins with a slash, leads: the application and the virtual
// directory with the longest path that contains it, and the rest of the path below that directory, without a slash at
// its beginning. Case does not matter.
func (s *Site) Place(path string) (app *Application, dir *VirtualDirectory, rest string, ok bool) {
	best := -1
	for i := range s.Applications {
		a := &s.Applications[i]
		if r, within := below(path, a.Path); within && len(a.Path) > best {
			app, rest, best = a, r, len(a.Path)
		}
	}
	if app == nil {
		return nil, nil, "", false
	}
	inApp := "/" + rest
	best = -1
	for i := range app.VirtualDirectories {
		d := &app.VirtualDirectories[i]
		if r, within := below(inApp, d.Path); within && len(d.Path) > best {
			dir, rest, best = d, r, len(d.Path)
		}
	}
	return app, dir, rest, dir != nil
}

// below returns the rest of a path below a directory.
func below(path, dir string) (rest string, ok bool) {
	dir = strings.TrimRight(dir, "/")
	if len(path) < len(dir) || !strings.EqualFold(path[:len(dir)], dir) {
		return "", false
	}
	rest = path[len(dir):]
	if rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// parseBinding reads address:port:host. An IPv6 address is in brackets.
func parseBinding(protocol, s string) (Binding, error) {
	b := Binding{Protocol: strings.ToLower(protocol)}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return b, errors.New("not of the form address:port:host")
	}
	s, b.Host = s[:i], strings.ToLower(s[i+1:])
	i = strings.LastIndexByte(s, ':')
	if i < 0 {
		return b, errors.New("not of the form address:port:host")
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || port == 0 {
		return b, fmt.Errorf("port %.10q is not between 1 and 65535", s[i+1:])
	}
	b.Port = uint16(port)
	address := strings.TrimSuffix(strings.TrimPrefix(s[:i], "["), "]")
	if address != "" && address != "*" {
		if b.Address, err = netip.ParseAddr(address); err != nil {
			return b, fmt.Errorf("%.50q is not an address", address)
		}
	}
	return b, nil
}

// siteReader reads system.applicationHost/sites.
type siteReader struct {
	*builder
	path  string // of the sites
	pool  string // of applications that do not say
	noWeb bool   // virtual directories that do not say have no web.config
}

// sites reads the sites of a server.
func (b *builder) sites(n *node, path string) []Site {
	r := &siteReader{builder: b, path: path}
	r.defaults(n)
	var list []Site
	for _, c := range n.children {
		if c.Is("site") {
			list = append(list, r.site(c))
		}
	}
	b.say(n, path, "%d sites", len(list))
	return list
}

// defaults reads what applications and directories have that do not say.
func (r *siteReader) defaults(n *node) {
	for _, c := range n.children {
		switch {
		case c.Is("applicationDefaults"):
			r.str(c, "applicationPool", &r.pool)
			r.say(c, r.path+"/applicationDefaults", "pool %q", r.pool)
		case c.Is("virtualDirectoryDefaults"):
			allow := true
			r.bool(c, "allowSubDirConfig", &allow)
			r.noWeb = !allow
			r.say(c, r.path+"/virtualDirectoryDefaults", "web.config files count: %v", allow)
		}
	}
}

func (r *siteReader) site(n *node) Site {
	path := r.path + "/site"
	s := Site{AutoStart: true, Line: n.At.Line}
	if r.require(n, "name") {
		r.str(n, "name", &s.Name)
	}
	var id int64
	r.whole(n, "id", &id, 0, 1<<32-1)
	s.ID = uint32(id)
	r.bool(n, "serverAutoStart", &s.AutoStart)
	for _, c := range n.children {
		switch {
		case c.Is("application"):
			s.Applications = append(s.Applications, r.application(c, path+"/application"))
		case c.Is("bindings"):
			s.Bindings = r.bindings(c, path+"/bindings")
		case c.Is("limits"):
			s.Limits = r.limits(c, path+"/limits")
		}
	}
	r.say(n, path, "site %q with %d bindings and %d applications", s.Name, len(s.Bindings), len(s.Applications))
	return s
}

func (r *siteReader) bindings(n *node, path string) (list []Binding) {
	n.take()
	for _, c := range n.children {
		if c.Is("clear") {
			c.take()
			list = nil
			continue
		}
		var protocol string
		r.str(c, "protocol", &protocol)
		info, ok := c.attr("bindingInformation")
		switch {
		case !c.Is("binding"):
		case !strings.EqualFold(protocol, "http") && !strings.EqualFold(protocol, "https"):
			r.refuse(c, path+"/binding", "protocol %.40q", protocol)
		case !ok:
			r.log.FailAttr(c.Element, xmlAttr(c, "bindingInformation"), iisconfig.ErrMissing)
		default:
			b, err := parseBinding(protocol, info.Value)
			if err != nil {
				r.log.FailAttr(c.Element, info, err)
			}
			b.Line = c.At.Line
			list = append(list, b)
			r.say(c, path+"/binding", "%s at %s", b.Protocol, info.Value)
		}
	}
	return list
}

// limits reads those of a site. IIS has large numbers for those that are off.
func (r *siteReader) limits(n *node, path string) SiteLimits {
	const none = 1<<32 - 1
	l := SiteLimits{MaxBandwidth: none, MaxConnections: none}
	r.whole(n, "maxBandwidth", &l.MaxBandwidth, 0, none)
	r.whole(n, "maxConnections", &l.MaxConnections, 0, none)
	r.span(n, "connectionTimeout", &l.ConnectionTimeout)
	r.say(n, path, "read; package limit of throttle has such limits")
	if l.MaxBandwidth == none {
		l.MaxBandwidth = 0
	}
	if l.MaxConnections == none {
		l.MaxConnections = 0
	}
	return l
}

func (r *siteReader) application(n *node, path string) Application {
	a := Application{Path: "/", Pool: r.pool, Line: n.At.Line}
	r.str(n, "path", &a.Path)
	r.str(n, "applicationPool", &a.Pool)
	a.Path = rooted(a.Path)
	for _, c := range n.children {
		if c.Is("virtualDirectory") {
			a.VirtualDirectories = append(a.VirtualDirectories, r.directory(c, path+"/virtualDirectory"))
		}
	}
	r.say(n, path, "application of %d directories", len(a.VirtualDirectories))
	return a
}

func (r *siteReader) directory(n *node, path string) VirtualDirectory {
	d := VirtualDirectory{Path: "/", Line: n.At.Line}
	allow := !r.noWeb
	r.str(n, "path", &d.Path)
	r.str(n, "physicalPath", &d.PhysicalPath)
	r.str(n, "userName", &d.LogonName)
	r.bool(n, "allowSubDirConfig", &allow)
	d.Path, d.NoWebConfig = rooted(d.Path), !allow
	if _, secret := n.attr("password"); secret {
		r.note(n.At, r.label(n, path), false, "the password is not kept")
	}
	r.say(n, path, "%s", d.PhysicalPath)
	return d
}

// rooted returns a path with a slash at its beginning and none at its end, but that of the root.
func rooted(path string) string { return "/" + strings.Trim(path, "/") }
