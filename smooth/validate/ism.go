package validate

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// smilNamespace is the namespace of server manifests.
const smilNamespace = "http://www.w3.org/2001/SMIL20/Language"

// FS checks a presentation in a file system: its server manifest name, the client manifest and the media files that
// it names, and that they agree. The error is one of reading, or of ctx.
func FS(ctx context.Context, fsys fs.FS, name string, opts *Options) (*Report, error) {
	o := opts.withDefaults()
	rec := newRecorder(o.MaxPerRule)
	c := &serverChecker{rec: rec, opts: o, fsys: fsys, name: name, media: make(map[string]*mediaFile)}
	defer c.close()
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	return rec.Report(), nil
}

// serverTrack is a track element of a server manifest.
type serverTrack struct {
	el         *element
	typ        smooth.StreamType
	name       string
	src        string
	bitrate    string
	id         uint64
	parent     string
	attrs      []string // "name=value"
	listed     bool     // in the client manifest
	wrong      bool     // its key is wrong, which is reported
	file       *mediaFile
	unreadable bool
	mp4        bool // progressive, cut by the server, which knows bit rate and track
}

func (t *serverTrack) key() string {
	return strings.Join(append([]string{t.name, t.bitrate}, t.attrs...), ",")
}

// serverChecker checks a server manifest.
type serverChecker struct {
	rec  *Recorder
	opts Options
	fsys fs.FS
	name string

	mp4    bool // the meta formats allows progressive files
	client string
	tracks []*serverTrack
	media  map[string]*mediaFile // by src; nil if there is no such file
	files  []fs.File
}

func (c *serverChecker) close() {
	for _, f := range c.files {
		f.Close()
	}
}

func (c *serverChecker) at(e *element) Place { return Place{Document: c.name, Line: e.line} }

func (c *serverChecker) check(ctx context.Context) error {
	data, err := readFile(c.fsys, c.name, MaxManifestSize+1)
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	c.rec.Tally(func(n *Counts) { n.Documents++; n.Bytes += int64(len(data)) })
	x, line, err := parseXML(data)
	if err != nil || x.root.name != "smil" {
		c.rec.Add("SS101", Place{Document: c.name, Line: line}, "not a smil document: %v", err)
		return nil
	}
	if x.root.space != smilNamespace {
		c.rec.Add("SS102", c.at(x.root), "the namespace is %q", x.root.space)
	}
	c.head(x.root)
	c.body(x.root)
	for _, t := range c.tracks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.opts.ManifestOnly {
			break
		}
		if err := c.open(t); err != nil {
			return err
		}
	}
	if len(c.tracks) == 0 || c.client == "" {
		return nil
	}
	return c.clientManifest()
}

// head reads the meta elements.
func (c *serverChecker) head(root *element) {
	for _, head := range root.all("head") {
		for _, m := range head.all("meta") {
			name, _ := m.attr("name")
			content, _ := m.attr("content")
			switch name {
			case "clientManifestRelativePath":
				c.clientPath(m, content)
			case "formats":
				c.mp4 = strings.HasPrefix(content, "mp4")
			}
		}
	}
	if c.client == "" && !c.mp4 {
		c.rec.Add("SS104", c.at(root), "there is no meta clientManifestRelativePath")
	}
}

func (c *serverChecker) clientPath(m *element, content string) {
	c.client = c.resolve(content)
	if c.client == "" {
		c.client = "."
	}
	if _, err := fs.Stat(c.fsys, c.client); err != nil || c.client == "." {
		c.rec.Add("SS103", c.at(m), "content is %q: %v", content, err)
		c.client = "."
		return
	}
	base := func(s string) string { return strings.TrimSuffix(path.Base(s), path.Ext(s)) }
	if !strings.EqualFold(base(c.client), base(c.name)) {
		c.rec.Add("SS104", c.at(m), "the client manifest is %q, the server manifest %q", c.client, c.name)
	}
}

