package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checker collects what is wrong, with the lines of the file.
type checker struct {
	root  *yaml.Node
	found []*Problem
}

// at notes a problem at a place: keys, and indexes of lists.
func (k *checker) at(text string, place ...any) {
	k.found = append(k.found, &Problem{Line: lineOf(k.root, place), Text: text})
}

// lineOf returns the line of the innermost part of a place that the document has.
func lineOf(n *yaml.Node, place []any) int {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	line := n.Line
	for _, step := range place {
		next := child(n, step)
		if next == nil {
			break
		}
		n, line = next, next.Line
	}
	return line
}

func child(n *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// check returns what is wrong with a completed configuration.
func (c *Config) check(root *yaml.Node) []*Problem {
	k := &checker{root: root}
	for i := range c.Listen {
		k.listener(&c.Listen[i], i)
	}
	k.debug(c.Debug)
	k.oneOf(c.Log.Level, []string{"", "debug", "info", "warn", "error"}, "log", "level")
	k.oneOf(c.Log.Format, []string{"", "text", "json"}, "log", "format")
	k.sites(c)
	for i := range c.Import {
		k.file(c.Import[i].File, "import", i, "file")
	}
	k.file(c.Throttle.File, "throttle", "file")
	k.file(c.Playlist.File, "playlist", "file")
	for i, key := range c.Playlist.Keys {
		if key.IsSet() && len(key.Value()) < 16 {
			k.at(fmt.Sprintf("a key of %d bytes, at least 16 are wanted", len(key.Value())), "playlist", "keys", i)
		}
	}
	k.limits(&c.Limits)
	k.access(&c.Access, "access")
	k.usage(&c.Usage)
	return k.found
}

func (k *checker) listener(l *Listener, i int) {
	k.address(l.Address, "listen", i, "address")
	for j, r := range l.For {
		k.oneOf(string(r), []string{string(Viewers), string(Encoders), string(Operators)}, "listen", i, "for", j)
	}
	if l.TLS == nil {
		return
	}
	if len(l.TLS.Certificates) == 0 {
		k.at("tls without certificates", "listen", i, "tls")
	}
	for j, pair := range l.TLS.Certificates {
		if pair.Certificate == "" || pair.Key == "" {
			k.at("a certificate and its key are wanted", "listen", i, "tls", "certificates", j)
			continue
		}
		k.file(pair.Certificate, "listen", i, "tls", "certificates", j, "certificate")
		k.file(pair.Key, "listen", i, "tls", "certificates", j, "key")
	}
	k.file(l.TLS.ClientCA, "listen", i, "tls", "clientCA")
	k.oneOf(l.TLS.Minimum, []string{"", "1.2", "1.3"}, "listen", i, "tls", "minimum")
}

// address checks host:port, or unix: and a path.
func (k *checker) address(addr string, place ...any) {
	if p, ok := strings.CutPrefix(addr, "unix:"); ok {
		if p == "" {
			k.at("unix: without a path", place...)
		}
		return
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		k.at(fmt.Sprintf("%q is not an address such as :80, 127.0.0.1:8080 or [::1]:8080", addr), place...)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		k.at(fmt.Sprintf("port %q of %q is not a number from 0 to 65535", port, addr), place...)
	}
	if strings.ContainsAny(host, " /") {
		k.at(fmt.Sprintf("host %q of %q is not a name or address", host, addr), place...)
	}
}

// debug checks that profiles of the process are for this machine only.
func (k *checker) debug(addr string) {
	if addr == "" {
		return
	}
	k.address(addr, "debug")
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	if err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		k.at(fmt.Sprintf("%q is not an address of this machine alone, such as 127.0.0.1:6060", addr), "debug")
	}
}

func (k *checker) oneOf(value string, allowed []string, place ...any) {
	if !slices.Contains(allowed, value) {
		names := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
		k.at(fmt.Sprintf("%q is none of %s", value, strings.Join(names, ", ")), place...)
	}
}

// file checks that there is a file, if one is named.
func (k *checker) file(name string, place ...any) {
	if name == "" {
		return
	}
	if info, err := os.Stat(name); err != nil {
		k.at(fmt.Sprintf("%s cannot be read: %s", name, reason(err)), place...)
	} else if info.IsDir() {
		k.at(name+" is a directory, a file is wanted", place...)
	}
}

func (k *checker) directory(name string, place ...any) {
	if name == "" {
		return
	}
	if info, err := os.Stat(name); err != nil {
		k.at(fmt.Sprintf("%s cannot be read: %s", name, reason(err)), place...)
	} else if !info.IsDir() {
		k.at(name+" is not a directory", place...)
	}
}

