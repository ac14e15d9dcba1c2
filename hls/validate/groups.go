package validate

import (
	"slices"
	"sort"
	"strings"
)

// groupKey is a type and a GROUP-ID.
type groupKey struct{ kind, id string }

// groups checks renditions among one another. See RFC 8216 section 4.3.4.1.1.
func (c *checker) groups(m *master) {
	groups := make(map[groupKey][]*rendition)
	var order []groupKey
	for _, x := range m.renditions {
		k := groupKey{x.kind, x.group}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], x)
	}
	first := make(map[string]groupKey)
	for _, k := range order {
		c.group(groups[k])
		f, ok := first[k.kind]
		if !ok {
			first[k.kind] = k
			continue
		}
		if a, b := nameList(groups[f]), nameList(groups[k]); a != b {
			c.rec.Add("HM119", c.place(groups[k][0].line), "group %q of %s has the names %s, and group %q %s",
				k.id, k.kind, b, f.id, a)
		}
	}
}

func nameList(list []*rendition) string {
	var names []string
	for _, x := range list {
		names = append(names, x.name)
	}
	sort.Strings(names)
	return strings.Join(slices.Compact(names), ", ")
}

// group checks the members of one group.
func (c *checker) group(list []*rendition) {
	names := make(map[string]int)
	selected := make(map[string]int)
	standard := 0
	for _, x := range list {
		p := c.place(x.line)
		if line, ok := names[x.name]; ok {
			c.rec.Add("HM117", p, "the NAME %q is in line %d too", x.name, line)
			continue
		}
		names[x.name] = x.line
		if x.attrs.get("DEFAULT") == "YES" {
			if standard > 0 {
				c.rec.Add("HM118", p, "DEFAULT is YES in line %d too", standard)
			}
			standard = x.line
		}
		if x.attrs.get("AUTOSELECT") != "YES" {
			continue
		}
		var parts []string
		for _, name := range []string{"LANGUAGE", "ASSOC-LANGUAGE", "FORCED", "CHARACTERISTICS"} {
			parts = append(parts, x.attrs.get(name))
		}
		k := strings.ToLower(strings.Join(parts, "\x00"))
		if line, ok := selected[k]; ok {
			c.rec.Add("HM120", p, "LANGUAGE, ASSOC-LANGUAGE, FORCED and CHARACTERISTICS are those of line %d", line)
		}
		selected[k] = x.line
	}
}

// references checks that groups exist, and that they are used.
func (c *checker) references(m *master) {
	have := make(map[groupKey]int)
	for _, x := range m.renditions {
		if k := (groupKey{x.kind, x.group}); have[k] == 0 {
			have[k] = x.line
		}
	}
	used := make(map[groupKey]bool)
	played := false
	for _, v := range m.variants {
		played = played || !v.iframes
		for _, kind := range groupAttrs {
			a, ok := v.attrs.lookup(kind)
			if !ok || !a.quoted || v.iframes && kind != "VIDEO" {
				continue
			}
			k := groupKey{kind, a.value}
			used[k] = true
			if have[k] == 0 {
				c.rec.Add("HM111", c.place(v.line), "%s is %q, and there is no EXT-X-MEDIA of that group and type",
					kind, a.value)
			}
		}
	}
	for _, x := range m.renditions {
		if k := (groupKey{x.kind, x.group}); !used[k] && have[k] == x.line && played {
			c.rec.Add("HM130", c.place(x.line), "no variant names group %q of %s", x.group, x.kind)
		}
	}
}

// variants checks variants among one another.
func (c *checker) variants(m *master) {
	count, video, iframes, withAAC, withAudio := 0, 0, 0, 0, 0
	seen := make(map[string]int)
	for _, v := range m.variants {
		if v.iframes {
			iframes++
			continue
		}
		count++
		if v.hasVideo() {
			video++
			c.videoAttrs(v)
		}
		for _, s := range v.codecs {
			switch name, _, _ := strings.Cut(s, "."); name {
			case "mp4a":
				withAAC++
			case "ac-3", "ec-3", "ac-4", "fLaC", "Opus", "opus":
				withAudio++
			}
		}
		if !v.attrs.has("AVERAGE-BANDWIDTH") {
			c.rec.Add("HM108", c.place(v.line), "there is no AVERAGE-BANDWIDTH")
		}
		k := v.uri
		for _, name := range []string{"AUDIO", "SUBTITLES", "VIDEO", "PATHWAY-ID"} {
			k += "\x00" + v.attrs.get(name)
		}
		if line, ok := seen[k]; ok && v.uri != "" {
			c.rec.Add("HM128", c.place(v.line), "the variant of line %d has the same URI and groups", line)
		}
		seen[k] = v.line
	}
	if count == 0 {
		c.rec.Add("HM101", c.place(0), "there is no EXT-X-STREAM-INF")
	}
	if video > 0 && iframes == 0 {
		c.rec.Add("HM124", c.place(0), "there is no EXT-X-I-FRAME-STREAM-INF")
	}
	if withAudio > 0 && withAAC == 0 {
		c.rec.Add("HM132", c.place(0), "there is audio, and none of it is AAC")
	}
	c.captions(m)
	c.masterProfile(m)
}

// videoAttrs checks what a variant with video says.
func (c *checker) videoAttrs(v *variant) {
	for _, rule := range []struct{ id, name string }{
		{"HM106", "RESOLUTION"}, {"HM107", "FRAME-RATE"}, {"HM109", "CLOSED-CAPTIONS"},
	} {
		if !v.attrs.has(rule.name) {
			c.rec.Add(rule.id, c.place(v.line), "there is no %s", rule.name)
		}
	}
}

// captions checks that CLOSED-CAPTIONS=NONE holds for all variants or none.
func (c *checker) captions(m *master) {
	var none, other *variant
	for _, v := range m.variants {
		if a, ok := v.attrs.lookup("CLOSED-CAPTIONS"); ok && !a.quoted && !v.iframes {
			if a.value != "NONE" {
				c.rec.Add("HP113", c.place(v.line), "CLOSED-CAPTIONS is %s without quotes, and should be NONE", a.value)
				return
			}
			none = v
		} else if ok && !v.iframes {
			other = v
		}
	}
	if none != nil && other != nil {
		c.rec.Add("HM112", c.place(max(none.line, other.line)), "CLOSED-CAPTIONS is NONE in line %d, and not in line %d",
			none.line, other.line)
	}
}
