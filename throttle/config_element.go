package throttle

import (
	"errors"
	"fmt"
	"strings"
)

// attributes calls set for each attribute, its name in lower case, and tells whether all was well. Those that set does
// not know are read over with a warning.
func (b *configBuilder) attributes(el *element, set func(name string, a attribute) (known bool, err error)) bool {
	ok := true
	seen := make(map[string]position, len(el.attrs))
	for _, a := range el.attrs {
		name := strings.ToLower(a.name)
		if at, twice := seen[name]; twice {
			b.log.failAttribute(el, a, fmt.Errorf("there is one at %v already", at))
			ok = false
			continue
		}
		seen[name] = a.at
		known, err := set(name, a)
		switch {
		case err != nil:
			b.log.failAttribute(el, a, err)
			ok = false
		case !known && !isDelegation(name):
			b.log.warn(a.at, "%s: attribute %s is not known", el.label(), shorten(a.name))
		}
	}
	return ok
}

// isDelegation tells whether an attribute, its name in lower case, says something about who may change what, which
// every element of IIS's configuration may have; or is a namespace.
func isDelegation(name string) bool {
	switch name {
	case "lockattributes", "lockallattributesexcept", "lockelements", "lockallelementsexcept", "lockitem", "xmlns":
		return true
	}
	return strings.HasPrefix(name, "xmlns:")
}

// noAttributes is for elements that have none.
func (b *configBuilder) noAttributes(el *element) {
	b.attributes(el, func(string, attribute) (bool, error) { return false, nil })
}

// unknown is about a child that its parent does not have.
func (b *configBuilder) unknown(el, child *element) {
	b.log.warn(child.at, "%s: element %s is not known", el.label(), shorten(child.name))
}

// removal reads the key of what is to be removed.
func (b *configBuilder) removal(el *element, key string) (value string, ok bool) {
	ok = b.attributes(el, func(name string, a attribute) (bool, error) {
		if name != strings.ToLower(key) {
			return false, nil
		}
		value = a.value
		return true, nil
	})
	if _, there := el.get(key); !there {
		b.log.missing(el, key)
		ok = false
	}
	return value, ok
}

// duplicate is about an entry whose key there is already, at a position or outside of the document.
func (b *configBuilder) duplicate(el *element, key attribute, there position, inherited bool) {
	err := fmt.Errorf("there is one at %v already", there)
	switch {
	case there == position{}:
		err = errors.New("there is one inherited already, which must be removed first")
	case inherited:
		err = fmt.Errorf("there is one inherited from %v already, which must be removed first", there)
	}
	b.log.failAttribute(el, key, err)
}
