package smooth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// mediaFile is an open media file with the index of its tracks.
type mediaFile struct {
	name  string
	file  File
	movie *fmp4.Movie
	// index holds the fragments of each track of a fragmented file; nil for a progressive one.
	index map[uint32]*fragmentIndex
	// wanted are the track_IDs that matter; nil means all.
	wanted map[uint32]bool
	// bytes is the memory of the index.
	bytes   int64
	buffers bufferPool
	// digest identifies the content.
	digest [sha256.Size]byte
	// ignored says why the mfra box of the file was not used, nil if it was or if there is none.
	ignored error
}

// progressive reports that the samples are in the tables of moov.
func (m *mediaFile) progressive() bool { return m.index == nil }

// edgeSize is how much is read from the start and from the end of a media file in one go: ftyp and moov of most
// fragmented files, and the mfra box of films of a few hours.
const edgeSize = 64 << 10

// openMedia opens a media file and builds its index, from mfra if it lists all tracks that are wanted, else by looking at each moof
// box. wanted are track_IDs; nil means all.
func openMedia(ctx context.Context, files Files, name string, wanted map[uint32]bool) (*mediaFile, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	m := &mediaFile{name: name, file: f, wanted: wanted}
	if err := m.build(ctx); err != nil {
		f.Close()
		return nil, m.fault(err)
	}
	return m, nil
}

// boxError returns an error about a box, to which [mediaFile.fault] adds the file.
func boxError(kind error, path string, offset int64, format string, args ...any) error {
	return &fmp4.Error{Path: path, Offset: offset, Reason: fmt.Sprintf(format, args...), Err: kind}
}

// fault names the file in an error of fmp4.
func (m *mediaFile) fault(err error) error {
	var e *fmp4.Error
	var named *FileError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &named), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &FileError{File: m.name, Offset: m.file.Size(), Reason: "the file has become shorter", Remedy: "copy the file again", Err: ErrCorrupt}
	default:
		return fmt.Errorf("smooth: %s: %w", m.name, err)
	}
	out := &FileError{File: m.name, Path: e.Path, Offset: e.Offset, Reason: e.Reason, Err: e.Err}
	switch {
	case errors.Is(err, fmp4.ErrCorrupt):
		out.Err = ErrCorrupt
	case errors.Is(err, fmp4.ErrTooLarge):
		out.Err = ErrTooLarge
	case errors.Is(err, fmp4.ErrUnsupported):
		out.Err = ErrUnsupported
	}
	out.Remedy = remedyFor(out.Err)
	return out
}

// entryFault is the error for a track whose sample entry cannot be used.
func (m *mediaFile) entryFault(t *fmp4.Track, err error) *FileError {
	out := &FileError{File: m.name, Path: "moov/trak/mdia/minf/stbl/stsd", Offset: t.EntryOffset,
		Reason: fmt.Sprintf("track %d: %v", t.ID, err), Err: ErrCorrupt, Remedy: remedyFor(ErrCorrupt)}
	if errors.Is(err, ErrUnsupported) {
		out.Err, out.Remedy = ErrUnsupported, knownCodecs
	}
	return out
}

// knownCodecs is the remedy for files without any.
const knownCodecs = "encode the video as H.264 or HEVC and the audio as AAC"

// fileEdges serves reads at both ends of a file from memory, so that looking at its structure takes two reads.
type fileEdges struct {
	ctx        context.Context
	file       File
	head, tail []byte
}

func (e *fileEdges) ReadAt(p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	if end <= int64(len(e.head)) {
		return copy(p, e.head[off:]), nil
	}
	if from := e.file.Size() - int64(len(e.tail)); off >= from && end <= e.file.Size() {
		return copy(p, e.tail[off-from:]), nil
	}
	return e.file.ReadAtContext(e.ctx, p, off)
}

func (e *fileEdges) fill() error {
	size := e.file.Size()
	e.head = make([]byte, min(size, edgeSize))
	if err := e.read(e.head, 0); err != nil {
		return err
	}
	if size > edgeSize {
		e.tail = make([]byte, min(size-edgeSize, edgeSize))
		return e.read(e.tail, size-int64(len(e.tail)))
	}
	return nil
}