// body reads the tracks.
func (c *serverChecker) body(root *element) {
	for _, body := range root.all("body") {
		for _, list := range body.all("switch") {
			for _, e := range list.children {
				switch e.name {
				case "video", "audio", "textstream":
					c.tracks = append(c.tracks, c.track(e))
				}
			}
		}
	}
	if len(c.tracks) == 0 {
		c.rec.Add("SS105", c.at(root), "there is no video, audio or textstream")
	}
	seen := make(map[string]int)
	for _, t := range c.tracks {
		if line, ok := seen[t.key()]; ok && !t.mp4 {
			c.rec.Add("SS109", c.at(t.el), "%s is also in line %d", t.key(), line)
			t.wrong = true
		}
		seen[t.key()] = t.el.line
		c.parent(t)
	}
}

func (c *serverChecker) track(e *element) *serverTrack {
	t := &serverTrack{el: e, typ: smooth.StreamType(e.name), name: e.name}
	if e.name == "textstream" {
		t.typ = smooth.Text
	}
	t.src, _ = e.attr("src")
	t.bitrate, _ = e.attr("systemBitrate")
	t.mp4 = strings.EqualFold(path.Ext(t.src), ".mp4")
	if _, ok := decimal(t.bitrate); !ok && !(t.mp4 && t.bitrate == "") {
		c.rec.Add("SS107", c.at(e), "systemBitrate is %q", t.bitrate)
		t.wrong = true
	}
	id := ""
	for _, p := range e.all("param") {
		name, _ := p.attr("name")
		value, _ := p.attr("value")
		switch lower := strings.ToLower(name); {
		case lower == "trackid":
			id = value
		case lower == "trackname":
			t.name = value
		case lower == "parenttrackname":
			t.parent = value
		case lower == "manifestoutput":
			if !contains("true false 1 0", strings.ToLower(value)) {
				c.rec.Add("SS111", c.at(p), "manifestOutput is %q", value)
			}
		case strings.Contains(name, "_") || lower == "hardwareprofile":
			t.attrs = append(t.attrs, name+"="+value)
		}
	}
	var ok bool
	if t.id, ok = decimal(id); (!ok || t.id == 0 || t.id > 1<<32-1) && !(t.mp4 && id == "") {
		c.rec.Add("SS108", c.at(e), "trackID is %q", id)
		t.unreadable = true
	}
	return t
}

func (c *serverChecker) parent(t *serverTrack) {
	if t.parent == "" {
		return
	}
	for _, o := range c.tracks {
		if o.name == t.parent && o.parent == "" {
			return
		}
	}
	c.rec.Add("SS110", c.at(t.el), "parentTrackName is %q", t.parent)
}

// open reads the media file of a track, once for all tracks in it.
func (c *serverChecker) open(t *serverTrack) error {
	name := c.resolve(t.src)
	if name == "" {
		c.rec.Add("SS106", c.at(t.el), "src is %q", t.src)
		return nil
	}
	if t.mp4 {
		if !c.mp4 {
			c.rec.Add("SS113", c.at(t.el), "src is %q", t.src)
		}
		return nil // cut by the server
	}
	m, known := c.media[name]
	if !known {
		var err error
		if m, err = c.read(t, name); err != nil {
			return err
		}
		c.media[name] = m
	}
	if m == nil || t.unreadable {
		return nil
	}
	mt := m.tracks[uint32(t.id)]
	if mt == nil || mt.typ != t.typ {
		c.rec.Add("SS114", c.at(t.el), "track %d of %q is no %s track", t.id, t.src, t.typ)
		return nil
	}
	t.file = m
	return nil
}

// read opens and checks a media file. It returns nil if there is none or it is not readable as one.
func (c *serverChecker) read(t *serverTrack, name string) (*mediaFile, error) {
	f, err := c.fsys.Open(name)
	if err != nil {
		c.rec.Add("SS112", c.at(t.el), "src is %q: %v", t.src, err)
		return nil, nil
	}
	c.files = append(c.files, f)
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	r, ok := f.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("validate: %s: the file system has no random access", name)
	}
	return checkMedia(c.rec, c.opts, name, r, info.Size())
}

// readFile reads at most limit bytes of a file.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
