package validate

import (
	"context"
	"math"
	"net/http"
	"time"
)

// Limits on what is read.
const (
	// MaxPlaylistSize is the largest playlist that is checked, in bytes.
	MaxPlaylistSize = 16 << 20
	// maxLines bounds the lines of a playlist, maxAttrs the attributes of one tag, maxVariables the variables.
	maxLines     = 500_000
	maxAttrs     = 200
	maxVariables = 1000
	// maxLine bounds a line in bytes, before and after variables are put in.
	maxLine = 64 << 10
	// maxPlaylists bounds the playlists that one master playlist names.
	maxPlaylists = 1000
	// maxKeyFormats bounds the keys that hold for one segment.
	maxKeyFormats = 16
	// maxKeys bounds the keys of one media playlist that are fetched.
	maxKeys = 10_000
	// maxBoxes bounds the boxes of one container.
	maxBoxes = 10_000
	// maxSamples bounds the samples of one MP4 segment.
	maxSamples = 1 << 20
	// maxPIDs bounds the packet identifiers of one transport stream.
	maxPIDs = 64
)

// Profile is a set of devices whose limits are checked too.
type Profile uint8

const (
	// ProfileNone checks no limits of devices.
	ProfileNone Profile = iota
	// ProfileIIS checks what IIS Media Services documented for Apple devices: H.264 Baseline 3.0 or Main 3.1, AAC-LC
	// up to 48 kHz stereo, transport streams with segments of two seconds or more, at most 1,600 kbit/s.
	ProfileIIS
)

// Options tunes a check. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Client sends the requests. Nil means a client of its own. At most ten redirects are followed, and reported.
	Client *http.Client
	// Timeout of one request including its body. Zero means 30 s.
	Timeout time.Duration
	// Concurrency is the number of media playlists read at the same time. Zero means 4.
	Concurrency int
	// Sample, if positive, is the number of segments checked per media playlist, evenly spread, the first and the
	// last included. Zero means all. What needs all segments, such as the average bit rate, is left out then.
	Sample int
	// MaxSegmentSize bounds a segment in bytes. Zero means 64 MiB.
	MaxSegmentSize int64
	// MaxPerRule bounds the violations recorded per rule. Zero means 20.
	MaxPerRule int
	// PlaylistOnly leaves out segments, keys and the requests that probe the server. The media playlists of a master
	// playlist are still read.
	PlaylistOnly bool
	// Profile adds the limits of devices.
	Profile Profile
	// Reloads is how often each live media playlist is loaded again, half a target duration apart. Zero means never.
	Reloads int
	// Wait passes the time between two loads of a live playlist. It returns early, with the error of the context, when
	// that ends. Nil means to wait that long; a test returns at once. It is called from several goroutines.
	Wait func(ctx context.Context, d time.Duration) error
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
	if c.MaxSegmentSize <= 0 {
		c.MaxSegmentSize = 64 << 20
	}
	c.MaxSegmentSize = min(c.MaxSegmentSize, math.MaxInt64-1) // one byte more is read, to see that there is more
	if c.MaxPerRule <= 0 {
		c.MaxPerRule = 20
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	return c
}

// wait returns after d or when the context ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
