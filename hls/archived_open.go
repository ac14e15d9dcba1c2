package hls

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// errNoArchive: there is no server manifest of that name, or it is not one of an archive.
var errNoArchive = fmt.Errorf("hls: no archive: %w", smooth.ErrNotFound)

// errFault stands for a panic while a file was read.
var errFault = fmt.Errorf("hls: fault while reading: %w", smooth.ErrCorrupt)

// archiveLoaders is how many files of an archive are read at a time.
const archiveLoaders = 2

// An archiveLoader opens the files of one archive. It is used once.
type archiveLoader struct {
	*ArchiveSource
	ctx      context.Context
	name     string
	previous *archive // or nil
	a        *archive
	manifest []byte
	dir      []string // names of the .ts files in the directory, once they are known
}

// openArchive opens the archive of a server manifest. The error is errNoArchive if it is something else.
func (s *ArchiveSource) openArchive(ctx context.Context, name string, previous *archive) (a *archive, err error) {
	l := &archiveLoader{ArchiveSource: s, ctx: ctx, name: name, previous: previous, a: newArchive(name)}
	defer func() {
		if r := recover(); r != nil { // the last line against a fault in a parser
			a, err = nil, fmt.Errorf("%w: %v", errFault, r)
		}
		if err != nil {
			l.a.release()
		}
	}()
	if err := l.open(); err != nil {
		return nil, err
	}
	return l.a, nil
}

func (l *archiveLoader) open() error {
	l.check(l.name)
	m, err := l.readManifest()
	if err != nil {
		return err
	}
	if plain := plainName(l.name); plain != l.name {
		l.check(plain) // it wins once it comes
	}
	tracks, err := l.openFiles(m)
	if err != nil {
		return err
	}
	if err := l.index(); err != nil {
		return err
	}
	return l.a.publish(l.manifest, tracks, l.opts.Logger)
}

// check remembers the version of a file, so that a change is noticed.
func (l *archiveLoader) check(name string) {
	l.a.checks = append(l.a.checks, archiveCheck{name, l.versionNow(l.ctx, name)})
}

// versionNow returns the present version of a file, "" if there is none.
func (s *ArchiveSource) versionNow(ctx context.Context, name string) string {
	actual, err := s.src.Resolve(ctx, name)
	if err != nil {
		return ""
	}
	f, err := s.src.Files().Stat(ctx, actual)
	if err != nil || f.IsDir() {
		return ""
	}
	return versionOf(f)
}

// versionOf returns what differs between two contents of a file, see [smooth.Files].
func versionOf(f fs.FileInfo) string {
	if v, ok := f.(interface{ Version() string }); ok {
		return v.Version()
	}
	return strconv.FormatInt(f.Size(), 36) + "-" + strconv.FormatInt(f.ModTime().UnixNano(), 36)
}

