package smooth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Limits of what a presentation in files may be made of.
const (
	// MaxServerManifest is the largest .ism file, in bytes.
	MaxServerManifest = 4 << 20
	// MaxClientManifest is the largest .ismc or .csm file, in bytes.
	MaxClientManifest = MaxManifestBytes
	// MaxMediaFiles is the largest number of media files of one presentation.
	MaxMediaFiles = 256
)

// chunkSize is the memory of a [Chunk], in bytes.
const chunkSize = 16

// loader opens the files of one presentation. It is used once, under the context of that load.
type loader struct {
	*FileSource
	ctx    context.Context
	name   string
	p      *filePresentation
	server *ServerManifest
	ism    []byte
	media  map[string]*mediaFile
}

// openPresentation opens the presentation of an actual name.
func (s *FileSource) openPresentation(ctx context.Context, name string) (*filePresentation, error) {
	l := &loader{FileSource: s, ctx: ctx, name: name, media: make(map[string]*mediaFile)}
	l.p = &filePresentation{name: name}
	l.p.refs.Store(1)
	err := l.open()
	if err != nil {
		l.p.release()
		return nil, err
	}
	return l.p, nil
}

func (l *loader) open() error {
	switch ext := strings.ToLower(path.Ext(l.name)); ext {
	case ".ism":
		if err := l.readServerManifest(); err != nil {
			return err
		}
	case ".mp4", ".m4v", ".m4a", ".mov", ".ismv", ".isma":
		if l.hides(l.name) {
			return &fs.PathError{Op: "open", Path: l.name, Err: fs.ErrNotExist}
		}
		if err := l.wrapFiles(l.name); err != nil {
			return err
		}
	case ".csm":
		return l.openComposite()
	default:
		return &fs.PathError{Op: "open", Path: l.name, Err: fs.ErrNotExist}
	}
	if err := l.openTracks(); err != nil {
		return err
	}
	return l.finish()
}

// hides reports whether a media file is not for presentations without a server manifest.
func (s *FileSource) hides(name string) bool { return s.opts.Hidden != nil && s.opts.Hidden(name) }

// check remembers the version of a file, so that a change is noticed; a missing one has version "".
func (l *loader) check(name string) {
	c := fileCheck{name: name}
	c.version = l.versionNow(l.ctx, c)
	l.p.checks = append(l.p.checks, c)
}

// missing remembers that there is no such file, so that it is noticed when it comes.
func (l *loader) missing(name string) {
	if fs.ValidPath(name) {
		l.p.checks = append(l.p.checks, fileCheck{name: name, anyCase: true})
	}
}

// versionNow returns the present version of what was checked.
func (s *FileSource) versionNow(ctx context.Context, c fileCheck) string {
	if c.dir {
		entries, err := s.files.ReadDir(ctx, c.name)
		if err != nil {
			return ""
		}
		return strings.Join(s.mediaNames(c.name, entries), "/")
	}
	if c.anyCase {
		actual, err := s.names.file(ctx, c.name)
		if err != nil {
			return ""
		}
		c.name = actual
	}
	info, err := s.files.Stat(ctx, c.name)
	if err != nil || info.IsDir() {
		return ""
	}
	return versionOf(info)
}

// readServerManifest reads the .ism file, or makes one for a directory of the same name that holds MP4 files.
func (l *loader) readServerManifest() error {
	l.check(l.name)
	data, f, err := readSmall(l.ctx, l.files, l.name, MaxServerManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return l.wrapDirectory(strings.TrimSuffix(l.name, path.Ext(l.name)), err)
	}
	if err != nil {
		return err
	}
	l.seen(f.ModTime())
	l.ism = data
	if l.server, err = ParseServerManifest(data); err != nil {
		return inFile(l.name, err)
	}
	return nil
}

// inFile names the file in an error of a parser.
func inFile(name string, err error) error {
	var fe *FileError
	if errors.As(err, &fe) {
		named := *fe
		named.File = name
		switch {
		case named.Remedy != "":
		case named.Line > 0 && named.Err == ErrCorrupt:
			named.Remedy = "correct it or copy it again"
		default:
			named.Remedy = remedyFor(named.Err)
		}
		return &named
	}
	return fmt.Errorf("smooth: %s: %w", name, err)
}

