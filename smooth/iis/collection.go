package iis

import (
	"errors"
	"fmt"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// stated is the set of lists that a configuration has said something about. Others are defaults.
type stated uint32

const (
	statedFiles stated = 1 << iota
	statedTypes
	statedSegments
	statedExtensions
	statedSequences
	statedQueries
	statedVerbs
	statedHeaders
	statedRedirectHeaders
	statedHandlers
	statedAddresses
	statedRules
	statedGlobalRules
	statedMaps
)

// listReader knows the elements of a list with unique keys, which sections inherit and change.
type listReader[T any] struct {
	id stated
	// add is the name of the element that adds an entry, key that of the attribute that is the key.
	add, key string
	keyOf    func(T) string
	// front tells that what a section adds comes before what it inherits.
	front bool
	// read returns an entry, and false if it is wrong and was told or logged.
	read func(n *node, path string) (T, bool)
	// removed returns the key of what an element removes. Nil takes the attribute that is the key.
	removed func(n *node) (key string, ok bool)
	// required are further attributes that an entry must have, which may be empty.
	required []string
}

// listChange is a list that is being changed.
type listChange[T any] struct {
	entries []T
	gone    []bool
	index   map[string]int
	places  map[string]xmltree.Position // of what this section has added
	builtin bool                        // nobody has stated the entries that were there before
	added   int                         // where those of this section begin
}

// change applies what is in an element to a list, which is not changed. The element itself is read by the caller.
func change[T any](b *builder, s *Settings, n *node, path string, have []T, r listReader[T]) []T {
	builtin := s.stated&r.id == 0
	if builtin && b.ownPart() && hasEntries(n, r.add) {
		have = nil
	}
	if !hasEntries(n, r.add) && len(n.children) == 0 || !b.log.Grow(n.At, len(have)+len(n.children)) {
		return have
	}
	c := newListChange(have, r.keyOf, builtin)
	for _, child := range n.children {
		switch {
		case child.Is("clear"):
			child.take()
			c.entries, c.gone, c.index, c.added = nil, nil, make(map[string]int), 0
		case child.Is("remove"):
			child.take()
			if key, ok := removal(b, child, r); ok {
				c.remove(key)
			}
		case child.Is(r.add):
			addTo(b, c, child, path+"/"+r.add, r)
		default:
			continue
		}
		s.stated |= r.id
	}
	return c.result(r.front)
}

// removal returns the key of what an element removes.
func removal[T any](b *builder, n *node, r listReader[T]) (key string, ok bool) {
	if !b.require(n, r.key) {
		return "", false
	}
	if r.removed != nil {
		return r.removed(n)
	}
	a, _ := n.attr(r.key)
	return a.Value, true
}

// hasEntries tells whether an element changes a list.
func hasEntries(n *node, add string) bool {
	for _, c := range n.children {
		if c.Is(add) || c.Is("clear") || c.Is("remove") {
			return true
		}
	}
	return false
}

func newListChange[T any](have []T, keyOf func(T) string, builtin bool) *listChange[T] {
	c := &listChange[T]{
		entries: append([]T(nil), have...), gone: make([]bool, len(have)), index: make(map[string]int, len(have)),
		places: make(map[string]xmltree.Position), builtin: builtin, added: len(have),
	}
	for i, v := range have {
		c.index[strings.ToLower(keyOf(v))] = i
	}
	return c
}

func (c *listChange[T]) remove(key string) {
	key = strings.ToLower(key)
	if i, ok := c.index[key]; ok {
		c.gone[i] = true
		delete(c.index, key)
	}
}

// addTo reads an entry and adds it.
func addTo[T any](b *builder, c *listChange[T], n *node, path string, r listReader[T]) {
	n.take()
	if !b.require(n, append([]string{r.key}, r.required...)...) {
		return
	}
	v, ok := r.read(n, path)
	if !ok {
		return
	}
	key := strings.ToLower(r.keyOf(v))
	i, there := c.index[key]
	at, here := c.places[key]
	switch {
	case !there:
	case here:
		a, _ := n.attr(r.key)
		b.log.FailAttr(n.Element, a, fmt.Errorf("there is one at %v already", at))
		return
	case !c.builtin:
		a, _ := n.attr(r.key)
		b.log.FailAttr(n.Element, a, errors.New("there is one inherited already, which must be removed first"))
		return
	default:
		c.gone[i] = true
	}
	c.index[key], c.places[key] = len(c.entries), n.At
	c.entries, c.gone = append(c.entries, v), append(c.gone, false)
}

// result returns the entries that are left, with those of this section at the front or at the end.
func (c *listChange[T]) result(front bool) []T {
	list := make([]T, 0, len(c.index))
	collect := func(from, to int) {
		for i := from; i < to; i++ {
			if !c.gone[i] {
				list = append(list, c.entries[i])
			}
		}
	}
	if front {
		collect(c.added, len(c.entries))
		collect(0, c.added)
		return list
	}
	collect(0, len(c.entries))
	return list
}

// single returns the only child of a name, and fails if there are several.
func (b *builder) single(n *node, name string) *node {
	var found *node
	for _, c := range n.children {
		switch {
		case !c.Is(name):
		case found != nil:
			b.log.FailElement(c.Element, "there is one at %v already", found.At)
			c.taken, c.told = true, true
		default:
			found = c
		}
	}
	return found
}

// stringsReader reads of a list of values that have one attribute.
func stringsReader(b *builder, id stated, add, key string) listReader[string] {
	return listReader[string]{
		id: id, add: add, key: key, keyOf: func(s string) string { return s },
		read: func(n *node, _ string) (string, bool) {
			a, _ := n.attr(key)
			if a.Value == "" {
				b.log.FailAttr(n.Element, a, errors.New("empty"))
			}
			return a.Value, a.Value != ""
		},
	}
}
