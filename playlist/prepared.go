package playlist

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"
)

// version is a playlist as it was when a session began.
type version struct {
	list   *Playlist
	digest string // of its content
	// locked says that an entry of the list has a rule, so that progress has to be kept while bytes are sent.
	locked bool
}

// maxVersions is the number of versions that a handler remembers; those that are used least are made again.
const maxVersions = 8192

// prepared remembers versions, by the list that a provider returned and by digest. It is two generations of maps, of
// which the older is dropped when the newer is full.
type prepared struct {
	mu       sync.Mutex // guards the fields below
	byList   map[*Playlist]*version
	byDigest map[string]*version
	oldList  map[*Playlist]*version
	oldBy    map[string]*version
}

// of returns the version of a list.
func (c *prepared) of(p *Playlist) *version {
	c.mu.Lock()
	v := c.byList[p]
	if v == nil {
		if v = c.oldList[p]; v != nil {
			c.keep(p, v)
		}
	}
	c.mu.Unlock()
	if v != nil {
		return v
	}
	digest := digestOf(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if v = c.find(digest); v == nil { // another value with the same content, as after a reload
		v = newVersion(p, digest)
	}
	c.keep(p, v)
	return v
}

// with returns the version of a digest, or nil.
func (c *prepared) with(digest string) *version {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(digest)
}

// find is with, and makes the version young again. mu must be held.
func (c *prepared) find(digest string) *version {
	if v := c.byDigest[digest]; v != nil {
		return v
	}
	v := c.oldBy[digest]
	if v != nil {
		c.keep(nil, v)
	}
	return v
}

// keep remembers a version. mu must be held.
func (c *prepared) keep(p *Playlist, v *version) {
	if c.byDigest == nil || len(c.byDigest) >= maxVersions/2 || len(c.byList) >= maxVersions/2 {
		c.oldList, c.oldBy = c.byList, c.byDigest
		c.byList, c.byDigest = make(map[*Playlist]*version), make(map[string]*version)
	}
	c.byDigest[v.digest] = v
	if p != nil {
		c.byList[p] = v
	}
}

func newVersion(p *Playlist, digest string) *version {
	v := &version{list: p, digest: digest}
	for i := range p.Entries {
		v.locked = v.locked || p.Entries[i].Locked()
	}
	return v
}

// digestOf returns a name for the content of a playlist: 128 bits in the alphabet of URLs.
func digestOf(p *Playlist) string {
	copied := *p
	copied.Warnings = nil
	data, err := json.Marshal(&copied)
	if err != nil { // a time outside the years of RFC 3339
		copied.Modified = time.Time{}
		data, _ = json.Marshal(&copied)
	}
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