// wrapDirectory makes a presentation of all MP4 files in a directory.
func (l *loader) wrapDirectory(dir string, missing error) error {
	entries, err := l.files.ReadDir(l.ctx, dir)
	if err != nil {
		return missing
	}
	names := l.mediaNames(dir, entries)
	if len(names) == 0 {
		return missing
	}
	l.p.checks = append(l.p.checks, fileCheck{name: dir, version: strings.Join(names, "/"), dir: true})
	for i := range names {
		names[i] = path.Join(dir, names[i])
	}
	return l.wrapFiles(names...)
}

// mediaNames returns the names of the MP4 files in a directory that are a presentation together.
func (s *FileSource) mediaNames(dir string, entries []fs.DirEntry) []string {
	var names []string
	for _, e := range entries {
		isFile := e.Type().IsRegular() || e.Type() == fs.ModeSymlink
		if isFile && hasSuffixFold(e.Name(), ".mp4") && !s.hides(path.Join(dir, e.Name())) {
			names = append(names, e.Name())
		}
	}
	return names
}

// wrapFiles makes a server manifest for files that have none: every video track, and the audio and text tracks of the
// first file that has any. Tracks of unknown codecs, such as cover pictures, are left out.
func (l *loader) wrapFiles(names ...string) error {
	l.server = new(ServerManifest)
	if len(names) > MaxMediaFiles {
		return &FileError{File: l.name, Offset: -1, Err: ErrTooLarge, Reason: fmt.Sprintf("%d MP4 files, the limit is %d", len(names), MaxMediaFiles),
			Remedy: "move some of them to other directories"}
	}
	var audio, text bool
	var unknown *FileError
	for _, name := range names {
		m, err := l.mediaNamed(name)
		if err != nil {
			return err
		}
		hadAudio, hadText := audio, text
		for i := range m.movie.Tracks {
			t := &m.movie.Tracks[i]
			kind := handlerType(t.Handler)
			switch {
			case kind == "", kind == Audio && hadAudio, kind == Text && hadText:
				continue
			}
			if _, err := CodecFromSampleEntry(t.Entry); err != nil {
				unknown = m.entryFault(t, err)
				l.opts.Logger.Warn("track is left out", "presentation", l.name, "file", name, "track", t.ID, "err", unknown)
				continue
			}
			audio, text = audio || kind == Audio, text || kind == Text
			st := ServerTrack{Type: kind, Src: name, Params: []Param{{Name: "trackID", Value: fmt.Sprint(t.ID)}}}
			if t.Language != "und" {
				st.Language = t.Language
			}
			l.server.Tracks = append(l.server.Tracks, st)
		}
	}
	if len(l.server.Tracks) > 0 {
		return nil
	}
	if unknown != nil {
		unknown.Reason = "no track of a known codec: " + unknown.Reason
		return unknown
	}
	return &FileError{File: l.name, Path: "moov/trak", Offset: -1, Err: ErrUnsupported, Reason: "no video, audio or text track", Remedy: knownCodecs}
}

// seen keeps the latest time of change.
func (l *loader) seen(t time.Time) {
	if t.After(l.p.modTime) {
		l.p.modTime = t
	}
}

// wanted returns the track_IDs that the server manifest names, in whatever file; nil if it leaves some to be guessed. A track that it
// does not name, such as one that was announced live and never sent, need not be in the index.
func (l *loader) wanted() map[uint32]bool {
	if l.ism == nil {
		return nil
	}
	ids := make(map[uint32]bool)
	for i := range l.server.Tracks {
		id, ok := l.server.Tracks[i].TrackID()
		if !ok {
			return nil
		}
		ids[id] = true
	}
	return ids
}

// mediaNamed opens a media file once.
func (l *loader) mediaNamed(name string) (*mediaFile, error) {
	if m, ok := l.media[name]; ok {
		return m, nil
	}
	if len(l.media) == MaxMediaFiles {
		return nil, &FileError{File: l.name, Offset: -1, Err: ErrTooLarge, Reason: fmt.Sprintf("more than %d media files", MaxMediaFiles),
			Remedy: remedyFor(ErrTooLarge)}
	}
	l.check(name)
	m, err := openMedia(l.ctx, l.files, name, l.wanted())
	if err != nil {
		return nil, err
	}
	if m.ignored != nil {
		l.opts.Logger.Warn("fragment index is not used, the file was scanned instead", "presentation", l.name, "file", name, "err", m.ignored)
	}
	l.media[name] = m
	l.p.media = append(l.p.media, m)
	l.seen(m.file.ModTime())
	l.p.indexBytes += m.bytes
	return m, nil
}

