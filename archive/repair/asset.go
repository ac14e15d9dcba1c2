package repair

import (
	"context"
	"errors"
	"slices"

	"github.com/smoothkit/smoothkit/smooth"
)

// work is what is known of one presentation while it is looked at.
type work struct {
	*run
	p *place
	a *Asset
	// media are the files that can be used, and by the names that the server manifest may have for them.
	media  []*media
	byName map[string]*media
	// journal is what a recording has left, or nil.
	journal *recorded
	// goesOn tells that the archive of the recording will go on with it.
	goesOn bool
	// faulty tells that media files would have to be repaired before manifests can be compared.
	faulty bool
}

// asset looks at one presentation. Media files come first. What has to be written of the manifests follows from them and, where it is of
// use, from the server manifest that is there; so that is replaced last, unless it is of no use.
func (r *run) asset(ctx context.Context, p *place, a *Asset) error {
	w := &work{run: r, p: p, a: a, byName: make(map[string]*media)}
	if p.journal != "" {
		if err := w.readJournal(ctx); err != nil {
			return err
		}
	}
	ready, err := r.convert(ctx, p, a)
	if err != nil {
		return err
	}
	if !ready {
		a.Problem = "the tracks have to be made into files first"
		return nil
	}
	slices.Sort(p.media)
	for _, name := range p.media {
		if err := w.load(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range p.others {
		a.note(FileUnlisted, name, -1, "no presentation in the directory names it")
	}
	if err := w.manifests(ctx); err != nil {
		return err
	}
	if p.journal != "" && !w.goesOn && r.store != nil && len(w.media) > 0 {
		if err := r.keepJournal(ctx, p.journal, a); err != nil {
			return err
		}
	}
	return w.judge(ctx)
}

// load looks at a media file, or at the one that was written instead of it.
func (w *work) load(ctx context.Context, name string) error {
	fresh, err := w.complete(ctx, freshName(name))
	if err != nil {
		return err
	}
	if fresh != nil {
		w.take(fresh, name, fresh.name)
		return nil
	}
	known := new(hints)
	if w.journal != nil {
		if known.bad, err = w.sums(ctx, w.journal, name); err != nil {
			return err
		}
	}
	before := w.a.Faults()
	m, err := scanFile(ctx, w.files, name, known, w.a)
	if notThere(err) {
		return nil // as the server manifest will be told
	}
	if err != nil {
		return err
	}
	out, err := w.mend(ctx, m, w.a)
	if err != nil {
		return err
	}
	if w.store == nil && w.a.Faults() > before {
		w.faulty = true
	}
	w.take(out, name, out.name)
	return nil
}

// take makes a media file a part of the presentation.
func (w *work) take(m *media, names ...string) {
	if m.usable() {
		w.media = append(w.media, m)
	}
	for _, name := range names {
		w.byName[name] = m
	}
}

// manifests compares the manifests with what is there and makes them anew where they do not fit.
func (w *work) manifests(ctx context.Context) error {
	if len(w.media) == 0 {
		w.withoutMedia()
		return nil
	}
	s, err := w.serverManifest(ctx)
	if errors.Is(err, errNotShown) || errors.Is(err, smooth.ErrUnsupported) {
		w.a.Problem = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	w.notes(s)
	if s.invented { // whose names may come from the client manifest that is there
		if err := w.writeServer(ctx, s); err != nil {
			return err
		}
		return w.writeClient(ctx, s)
	}
	if err := w.writeClient(ctx, s); err != nil {
		return err
	}
	return w.writeServer(ctx, s)
}

// writeClient compares the client manifest with what will be served, and writes it if it has to be.
func (w *work) writeClient(ctx context.Context, s *shown) error {
	data, err := w.clientManifest(ctx, s)
	if err != nil || data == nil || w.store == nil {
		return err
	}
	if err := replace(ctx, w.store, s.client, data, w.a); err != nil {
		return err
	}
	w.a.did(s.client, "client manifest written")
	return nil
}

// writeServer writes the server manifest if it has changed.
func (w *work) writeServer(ctx context.Context, s *shown) error {
	if !s.changed || w.store == nil {
		return nil
	}
	if err := replace(ctx, w.store, w.p.name, s.data, w.a); err != nil {
		return err
	}
	w.a.did(w.p.name, "server manifest written, with %d tracks", len(s.manifest.Tracks))
	return nil
}

// withoutMedia notes why nothing can be made of the server manifest.
func (w *work) withoutMedia() {
	p := w.p
	switch {
	case !p.exists:
	case len(p.data) == 0 && p.bad == nil:
		w.a.note(IsmEmpty, p.name, 0, "no bytes, and no media file to make a manifest of")
	case p.server == nil:
		w.a.note(IsmBroken, p.name, 0, "%v, and no media file to make a manifest of", p.bad)
	default:
		for i := range p.server.Tracks {
			if t := &p.server.Tracks[i]; w.byName[p.target(t)] == nil {
				w.a.note(IsmFile, p.name, -1, "%s %s: there is no file %q", t.Element(), t.Name(), t.Src)
			}
		}
	}
	w.a.Problem = "no media file that can be used"
}

// errNotShown tells that nothing of a presentation can be shown.
var errNotShown = errors.New("no track can be shown")
