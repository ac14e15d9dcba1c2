package throttle

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// layer is what a location has, inherited or said by its section. Layers share collections that do not differ.
type layer struct {
	at       position
	number   int
	scalars  Rules // without lists
	settings *collection[Setting]
	groups   *collection[Group]
	formats  *collection[bitrate.Format]
}

// configBuilder makes rules of sections.
type configBuilder struct {
	log     *configLog
	layers  map[string]*layer // by key of the location
	layer   int               // the number of the section that is being read, from 1
	entries int               // of all collections
	full    bool              // there were too many
}

// grow counts entries before they are made.
func (b *configBuilder) grow(at position, n int) {
	if b.entries += n; b.entries > MaxConfigEntries && !b.full {
		b.full = true
		b.log.fail(&ConfigError{
			Line: at.line, Column: at.column, Err: fmt.Errorf("more than %d entries with those inherited", MaxConfigEntries),
		})
	}
}

// config reads the sections, from the server down.
func (b *configBuilder) config(parent *Rules, sections []section) (*Config, error) {
	base := &layer{scalars: *parent}
	base.scalars.Settings, base.scalars.Groups, base.scalars.Formats = nil, nil, nil
	base.settings = newCollection(parent.settings(), func(s Setting) string { return s.Match }, parent.Settings == nil)
	base.groups = newCollection(parent.Groups, func(g Group) string { return g.Name }, false)
	base.formats = newCollection(parent.Formats, func(f bitrate.Format) string { return f.Extension }, false)
	order := slices.Clone(sections)
	slices.SortStableFunc(order, func(a, b section) int { return cmp.Compare(depth(a.path), depth(b.path)) })
	for _, s := range order {
		b.section(base, s)
		if b.full {
			break
		}
	}
	if err := b.log.err(); err != nil {
		return nil, err
	}
	c, err := b.collect(base, sections)
	if err != nil {
		return nil, err
	}
	return c, b.log.err()
}

// depth is the number of names in a path.
func depth(path string) int {
	if path == "" {
		return 0
	}
	return 1 + strings.Count(path, "/")
}

// above returns the layer that a location inherits from.
func (b *configBuilder) above(base *layer, key string) *layer {
	for key != "" {
		key = key[:max(strings.LastIndexByte(key, '/'), 0)]
		if l := b.layers[key]; l != nil {
			return l
		}
	}
	return base
}

// section reads one section into a layer.
func (b *configBuilder) section(base *layer, s section) {
	key := locationKey(s.path)
	if l := b.layers[key]; l != nil {
		b.log.failElement(s.el, "there is one for this location at %v already", l.at)
		return
	}
	l := *b.above(base, key)
	b.layer++
	l.at, l.number = s.el.at, b.layer
	b.layers[key] = &l
	b.attributes(s.el, func(key string, a attribute) (bool, error) { return sectionAttribute(&l.scalars, key, a.value) })
	for _, child := range s.el.children {
		switch {
		case child.is("throttleSettings"):
			l.settings = change(b, child, l.settings, b.settingReader())
		case child.is("connectionLimitGroups"):
			l.groups = change(b, child, l.groups, b.groupReader())
		case child.is("mediaFormats"):
			l.formats = change(b, child, l.formats, b.formatReader())
		default:
			b.unknown(s.el, child)
		}
	}
}

// collect makes the rules of all layers.
func (b *configBuilder) collect(base *layer, sections []section) (*Config, error) {
	c := &Config{}
	var errs []error
	rules := func(l *layer) *Rules {
		b.grow(l.at, len(l.settings.index)+len(l.groups.index)+len(l.formats.index))
		if b.full {
			return nil
		}
		r := b.rules(l)
		if err := r.Validate(); err != nil { // what is read is valid, this is for certainty
			errs = append(errs, &ConfigError{Line: l.at.line, Column: l.at.column, Err: err})
		}
		return r
	}
	for _, s := range sections {
		if key := locationKey(s.path); key != "" {
			c.Locations = append(c.Locations, Location{s.path, rules(b.layers[key])})
		}
	}
	top := b.layers[""]
	if top == nil {
		top = base
	}
	c.Rules = rules(top)
	return c, errors.Join(errs...)
}

