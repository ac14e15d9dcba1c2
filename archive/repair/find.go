package repair

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// maxDepth bounds the directories that are descended into.
const maxDepth = 32

// place is where a presentation is, or should be.
type place struct {
	name string // of the server manifest, in the store
	dir  string
	// base is the name without extension.
	base string
	// exists tells that there is a server manifest; data is its content and server what it says, nil if that cannot be read.
	exists bool
	data   []byte
	server *smooth.ServerManifest
	bad    error
	// media are the names in the store of the media files that belong to it, without those that were written again.
	media []string
	// others are media files beside it that seem not to belong to it.
	others []string
	// azure are directories with a file per fragment, and converted the files made of them.
	azure     []string
	converted map[string]string
	// journal is the name in the store, or empty.
	journal string
	// alone tells that it is the only presentation of its directory.
	alone bool
}

// folder is a directory with what is in it.
type folder struct {
	dir                            string
	ism, ismc, media, journals, az []string // names in the store
}

// find returns the presentations below a directory, in the order of their names.
func (r *run) find(ctx context.Context, dir string, _ int) ([]*place, error) {
	var folders []*folder
	if err := r.walk(ctx, dir, 0, &folders); err != nil {
		return nil, err
	}
	var found []*place
	named := make(map[string]bool) // media files and directories that a server manifest names
	byFolder := make(map[*folder][]*place)
	for _, f := range folders {
		for _, name := range f.ism {
			p := newPlace(name)
			p.exists = true
			if err := r.read(ctx, p); err != nil {
				return nil, err
			}
			p.claim(f, named)
			byFolder[f] = append(byFolder[f], p)
		}
	}
	for _, f := range folders {
		places := f.assign(byFolder[f], named)
		for _, p := range places {
			p.alone = len(places) == 1
			if p.concerns() {
				found = append(found, p)
			}
		}
	}
	slices.SortFunc(found, func(a, b *place) int { return strings.Compare(a.name, b.name) })
	return found, nil
}

func newPlace(name string) *place {
	return &place{name: name, dir: path.Dir(name), base: strings.TrimSuffix(path.Base(name), path.Ext(name)), converted: make(map[string]string)}
}

// hlsSuffix ends the base name of the server manifest that IIS wrote for its HLS output.
const hlsSuffix = "-m3u8-aapl"

// walk lists a directory and those below it.
func (r *run) walk(ctx context.Context, dir string, depth int, out *[]*folder) error {
	if err := ctx.Err(); err != nil || depth > maxDepth {
		return err
	}
	entries, err := r.files.ReadDir(ctx, dir)
	if err != nil {
		return err
	}
	f := &folder{dir: dir}
	*out = append(*out, f)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		ext := strings.ToLower(path.Ext(name))
		switch {
		case e.IsDir():
			if err := r.walkInto(ctx, name, depth, f, out); err != nil {
				if r.store != nil || ctx.Err() != nil { // what is not seen would be taken for missing
					return err
				}
				r.unread = cmp.Or(r.unread, err)
			}
		case ext == ".ism" && !strings.HasSuffix(strings.ToLower(strings.TrimSuffix(name, path.Ext(name))), hlsSuffix):
			f.ism = append(f.ism, name)
		case ext == ".ismc":
			f.ismc = append(f.ismc, name)
		case ext == ".journal":
			f.journals = append(f.journals, name)
		case isMedia(name):
			f.media = append(f.media, name)
		}
	}
	f.media = slices.DeleteFunc(f.media, func(name string) bool {
		of, ok := staleName(name)
		return ok && slices.Contains(f.media, of)
	})
	return nil
}

// walkInto descends, unless the directory is a track of an Azure archive.
func (r *run) walkInto(ctx context.Context, name string, depth int, f *folder, out *[]*folder) error {
	info, err := r.files.Stat(ctx, path.Join(name, azureHeader))
	if err == nil && !info.IsDir() {
		f.az = append(f.az, name)
		return nil
	}
	if err != nil && !notThere(err) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return r.walk(ctx, name, depth+1, out)
}

// read reads the server manifest.
func (r *run) read(ctx context.Context, p *place) error {
	data, err := readSmall(ctx, r.files, p.name, smooth.MaxServerManifest)
	if errors.Is(err, smooth.ErrTooLarge) {
		p.bad = err
		return nil
	}
	if err != nil {
		return err
	}
	p.data = data
	if len(data) > 0 {
		p.server, p.bad = smooth.ParseServerManifest(data)
		if p.bad == nil && len(p.server.Tracks) == 0 {
			p.server, p.bad = nil, errors.New("no tracks")
		}
	}
	return nil
}

