package smooth

import "context"

// FilterSet applies the filters that requests ask for. It remembers a bounded number of results, so a variety of
// filters made up by clients does not grow memory. It is safe for concurrent use.
type FilterSet struct {
	named func(name string) (Filter, bool)
	cache *filterCache
}

// NewFilterSet returns a set with the application's named filters, which named finds; nil means none. remember is
// the number of results to keep; zero means [DefaultRememberedFilters].
func NewFilterSet(named func(name string) (Filter, bool), remember int) *FilterSet {
	if remember <= 0 {
		remember = DefaultRememberedFilters
	}
	return &FilterSet{named: named, cache: newFilterCache(remember)}
}

// Apply returns the part of p that the request asks for: p itself if it asks for all of it, else what
// [NewFiltered] returns, with the same errors and those of [ParseFilters]. A composite manifest itself is not filtered.
func (fs *FilterSet) Apply(ctx context.Context, p Presentation, req *Request) (Presentation, error) {
	if req.Kind == CompositeRequest {
		return p, nil
	}
	filters, err := ParseFilters(req.Options, req.RawQuery, fs.named)
	switch {
	case err != nil:
		return nil, err
	case len(filters) == 0:
		return p, nil
	}
	return filter(ctx, p, newFilterChain(filters), fs.cache)
}
