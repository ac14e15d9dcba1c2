package access

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Router gives parts of a server policies of their own, by path. Of the parts that contain the path of a request only
// that with the longest path counts: its policy replaces those of the parts around it, nothing is merged, as in Windows
// Media Services. Case does not count, since file systems of Windows and macOS find the same file either way; what may
// be the same file must not have two policies. It is safe for concurrent use.
type Router struct {
	parts map[string]Resolver // by folded path without slash at the end
}

// NewRouter returns a router for parts: by path, such as "/" for everything and "/live/event.isml" for a publishing
// point and all below it. A request outside all parts is refused. The error wraps [ErrOptions]: a path that does not
// begin with a slash, is ambiguous or is there twice in another case, or a part without a policy.
func NewRouter(parts map[string]Resolver) (*Router, error) {
	ro := &Router{parts: make(map[string]Resolver, len(parts))}
	for _, path := range slices.Sorted(maps.Keys(parts)) {
		if err := checkPath(&url.URL{Path: path}, onWindows); err != nil {
			return nil, fmt.Errorf("access: part %q: %w: %w", path, err, ErrOptions)
		}
		key := fold(strings.TrimSuffix(path, "/"))
		if _, twice := ro.parts[key]; twice {
			return nil, fmt.Errorf("access: part %q is there in another form: %w", path, ErrOptions)
		}
		if parts[path] == nil {
			return nil, fmt.Errorf("access: part %q has no policy: %w", path, ErrOptions)
		}
		ro.parts[key] = parts[path]
	}
	return ro, nil
}

// Resolve returns the policy of the part that a request is in, nil if it is in none.
func (ro *Router) Resolve(r *http.Request) *Policy {
	if ro == nil {
		return nil
	}
	for path := fold(strings.TrimSuffix(r.URL.Path, "/")); ; {
		if part, ok := ro.parts[path]; ok {
			return part.Resolve(r)
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return nil
		}
		path = path[:i]
	}
}

// Roles gives viewers, encoders and operators policies of their own, which may be routers in turn. A role that has none
// is refused.
type Roles struct {
	// Viewers send GET, HEAD and OPTIONS.
	Viewers Resolver
	// Encoders send everything else.
	Encoders Resolver
	// Operators send what IsOperation is true for, in any method. A nil IsOperation is true for nothing.
	Operators   Resolver
	IsOperation func(*http.Request) bool
}

// Resolve returns the policy of the role that sends a request.
func (ro Roles) Resolve(r *http.Request) *Policy {
	role := ro.Encoders
	switch {
	case ro.IsOperation != nil && ro.IsOperation(r):
		role = ro.Operators
	case isViewing(r.Method):
		role = ro.Viewers
	}
	if role == nil {
		return nil
	}
	return role.Resolve(r)
}

// isViewing reports whether a method changes nothing.
func isViewing(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