// claim takes the files that the server manifest names.
func (p *place) claim(f *folder, named map[string]bool) {
	if p.server == nil {
		return
	}
	for i := range p.server.Tracks {
		target := p.target(&p.server.Tracks[i])
		if name, ok := pick(f.az, target); ok {
			if !slices.Contains(p.azure, name) {
				p.azure = append(p.azure, name)
			}
			named[name] = true
			continue
		}
		if !isMedia(target) {
			continue
		}
		if name, ok := pick(f.media, target); ok {
			target = name
		} else if of, ok := staleName(target); ok { // its original is in the list
			if name, ok := pick(f.media, of); ok {
				target = name
			}
		}
		named[target] = true
		if !slices.Contains(p.media, target) {
			p.media = append(p.media, target)
		}
	}
}

// target returns the name in the store of what a track names.
func (p *place) target(t *smooth.ServerTrack) string {
	src := t.SrcPath()
	if rooted, ok := strings.CutPrefix(src, "/"); ok {
		return path.Clean(rooted)
	}
	return path.Join(p.dir, src)
}

// pick returns the name in the list that is target, in this case of letters or in another.
func pick(list []string, target string) (string, bool) {
	if slices.Contains(list, target) {
		return target, true
	}
	i := slices.IndexFunc(list, func(name string) bool { return strings.EqualFold(name, target) })
	if i < 0 {
		return "", false
	}
	return list[i], true
}

// assign gives the files that nobody names to the presentations of a directory, and makes presentations where there are none.
func (f *folder) assign(places []*place, named map[string]bool) []*place {
	free := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return named[name] })
	}
	media, az := free(f.media), free(f.az)
	if len(places) == 0 && len(media)+len(az) == 0 {
		return nil
	}
	if len(places) == 0 {
		for _, name := range f.ismc {
			places = append(places, newPlace(strings.TrimSuffix(name, path.Ext(name))+".ism"))
		}
	}
	if len(places) == 0 {
		places = append(places, newPlace(path.Join(f.dir, f.base()+".ism")))
	}
	for _, name := range media {
		p, belongs := owner(places, name)
		if belongs {
			p.media = append(p.media, name)
		} else {
			p.others = append(p.others, name)
		}
	}
	for _, name := range az {
		p, _ := owner(places, name)
		p.azure = append(p.azure, name)
	}
	for _, name := range f.journals {
		for _, p := range places {
			if p.base == strings.TrimSuffix(path.Base(name), path.Ext(name)) {
				p.journal = name
			}
		}
	}
	return places
}

// owner returns the presentation of a directory that a file nobody names belongs to: the only one, the one whose name it begins with,
// or the only one whose server manifest tells nothing. It reports false if that is a guess.
func owner(places []*place, name string) (*place, bool) {
	if len(places) == 1 {
		return places[0], true
	}
	var best, silent *place
	silents := 0
	for _, p := range places {
		if strings.HasPrefix(path.Base(name), p.base) && (best == nil || len(p.base) > len(best.base)) {
			best = p
		}
		if p.server == nil {
			silent = p
			silents++
		}
	}
	switch {
	case best != nil:
		return best, true
	case silents == 1:
		return silent, true
	}
	return cmp.Or(silent, places[0]), false
}

// base returns the name for a presentation without manifests.
func (f *folder) base() string {
	if len(f.journals) > 0 {
		return strings.TrimSuffix(path.Base(f.journals[0]), path.Ext(f.journals[0]))
	}
	if point, ok := strings.CutSuffix(path.Base(path.Dir(path.Dir(f.dir))), "-isml"); ok && point != "" {
		return point // NAME-isml/TIME/SEGMENT
	}
	var stem string
	for i, name := range f.media {
		s := strings.TrimSuffix(path.Base(name), path.Ext(name))
		if i == 0 {
			stem = s
			continue
		}
		n := 0
		for n < len(stem) && n < len(s) && stem[n] == s[n] {
			n++
		}
		stem = stem[:n]
	}
	if len(f.media) > 1 {
		stem = strings.TrimRight(stem, "_-. ")
	}
	if dir := path.Base(f.dir); stem == "" && dir != "." && dir != "/" {
		stem = dir
	}
	return cmp.Or(strings.ToValidUTF8(stem, ""), "presentation")
}

// concerns reports whether repair knows the kind of presentation: one in .ismv files, or none that can be read.
func (p *place) concerns() bool {
	return len(p.media)+len(p.azure) > 0 || p.exists && p.server == nil
}
