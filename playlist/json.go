package playlist

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// JSON is a document of this package's own schema, for applications that have their own player:
//
//	{
//	  "version": 1,                       // of the schema; members may be added without a new version
//	  "url": "http://host/list.isx",      // the playlist
//	  "title": "Evening",
//	  "modified": "2008-09-09T16:24:37Z", // absent if unknown
//	  "stitched": "http://host/...",      // the one presentation of all entries, absent if there is none
//	  "entries": [{
//	    "id": "1",                        // its number in the session, "2.1" for one of a nested playlist
//	    "url": "http://host/...",         // what to play
//	    "title": "Ad",
//	    "type": "video/mp4",              // media type, absent if unknown
//	    "duration": 5.5,                  // seconds, absent if unknown
//	    "role": "advertisement",          // what it is for, absent if that is not said
//	    "canSeek": true,                  // seeking inside it
//	    "canSkipForward": false,          // leaving it before its end
//	    "canSkipBack": true               // returning to it, or over it to what is before it
//	  }]
//	}
//
// Characters that HTML gives a meaning are escaped, so that the document can stand in a script element.
type JSON struct{}

type jsonListing struct {
	Version  int         `json:"version"`
	URL      string      `json:"url"`
	Title    string      `json:"title"`
	Modified string      `json:"modified,omitempty"`
	Stitched string      `json:"stitched,omitempty"`
	Entries  []jsonEntry `json:"entries"`
}

type jsonEntry struct {
	ID             string  `json:"id"`
	URL            string  `json:"url"`
	Title          string  `json:"title"`
	Type           string  `json:"type,omitempty"`
	Duration       float64 `json:"duration,omitempty"`
	Role           string  `json:"role,omitempty"`
	CanSeek        bool    `json:"canSeek"`
	CanSkipForward bool    `json:"canSkipForward"`
	CanSkipBack    bool    `json:"canSkipBack"`
}

// ContentType implements [Format].
func (JSON) ContentType() string { return "application/json" }

// Append implements [Format].
func (JSON) Append(_ context.Context, dst []byte, l *Listing) ([]byte, error) {
	doc := jsonListing{
		Version: 1, URL: l.URL, Title: l.Title, Modified: isoTime(l.Modified), Stitched: l.Stitched,
		Entries: make([]jsonEntry, len(l.Items)),
	}
	for i := range l.Items {
		it := &l.Items[i]
		doc.Entries[i] = jsonEntry{
			ID: it.ID, URL: it.URL, Title: it.Title, Type: it.MediaType, Duration: max(0, it.Duration.Seconds()), Role: it.Role,
			CanSeek: !it.NoSeek, CanSkipForward: !it.NoSkipForward, CanSkipBack: !it.NoSkipBack,
		}
	}
	b := bytes.NewBuffer(dst)
	if err := json.NewEncoder(b).Encode(&doc); err != nil {
		return dst, fmt.Errorf("playlist: json: %w", err)
	}
	return b.Bytes(), nil
}
