package playlist

import (
	"context"
	"time"
)

// MediaRSS is RSS 2.0 with the Media RSS elements of version 1.5.1: an item per entry with its URL as enclosure and as
// media:content, whose duration is in whole seconds. Rules are in the element of [RulesNamespace]. The length of an
// enclosure is 0, as sizes are not known.
type MediaRSS struct{}

// ContentType implements [Format].
func (MediaRSS) ContentType() string { return "application/rss+xml" }

// Append implements [Format].
func (MediaRSS) Append(_ context.Context, dst []byte, l *Listing) ([]byte, error) {
	dst = append(dst, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+
		`<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/">`+"\n  <channel>\n"...)
	title := l.Title
	if title == "" {
		title = "Playlist"
	}
	// RSS requires a description. That of the playlist is a note of the administrator, so it is the title again.
	dst = appendElement(dst, "    ", "title", title)
	dst = appendElement(dst, "    ", "link", l.URL)
	dst = appendElement(dst, "    ", "description", title)
	if !l.Modified.IsZero() {
		dst = appendElement(dst, "    ", "lastBuildDate", l.Modified.UTC().Format(time.RFC1123Z))
	}
	for i := range l.Items {
		dst = appendRSSItem(dst, l, &l.Items[i])
	}
	return append(dst, "  </channel>\n</rss>\n"...), nil
}

func appendRSSItem(dst []byte, l *Listing, it *Item) []byte {
	dst = append(dst, "    <item>\n"...)
	title := it.Title
	if title == "" {
		title = "Entry " + it.ID
	}
	dst = appendElement(dst, "      ", "title", title)
	// The URL of an entry is another in each session, so what identifies it is its place in the playlist.
	dst = append(dst, `      <guid isPermaLink="false">`...)
	dst = appendXML(dst, l.URL+"#"+it.ID)
	dst = append(dst, "</guid>\n"...)

	enclosed := it.MediaType
	if enclosed == "" {
		enclosed = "application/octet-stream" // RSS requires a type
	}
	dst = append(dst, "      <enclosure"...)
	dst = appendAttribute(dst, "url", it.URL)
	dst = appendAttribute(dst, "length", "0")
	dst = appendAttribute(dst, "type", enclosed)
	dst = append(dst, "/>\n      <media:content"...)
	dst = appendAttribute(dst, "url", it.URL)
	dst = appendAttribute(dst, "type", it.MediaType)
	if it.Duration > 0 {
		dst = appendAttribute(dst, "duration", lineSeconds(it.Duration))
	}
	dst = append(dst, "/>\n"...)
	dst = appendRules(dst, "      ", it)
	return append(dst, "    </item>\n"...)
}