// resolveSrc returns the actual name of the file that a server manifest names. It is relative to the manifest, or to the
// root if it starts with a slash, and cannot leave the root.
func (l *loader) resolveSrc(src string) (string, error) {
	p := l.srcPath(src)
	if !fs.ValidPath(p) || !safePath(p) {
		return "", &fs.PathError{Op: "open", Path: src, Err: fs.ErrNotExist}
	}
	return l.names.file(l.ctx, p)
}

func (l *loader) srcPath(src string) string {
	if rooted, ok := strings.CutPrefix(src, "/"); ok {
		return rooted
	}
	return path.Join(path.Dir(l.name), src)
}

// openTracks opens what the server manifest names. A rendition whose file is missing is left out with a warning; a
// broken file is an error.
func (l *loader) openTracks() error {
	for i := range l.server.Tracks {
		st := &l.server.Tracks[i]
		if st.Src == "" {
			continue
		}
		m, err := l.mediaOf(st)
		if errors.Is(err, fs.ErrNotExist) {
			l.opts.Logger.Warn("media file is missing, its track is left out", "presentation", l.name, "file", st.Src, "stream", st.Name())
			l.missing(l.srcPath(st.SrcPath()))
			continue
		}
		if err != nil {
			return err
		}
		t, err := trackFor(m, st)
		if err != nil {
			return err
		}
		l.p.tracks = append(l.p.tracks, &fileTrack{
			server: st, stream: st.Name(), kind: st.Type, attrs: st.AttrsKey(), bitrate: st.Bitrate,
			timescale: DefaultTimescale, media: m, source: t,
		})
	}
	if len(l.p.tracks) == 0 {
		return &FileError{File: l.name, Path: "smil/body/switch", Offset: -1, Err: ErrUnsupported,
			Reason: "no track whose media file exists", Remedy: "copy the media files beside the server manifest"}
	}
	return nil
}

// mediaOf opens the media file of a server track.
func (l *loader) mediaOf(st *ServerTrack) (*mediaFile, error) {
	if l.ism == nil {
		return l.mediaNamed(st.Src) // an actual name, from wrapFiles
	}
	name, err := l.resolveSrc(st.SrcPath())
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(st.Src, "%") { // a name that contains the percent sign itself
		name, err = l.resolveSrc(strings.ReplaceAll(strings.TrimSpace(st.Src), `\`, "/"))
	}
	if err != nil {
		return nil, err
	}
	return l.mediaNamed(name)
}

// finish makes the snapshot: from the client manifest if there is one that agrees with the files, else from them.
func (l *loader) finish() error {
	if err := l.planProgressive(); err != nil {
		return err
	}
	placeMedia(l.p.tracks)
	m, original, err := l.clientManifest()
	if err != nil {
		return err
	}
	if m == nil {
		b := manifestBuilder{loader: l}
		if m, err = b.build(); err != nil {
			return err
		}
	}
	l.p.original = original
	l.publish(m, original)
	return nil
}

func (l *loader) publish(m *Manifest, original []byte) {
	digest := sha256.New()
	digest.Write(l.ism)
	hashUint(digest, uint64(len(original)))
	digest.Write(original)
	for _, f := range l.p.media {
		digest.Write(f.digest[:])
	}
	hashUint(digest, uint64(l.opts.FragmentDuration))
	sum := digest.Sum(nil)
	s := NewSnapshot(m, validatorOf(sum))
	s.ModTime = l.p.modTime
	for _, st := range m.Streams {
		for _, lv := range st.Levels {
			k := FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Attrs: lv.AttrsKey()}
			if t := l.p.track(k); t != nil {
				s.Periods[0].Tracks = append(s.Periods[0].Tracks, Track{Stream: k.Stream, Attrs: k.Attrs, Bitrate: k.Bitrate, Codec: t.codec})
			}
		}
	}
	l.p.snapshot = s
	for _, st := range m.Streams {
		l.p.indexBytes += int64(len(st.Timeline)) * chunkSize
	}
	l.p.indexBytes += int64(len(original))
}