// readManifest reads the server manifest.
func (l *archiveLoader) readManifest() (*smooth.ServerManifest, error) {
	f, err := l.src.Files().Open(l.ctx, l.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoArchive
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > smooth.MaxServerManifest {
		return nil, errNoArchive
	}
	l.manifest = make([]byte, f.Size())
	if n, err := f.ReadAtContext(l.ctx, l.manifest, 0); n < len(l.manifest) {
		return nil, fmt.Errorf("hls: %s: %d of %d bytes: %w", l.name, n, len(l.manifest), err)
	}
	l.a.modTime = f.ModTime()
	m, err := smooth.ParseServerManifest(l.manifest)
	if err != nil || !slices.ContainsFunc(m.Tracks, func(t smooth.ServerTrack) bool { return isArchived(t.SrcPath()) }) {
		return nil, errNoArchive
	}
	return m, nil
}

// isArchived reports whether a name is that of a file of an archive.
func isArchived(name string) bool {
	ext := path.Ext(name)
	return strings.EqualFold(ext, ".ts") || strings.EqualFold(ext, ".ismx")
}

// openFiles opens the files that the server manifest names. One that is missing is left out with a warning.
func (l *archiveLoader) openFiles(m *smooth.ServerManifest) ([]archiveTrack, error) {
	var tracks []archiveTrack
	for i := range m.Tracks {
		st := &m.Tracks[i]
		if !isArchived(st.SrcPath()) {
			continue
		}
		name, err := l.fileOf(st)
		if errors.Is(err, smooth.ErrNotFound) {
			l.opts.Logger.Warn("file of an archive is missing, its track is left out", "presentation", l.name, "file", st.Src, "stream", st.Name())
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := l.file(name)
		if err != nil {
			return nil, err
		}
		tracks = append(tracks, archiveTrack{server: st, file: f})
	}
	if len(tracks) == 0 {
		return nil, &smooth.FileError{File: l.name, Path: "smil/body/switch", Offset: -1, Err: smooth.ErrUnsupported,
			Reason: "no track whose file of MPEG-2 TS exists", Remedy: "copy the .ts files beside the server manifest"}
	}
	return tracks, nil
}

// fileOf returns the actual name of the file of a track: the one that is named or, for an index, the .ts of the same name
// or else the only one whose name has the bit rate in it.
func (l *archiveLoader) fileOf(st *smooth.ServerTrack) (string, error) {
	src := st.SrcPath()
	ts := strings.TrimSuffix(src, path.Ext(src)) + ".ts"
	if strings.EqualFold(path.Ext(src), ".ts") {
		ts = src
	}
	wanted := path.Join(path.Dir(l.name), ts)
	if rooted, ok := strings.CutPrefix(ts, "/"); ok {
		wanted = path.Clean(rooted)
	}
	name, err := l.src.Resolve(l.ctx, wanted)
	if !errors.Is(err, smooth.ErrNotFound) {
		return name, err
	}
	l.check(wanted) // noticed when it comes
	if ts == src || !st.HasBitrate {
		return "", err
	}
	return l.fileByBitrate(st.Bitrate, err)
}

// fileByBitrate returns the only .ts in the directory whose name has a bit rate in it, or else the error missing.
func (l *archiveLoader) fileByBitrate(bitrate uint64, missing error) (string, error) {
	if l.dir == nil {
		entries, err := l.src.Files().ReadDir(l.ctx, path.Dir(l.name))
		if err != nil {
			return "", err
		}
		l.dir = []string{}
		for _, e := range entries {
			if !e.IsDir() && strings.EqualFold(path.Ext(e.Name()), ".ts") {
				l.dir = append(l.dir, e.Name())
			}
		}
	}
	found := ""
	for _, name := range l.dir {
		if !hasNumber(name, bitrate) {
			continue
		}
		if found != "" {
			return "", missing
		}
		found = name
	}
	if found == "" {
		return "", missing
	}
	return path.Join(path.Dir(l.name), found), nil
}

// hasNumber reports whether one of the numbers in a name is n.
func hasNumber(name string, n uint64) bool {
	numbers := strings.FieldsFunc(name, func(r rune) bool { return r < '0' || r > '9' })
	return slices.Contains(numbers, strconv.FormatUint(n, 10))
}

// file opens a file once.
func (l *archiveLoader) file(name string) (*archiveFile, error) {
	for _, f := range l.a.files {
		if f.name == name {
			return f, nil
		}
	}
	if len(l.a.files) == smooth.MaxMediaFiles {
		return nil, &smooth.FileError{File: l.name, Offset: -1, Err: smooth.ErrTooLarge,
			Reason: fmt.Sprintf("more than %d files", smooth.MaxMediaFiles), Remedy: "divide the archive"}
	}
	l.check(name)
	f, err := l.src.Files().Open(l.ctx, name)
	if err != nil {
		return nil, err
	}
	out := &archiveFile{name: name, version: f.Version(), file: f}
	l.a.files = append(l.a.files, out)
	if t := f.ModTime(); t.After(l.a.modTime) {
		l.a.modTime = t
	}
	return out, nil
}

// index makes the indexes of all files, or takes them from the archive as it was before. A file that is no transport
// stream which can be shown is left out with a warning.
func (l *archiveLoader) index() error {
	slots := make(chan struct{}, archiveLoaders)
	var wg sync.WaitGroup
	for _, f := range l.a.files {
		if f.index = l.known(f); f.index != nil {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			f.makeIndex(l.ctx)
		})
	}
	wg.Wait()
	for _, f := range l.a.files {
		switch {
		case f.index != nil:
			l.a.bytes += f.index.size()
		case errors.Is(f.err, errNotTS), errors.Is(f.err, smooth.ErrTooLarge), errors.Is(f.err, errFault), errors.Is(f.err, io.ErrUnexpectedEOF):
			l.opts.Logger.Warn("file of an archive cannot be shown and is left out", "presentation", l.name, "file", f.name, "err", f.err)
		default:
			return fmt.Errorf("hls: %s: %w", f.name, f.err)
		}
	}
	if l.a.bytes > maxArchiveIndex {
		return &smooth.FileError{File: l.name, Offset: -1, Err: smooth.ErrTooLarge,
			Reason: fmt.Sprintf("indexes of %d bytes, the limit is %d", l.a.bytes, maxArchiveIndex), Remedy: "divide the archive"}
	}
	return nil
}

// maxArchiveIndex bounds the indexes of one archive in bytes.
const maxArchiveIndex = 128 << 20

// known returns the index of a file that has not changed, or nil.
func (l *archiveLoader) known(f *archiveFile) *tsIndex {
	if l.previous != nil {
		for _, old := range l.previous.files {
			if old.name == f.name && old.version == f.version {
				return old.index
			}
		}
	}
	return nil
}

// makeIndex sets index or err.
func (f *archiveFile) makeIndex(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			f.index, f.err = nil, fmt.Errorf("%w: %v", errFault, r)
		}
	}()
	f.index, f.err = indexTS(ctx, f.file, f.file.Size())
}

// digest hashes what the answers to requests depend on.
func (ix *tsIndex) digest(h hash.Hash) {
	put := func(values ...uint64) {
		for _, v := range values {
			h.Write(binary.BigEndian.AppendUint64(nil, v))
		}
	}
	put(uint64(ix.end), uint64(len(ix.points)), uint64(len(ix.tables)))
	for i := range ix.points {
		p := &ix.points[i]
		put(uint64(p.offset), p.time, p.end)
	}
	for i := range ix.tables {
		h.Write(ix.tables[i].pat[:])
		h.Write(ix.tables[i].pmt[:])
	}
	for _, c := range []*smooth.Codec{ix.video, ix.audio} {
		if c != nil {
			put(uint64(len(c.PrivateData)))
			h.Write(c.PrivateData)
		}
	}
}

// validatorOf returns a validator of a snapshot for a manifest and the indexes of the files that tracks have.
func validatorOf(manifest []byte, files []*archiveFile) string {
	h := sha256.New()
	h.Write(manifest)
	for _, f := range files {
		if f.index != nil {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(f.file.Size())))
			f.index.digest(h)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:12])
}

func sortInfos(list []smooth.Info) {
	slices.SortFunc(list, func(a, b smooth.Info) int { return strings.Compare(a.Name, b.Name) })
}
