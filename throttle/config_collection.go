package throttle

import (
	"slices"
	"strings"
)

// entry is one of a collection.
type entry[T any] struct {
	value T
	key   string
	at    position // zero if it is inherited from outside of the document
	// builtin is a default that nobody wrote, which an add replaces.
	builtin bool
	gone    bool
	// layer is the number of the section that it is from.
	layer int
}

// collection is a list with unique keys that sections inherit and change.
type collection[T any] struct {
	entries []entry[T]
	index   map[string]int // of those that are not gone, by key
	stated  bool           // somebody said what is in it
}

// newCollection returns a collection of inherited values.
func newCollection[T any](values []T, key func(T) string, builtin bool) *collection[T] {
	c := &collection[T]{index: make(map[string]int, len(values)), stated: !builtin && values != nil}
	for _, v := range values {
		c.put(entry[T]{value: v, key: strings.ToLower(key(v)), builtin: builtin})
	}
	return c
}

// clone returns a copy without the entries that are gone.
func (c *collection[T]) clone() *collection[T] {
	d := &collection[T]{entries: make([]entry[T], 0, len(c.index)), index: make(map[string]int, len(c.index)), stated: c.stated}
	for _, e := range c.entries {
		if !e.gone {
			d.put(e)
		}
	}
	return d
}

func (c *collection[T]) put(e entry[T]) {
	c.index[e.key] = len(c.entries)
	c.entries = append(c.entries, e)
}

// add puts an entry, or returns the one that is there already.
func (c *collection[T]) add(e entry[T]) (there *entry[T]) {
	e.key = strings.ToLower(e.key)
	if i, ok := c.index[e.key]; ok {
		if !c.entries[i].builtin {
			return &c.entries[i]
		}
		c.entries[i].gone = true
	}
	c.put(e)
	return nil
}

// remove tells whether the entry was there.
func (c *collection[T]) remove(key string) bool {
	key = strings.ToLower(key)
	i, ok := c.index[key]
	if ok {
		c.entries[i].gone = true
		delete(c.index, key)
	}
	return ok
}

func (c *collection[T]) clear() {
	c.entries, c.index = nil, make(map[string]int)
}

// live returns the entries that are not gone.
func (c *collection[T]) live() []entry[T] {
	return slices.DeleteFunc(slices.Clone(c.entries), func(e entry[T]) bool { return e.gone })
}

// collectionReader knows the elements of a collection.
type collectionReader[T any] struct {
	// key is the name of the attribute that is the key.
	key string
	// known tells whether an entry exists in IIS that need not exist here, by key. It may be nil.
	known func(key string) bool
	// read returns an entry and its key.
	read func(el *element) (v T, key attribute, ok bool)
}

// change applies what is in an element of a section to a copy of a collection.
func change[T any](b *configBuilder, el *element, c *collection[T], r collectionReader[T]) *collection[T] {
	b.noAttributes(el)
	if len(el.children) == 0 {
		return c
	}
	c = c.clone()
	b.grow(el.at, len(c.entries)+len(el.children))
	for _, child := range el.children {
		switch {
		case child.is("clear"):
			b.noAttributes(child)
			c.clear()
		case child.is("remove"):
			key, ok := b.removal(child, r.key)
			if ok && !c.remove(key) && (r.known == nil || !r.known(key)) {
				b.log.warn(child.at, "%s: there is none to remove", child.label())
			}
		case child.is("add"):
			v, key, ok := r.read(child)
			if !ok {
				continue
			}
			there := c.add(entry[T]{value: v, key: key.value, at: child.at, layer: b.layer})
			if there != nil {
				b.duplicate(child, key, there.at, there.layer != b.layer)
			}
		default:
			b.unknown(el, child)
			continue
		}
		c.stated = true
	}
	return c
}
