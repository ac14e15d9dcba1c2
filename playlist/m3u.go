package playlist

import "context"

// M3U8 is a plain list of URLs in UTF-8, each after a line #EXTINF with its duration in whole seconds, -1 if unknown, and
// its title. It is what media players read as a list of files, not an HLS media playlist: it has none of the tags of
// RFC 8216 but those two. The list's title is in a line #PLAYLIST. There is no form for rules; the server enforces
// them all the same.
type M3U8 struct{}

// ContentType implements [Format]. It is not the type of HLS, which browsers would hand to their HLS players.
func (M3U8) ContentType() string { return "audio/x-mpegurl" }

// Append implements [Format].
func (M3U8) Append(_ context.Context, dst []byte, l *Listing) ([]byte, error) {
	dst = append(dst, "#EXTM3U\n"...)
	if title := lineText(l.Title); title != "" {
		dst = append(dst, "#PLAYLIST:"+title+"\n"...)
	}
	for i := range l.Items {
		it := &l.Items[i]
		dst = append(dst, "#EXTINF:"+lineSeconds(it.Duration)+","+lineText(it.Title)+"\n"+lineURL(it.URL)+"\n"...)
	}
	return dst, nil
}
