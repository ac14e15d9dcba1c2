package playlist

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// configLayer is what a location has, inherited or said by its section. Layers share collections that do not differ.
type configLayer struct {
	scalars   Config // without lists
	sessions  *iisconfig.Collection[ConfigSessionProvider]
	access    *iisconfig.Collection[ConfigAccessOption]
	providers *iisconfig.Collection[ConfigPlaylistProvider]
	formats   *iisconfig.Collection[ConfigOutputFormat]
}

// configBuilder makes configurations of sections.
type configBuilder struct {
	log    iisconfig.Log
	number int // of the section that is being read, from 1
}

// baseLayer is what a document inherits.
func baseLayer(parent *Config) configLayer {
	builtin := parent == nil
	if builtin {
		parent = DefaultConfig()
	}
	l := configLayer{scalars: *parent}
	l.scalars.SessionProviders, l.scalars.AccessOptions, l.scalars.PlaylistProviders = nil, nil, nil
	l.scalars.OutputFormats, l.scalars.Locations, l.scalars.Warnings = nil, nil, nil
	l.sessions = iisconfig.NewCollection(parent.SessionProviders, func(p ConfigSessionProvider) string { return p.Name }, builtin)
	l.access = iisconfig.NewCollection(parent.AccessOptions, func(a ConfigAccessOption) string { return a.Path }, false)
	l.providers = iisconfig.NewCollection(parent.PlaylistProviders,
		func(p ConfigPlaylistProvider) string { return p.Extension }, false)
	l.formats = iisconfig.NewCollection(parent.OutputFormats, func(f ConfigOutputFormat) string { return f.Format }, false)
	return l
}

// config reads the sections, from the server down, and returns what holds in the end.
func (b *configBuilder) config(parent *Config, sections []iisconfig.Section) *Config {
	layers := iisconfig.Inherit(&b.log, baseLayer(parent), sections, b.section)
	c := b.collect(layers.Of(""))
	for _, s := range sections {
		if iisconfig.PathKey(s.Path) != "" && len(b.log.Errors()) == 0 {
			c.Locations = append(c.Locations, ConfigLocation{s.Path, b.collect(layers.Of(s.Path))})
		}
	}
	return c
}

// collect makes a configuration of a layer, with slices of its own.
func (b *configBuilder) collect(layer *iisconfig.Layer[configLayer]) *Config {
	l := &layer.Value
	c := l.scalars
	if !b.log.Grow(layer.At, l.sessions.Len()+l.access.Len()+l.providers.Len()+l.formats.Len()) {
		return &c
	}
	c.SessionProviders, c.AccessOptions = l.sessions.Values(), l.access.Values()
	c.PlaylistProviders, c.OutputFormats = l.providers.Values(), l.formats.Values()
	isDefault := func(p ConfigSessionProvider) bool { return strings.EqualFold(p.Name, c.DefaultSessionProvider) }
	if !slices.ContainsFunc(c.SessionProviders, isDefault) {
		b.log.Warn(layer.At, "playlist: there is no sessionProvider %q, which is the default",
			xmltree.Shorten(c.DefaultSessionProvider))
	}
	return &c
}

// section reads one section into a layer.
func (b *configBuilder) section(layer *iisconfig.Layer[configLayer], s iisconfig.Section) {
	l := &layer.Value
	b.number = layer.Number
	b.log.Attributes(s.Element, func(name string, a xmltree.Attr) (bool, error) { return sectionAttr(&l.scalars, name, a.Value) })
	seen := make(map[string]xmltree.Position)
	for _, child := range s.Children {
		name := strings.ToLower(child.Name)
		at, twice := seen[name]
		switch {
		case twice:
			b.log.FailElement(child, "there is one at %v already", at)
		case b.part(l, child):
			seen[name] = child.At
		default:
			b.log.Unknown(s.Element, child)
		}
	}
}

