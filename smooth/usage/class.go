package usage

import "time"

// Kind says what a request is for.
type Kind uint8

// The kinds of requests.
const (
	// Page is everything that belongs to no stream: pages, scripts, pictures, what does not exist.
	Page Kind = iota
	// Manifest is a manifest, a media playlist or a master playlist.
	Manifest
	// Segment is a fragment, a segment, an init segment or a list of key frames: media of a stream that comes in parts.
	Segment
	// Key is a key that segments are encrypted with.
	Key
	// File is a media file that is one stream by itself.
	File
	// Playlist is a list of media: an .isx and its forms.
	Playlist
	// Push is what an encoder, or another server, sends.
	Push
	// Distribution is what another server pulls from a publishing point.
	Distribution
	// Management is for operators. The default classifier knows the management services of publishing points only.
	Management
	kinds
)

// String returns the kind in lower case, as logs and counters have it.
func (k Kind) String() string {
	switch k {
	case Manifest:
		return "manifest"
	case Segment:
		return "segment"
	case Key:
		return "key"
	case File:
		return "file"
	case Playlist:
		return "playlist"
	case Push:
		return "push"
	case Distribution:
		return "distribution"
	case Management:
		return "management"
	}
	return "page"
}

// watched reports whether requests of this kind are those of viewers.
func (k Kind) watched() bool {
	switch k {
	case Manifest, Segment, Key, File, Playlist:
		return true
	}
	return false
}

// opens reports whether a viewer begins with requests of this kind, so that one that fails is a failed session.
func (k Kind) opens() bool { return k == Manifest || k == File || k == Playlist }

// Protocol is how a stream is delivered.
type Protocol uint8

// The protocols.
const (
	// Other is none of those below.
	Other Protocol = iota
	// Smooth is Smooth Streaming.
	Smooth
	// HLS is HTTP Live Streaming.
	HLS
	// DASH is MPEG-DASH.
	DASH
	// Download is a file, progressively downloaded.
	Download
	// WebPlaylist is an .isx of IIS.
	WebPlaylist
	protocols
)

// String returns the protocol in lower case, as logs and counters have it.
func (p Protocol) String() string {
	switch p {
	case Smooth:
		return "smooth"
	case HLS:
		return "hls"
	case DASH:
		return "dash"
	case Download:
		return "file"
	case WebPlaylist:
		return "playlist"
	}
	return "other"
}

// Class is what the URL of a request says about it.
type Class struct {
	// Stream is what is watched or pushed, by its path, such as /live/a.isml: all requests of one viewer for it have the
	// same. It is empty for what belongs to no stream.
	Stream string
	Kind   Kind
	// Protocol of the stream.
	Protocol Protocol
	// Bitrate of the quality level in bit/s, zero if the URL does not tell.
	Bitrate int64
	// MediaTime is where in the stream the requested part begins, if Timed says that it is known.
	MediaTime time.Duration
	Timed     bool
	// Live says that the stream is a live one.
	Live bool

	// part says that Stream is just the directory of the file, so that the viewer may be one of a directory above.
	part bool
}

// repair makes of a class that somebody else has made one that can be counted.
func (c *Class) repair() {
	if c.Kind >= kinds {
		c.Kind = Page
	}
	if c.Protocol >= protocols {
		c.Protocol = Other
	}
	c.Bitrate, c.MediaTime = max(c.Bitrate, 0), max(c.MediaTime, 0)
}