// rules returns the rules of a layer in slices of their own. Settings get the names of groups in the case that the
// groups have, as case does not matter in IIS.
func (b *configBuilder) rules(l *layer) *Rules {
	r := l.scalars
	for _, e := range l.groups.live() {
		r.Groups = append(r.Groups, e.value)
	}
	for _, e := range l.formats.live() {
		r.Formats = append(r.Formats, e.value)
	}
	if !l.settings.stated {
		return &r
	}
	r.Settings = make([]Setting, 0, len(l.settings.index))
	for _, e := range l.settings.live() {
		s := e.value
		if i, ok := l.groups.index[strings.ToLower(s.Group)]; ok {
			s.Group = l.groups.entries[i].value.Name
		} else if s.Group != "" && !isDefaultGroup(s.Group) && e.layer == l.number {
			b.log.warn(e.at, "add %s: there is no group %q, so that it has no limit", shorten(s.Match), shorten(s.Group))
		}
		r.Settings = append(r.Settings, s)
	}
	return &r
}

// sectionAttribute reads an attribute of the section, whose name is in lower case.
func sectionAttribute(r *Rules, name, value string) (known bool, err error) {
	switch name {
	case "enabled":
		enabled, err := parseConfigBool(value)
		r.Disabled = !enabled
		return true, err
	case "minsendsize":
		return true, setWhole(&r.MinSendSize, value, 0, maxMinSend)
	case "usepeakbitrate":
		r.UsePeak, err = parseConfigBool(value)
		return true, err
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

func (b *configBuilder) settingReader() collectionReader[Setting] {
	return collectionReader[Setting]{key: "fileExtension", read: b.setting}
}

// setting reads an entry of throttleSettings.
func (b *configBuilder) setting(el *element) (s Setting, key attribute, ok bool) {
	s.Kind = b.kind(el)
	ok = b.attributes(el, func(name string, a attribute) (bool, error) {
		var kind Kind // that the attribute is for
		var err error
		switch name {
		case "fileextension":
			key, s.Match = a, a.value
			return true, (&Setting{Match: a.value}).validate()
		case "settingtype":
			return true, parseKind(a.value, new(Kind))
		case "connectionlimitgroup":
			s.Group = groupName(a.value)
			return true, nil
		case "initialbuffertimeseconds":
			kind, err = Media, setUnits(&s.InitialBufferTime, a.value, time.Second, int64(maxBufferTime))
		case "throttleratepercentage":
			if kind, err = Media, setWhole(&s.RatePercentage, a.value, 0, maxPercentage); err == nil && s.RatePercentage == 0 {
				b.log.warn(a.at, "%s: %s is 0, which means 100", el.label(), a.name)
			}
		case "initialsendsizekbytes":
			kind, err = Data, setUnits(&s.InitialSendSize, a.value, kilobyte, maxSendSize)
		case "throttleratekbps":
			kind, err = Data, setRate(&s.Rate, a.value)
		default:
			return false, nil
		}
		if kind != s.Kind {
			b.log.warn(a.at, "%s: %s is ignored, as it is for settings of type %v and this is one of type %v",
				el.label(), a.name, kind, s.Kind)
		}
		return true, err
	})
	if _, there := el.get("fileExtension"); !there {
		b.log.missing(el, "fileExtension")
		ok = false
	}
	if s.Kind == Data {
		s.InitialBufferTime, s.RatePercentage = 0, 0
	} else {
		s.InitialSendSize, s.Rate = 0, 0
	}
	return s, key, ok
}

// kind returns the type of a setting before its other attributes are read. Where it is not said, they tell.
func (b *configBuilder) kind(el *element) (k Kind) {
	if a, ok := el.get("settingType"); ok {
		_ = parseKind(a.value, &k) // an error is found with the other attributes
		return k
	}
	_, time := el.get("initialBufferTimeSeconds")
	_, percent := el.get("throttleRatePercentage")
	_, size := el.get("initialSendSizeKBytes")
	_, rate := el.get("throttleRateKbps")
	if (size || rate) && !time && !percent {
		k = Data
	}
	b.log.warn(el.at, "%s: settingType is missing, %v is assumed", el.label(), k)
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

func (b *configBuilder) groupReader() collectionReader[Group] {
	return collectionReader[Group]{key: "name", known: isDefaultGroup, read: b.group}
}

// group reads an entry of connectionLimitGroups.
func (b *configBuilder) group(el *element) (g Group, key attribute, ok bool) {
	ok = b.attributes(el, func(name string, a attribute) (bool, error) {
		switch name {
		case "name":
			key, g.Name = a, groupName(a.value)
			if g.Name == "" {
				return true, errors.New("empty")
			}
			return true, nil
		case "connectionlimit":
			return true, setWhole(&g.ConnectionLimit, a.value, 0, maxConnections)
		case "ratekbps":
			return true, setRate(&g.Rate, a.value)
		}
		return false, nil
	})
	if _, there := el.get("name"); !there {
		b.log.missing(el, "name")
		ok = false
	}
	return g, key, ok
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
