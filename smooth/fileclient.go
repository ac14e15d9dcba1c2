package smooth

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// clientManifest reads the .ismc file and binds its levels to tracks. It returns nil if there is none or if it is
// stale: it lists a level, or a time, that the media files lack. Where an encoder has lost fragments of one level, the
// manifest lists what other levels have, as that of a live event does.
func (l *loader) clientManifest() (*Manifest, []byte, error) {
	if l.ism == nil {
		return nil, nil, nil // the server manifest was made up
	}
	rel := l.server.ClientManifestPath()
	if rel == "" {
		rel = path.Base(strings.TrimSuffix(l.name, path.Ext(l.name))) + ".ismc"
	}
	rel = strings.TrimPrefix(rel, "/")
	name, err := l.resolveSrc(rel)
	if errors.Is(err, fs.ErrNotExist) {
		l.missing(l.srcPath(rel))
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	l.check(name)
	data, f, err := readSmall(l.ctx, l.files, name, MaxClientManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	l.seen(f.ModTime())
	m, err := ParseManifest(data)
	if err == nil {
		if err = l.bind(m, false); err != nil && l.bind(m, true) == nil {
			err = nil
		}
	}
	if err != nil {
		l.opts.Logger.Warn("client manifest is stale, a new one is made of the media files",
			"presentation", l.name, "file", name, "err", inFile(name, err))
		return nil, nil, nil
	}
	return m, data, nil
}

// bind finds the track of each level and gives it the stream's name and timescale. Where fragments carry no times of
// Smooth Streaming but decode times, it takes those as they are or, if placed is set, as placeMedia moves them.
func (l *loader) bind(m *Manifest, placed bool) error {
	if len(m.Clips) > 0 || len(m.Streams) == 0 {
		return fmt.Errorf("smooth: no streams: %w", ErrCorrupt)
	}
	bound := make(map[*fileTrack]bool)
	codecs := make(map[*fileTrack]*Codec)
	var edits []func()
	for _, st := range m.Streams {
		if st.URL == "" {
			continue // embedded text needs no track
		}
		levels, lacking := 0, make(map[int]int) // by position of the chunk
		for _, lv := range st.Levels {
			t := l.candidate(st, lv, bound)
			if t == nil && (len(st.Timeline) == 0 || st.Embedded != nil) {
				continue // nothing to fetch
			}
			if t == nil {
				return fmt.Errorf("smooth: stream %s, bit rate %d: no track in the server manifest: %w", st.Name, lv.Bitrate, ErrCorrupt)
			}
			bound[t] = true
			edit := *t
			if !placed {
				edit.placed, edit.delay = 0, 0
			}
			edit.stream, edit.attrs, edit.bitrate, edit.timescale = st.Name, lv.AttrsKey(), lv.Bitrate, m.TimescaleOf(st)
			if err := edit.prepare(); err != nil {
				return err
			}
			lacks := edit.lacks(st.Timeline)
			levels++
			for _, at := range lacks {
				lacking[at]++
			}
			if 2*len(lacks) > len(st.Timeline) {
				return fmt.Errorf("smooth: stream %s, bit rate %d: %d chunks that the media file lacks: %w", st.Name, lv.Bitrate, len(lacks), ErrCorrupt)
			}
			c, err := CodecFromSampleEntry(t.source.Entry)
			if err != nil {
				c, err = CodecFromQualityLevel(st.Type, st, lv)
			}
			if err != nil {
				c = &Codec{Type: st.Type, FourCC: lv.FourCC, PrivateData: lv.CodecPrivateData}
			}
			codecs[t] = c
			edits = append(edits, func() { *t = edit; t.codec = codecs[t] })
		}
		for at, n := range lacking {
			if n == levels {
				return fmt.Errorf("smooth: stream %s: chunks that the media files lack, such as that at %d: %w", st.Name, st.Timeline[at].Time, ErrCorrupt)
			}
		}
	}
	for _, apply := range edits {
		apply()
	}
	var listed, others []*fileTrack
	for _, t := range l.p.tracks {
		if bound[t] {
			listed = append(listed, t)
		} else if err := t.complete(); err == nil {
			others = append(others, t) // not listed, yet old URLs may name it
		}
	}
	l.p.tracks = append(listed, others...)
	return nil
}

// candidate returns the track that has not been bound yet with the name and bit rate of a level, and with all of its
// custom attributes.
func (l *loader) candidate(st *Stream, lv *QualityLevel, bound map[*fileTrack]bool) *fileTrack {
	for _, exact := range []bool{true, false} {
		for _, t := range l.p.tracks {
			if bound[t] || t.kind != st.Type || !t.named(st) || t.server.HasBitrate && t.bitrate != lv.Bitrate {
				continue
			}
			if exact && t.attrs == lv.AttrsKey() || !exact && hasAttributes(t.server, lv.CustomAttributes) {
				return t
			}
		}
	}
	return nil
}

// named reports whether the server track belongs to the stream. The default name of a text track is textstream in a
// server manifest and text in a client manifest.
func (t *fileTrack) named(st *Stream) bool {
	if equalFoldASCII(t.stream, st.Name) {
		return true
	}
	_, has := t.server.Param("trackName")
	return !has && equalFoldASCII(st.Name, string(st.Type))
}

// hasAttributes reports whether a server track carries all custom attributes of a level; there their names have a
// namespace before an underscore.
func hasAttributes(st *ServerTrack, list []Attribute) bool {
	for _, want := range list {
		found := false
		for _, have := range st.Attrs() {
			_, bare, _ := strings.Cut(have.Name, "_")
			found = found || have.Value == want.Value && (equalFoldASCII(have.Name, want.Name) || equalFoldASCII(bare, want.Name))
		}
		if !found {
			return false
		}
	}
	return true
}

// prepare brings the index into the timescale of the timeline.
func (t *fileTrack) prepare() error {
	if t.plan != nil {
		if t.timescale != DefaultTimescale {
			return fmt.Errorf("smooth: %s: timescale %d for a progressive file: %w", t.media.name, t.timescale, ErrUnsupported)
		}
		return nil
	}
	return t.setEntries(t.media.index[t.source.ID])
}

// complete prepares a track without a client manifest: index, codec and bit rate.
func (t *fileTrack) complete() error {
	if err := t.prepare(); err != nil {
		return err
	}
	if t.codec == nil {
		c, err := CodecFromSampleEntry(t.source.Entry)
		if err != nil {
			var stated error
			if c, stated = t.server.codec(); stated != nil {
				return t.media.entryFault(t.source, err)
			}
		}
		t.codec = c
	}
	if !t.server.HasBitrate {
		t.bitrate = t.measured()
	}
	return nil
}

// openComposite reads a composite manifest. Its clips are opened when they are asked for.
func (l *loader) openComposite() error {
	l.check(l.name)
	data, f, err := readSmall(l.ctx, l.files, l.name, MaxClientManifest)
	if err != nil {
		return err
	}
	l.seen(f.ModTime())
	m, err := ParseManifest(data)
	if err != nil {
		return inFile(l.name, err)
	}
	if len(m.Clips) == 0 {
		return &FileError{File: l.name, Path: "SmoothStreamingMedia", Offset: -1, Err: ErrCorrupt, Reason: "no Clip element",
			Remedy: "give it the extension .ismc if it is the manifest of one presentation"}
	}
	l.p.composite = NewComposite(l.FileSource, l.name, m, &CompositeOptions{Stored: data, Resolve: l.opts.ResolveClip})
	l.p.indexBytes = int64(len(data))
	return nil
}
