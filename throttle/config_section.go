package throttle

import (
	"errors"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// configLayer is what a location has, inherited or said by its section. Layers share collections that do not differ.
type configLayer struct {
	scalars  Rules // without lists
	settings *iisconfig.Collection[Setting]
	groups   *iisconfig.Collection[Group]
	formats  *iisconfig.Collection[bitrate.Format]
}

// configBuilder makes rules of sections.
type configBuilder struct {
	log    iisconfig.Log
	number int // of the section that is being read, from 1
}

// baseLayer is what a document inherits.
func baseLayer(parent *Rules) configLayer {
	l := configLayer{scalars: *parent}
	l.scalars.Settings, l.scalars.Groups, l.scalars.Formats = nil, nil, nil
	l.settings = iisconfig.NewCollection(parent.settings(), func(s Setting) string { return s.Match }, parent.Settings == nil)
	l.groups = iisconfig.NewCollection(parent.Groups, func(g Group) string { return g.Name }, false)
	l.formats = iisconfig.NewCollection(parent.Formats, func(f bitrate.Format) string { return f.Extension }, false)
	return l
}

// config reads the sections, from the server down. The result is of use only if there are no errors in the log.
func (b *configBuilder) config(parent *Rules, sections []iisconfig.Section) *Config {
	c := &Config{}
	layers := iisconfig.Inherit(&b.log, baseLayer(parent), sections, b.section)
	if len(b.log.Errors()) > 0 {
		return c
	}
	for _, s := range sections {
		if iisconfig.PathKey(s.Path) != "" {
			c.Locations = append(c.Locations, Location{s.Path, b.rules(layers.Of(s.Path))})
		}
	}
	c.Rules = b.rules(layers.Of(""))
	return c
}

// section reads one section into a layer.
func (b *configBuilder) section(layer *iisconfig.Layer[configLayer], s iisconfig.Section) {
	l := &layer.Value
	b.number = layer.Number
	b.log.Attributes(s.Element, func(name string, a xmltree.Attr) (bool, error) {
		return sectionAttribute(&l.scalars, name, a.Value)
	})
	for _, child := range s.Children {
		switch {
		case child.Is("throttleSettings"):
			l.settings = iisconfig.Change(&b.log, child, l.settings, b.settingReader())
		case child.Is("connectionLimitGroups"):
			l.groups = iisconfig.Change(&b.log, child, l.groups, b.groupReader())
		case child.Is("mediaFormats"):
			l.formats = iisconfig.Change(&b.log, child, l.formats, b.formatReader())
		default:
			b.log.Unknown(s.Element, child)
		}
	}
}

// rules returns the rules of a layer in slices of their own. Settings get the names of groups in the case that the
// groups have, as case does not matter in IIS.
func (b *configBuilder) rules(layer *iisconfig.Layer[configLayer]) *Rules {
	l := &layer.Value
	r := l.scalars
	if !b.log.Grow(layer.At, l.settings.Len()+l.groups.Len()+l.formats.Len()) {
		return &r
	}
	r.Groups, r.Formats = l.groups.Values(), l.formats.Values()
	if l.settings.Stated() {
		r.Settings = make([]Setting, 0, l.settings.Len())
		for e := range l.settings.All() {
			s := e.Value
			if g, ok := l.groups.Get(s.Group); ok {
				s.Group = g.Name
			} else if s.Group != "" && !isDefaultGroup(s.Group) && e.Layer == layer.Number {
				b.log.Warn(e.At, "add %s: there is no group %q, so that it has no limit",
					xmltree.Shorten(s.Match), xmltree.Shorten(s.Group))
			}
			r.Settings = append(r.Settings, s)
		}
	}
	if err := r.Validate(); err != nil { // what is read is valid, this is for certainty
		b.log.Fail(&iisconfig.Error{At: layer.At, Err: err})
	}
	return &r
}

// sectionAttribute reads an attribute of the section, whose name is in lower case.
func sectionAttribute(r *Rules, name, value string) (known bool, err error) {
	switch name {
	case "enabled":
		enabled := true
		err = iisconfig.SetBool(&enabled, value)
		r.Disabled = !enabled
		return true, err
	case "minsendsize":
		return true, iisconfig.SetWhole(&r.MinSendSize, value, 0, maxMinSend)
	case "usepeakbitrate":
		return true, iisconfig.SetBool(&r.UsePeak, value)
	case "defaultthrottleratekbps", "defaultthrottlerate", "defaultratekbps":
		return true, setRate(&r.DefaultRate, value)
	case "maximumthrottleratekbps", "maximumthrottlerate", "maxthrottleratekbps", "maxthrottlerate":
		return true, setRate(&r.MaxRate, value)
	case "sitetargetthroughputkbps", "sitetargetthroughput", "sitetargetthroughputratekbps", "sitetargetthroughputrate",
		"targetthroughputkbps":
		return true, setRate(&r.TargetRate, value)
	case "ceilingkbps":
		return true, setRate(&r.Ceiling, value)
	}
	return false, nil
}

func (b *configBuilder) settingReader() iisconfig.CollectionReader[Setting] {
	return iisconfig.CollectionReader[Setting]{Add: "add", Key: "fileExtension", Layer: b.number, Read: b.setting}
}

// setting reads an entry of throttleSettings.
func (b *configBuilder) setting(el *xmltree.Element) (s Setting, ok bool) {
	s.Kind = b.kind(el)
	ok = b.log.Attributes(el, func(name string, a xmltree.Attr) (bool, error) {
		var kind Kind // that the attribute is for
		var err error
		switch name {
		case "fileextension":
			s.Match = a.Value
			return true, (&Setting{Match: a.Value}).validate()
		case "settingtype":
			return true, parseKind(a.Value, new(Kind))
		case "connectionlimitgroup":
			s.Group = groupName(a.Value)
			return true, nil
		case "initialbuffertimeseconds":
			kind, err = Media, setUnits(&s.InitialBufferTime, a.Value, time.Second, int64(maxBufferTime))
		case "throttleratepercentage":
			if kind, err = Media, iisconfig.SetWhole(&s.RatePercentage, a.Value, 0, maxPercentage); err == nil && s.RatePercentage == 0 {
				b.log.Warn(a.At, "%s: %s is 0, which means 100", b.log.Label(el), a.Name)
			}
		case "initialsendsizekbytes":
			kind, err = Data, setUnits(&s.InitialSendSize, a.Value, kilobyte, maxSendSize)
		case "throttleratekbps":
			kind, err = Data, setRate(&s.Rate, a.Value)
		default:
			return false, nil
		}
		if kind != s.Kind {
			b.log.Warn(a.At, "%s: %s is ignored, as it is for settings of type %v and this is one of type %v",
				b.log.Label(el), a.Name, kind, s.Kind)
		}
		return true, err
	})
	if s.Kind == Data {
		s.InitialBufferTime, s.RatePercentage = 0, 0
	} else {
		s.InitialSendSize, s.Rate = 0, 0
	}
	return s, ok
}

// kind returns the type of a setting before its other attributes are read. Where it is not said, they tell.
func (b *configBuilder) kind(el *xmltree.Element) (k Kind) {
	if a, ok := el.GetFold("settingType"); ok {
		_ = parseKind(a.Value, &k) // an error is found with the other attributes
		return k
	}
	_, time := el.GetFold("initialBufferTimeSeconds")
	_, percent := el.GetFold("throttleRatePercentage")
	_, size := el.GetFold("initialSendSizeKBytes")
	_, rate := el.GetFold("throttleRateKbps")
	if (size || rate) && !time && !percent {
		k = Data
	}
	b.log.Warn(el.At, "%s: settingType is missing, %v is assumed", b.log.Label(el), k)
	return k
}

func parseKind(s string, k *Kind) error {
	for _, v := range []Kind{Media, Data} {
		if strings.EqualFold(s, v.String()) {
			*k = v
			return nil
		}
	}
	return errors.New("neither media nor data")
}

func (b *configBuilder) groupReader() iisconfig.CollectionReader[Group] {
	return iisconfig.CollectionReader[Group]{
		Add: "add", Key: "name", Layer: b.number, Read: b.group, Known: isDefaultGroup,
	}
}

// group reads an entry of connectionLimitGroups.
func (b *configBuilder) group(el *xmltree.Element) (g Group, ok bool) {
	ok = b.log.Attributes(el, func(name string, a xmltree.Attr) (bool, error) {
		switch name {
		case "name":
			g.Name = groupName(a.Value)
			return true, nil
		case "connectionlimit":
			return true, iisconfig.SetWhole(&g.ConnectionLimit, a.Value, 0, maxConnections)
		case "ratekbps":
			return true, setRate(&g.Rate, a.Value)
		}
		return false, nil
	})
	return g, ok
}

// groupName returns the name of a group, that of a default one in its own case.
func groupName(s string) string {
	for _, name := range []string{VideoFiles, AudioFiles} {
		if strings.EqualFold(s, name) {
			return name
		}
	}
	return s
}

func isDefaultGroup(name string) bool {
	name = groupName(name)
	return name == VideoFiles || name == AudioFiles
}
