package access

// ParseGrant is for fuzzing what only who knows the key can reach.
var ParseGrant = parseGrant

// CheckPath is for the rules of systems that the test does not run on.
var CheckPathOn = checkPath

// CacheLen returns how many values caches have, of the given type.
func (b *Basic) CacheLen() int    { return b.cached.len() }
func (h *Hook) CacheLen() int     { return h.cached.len() }
func (a *Attempts) CacheLen() int { return a.addresses.len() }
func (s *Signed) CacheLen() int   { return s.cached.len() }

// UnknownHash is what passwords of unknown users are compared with.
func (b *Basic) UnknownHash() []byte { return b.unknown }
