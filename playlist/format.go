package playlist

import (
	"context"
	"time"
)

// Format shows a playlist in one document format. It is safe for concurrent use.
type Format interface {
	// ContentType returns the media type of its documents.
	ContentType() string
	// Append appends the document of a listing. It must escape whatever the format needs: nothing in a listing is, but
	// ExtraParam, which is markup of ASX.
	Append(ctx context.Context, dst []byte, l *Listing) ([]byte, error)
}

// Listing is a playlist as one client is shown it: with URLs of its session in the place of sources. It must not be
// changed or kept by a format.
type Listing struct {
	// URL is the absolute URL of the playlist without its query.
	URL string
	// Title, ExtraParam and Modified are those of the [Playlist].
	Title, ExtraParam string
	Modified          time.Time
	Items             []Item
	// Stitched is the URL of the one presentation of all items, empty if there is none.
	Stitched string
}

// Item is one entry of a [Listing].
type Item struct {
	// ID is the entry's number in its session, counted from 1; that of an entry of a nested playlist begins with the
	// ID of the entry that it is nested in, as in "2.1".
	ID string
	// URL is the absolute URL that the client is to play.
	URL string
	// Title, ExtraParam, NoSeek, NoSkipForward, NoSkipBack, Duration and Role are those of the [Entry].
	Title, ExtraParam                 string
	NoSeek, NoSkipForward, NoSkipBack bool
	Duration                          time.Duration // zero if unknown
	Role                              string
	// MediaType is that of the content, such as "video/x-ms-wmv", empty if unknown.
	MediaType string
}
