package playlist

import (
	"context"
	"strconv"
)

// PLS is the list of Winamp, version 2, in UTF-8: numbered keys File, Title and Length, the last in whole seconds, -1 if
// unknown. There is no form for the list's title or for rules.
type PLS struct{}

// ContentType implements [Format].
func (PLS) ContentType() string { return "audio/x-scpls" }

// Append implements [Format].
func (PLS) Append(_ context.Context, dst []byte, l *Listing) ([]byte, error) {
	dst = append(dst, "[playlist]\n"...)
	for i := range l.Items {
		it, n := &l.Items[i], strconv.Itoa(i+1)
		dst = append(dst, "File"+n+"="+lineURL(it.URL)+"\n"...)
		if title := lineText(it.Title); title != "" {
			dst = append(dst, "Title"+n+"="+title+"\n"...)
		}
		dst = append(dst, "Length"+n+"="+lineSeconds(it.Duration)+"\n"...)
	}
	return append(dst, "NumberOfEntries="+strconv.Itoa(len(l.Items))+"\nVersion=2\n"...), nil
}
