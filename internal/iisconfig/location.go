package iisconfig

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// CleanPath removes what does not matter in the path of a location: slashes at its ends, and the dot that stands for
// everything.
func CleanPath(path string) string {
	path = strings.TrimFunc(path, func(c rune) bool { return c == '/' || unicode.IsSpace(c) })
	if path == "." {
		return ""
	}
	return path
}

// PathKey is the same for equal locations, whose case does not matter.
func PathKey(path string) string { return strings.ToLower(CleanPath(path)) }

// isWithin tells whether a location is the path or contains it. Both are keys.
func isWithin(path, location string) bool {
	rest, ok := strings.CutPrefix(path, location)
	return ok && (rest == "" || location == "" || rest[0] == '/')
}

// Longest returns the index of the longest location that is a path or contains it, -1 if there is none.
func Longest[T any](locations []T, pathOf func(T) string, path string) int {
	best, length := -1, -1
	key := PathKey(path)
	for i, l := range locations {
		if k := PathKey(pathOf(l)); len(k) > length && isWithin(key, k) {
			best, length = i, len(k)
		}
	}
	return best
}

// Above returns what the nearest location around one has, nil if there is none. Keys are those of [PathKey].
func Above[T any](byKey map[string]*T, key string) *T {
	for key != "" {
		key = key[:max(strings.LastIndexByte(key, '/'), 0)]
		if v := byKey[key]; v != nil {
			return v
		}
	}
	return nil
}

// Layer is what holds in a location: what it inherits, changed by its section.
type Layer[T any] struct {
	Value T
	// At and Number are where the section is and which one it is, from 1. They are zero for what the document inherits.
	At     xmltree.Position
	Number int
}

// Layers are what holds in the locations that have sections.
type Layers[T any] struct {
	base  *Layer[T]
	byKey map[string]*Layer[T]
}

// Inherit reads sections from the server down, each into a shallow copy of what it inherits, in the end of base. That a
// location has two sections is an error.
func Inherit[T any](log *Log, base T, sections []Section, read func(l *Layer[T], s Section)) *Layers[T] {
	all := &Layers[T]{base: &Layer[T]{Value: base}, byKey: make(map[string]*Layer[T])}
	order := slices.Clone(sections)
	slices.SortStableFunc(order, func(a, b Section) int { return cmp.Compare(depth(a.Path), depth(b.Path)) })
	for _, s := range order {
		key := PathKey(s.Path)
		if l := all.byKey[key]; l != nil {
			log.FailElement(s.Element, "there is one for this location at %v already", l.At)
			continue
		}
		l := &Layer[T]{cmp.Or(Above(all.byKey, key), all.base).Value, s.At, len(all.byKey) + 1}
		all.byKey[key] = l
		read(l, s)
	}
	return all
}

// Of returns the layer of a location that has a section; what the document inherits if it has none.
func (all *Layers[T]) Of(path string) *Layer[T] { return cmp.Or(all.byKey[PathKey(path)], all.base) }

// depth is the number of names in a path.
func depth(path string) int {
	if path == "" {
		return 0
	}
	return 1 + strings.Count(path, "/")
}
