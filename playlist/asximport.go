package playlist

import (
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// ParseASX reads a Windows Media metafile (ASX) as such files are found, to make a playlist of it. Names are taken in
// any case, ampersands need not be escaped, tags need not be closed, values need no quotes. It is in UTF-8 or UTF-16;
// what is neither is read as Windows-1252. The old form without tags, a section [Reference] with lines Ref1=URL, is
// understood too.
//
//	ENTRY             an entry: the first REF is its source. Further ones are mirrors of the same, which an entry has no
//	                  place for: each is a warning
//	ENTRYREF          an entry, usually another playlist
//	REPEAT            its entries COUNT times, once if it is endless. As in the player, only the first one counts
//	EVENT             left out
//	BASE              what relative places are below, also those that stand before it
//	CLIENTSKIP="NO"   all three rules
//	PARAM             CanSeek, CanSkipForward and CanSkipBack with the value NO are rules, in ASX those of all entries;
//	                  LastModified is Modified
//	TITLE             the title
//	AUTHOR, COPYRIGHT, ABSTRACT, DURATION, STARTTIME, MOREINFO, BANNER, LOGURL
//	                  ExtraParam, written anew. DURATION and STARTTIME of a REF count before those of its ENTRY
//
// Everything else is left out with a warning. Places are relative to the playlist (RelativeURI), URLs of http, https
// and of the protocols of Windows Media Services (RemoteURL), or paths of Windows and file URLs (PhysicalPath). Other
// schemes are left out, httpd among them: a list that somebody else wrote must not make this server send requests.
//
// Errors are [*SyntaxError]: there is no ASX element, or a limit of the package is exceeded. The result does not alias
// data.
//
// See the Windows Media Metafile Elements Reference.
func ParseASX(data []byte) (*Playlist, error) {
	im := &asxImporter{list: &Playlist{}}
	text, err := asxString(data, &im.warn)
	if err != nil {
		return nil, err
	}
	if isReferenceFile(text) {
		im.references(text)
	} else {
		root, err := parseASXTree(text, &im.warn)
		if err != nil {
			return nil, err
		}
		im.asx(root)
	}
	if im.err != nil {
		return nil, im.err
	}
	if len(im.list.Entries) == 0 {
		im.warn.add(xmltree.Position{Line: 1, Column: 1}, "there is no entry")
	}
	im.list.Warnings = im.warn.all()
	return im.list, nil
}

// asxImporter makes a playlist of a metafile.
type asxImporter struct {
	list     *Playlist
	warn     warnings
	err      error
	base     string
	rules    Entry // those of all entries
	repeated bool  // there was a REPEAT
}

// leftOut warns of an element.
func (im *asxImporter) leftOut(n *asxNode, why string) {
	im.warn.add(n.at, "%s is left out: %s", xmltree.Shorten(n.name), why)
}

// asx reads the root.
func (im *asxImporter) asx(root *asxNode) {
	for len(root.children) == 1 && root.children[0].name == "ASX" {
		im.warn.add(root.children[0].at, "ASX is in ASX: the inner one is read")
		root = root.children[0]
	}
	switch version, ok := root.get("VERSION"); {
	case !ok:
		im.warn.add(root.at, "ASX has no VERSION")
	case strings.TrimLeft(strings.TrimRight(version, "0."), "0") != "3":
		im.warn.add(root.at, "VERSION %q is not 3.0", xmltree.Shorten(version))
	}
	im.attributes(root, "VERSION")
	im.base = im.baseOf(root, "")
	im.params(root, &im.rules)
	extra := &asxExtra{im: im, base: im.base}
	im.titleOf(root, &im.list.Title)
	for _, n := range root.children {
		switch n.name {
		case "AUTHOR", "COPYRIGHT", "ABSTRACT", "MOREINFO", "BANNER", "LOGURL":
			extra.add(n)
		}
	}
	im.list.ExtraParam = string(extra.b)
	im.children(root)
}

// attributes warns of those that mean nothing here.
func (im *asxImporter) attributes(n *asxNode, known ...string) {
	for _, a := range n.attrs {
		ok := false
		for _, k := range known {
			ok = ok || a.name == k
		}
		if !ok {
			im.warn.add(n.at, "attribute %s of %s is left out", xmltree.Shorten(a.name), xmltree.Shorten(n.name))
		}
	}
}

// titleOf takes the first title.
func (im *asxImporter) titleOf(n *asxNode, title *string) {
	found := false
	for _, c := range n.children {
		if c.name != "TITLE" {
			continue
		}
		if found {
			im.leftOut(c, "there is one before")
			continue
		}
		found = true
		*title = c.text()
	}
}

// baseOf returns the base that a BASE in an element sets, or the one that holds outside.
func (im *asxImporter) baseOf(n *asxNode, outer string) string {
	base, found := outer, false
	for _, c := range n.children {
		if c.name != "BASE" {
			continue
		}
		href, ok := c.get("HREF")
		clean, valid := cleanBase(href)
		switch {
		case !ok:
			im.leftOut(c, "it has no HREF")
		case !valid:
			im.leftOut(c, strconv.Quote(xmltree.Shorten(href))+" is not a base for URLs")
		case found:
			im.leftOut(c, "there is one before")
		default:
			base, found = clean, true
		}
	}
	return base
}

// params reads the PARAM elements of an element into rules.
func (im *asxImporter) params(n *asxNode, rules *Entry) {
	for _, c := range n.children {
		if c.name != "PARAM" {
			continue
		}
		name, _ := c.get("NAME")
		value, _ := c.get("VALUE")
		switch strings.ToUpper(strings.TrimSpace(name)) {
		case "CANSEEK":
			im.rule(c, name, &rules.NoSeek, value)
		case "CANSKIPFORWARD":
			im.rule(c, name, &rules.NoSkipForward, value)
		case "CANSKIPBACK":
			im.rule(c, name, &rules.NoSkipBack, value)
		case "LASTMODIFIED":
			im.modified(c, value)
		case "ENCODING": // the text was read
		default:
			im.warn.add(c.at, "PARAM %q is left out", xmltree.Shorten(name))
		}
	}
}

// rule reads what the viewer can do, the opposite of a rule.
func (im *asxImporter) rule(n *asxNode, name string, not *bool, value string) {
	switch strings.ToUpper(strings.TrimSpace(value)) {
	case "NO", "FALSE", "0":
		*not = true
	case "YES", "TRUE", "1":
		*not = false
	default:
		im.warn.add(n.at, "%s %q is neither YES nor NO", xmltree.Shorten(name), xmltree.Shorten(value))
	}
}

func (im *asxImporter) modified(n *asxNode, value string) {
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(value))
	if err != nil {
		im.leftOut(n, "not a time like 2008-09-09T16:24:37Z")
		return
	}
	im.list.Modified = t.UTC()
}

