package repair

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/smooth"
)

// shown is a server manifest with what it names.
type shown struct {
	manifest *smooth.ServerManifest
	data     []byte
	changed  bool
	// invented tells that nothing of the server manifest that is there could be used.
	invented bool
	// client is the name in the store of the client manifest.
	client string
	// tracks are those of the media files, in the order of the manifest; nil for what repair does not look into.
	tracks []*track
}

// serverManifest returns the server manifest that fits the media files: the one that is there, as far as it is right.
func (w *work) serverManifest(ctx context.Context) (*shown, error) {
	p := w.p
	s := new(shown)
	switch {
	case !p.exists:
		w.a.fault(IsmMissing, p.name, -1, "%d media files without a server manifest", len(w.media))
	case len(p.data) == 0 && p.bad == nil:
		w.a.fault(IsmEmpty, p.name, 0, "no bytes")
	case p.server == nil:
		w.a.fault(IsmBroken, p.name, 0, "%v", p.bad)
	default:
		if err := w.keep(ctx, s); err != nil {
			return nil, err
		}
	}
	if s.manifest == nil {
		if err := w.invent(ctx, s); err != nil {
			return nil, err
		}
	} else if err := w.extend(ctx, s); err != nil {
		return nil, err
	}
	if s.changed {
		var err error
		if s.data, err = s.manifest.AppendXML(nil); err != nil {
			return nil, err
		}
	}
	client := s.manifest.ClientManifestPath()
	if client == "" {
		client = p.base + ".ismc"
	}
	s.client = path.Join(p.dir, strings.TrimPrefix(client, "/"))
	return s, nil
}

// keep takes the tracks of the server manifest that there are. It takes nothing if none is.
func (w *work) keep(ctx context.Context, s *shown) error {
	old := *w.p.server
	old.Tracks = nil
	for i := range w.p.server.Tracks {
		st := w.p.server.Tracks[i]
		t, ok, err := w.resolve(ctx, &st)
		if err != nil {
			return err
		}
		if !ok {
			s.changed = true
			continue
		}
		s.changed = s.changed || st.Src != w.p.server.Tracks[i].Src || !slices.Equal(st.Params, w.p.server.Tracks[i].Params)
		old.Tracks = append(old.Tracks, st)
		s.tracks = append(s.tracks, t)
	}
	if len(old.Tracks) == 0 {
		s.tracks = nil
		return nil
	}
	s.manifest, s.data = &old, w.p.data
	if len(w.p.converted) > 0 && s.changed {
		old.Meta = slices.DeleteFunc(slices.Clone(old.Meta), func(a smooth.Attribute) bool { return strings.EqualFold(a.Name, "formats") })
	}
	return nil
}

// resolve finds the track that an element of the server manifest names, and corrects its src. It reports false if there is none.
func (w *work) resolve(ctx context.Context, st *smooth.ServerTrack) (*track, bool, error) {
	p := w.p
	target := p.target(st)
	if dir, ok := pick(p.azure, target); ok && p.converted[dir] != "" {
		target = p.converted[dir]
		st.Src = escapeSrc(path.Base(target))
	}
	m := w.byName[target]
	if m == nil {
		if name, ok := pick(p.media, target); ok {
			m = w.byName[name]
		}
	}
	switch {
	case m == nil && !isMedia(target) && target != "." && st.Src != "":
		_, err := w.files.Stat(ctx, target) // of a kind that repair does not look into
		if err == nil {
			return nil, true, nil
		}
		if !notThere(err) {
			return nil, false, err
		}
		fallthrough
	case m == nil:
		w.a.fault(IsmFile, p.name, -1, "%s %s: there is no file %q", st.Element(), st.Name(), st.Src)
		return nil, false, nil
	case !m.usable():
		w.a.fault(IsmFile, p.name, -1, "%s %s: the file %q has nothing to show", st.Element(), st.Name(), st.Src)
		return nil, false, nil
	}
	t := m.named(st)
	if t == nil {
		w.a.fault(IsmTrack, p.name, -1, "%s %s: %q has no such track with fragments", st.Element(), st.Name(), st.Src)
		return nil, false, nil
	}
	if m.name != target && !strings.EqualFold(m.name, target) {
		w.a.fault(IsmOriginal, p.name, -1, "%s %s: %q has been written again as %q", st.Element(), st.Name(), st.Src, path.Base(m.name))
		st.Src = escapeSrc(path.Join(path.Dir(st.SrcPath()), path.Base(m.name)))
	}
	if id, ok := st.TrackID(); !ok || id != t.ID {
		st.Params = slices.DeleteFunc(slices.Clone(st.Params), func(q smooth.Param) bool { return strings.EqualFold(q.Name, "trackID") })
		if ok { // of an Azure archive, whose tracks may have other numbers than their headers
			w.a.fault(IsmTrack, p.name, -1, "%s %s: trackID is %d, %q has %d", st.Element(), st.Name(), id, path.Base(m.name), t.ID)
			st.Params = append(st.Params, smooth.Param{Name: "trackID", Value: strconv.FormatUint(uint64(t.ID), 10), ValueType: "data"})
		}
	}
	return t, true, nil
}

