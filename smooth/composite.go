package smooth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// CompositeOptions tunes a [Composite]. A nil pointer and the zero value mean the documented defaults.
type CompositeOptions struct {
	// Resolve maps the URL of a clip's manifest that names a host or starts with a slash to the name of a
	// presentation of the source. It reports false for a URL that it does not allow. Nil allows none.
	Resolve func(u *url.URL) (name string, ok bool)
	// Stored is the composite manifest as it was authored, which [Composite.CompositeBytes] then returns.
	Stored []byte
}

// Composite is the presentation that a composite manifest describes: its clips, cut from presentations of one source,
// follow each other on one timeline that starts at 0, so that a player which knows nothing of composite manifests
// plays across them.
//
// A clip consists of the whole video fragments that overlap its span; audio and text come along by the fragments
// whose middle lies in the video's span. Within a clip streams keep their distance; between clips a stream may have a
// gap of less than a fragment. Only streams that every clip has (by type and order) and quality levels with the same
// bit rate and codec configuration in all clips are kept. Each clip is a period with a discontinuity. Fragments are
// the source's, with a new time and sequence number.
//
// Sources are opened per use and never held, so a replaced file is noticed. A Composite is safe for concurrent use.
type Composite struct {
	src  Source
	name string
	m    *Manifest
	opts CompositeOptions

	state atomic.Pointer[compositeState]
}