// reason returns what is wrong without the path, which the caller names.
func reason(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func (k *checker) sites(c *Config) {
	seen := make(map[string]string)
	names := make(map[string]bool)
	for i := range c.Sites {
		s := &c.Sites[i]
		k.site(s, s.place)
		name := strings.ToLower(s.Events())
		if names[name] {
			k.at(fmt.Sprintf("site %q needs a name of its own", s.Name), append(slices.Clone(s.place), "name")...)
		}
		names[name] = true
		for j, on := range s.On {
			if !slices.ContainsFunc(c.Listen, func(l Listener) bool { return l.Address == on }) {
				k.at(fmt.Sprintf("%q is no address of listen", on), append(slices.Clone(s.place), "on", j)...)
			}
		}
		for _, host := range orAny(s.Hosts) {
			for _, on := range orAny(s.On) {
				key := strings.ToLower(host) + " on " + on
				if other, taken := seen[key]; taken {
					k.at(fmt.Sprintf("site %q is for host %s, as site %q is", s.Name, key, other), append(slices.Clone(s.place), "hosts")...)
				}
				seen[key] = s.Name
			}
		}
	}
}

// orAny returns a list, or one that stands for all.
func orAny(list []string) []string {
	if len(list) == 0 {
		return []string{"*"}
	}
	return list
}

func (k *checker) site(s *Site, place []any) {
	in := func(more ...any) []any { return append(slices.Clone(place), more...) }
	k.directory(s.Root, in("root")...)
	for at, dir := range s.Folders {
		k.path(at, in("folders")...)
		k.directory(dir, in("folders", at)...)
	}
	for j, at := range s.Hide {
		k.path(at, in("hide", j)...)
	}
	for j, f := range s.Aliases {
		k.file(f, in("aliases", j)...)
	}
	for j := range s.Edge {
		k.edge(&s.Edge[j], in("edge", j))
	}
	if s.SiteAccess != nil {
		k.access(s.SiteAccess, in("siteAccess")...)
	}
}

// path checks the path of a URL that begins a part of a site.
func (k *checker) path(p string, place ...any) {
	if !strings.HasPrefix(p, "/") || p == "/" || path.Clean(p) != strings.TrimSuffix(p, "/") {
		k.at(fmt.Sprintf("%q is not the path of a part of a site, such as /video", p), place...)
	}
}

func (k *checker) edge(e *Edge, place []any) {
	in := func(more ...any) []any { return append(slices.Clone(place), more...) }
	if e.Path != "/" {
		k.path(e.Path, in("path")...)
	}
	if len(e.Upstreams) == 0 {
		k.at("an edge without upstreams", place...)
	}
	for j, u := range e.Upstreams {
		k.url(u.URL, in("upstreams", j, "url")...)
	}
	if e.Disk > 0 && e.Directory == "" {
		k.at("disk without a directory", in("disk")...)
	}
	if e.Health != "" && !strings.HasPrefix(e.Health, "/") {
		k.at(fmt.Sprintf("%q is not a path such as /healthz", e.Health), in("health")...)
	}
}

func (k *checker) url(s string, place ...any) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		k.at(fmt.Sprintf("%q is not an URL such as https://origin.example.com", s), place...)
	}
}

func (k *checker) limits(l *Limits) {
	for at := range l.Points {
		if !strings.HasPrefix(at, "/") {
			k.at(fmt.Sprintf("%q is not a path such as /live/event.isml", at), "limits", "publishingPoints")
		}
	}
	for i, g := range l.Groups {
		if g.Name == "" {
			k.at("a group without a name", "limits", "connectionGroups", i)
		}
		for j, p := range g.Patterns {
			if _, err := path.Match(p, ""); err != nil {
				k.at(fmt.Sprintf("%q is not a pattern such as *.wmv", p), "limits", "connectionGroups", i, "patterns", j)
			}
		}
	}
}

func (k *checker) access(a *Access, place ...any) {
	in := func(more ...any) []any { return append(slices.Clone(place), more...) }
	k.prefixes(a.TrustedProxies, in("trustedProxies"))
	for name, p := range map[string]*Policy{"viewers": a.Viewers, "encoders": a.Encoders, "operators": a.Operators} {
		if p != nil {
			k.policy(p, in(name))
		}
	}
	for at, p := range a.Paths {
		if !strings.HasPrefix(at, "/") || p == nil {
			k.at(fmt.Sprintf("%q: a path with its policy is wanted", at), in("paths", at)...)
			continue
		}
		k.policy(p, in("paths", at))
	}
}

func (k *checker) policy(p *Policy, place []any) {
	in := func(more ...any) []any { return append(slices.Clone(place), more...) }
	k.prefixes(p.Allow, in("allow"))
	k.prefixes(p.Deny, in("deny"))
	if b := p.Basic; b != nil {
		k.file(b.File, in("basic", "file")...)
		if b.File == "" && len(b.Users) == 0 {
			k.at("basic without users", in("basic")...)
		}
	}
	if b := p.Bearer; b != nil {
		for i, u := range b.JWKS {
			k.url(u, in("bearer", "jwks", i)...)
		}
		if len(b.JWKS) == 0 && !b.Secret.IsSet() {
			k.at("bearer without jwks or secret", in("bearer")...)
		}
	}
	if p.Hook != nil {
		k.url(p.Hook.URL, in("hook", "url")...)
	}
	if s := p.Signed; s != nil {
		if len(s.Keys) == 0 {
			k.at("signed without keys", in("signed")...)
		}
		for i, key := range s.Keys {
			if key.IsSet() && len(key.Value()) < 16 {
				k.at(fmt.Sprintf("a key of %d bytes, at least 16 are wanted", len(key.Value())), in("signed", "keys", i)...)
			}
		}
	}
}

func (k *checker) prefixes(list []string, place []any) {
	for i, text := range list {
		if _, err := netip.ParsePrefix(text); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(text); err != nil {
			k.at(fmt.Sprintf("%q is not an address or network such as 10.0.0.0/8", text), append(slices.Clone(place), i)...)
		}
	}
}

func (k *checker) usage(u *Usage) {
	if l := u.Log; l != nil {
		if l.Directory == "" {
			k.at("log without a directory", "usage", "log")
		}
		k.oneOf(l.Rotate, []string{"", "hour", "day", "never"}, "usage", "log", "rotate")
	}
	if u.Metrics != "" && u.Metrics != "off" && !strings.HasPrefix(u.Metrics, "/") {
		k.at(fmt.Sprintf("%q is neither a path such as /metrics nor off", u.Metrics), "usage", "metrics")
	}
	for i, w := range u.Webhooks {
		k.url(w.URL, "usage", "webhooks", i, "url")
	}
}
