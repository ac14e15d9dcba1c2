package playlist

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// listing is a Listing that is made for one request; its memory is used again.
type listing struct {
	Listing
	text []byte // of all IDs and URLs
	ends []int  // where each of them ends in text
}

var listings = sync.Pool{New: func() any { return new(listing) }}

// listing makes what a format shows. All IDs and URLs are parts of one string.
func (h *Handler) listing(r *http.Request, s *shown) *listing {
	p, base := s.v.list, h.base(r, s.name)
	l := listings.Get().(*listing)
	l.Listing = Listing{
		URL: base, Title: p.Title, ExtraParam: p.ExtraParam, Modified: p.Modified, Items: slices.Grow(l.Items[:0], len(p.Entries))[:len(p.Entries)],
	}
	u := h.entryURLs(base, s)
	l.text, l.ends = l.text[:0], l.ends[:0]
	for i := range p.Entries {
		start := len(l.text)
		l.text = s.parent.append(l.text)
		if len(s.parent) > 0 {
			l.text = append(l.text, '.')
		}
		l.text = strconv.AppendInt(l.text, int64(i+1), 10)
		end := len(l.text)
		l.text = u.append(l.text, &p.Entries[i], l.text[start:end])
		l.ends = append(l.ends, end, len(l.text))
	}
	text, at := string(l.text), 0
	for i := range p.Entries {
		e, id, end := &p.Entries[i], l.ends[2*i], l.ends[2*i+1]
		l.Items[i] = Item{
			ID: text[at:id], URL: text[id:end], Title: e.Title, ExtraParam: e.ExtraParam, NoSeek: e.NoSeek, NoSkipForward: e.NoSkipForward,
			NoSkipBack: e.NoSkipBack, Duration: e.Duration, Role: e.Role, MediaType: mediaTypeOf(e),
		}
		at = end
	}
	if len(s.parent) == 0 && h.stitched != nil && hasPresentation(p) {
		l.Stitched = u.below + stitchedName + u.manifest
	}
	return l
}

// entryURLs are the parts of the URLs of entries of one list, which only differ in IDs.
type entryURLs struct {
	prefix   string // up to the ID
	format   string // behind the ID of what may be a list itself: the one that was asked for
	below    string // up to the name of a presentation
	manifest string // behind it
	// presentations says that there are such.
	presentations bool
}

func (h *Handler) entryURLs(base string, s *shown) entryURLs {
	d := h.opts.Delimiter
	riding, first := h.rideAlong(s.query, "?", d), "?"
	if riding != "" {
		first = d
	}
	u := entryURLs{prefix: base + riding + first + "sessionId=" + s.session + d + "entryId=", presentations: h.stitched != nil}
	if s.asked != "" {
		u.format = d + "format=" + escapeName(s.asked)
	}
	if u.presentations {
		u.below = base + "/" + s.session + "/"
		u.manifest = h.manifestOf(s.formatName) + h.rideAlong(s.query, "?", "&")
	}
	return u
}

// append appends the URL of an entry. One that is a presentation is asked for by its manifest, below the playlist; one
// that may be a list itself in the format of this one. The ID may be a part of dst.
func (u *entryURLs) append(dst []byte, e *Entry, id []byte) []byte {
	if u.presentations && isPresentation(e) {
		dst = append(append(dst, u.below...), id...)
		return append(append(dst, ".ism"...), u.manifest...)
	}
	dst = append(append(dst, u.prefix...), id...)
	if u.format != "" && mayBeList(e) {
		dst = append(dst, u.format...)
	}
	return dst
}
