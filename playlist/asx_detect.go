package playlist

import (
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// Parse reads a playlist in any form that the package reads, which the content tells: an .isx file ([ParseISX]), or a
// metafile with or without tags ([ParseASX]). Errors are [*SyntaxError]; for anything else it wraps [ErrNotPlaylist].
func Parse(data []byte) (*Playlist, error) {
	var warn warnings
	text, err := asxString(data, &warn)
	if err != nil {
		return nil, err
	}
	if isReferenceFile(text) {
		return ParseASX(data)
	}
	c := newASXScanner(text, &warn)
	for {
		switch t := c.next(); t.kind {
		case asxText:
			continue
		case asxStart:
			if t.name == "ASX" {
				return ParseASX(data)
			}
			if (&xmltree.Element{Name: t.name}).Local() == "SMIL" {
				return ParseISX(data)
			}
			return nil, asxSyntax(t.at, ErrNotPlaylist, "the root element is %s, neither smil nor ASX", xmltree.Shorten(t.name))
		default:
			if c.err != nil {
				return nil, c.err
			}
			return nil, asxSyntax(t.at, ErrNotPlaylist, "neither smil nor ASX")
		}
	}
}