func (e *fileEdges) read(p []byte, off int64) error {
	n, err := e.file.ReadAtContext(e.ctx, p, off)
	if n < len(p) && (err == nil || errors.Is(err, io.EOF)) {
		return boxError(fmp4.ErrCorrupt, "file", off, "%d bytes left, need %d", n, len(p))
	}
	if n == len(p) {
		return nil
	}
	return err
}

func (m *mediaFile) build(ctx context.Context) error {
	r := &fileEdges{ctx: ctx, file: m.file}
	if err := r.fill(); err != nil {
		return err
	}
	moov, body, err := findMoov(r, m.file.Size())
	if err != nil {
		return err
	}
	raw, err := fmp4.ReadBox(r, moov, fmp4.MaxMoov)
	if err != nil {
		return err
	}
	if m.movie, err = fmp4.ParseMovie(raw, moov.Offset); err != nil {
		return err
	}
	digest := sha256.New()
	hashUint(digest, uint64(m.file.Size()))
	digest.Write(raw)
	samples := false
	for i := range m.movie.Tracks {
		samples = samples || m.movie.Tracks[i].Samples.Len() > 0
	}
	switch {
	case m.movie.Fragmented && samples:
		err = boxError(fmp4.ErrUnsupported, "moov/mvex", moov.Offset, "samples both in moov and in fragments")
	case m.movie.Fragmented || !samples:
		err = m.buildIndex(r, body, digest)
		m.own()
	default:
		m.bytes = int64(len(raw))
		err = m.checkTables(moov.Offset)
	}
	digest.Sum(m.digest[:0])
	return err
}

// checkTables refuses a progressive file whose sample tables promise more than it holds. A few bytes of tables can
// claim hundreds of millions of samples.
func (m *mediaFile) checkTables(offset int64) error {
	for i := range m.movie.Tracks {
		t := &m.movie.Tracks[i].Samples
		if n := t.BytesBefore(t.Len()); n > uint64(m.file.Size()) {
			return boxError(fmp4.ErrCorrupt, "moov/trak/mdia/minf/stbl/stsz", offset, "track %d has samples of %d bytes, the file has %d",
				m.movie.Tracks[i].ID, n, m.file.Size())
		}
	}
	return nil
}

// own cuts the movie of a fragmented file loose from the bytes of its moov box.
func (m *mediaFile) own() {
	for i := range m.movie.Tracks {
		m.movie.Tracks[i].Entry = slices.Clone(m.movie.Tracks[i].Entry)
		m.movie.Tracks[i].Samples = fmp4.Table{}
	}
	for i := range m.movie.Protection {
		m.movie.Protection[i].Data = slices.Clone(m.movie.Protection[i].Data)
	}
}

func hashUint(h hash.Hash, v uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	h.Write(b[:])
}

// findMoov returns the moov box and the offset of the first box that may be a fragment.
func findMoov(r io.ReaderAt, size int64) (moov fmp4.Box, body int64, err error) {
	body = -1
	sc := fmp4.NewScanner(r, 0, size)
	for {
		h, err := sc.Next()
		if errors.Is(err, io.EOF) {
			return moov, 0, boxError(fmp4.ErrCorrupt, "moov", 0, "no such box in the file: it is not an MP4 file, or an unfinished one")
		}
		if err != nil {
			return moov, 0, err
		}
		switch h.Type {
		case fmp4.TypeMoof:
			if body < 0 {
				body = h.Offset
			}
		case fmp4.TypeMoov:
			if body < 0 {
				body = h.End()
			}
			return h, body, nil
		}
	}
}

// Close closes the file.
func (m *mediaFile) Close() error { return m.file.Close() }

// defaults returns the sample defaults of a track.
func (m *mediaFile) defaults(id uint32) fmp4.Defaults {
	if t := m.movie.Track(id); t != nil {
		return t.Defaults
	}
	return fmp4.Defaults{}
}