// OpenComposite returns the presentation of composite manifest m, which is called name in src; relative URLs of clips
// start at its directory. The error names the clip. It wraps [ErrNotFound] if a clip's presentation or its span does
// not exist, and [ErrUnsupported] if a URL leads out of the source, a clip is itself composite, live, or protected
// with other keys, or no quality level is common to all clips.
func OpenComposite(ctx context.Context, src Source, name string, m *Manifest) (Presentation, error) {
	c := NewComposite(src, name, m, nil)
	if _, err := c.Snapshot(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// NewComposite is [OpenComposite] without looking at the clips: their errors come from Snapshot and Fragment, and
// CompositeBytes works in any case. m must not be modified afterwards. A nil opts means the documented defaults.
func NewComposite(src Source, name string, m *Manifest, opts *CompositeOptions) *Composite {
	c := &Composite{src: src, name: name, m: m}
	if opts != nil {
		c.opts = *opts
	}
	return c
}

// CompositeBytes returns the composite manifest itself, as it was authored if that is known.
func (c *Composite) CompositeBytes(context.Context) ([]byte, error) {
	if c.opts.Stored != nil {
		return c.opts.Stored, nil
	}
	return c.m.AppendXML(nil, nil)
}

// Close implements [Presentation]. It has nothing to release.
func (c *Composite) Close() error { return nil }

// Snapshot implements [Presentation].
func (c *Composite) Snapshot(ctx context.Context) (*Snapshot, error) {
	st, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	return st.snap, nil
}

// compositeState is what was made of one snapshot of each source. It is immutable.
type compositeState struct {
	snap    *Snapshot
	sources []compositeSource
	streams []compositeStream // as in the manifest of snap
}

// compositeSource is a presentation that clips are cut from.
type compositeSource struct {
	name string
	snap *Snapshot
}

// current returns the state for the present snapshots of the sources. Two who find it outdated may both make one;
// the first one counts.
func (c *Composite) current(ctx context.Context) (*compositeState, error) {
	old := c.state.Load()
	if old != nil && c.isCurrent(ctx, old) {
		return old, nil
	}
	st, err := c.build(ctx)
	if err != nil {
		return nil, err
	}
	if !c.state.CompareAndSwap(old, st) {
		return c.state.Load(), nil
	}
	if old != nil {
		old.snap.Supersede()
	}
	return st, nil
}

// isCurrent reports whether the sources still have the snapshots that st was made of.
func (c *Composite) isCurrent(ctx context.Context, st *compositeState) bool {
	for i := range st.sources {
		if s, err := snapshotOf(ctx, c.src, st.sources[i].name); err != nil || s != st.sources[i].snap {
			return false
		}
	}
	return true
}

func snapshotOf(ctx context.Context, src Source, name string) (*Snapshot, error) {
	p, err := src.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Snapshot(ctx)
}

// build makes the state.
func (c *Composite) build(ctx context.Context) (*compositeState, error) {
	if len(c.m.Clips) == 0 {
		return nil, fmt.Errorf("smooth: %s is no composite manifest: it has no clips: %w", c.name, ErrCorrupt)
	}
	st := &compositeState{}
	t := compositeTimeline{}
	for i, clip := range c.m.Clips {
		err := c.addClip(ctx, st, &t, clip)
		if err != nil {
			return nil, fmt.Errorf("smooth: %s: clip %d (%s): %w", c.name, i+1, clip.URL, err)
		}
	}
	m, periods, err := t.finish()
	if err != nil {
		return nil, fmt.Errorf("smooth: %s: %w", c.name, err)
	}
	st.streams = t.streams
	st.snap = NewSnapshot(m, c.validator(st))
	st.snap.Periods = periods
	for _, s := range st.sources {
		if s.snap.ModTime.After(st.snap.ModTime) {
			st.snap.ModTime = s.snap.ModTime
		}
	}
	return st, nil
}

// addClip resolves a clip and appends it to the timeline.
func (c *Composite) addClip(ctx context.Context, st *compositeState, t *compositeTimeline, clip *Clip) error {
	name, err := c.resolve(clip.URL)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(st.sources, func(s compositeSource) bool { return s.name == name })
	if i < 0 {
		s, err := snapshotOf(ctx, c.src, name)
		if err == nil {
			err = s.NotSmooth // there are no fragments to stitch
		}
		if err != nil {
			return err
		}
		i = len(st.sources)
		st.sources = append(st.sources, compositeSource{name, s})
	}
	return t.add(i, st.sources[i].snap, clip)
}

// resolve returns the name of the presentation whose manifest has the given URL.
func (c *Composite) resolve(raw string) (string, error) {
	u, err := url.Parse(strings.ReplaceAll(raw, `\`, "/"))
	if err != nil {
		return "", fmt.Errorf("malformed URL: %w", ErrCorrupt)
	}
	var name string
	if u.Scheme != "" || u.Host != "" || strings.HasPrefix(u.Path, "/") {
		ok := false
		if c.opts.Resolve != nil {
			name, ok = c.opts.Resolve(u)
		}
		if !ok {
			return "", fmt.Errorf("the URL leads out of the source: %w", ErrUnsupported)
		}
	} else {
		name = path.Join(path.Dir(c.name), withoutManifest(u.Path))
	}
	switch {
	case !fs.ValidPath(name) || name == ".":
		return "", fmt.Errorf("the URL leads out of the source: %w", ErrUnsupported)
	case equalFoldASCII(path.Ext(name), ".csm"):
		return "", fmt.Errorf("a clip of a composite manifest: %w", ErrUnsupported)
	}
	return name, nil
}

// withoutManifest cuts a last path element Manifest, with or without options.
func withoutManifest(p string) string {
	dir, last := path.Split(p)
	word, _, _ := strings.Cut(last, "(")
	if equalFoldASCII(word, "Manifest") {
		return strings.TrimSuffix(dir, "/")
	}
	return p
}

// validator identifies the content: what the clips say and what the sources hold.
func (c *Composite) validator(st *compositeState) string {
	h := sha256.New()
	for _, s := range st.sources {
		fmt.Fprintf(h, "%q %q\n", s.name, s.snap.Validator)
	}
	for _, clip := range c.m.Clips {
		fmt.Fprintf(h, "%q %d %d\n", clip.URL, clip.Begin, clip.End)
		for _, s := range clip.Streams {
			fmt.Fprintf(h, "%q %q", s.Type, s.URL)
			for _, l := range s.Levels {
				fmt.Fprintf(h, " %d%q", l.Bitrate, l.AttrsKey())
			}
		}
	}
	return "csm-" + validatorOf(h.Sum(nil))
}

// errMoved tells that a source has changed since the state was made.
var errMoved = errors.New("source changed")

// Fragment implements [Presentation].
func (c *Composite) Fragment(ctx context.Context, k FragmentKey) (*Fragment, error) {
	st := c.state.Load()
	for range 2 { // a second time with a new state, if the source has changed
		if st == nil {
			var err error
			if st, err = c.current(ctx); err != nil {
				return nil, err
			}
		}
		f, err := c.fragment(ctx, st, k)
		if !errors.Is(err, errMoved) {
			return f, err
		}
		st = nil
	}
	return nil, fmt.Errorf("smooth: %s: source of %s %d changes: %w", c.name, k.Stream, k.Time, ErrNotFound)
}

// fragment fetches a fragment of a source and gives it its place in the composite.
func (c *Composite) fragment(ctx context.Context, st *compositeState, k FragmentKey) (*Fragment, error) {
	s, part, pos, err := st.find(k)
	switch {
	case err != nil && !c.isCurrent(ctx, st):
		return nil, errMoved
	case err != nil:
		return nil, fmt.Errorf("smooth: %s: %w", c.name, err)
	}
	source := &st.sources[part.source]
	p, err := c.src.Open(ctx, source.name)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	switch now, err := p.Snapshot(ctx); {
	case err != nil:
		return nil, err
	case now != source.snap:
		return nil, errMoved
	}
	inner, err := p.Fragment(ctx, FragmentKey{
		Stream: part.stream, Attrs: k.Attrs, Bitrate: k.Bitrate, Time: k.Time - part.dst + part.src,
	})
	if err != nil {
		return nil, err
	}
	k.Stream = s.out.Name
	f, err := retimed(inner, k, uint32(pos)+1)
	if err != nil {
		inner.Close()
		return nil, fmt.Errorf("smooth: %s: %s %d: %w", c.name, k.Stream, k.Time, err)
	}
	return f, nil
}

// FragmentSize implements [Sizer], as far as the sources do. It knows the fragments of the last snapshot only.
func (c *Composite) FragmentSize(k FragmentKey) (int64, error) {
	st := c.state.Load()
	if st == nil {
		return 0, fmt.Errorf("smooth: %s: no snapshot: %w", c.name, ErrNotFound)
	}
	_, part, _, err := st.find(k)
	if err != nil {
		return 0, fmt.Errorf("smooth: %s: %w", c.name, err)
	}
	p, err := c.src.Open(context.Background(), st.sources[part.source].name)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	z, ok := p.(Sizer)
	if !ok {
		return 0, fmt.Errorf("smooth: %s: sizes of %s: %w", c.name, st.sources[part.source].name, ErrNotFound)
	}
	return z.FragmentSize(FragmentKey{Stream: part.stream, Attrs: k.Attrs, Bitrate: k.Bitrate, Time: k.Time - part.dst + part.src})
}

// find returns where a fragment comes from, and its position in its stream.
func (st *compositeState) find(k FragmentKey) (*compositeStream, *compositePart, int, error) {
	out := st.snap.Manifest.Stream(k.Stream)
	i := slices.Index(st.snap.Manifest.Streams, out)
	if i < 0 || out.Level(k.Bitrate, k.Attrs) == nil {
		return nil, nil, 0, fmt.Errorf("stream %s at %d bits/s: %w", k.Stream, k.Bitrate, ErrNotFound)
	}
	s := &st.streams[i]
	pos, ok := s.out.Timeline.Find(k.Time)
	if !ok {
		return nil, nil, 0, fmt.Errorf("fragment %s %d: %w", k.Stream, k.Time, ErrNotFound)
	}
	n, exact := slices.BinarySearchFunc(s.parts, pos, func(p compositePart, pos int) int { return p.first - pos })
	if !exact {
		n--
	}
	return s, &s.parts[n], pos, nil
}

// retimed returns a fragment with another key and sequence number, which owns f.
func retimed(f *Fragment, k FragmentKey, sequence uint32) (*Fragment, error) {
	head, err := f.Header(Smooth)
	if err != nil {
		return nil, err
	}
	n := fmp4.MoofSize(head)
	if n < 0 {
		return nil, fmt.Errorf("no moof box: %w", ErrCorrupt)
	}
	moof, err := fmp4.Retime(make([]byte, 0, len(head)+64), head[:n], k.Time)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	if len(moof) >= 24 && string(moof[12:16]) == "mfhd" { // ISO/IEC 14496-12 8.8.5
		binary.BigEndian.PutUint32(moof[20:], sequence)
	}
	return NewFragment(FragmentInit{
		Key: k, Timescale: f.Timescale, Duration: f.Duration, Codec: f.Codec, Head: append(moof, head[n:]...), Of: f,
	}), nil
}