// part reads a child of the section, and tells whether it is known.
func (b *configBuilder) part(l *configLayer, el *xmltree.Element) bool {
	switch {
	case el.Is("winHttpSetTimeouts"):
		b.scalars(el, func(name, value string) (bool, error) { return timeoutAttr(&l.scalars.Timeouts, name, value) })
	case el.Is("sessionOptions"):
		b.scalars(el, func(name, value string) (bool, error) { return sessionAttr(&l.scalars.SessionOptions, name, value) })
	case el.Is("sessionProviders"):
		l.sessions = iisconfig.Change(&b.log, el, l.sessions, b.sessionProviders())
	case el.Is("accessOptions"):
		l.access = iisconfig.Change(&b.log, el, l.access, b.accessOptions())
	case el.Is("playlistProviders"):
		l.providers = iisconfig.Change(&b.log, el, l.providers, b.playlistProviders())
	case el.Is("outputFormats"):
		l.formats = iisconfig.Change(&b.log, el, l.formats, b.outputFormats())
	default:
		return false
	}
	return true
}

// scalars reads an element that has only attributes.
func (b *configBuilder) scalars(el *xmltree.Element, set func(name, value string) (bool, error)) {
	b.log.Attributes(el, func(name string, a xmltree.Attr) (bool, error) { return set(name, a.Value) })
	b.log.NoChildren(el)
}

// sectionAttr reads an attribute of the section, whose name is in lower case.
func sectionAttr(c *Config, name, value string) (known bool, err error) {
	switch name {
	case "enabled":
		return true, iisconfig.SetBool(&c.Enabled, value)
	case "querystringdelimiter":
		c.QueryStringDelimiter = value
		return true, checkDelimiter(value)
	case "allowabsolutepaths":
		return true, iisconfig.SetBool(&c.AllowAbsolutePaths, value)
	case "defaultsessionprovider":
		c.DefaultSessionProvider = value
		return true, nil
	case "maximumplaylistdepth":
		return true, iisconfig.SetWhole(&c.MaximumPlaylistDepth, value, 1, maxNestedLists)
	case "allowclientcache":
		return true, iisconfig.SetBool(&c.AllowClientCache, value)
	}
	return false, nil
}

// checkDelimiter refuses what could not be told from a value of a query, or is never sent as it is.
func checkDelimiter(s string) error {
	switch {
	case s == "":
		return errors.New("empty")
	case len(s) > 8:
		return errors.New("more than 8 bytes")
	case strings.Trim(s, "!$&'()*,/:;?@") != "":
		return errors.New("only !$&'()*,/:;?@ can delimit what is in a query")
	}
	return nil
}

func timeoutAttr(t *ConfigTimeouts, name, value string) (known bool, err error) {
	switch name {
	case "httpdresolvetimeout":
		return true, setUnit(&t.Resolve, value, time.Millisecond, 0, maxConfigUint)
	case "httpdconnecttimeout":
		return true, setUnit(&t.Connect, value, time.Millisecond, 0, maxConfigUint)
	case "httpdsendtimeout":
		return true, setUnit(&t.Send, value, time.Millisecond, 0, maxConfigUint)
	case "httpdreceivetimeout":
		return true, setUnit(&t.Receive, value, time.Millisecond, 0, maxConfigUint)
	}
	return false, nil
}

func sessionAttr(o *ConfigSessionOptions, name, value string) (known bool, err error) {
	switch name {
	case "maxconcurrentconnections":
		return true, iisconfig.SetWhole(&o.MaxConcurrentConnections, value, 0, maxConfigUint)
	case "allowskipafterminpercent":
		o.HasAllowSkipAfterMinPercent = true
		return true, iisconfig.SetWhole(&o.AllowSkipAfterMinPercent, value, 0, 100)
	}
	return false, nil
}

// setUnit reads a whole number of a unit.
func setUnit(to *time.Duration, value string, unit time.Duration, low, high int64) error {
	var n int64
	if err := iisconfig.SetWhole(&n, value, low, high); err != nil {
		return err
	}
	*to = time.Duration(n) * unit
	return nil
}
