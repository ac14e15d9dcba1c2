package iisconfig

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// Entry is one of a [Collection].
type Entry[T any] struct {
	Value T
	// At and Layer are the place and the number of the section that it is from. They are zero if it is inherited from
	// outside of the document.
	At    xmltree.Position
	Layer int

	key string
	// builtin is a default that nobody wrote, which an add replaces.
	builtin bool
	gone    bool
}

// Collection is a list with unique keys, in any case, that sections inherit and change.
type Collection[T any] struct {
	entries []Entry[T]
	index   map[string]int // of those that are not gone, by key
	stated  bool
}

// NewCollection returns a collection of inherited values, which an add replaces if they are built in. Nil values are
// those that nobody has stated.
func NewCollection[T any](values []T, key func(T) string, builtin bool) *Collection[T] {
	c := &Collection[T]{index: make(map[string]int, len(values)), stated: !builtin && values != nil}
	for _, v := range values {
		c.put(Entry[T]{Value: v, key: strings.ToLower(key(v)), builtin: builtin})
	}
	return c
}

// All yields the entries in order.
func (c *Collection[T]) All() iter.Seq[Entry[T]] {
	return func(yield func(Entry[T]) bool) {
		for _, e := range c.entries {
			if !e.gone && !yield(e) {
				return
			}
		}
	}
}

// Values returns the values in a slice of its own, nil if there are none.
func (c *Collection[T]) Values() []T {
	var list []T
	for e := range c.All() {
		list = append(list, e.Value)
	}
	return list
}

// Get returns the value of a key, in any case.
func (c *Collection[T]) Get(key string) (v T, ok bool) {
	i, ok := c.index[strings.ToLower(key)]
	if ok {
		v = c.entries[i].Value
	}
	return v, ok
}

// Len returns the number of values.
func (c *Collection[T]) Len() int { return len(c.index) }

// Stated tells whether somebody has said what is in it, be it nothing.
func (c *Collection[T]) Stated() bool { return c.stated }

func (c *Collection[T]) clone() *Collection[T] {
	d := &Collection[T]{
		entries: make([]Entry[T], 0, len(c.index)), index: make(map[string]int, len(c.index)), stated: c.stated,
	}
	for e := range c.All() {
		d.put(e)
	}
	return d
}

func (c *Collection[T]) clear() { c.entries, c.index = nil, make(map[string]int) }

func (c *Collection[T]) put(e Entry[T]) {
	c.index[e.key] = len(c.entries)
	c.entries = append(c.entries, e)
}

// add puts an entry, or returns the one that is there already.
func (c *Collection[T]) add(e Entry[T]) (there *Entry[T]) {
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
func (c *Collection[T]) remove(key string) bool {
	key = strings.ToLower(key)
	i, ok := c.index[key]
	if ok {
		c.entries[i].gone = true
		delete(c.index, key)
	}
	return ok
}

// CollectionReader knows the elements of a collection.
type CollectionReader[T any] struct {
	// Add is the name of the element that adds an entry, Key that of the attribute that is the key.
	Add, Key string
	// Layer is the number of the section that is being read.
	Layer int
	// Read returns an entry, and false if it is wrong and was logged. Required attributes are there.
	Read     func(el *xmltree.Element) (v T, ok bool)
	Required []string
	// Deep tells that entries have children, which Read looks at.
	Deep bool
	// Known tells whether IIS comes with an entry of a key that need not be here, so that it may be removed. Nil knows
	// none.
	Known func(key string) bool
}

// Change applies what is in an element of a section to a copy of a collection.
func Change[T any](l *Log, el *xmltree.Element, c *Collection[T], r CollectionReader[T]) *Collection[T] {
	l.NoAttributes(el)
	if len(el.Children) == 0 || !l.Grow(el.At, len(c.entries)+len(el.Children)) {
		return c
	}
	c = c.clone()
	for _, child := range el.Children {
		switch {
		case child.Is("clear"):
			l.NoAttributes(child)
			c.clear()
		case child.Is("remove"):
			key, ok := removal(l, child, r.Key)
			if ok && !c.remove(key) && (r.Known == nil || !r.Known(key)) {
				l.Warn(child.At, "%s: there is none to remove", l.Label(child))
			}
		case child.Is(r.Add):
			r.addTo(l, c, child)
		default:
			l.Unknown(el, child)
			continue
		}
		c.stated = true
		if !r.Deep || !child.Is(r.Add) {
			l.NoChildren(child)
		}
	}
	return c
}

func (r CollectionReader[T]) addTo(l *Log, c *Collection[T], el *xmltree.Element) {
	required := l.Require(el, append([]string{r.Key}, r.Required...)...)
	v, ok := r.Read(el)
	if !required || !ok {
		return
	}
	key, _ := el.GetFold(r.Key)
	if key.Value == "" {
		l.FailAttr(el, key, errors.New("empty"))
		return
	}
	there := c.add(Entry[T]{Value: v, key: key.Value, At: el.At, Layer: r.Layer})
	if there == nil {
		return
	}
	err := fmt.Errorf("there is one at %v already", there.At)
	switch {
	case there.At == xmltree.Position{}:
		err = errors.New("there is one inherited already, which must be removed first")
	case there.Layer != r.Layer:
		err = fmt.Errorf("there is one inherited from %v already, which must be removed first", there.At)
	}
	l.FailAttr(el, key, err)
}

// removal reads the key of what is to be removed.
func removal(l *Log, el *xmltree.Element, key string) (value string, ok bool) {
	ok = l.Attributes(el, func(name string, a xmltree.Attr) (bool, error) {
		if name != strings.ToLower(key) {
			return false, nil
		}
		value = a.Value
		return true, nil
	})
	return value, l.Require(el, key) && ok
}