// children reads what is to be played in ASX and REPEAT.
func (im *asxImporter) children(parent *asxNode) {
	for _, n := range parent.children {
		switch n.name {
		case "ENTRY":
			im.entry(n)
		case "ENTRYREF":
			im.entryRef(n)
		case "REF":
			im.warn.add(n.at, "REF is not in an ENTRY: it is taken for one")
			im.entry(&asxNode{asxToken: asxToken{name: "ENTRY", at: n.at}, children: []*asxNode{n}})
		case "REPEAT":
			im.repeat(n)
		case "EVENT":
			im.leftOut(n, "there are no events here")
		case "ASX":
			im.warn.add(n.at, "ASX is in %s: what is in it plays", parent.name)
			im.children(n)
		case "TITLE", "AUTHOR", "COPYRIGHT", "ABSTRACT", "MOREINFO", "BANNER", "LOGURL", "BASE", "PARAM":
			if parent.name != "ASX" {
				im.leftOut(n, "it is in "+parent.name)
			}
		default:
			im.leftOut(n, "it is in "+xmltree.Shorten(parent.name))
		}
	}
}

// add appends an entry if there is room.
func (im *asxImporter) add(n *asxNode, e Entry) {
	if len(im.list.Entries) == MaxEntries {
		if im.err == nil {
			im.err = asxSyntax(n.at, ErrTooLarge, "more than %d entries", MaxEntries)
		}
		return
	}
	im.list.Entries = append(im.list.Entries, e)
}

// repeat reads what plays several times, as often as there is room.
func (im *asxImporter) repeat(n *asxNode) {
	im.attributes(n, "COUNT")
	from := len(im.list.Entries)
	first := !im.repeated
	im.repeated = true
	im.children(n)
	round := im.list.Entries[from:]
	count, ok := n.get("COUNT")
	times, err := strconv.ParseUint(strings.TrimSpace(count), 10, 32)
	switch {
	case !first:
		im.warn.add(n.at, "only the first REPEAT counts: what is in it plays once")
		return
	case !ok:
		im.warn.add(n.at, "REPEAT without COUNT has no end: what is in it plays once")
		return
	case err != nil:
		im.warn.add(n.at, "COUNT %q is not a number: what is in REPEAT plays once", xmltree.Shorten(count))
		return
	case len(round) == 0:
		return
	}
	if room := 1 + (MaxEntries-len(im.list.Entries))/len(round); times > uint64(room) {
		im.warn.add(n.at, "COUNT %d would make more than %d entries: what is in REPEAT plays %d times", times, MaxEntries, room)
		times = uint64(room)
	}
	for i := uint64(1); i < times; i++ {
		im.list.Entries = append(im.list.Entries, round...)
	}
}
