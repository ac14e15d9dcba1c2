package validate

import (
	"net/http"
	"time"
)

// Limits on what is read.
const (
	// MaxManifestSize is the largest manifest that is checked, in bytes.
	MaxManifestSize = 16 << 20
	// maxElements bounds the elements of a manifest, maxDepth their nesting and maxAttrs the attributes of one.
	maxElements = 500_000
	maxDepth    = 32
	maxAttrs    = 200
	// maxBoxes bounds the boxes of one container.
	maxBoxes = 10_000
	// maxSamples bounds the samples of one fragment.
	maxSamples = 1 << 20
	// maxPerTrack bounds the fragments read of one track; of more, so many are picked evenly.
	maxPerTrack = 100_000
)

// Options tunes a check. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Client sends the requests. Nil means a client of its own. Redirects are never followed in either case, so
	// that they can be reported.
	Client *http.Client
	// Timeout of one request including its body. Zero means 30 s.
	Timeout time.Duration
	// Concurrency is the number of tracks read at the same time. Zero means 4.
	Concurrency int
	// Sample, if positive, is the number of fragments checked per track, evenly spread, the first and the last
	// included. Zero means all that the manifest lists.
	Sample int
	// MaxFragmentSize bounds a fragment in bytes. Zero means 64 MiB.
	MaxFragmentSize int64
	// MaxPerRule bounds the violations recorded per rule. Zero means 20.
	MaxPerRule int
	// ManifestOnly leaves out fragments and the requests that probe the server.
	ManifestOnly bool
}

// withDefaults returns a copy with the defaults filled in.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 4
	}
	if c.MaxFragmentSize <= 0 {
		c.MaxFragmentSize = 64 << 20
	}
	if c.MaxPerRule <= 0 {
		c.MaxPerRule = 20
	}
	return c
}
