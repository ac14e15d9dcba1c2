package smooth

import (
	"slices"
	"strings"
)

// AttrsKey returns the canonical form of the custom attributes, as in [FragmentKey]: "key=value" pairs in
// ascending order of keys (bytes), joined by commas.
func (l *QualityLevel) AttrsKey() string { return attrsKey(l.CustomAttributes) }

func attrsKey(list []Attribute) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0].Name + "=" + list[0].Value
	}
	if !slices.IsSortedFunc(list, compareAttributes) {
		list = slices.Clone(list)
		slices.SortFunc(list, compareAttributes)
	}
	var b strings.Builder
	for i, a := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(a.Name)
		b.WriteByte('=')
		b.WriteString(a.Value)
	}
	return b.String()
}

func compareAttributes(a, b Attribute) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Value, b.Value)
}

// attrsEqual reports whether the canonical form of the level's custom attributes is attrs. It allocates only if
// they are not in order.
func (l *QualityLevel) attrsEqual(attrs string) bool {
	list := l.CustomAttributes
	if len(list) > 1 && !slices.IsSortedFunc(list, compareAttributes) {
		return l.AttrsKey() == attrs
	}
	for i, a := range list {
		var ok bool
		if i > 0 {
			if attrs, ok = strings.CutPrefix(attrs, ","); !ok {
				return false
			}
		}
		if attrs, ok = strings.CutPrefix(attrs, a.Name); !ok {
			return false
		}
		if attrs, ok = strings.CutPrefix(attrs, "="); !ok {
			return false
		}
		if attrs, ok = strings.CutPrefix(attrs, a.Value); !ok {
			return false
		}
	}
	return attrs == ""
}

// Clone returns a copy that may be modified without effect on m. Timelines, embedded data and content are shared,
// because they are never modified in place; appending to a cloned timeline copies it.
func (m *Manifest) Clone() *Manifest {
	c := *m
	c.Protection = slices.Clone(m.Protection)
	for i := range c.Protection {
		c.Protection[i].Data = slices.Clone(c.Protection[i].Data)
	}
	c.Streams = cloneStreams(m.Streams)
	c.Clips = slices.Clone(m.Clips)
	for i, clip := range m.Clips {
		d := *clip
		d.Streams = cloneStreams(clip.Streams)
		d.Extra = slices.Clone(clip.Extra)
		c.Clips[i] = &d
	}
	c.CustomAttributes = slices.Clone(m.CustomAttributes)
	c.Extra = slices.Clone(m.Extra)
	return &c
}

func cloneStreams(list []*Stream) []*Stream {
	out := slices.Clone(list)
	for i, s := range list {
		out[i] = s.clone()
	}
	return out
}

func (s *Stream) clone() *Stream {
	c := *s
	c.Levels = slices.Clone(s.Levels)
	for i, l := range s.Levels {
		d := *l
		d.CodecPrivateData = slices.Clone(l.CodecPrivateData)
		d.CustomAttributes = slices.Clone(l.CustomAttributes)
		d.Extra = slices.Clone(l.Extra)
		c.Levels[i] = &d
	}
	c.Timeline = slices.Clip(s.Timeline)
	c.Embedded = slices.Clip(s.Embedded)
	c.Extra = slices.Clone(s.Extra)
	return &c
}
