package playlist

import (
	"context"
	"strconv"
)

// XSPF is the XML Shareable Playlist Format, version 1: a track per item, its length in milliseconds. Rules are in an
// extension of the track that is called by [RulesNamespace] and has its element. See the XSPF specification version 1,
// section 4.
type XSPF struct{}

// ContentType implements [Format].
func (XSPF) ContentType() string { return "application/xspf+xml" }

// Append implements [Format].
func (XSPF) Append(_ context.Context, dst []byte, l *Listing) ([]byte, error) {
	dst = append(dst, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<playlist version="1" xmlns="http://xspf.org/ns/0/">`+"\n"...)
	dst = appendElement(dst, "  ", "title", l.Title)
	dst = appendElement(dst, "  ", "location", l.URL)
	dst = appendElement(dst, "  ", "date", isoTime(l.Modified))
	dst = append(dst, "  <trackList>\n"...)
	for i := range l.Items {
		dst = appendTrack(dst, &l.Items[i])
	}
	return append(dst, "  </trackList>\n</playlist>\n"...), nil
}

func appendTrack(dst []byte, it *Item) []byte {
	dst = append(dst, "    <track>\n"...)
	dst = appendElement(dst, "      ", "location", it.URL)
	dst = appendElement(dst, "      ", "title", it.Title)
	if it.Duration > 0 {
		dst = appendElement(dst, "      ", "duration", strconv.FormatInt(it.Duration.Milliseconds(), 10))
	}
	if it.Role != "" || it.locked() {
		dst = append(dst, `      <extension application="`+RulesNamespace+`">`+"\n"...)
		dst = appendRules(dst, "        ", it)
		dst = append(dst, "      </extension>\n"...)
	}
	return append(dst, "    </track>\n"...)
}
