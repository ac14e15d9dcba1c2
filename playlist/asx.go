package playlist

import (
	"context"
	"time"
)

// ASX is the format that IIS answers with unless another is asked for, a Windows Media metafile.
//
//	Listing.Title                     TITLE of ASX
//	Listing.Modified                  PARAM LastModified of ASX, in UTC
//	Listing.ExtraParam                children of ASX, as they are
//	Item.NoSeek and the other rules   PARAM CANSKIPFORWARD, CANSKIPBACK, CANSEEK of ENTRY with the value NO;
//	                                  instead of these CLIENTSKIP="NO" on ENTRY if all three are set
//	Item.Title                        TITLE of ENTRY
//	Item.URL                          REF
//	Item.ExtraParam                   children of ENTRY, as they are
//
// ExtraParam is trusted markup of the operator, but where [CheckMarkup] refuses it, it is left out: without an AUTHOR a
// list plays, with a broken one it does not. A document that is not in ASCII has a PARAM Encoding, which IIS did not
// write. It begins with the four bytes <ASX, as players need it: nothing may be before it.
//
// See "ASX Output" in the documentation of IIS Web Playlists, and the Windows Media Metafile Elements Reference.
type ASX struct{}

// ContentType returns the media type that Windows Media Player has had for metafiles from the beginning.
func (ASX) ContentType() string { return "video/x-ms-asf" }

// Append implements [Format]. It returns no errors.
func (ASX) Append(_ context.Context, dst []byte, l *Listing) ([]byte, error) {
	dst = append(dst, `<ASX VERSION="3.0">`+"\n"...)
	if !isPlainListing(l) {
		dst = append(dst, `    <PARAM NAME="Encoding" VALUE="utf-8" />`+"\n"...)
	}
	dst = appendASXTitle(dst, "    ", l.Title)
	if !l.Modified.IsZero() {
		dst = append(dst, `    <PARAM NAME="LastModified" VALUE="`...)
		dst = l.Modified.UTC().AppendFormat(dst, time.RFC3339)
		dst = append(dst, "\" />\n"...)
	}
	dst = appendMarkup(dst, "    ", l.ExtraParam)
	for i := range l.Items {
		dst = appendASXEntry(dst, &l.Items[i])
	}
	return append(dst, "</ASX>\n"...), nil
}

// isPlainListing tells whether the document is in ASCII.
func isPlainListing(l *Listing) bool {
	plain := isPlain(l.Title) && isPlain(l.ExtraParam)
	for i := 0; plain && i < len(l.Items); i++ {
		it := &l.Items[i]
		plain = isPlain(it.Title) && isPlain(it.URL) && isPlain(it.ExtraParam)
	}
	return plain
}

func appendASXTitle(dst []byte, indent, title string) []byte {
	if title == "" {
		return dst
	}
	dst = append(append(dst, indent...), "<TITLE>"...)
	dst = appendEscaped(dst, title, "&apos;")
	return append(dst, "</TITLE>\n"...)
}

func appendMarkup(dst []byte, indent, markup string) []byte {
	if markup == "" {
		return dst
	}
	if _, reason := checkMarkup(markup); reason != "" {
		return dst
	}
	return append(append(append(dst, indent...), markup...), '\n')
}

func appendASXEntry(dst []byte, it *Item) []byte {
	if it.NoSeek && it.NoSkipForward && it.NoSkipBack {
		dst = append(dst, `    <ENTRY CLIENTSKIP="NO">`+"\n"...)
	} else {
		dst = append(dst, "    <ENTRY>\n"...)
		dst = appendASXRule(dst, "CANSKIPFORWARD", it.NoSkipForward)
		dst = appendASXRule(dst, "CANSKIPBACK", it.NoSkipBack)
		dst = appendASXRule(dst, "CANSEEK", it.NoSeek)
	}
	dst = appendASXTitle(dst, "        ", it.Title)
	dst = append(dst, `        <REF HREF="`...)
	dst = appendEscaped(dst, it.URL, "&apos;")
	dst = append(dst, "\" />\n"...)
	dst = appendMarkup(dst, "        ", it.ExtraParam)
	return append(dst, "    </ENTRY>\n"...)
}

func appendASXRule(dst []byte, name string, set bool) []byte {
	if !set {
		return dst
	}
	dst = append(append(dst, `        <PARAM NAME="`...), name...)
	return append(dst, `" VALUE="NO" />`+"\n"...)
}
