package playlist

import (
	"bufio"
	"strings"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// isReferenceFile tells whether a metafile is in the old form without tags.
func isReferenceFile(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "[")
}

// references reads the old form: a section [Reference] with lines Ref1=URL, Ref2=URL. Servers write the same place with
// its name and with its address there, so that what follows the first is a mirror.
func (im *asxImporter) references(text string) {
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, MaxValue)
	inside, section := false, false
	at := xmltree.Position{Column: 1}
	for lines.Scan() {
		at.Line++
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			inside = strings.EqualFold(line, "[Reference]")
			section = section || inside
			continue
		}
		if inside && line != "" {
			im.reference(at, line)
		}
	}
	switch {
	case lines.Err() != nil:
		at.Line++
		im.err = asxSyntax(at, ErrTooLarge, "a line of more than %d bytes", MaxValue)
	case !section:
		im.err = asxSyntax(xmltree.Position{Line: 1, Column: 1}, ErrNotPlaylist, "no section [Reference]")
	}
}

// reference reads a line of the section.
func (im *asxImporter) reference(at xmltree.Position, line string) {
	key, value, _ := strings.Cut(line, "=")
	n := &asxNode{asxToken: asxToken{
		name: strings.TrimSpace(key), at: at, attrs: []asxAttr{{"HREF", strings.TrimSpace(value)}},
	}}
	if len(n.name) < 3 || !strings.EqualFold(n.name[:3], "ref") {
		im.leftOut(n, "it is not a Ref")
		return
	}
	if len(im.list.Entries) > 0 {
		im.leftOut(n, "another source of the same")
		return
	}
	var e Entry
	if im.source(n, &e, "") {
		im.add(n, e)
	}
}