// named returns the track that an element of a server manifest names, if it has fragments: that of the ID, else the only one of the
// type; nil if there is none.
func (m *media) named(st *smooth.ServerTrack) *track {
	if id, ok := st.TrackID(); ok {
		if t := m.track(id); t != nil && len(t.fragments) > 0 && t.kind == st.Type {
			return t
		} else if t != nil && t.kind == st.Type {
			return nil
		}
	}
	var only *track
	for _, t := range m.tracks {
		if t.kind != st.Type || len(t.fragments) == 0 {
			continue
		}
		if only != nil {
			return nil
		}
		only = t
	}
	return only
}

// invent makes a server manifest of the media files.
func (w *work) invent(ctx context.Context, s *shown) error {
	var free []*track
	for _, m := range w.media {
		for _, t := range m.tracks {
			if t.kind != "" && len(t.fragments) > 0 {
				free = append(free, t)
			}
		}
	}
	list, err := w.describe(ctx, free, nil)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errNotShown
	}
	data, err := asset.ServerManifest(w.p.base+".ismc", inputs(list))
	if err != nil {
		return err
	}
	if s.manifest, err = smooth.ParseServerManifest(data); err != nil {
		return err
	}
	s.changed, s.invented, s.tracks = true, true, nil
	for i := range s.manifest.Tracks {
		s.tracks = append(s.tracks, w.find(&s.manifest.Tracks[i]))
	}
	return nil
}

// find returns the track that an element names.
func (w *work) find(st *smooth.ServerTrack) *track {
	if m := w.byName[w.p.target(st)]; m != nil {
		return m.named(st)
	}
	return nil
}

// extend adds the tracks to the server manifest that it lacks.
func (w *work) extend(ctx context.Context, s *shown) error {
	var free []*track
	for _, m := range w.media {
		for _, t := range m.tracks {
			if t.kind != "" && len(t.fragments) > 0 && !slices.Contains(s.tracks, t) {
				free = append(free, t)
			}
		}
	}
	if len(free) == 0 {
		return nil
	}
	list, err := w.describe(ctx, free, s)
	if err != nil {
		return err
	}
	for _, d := range list {
		if !w.belongs(d, s) {
			continue
		}
		data, err := asset.ServerManifest(w.p.base+".ismc", []asset.Track{d.Track})
		if err != nil {
			return err
		}
		one, err := smooth.ParseServerManifest(data)
		if err != nil {
			return err
		}
		w.a.fault(IsmLacks, w.p.name, -1, "track %d of %s, %s at %d bits/s, is not named", d.t.ID, d.t.media.name, d.Input.Key.Stream, d.Input.Key.Bitrate)
		s.manifest.Tracks, s.tracks, s.changed = append(s.manifest.Tracks, one.Tracks...), append(s.tracks, d.t), true
	}
	return nil
}

// belongs reports whether a track that the server manifest does not name is a part of the presentation nevertheless: it is of the same
// time, fits the other levels of its stream, and, unless an encoder or a recording has said what it is, nothing like it is named.
func (w *work) belongs(d described, s *shown) bool {
	whole := d.t.media
	named := slices.ContainsFunc(s.tracks, func(t *track) bool { return t != nil && t.media == whole })
	var overlaps, alike bool
	var siblings, aligned int
	for i, t := range s.tracks {
		if t == nil {
			continue
		}
		overlaps = overlaps || t.overlaps(d.t)
		alike = alike || t.alike(d.t)
		if t.kind == smooth.Video && d.t.kind == smooth.Video && strings.EqualFold(streamName(&s.manifest.Tracks[i]), d.Input.Key.Stream) {
			siblings++
			if t.aligned(d.t) {
				aligned++
			}
		}
	}
	reason := ""
	switch {
	case !w.p.alone && !named:
		reason = "there are other presentations in the directory"
	case !overlaps:
		reason = "it is of another time"
	case siblings > 0 && aligned == 0:
		reason = "its fragments do not start where those of the other bit rates do"
	case d.stated || d.t.kind == smooth.Video || !alike:
		return true
	case named:
		return false // renditions of one film repeat their sound
	default:
		reason = "the presentation has such a stream already"
	}
	w.a.note(FileUnlisted, whole.name, -1, "track %d is not a part of the presentation: %s", d.t.ID, reason)
	return false
}

// alike reports whether two tracks have type and language in common.
func (t *track) alike(o *track) bool { return t.kind == o.kind && t.Language == o.Language }

// overlaps reports whether two tracks have a time in common.
func (t *track) overlaps(o *track) bool {
	from, to := t.span()
	otherFrom, otherTo := o.span()
	return from < otherTo && otherFrom < to
}

// aligned reports whether the fragments of the shorter one of two tracks start where some of the other one do, but for a few.
func (t *track) aligned(o *track) bool {
	if len(t.fragments) > len(o.fragments) {
		t, o = o, t
	}
	lacks := 0
	for i, k := 0, 0; i < len(t.fragments); i++ {
		at := t.ticks(t.fragments[i].time)
		for k < len(o.fragments) && o.ticks(o.fragments[k].time) < at {
			k++
		}
		if k == len(o.fragments) || o.ticks(o.fragments[k].time) != at {
			lacks++
		}
	}
	return lacks*4 <= len(t.fragments)
}

// escapeSrc returns a name as a src attribute, in which what looks like a percent escape would be one.
func escapeSrc(name string) string { return strings.ReplaceAll(name, "%", "%25") }
