package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/archive/internal/journal"
	"github.com/smoothkit/smoothkit/smooth"
)

// A segment is a presentation that grows: media files, a journal and an index of what is in them. One goroutine writes; readers
// use the index and the files. It has a reference for the event it belongs to, and one for each who reads it.
type segment struct {
	store  Store
	dir    string // such as live/demo-isml/20260702T120000Z/1
	base   string
	number int
	from   uint64 // where it begins and ends, in ticks: a fragment belongs to it by its middle
	until  uint64
	index  *index.Index
	refs   atomic.Int32

	mu    sync.Mutex   // guards files; the fields of a file are guarded as said there
	files []*mediaFile // by number

	// Only the goroutine that writes uses these, and the sizes are read by the one that syncs, under mu of the recording.
	journal   *grower
	mark      journal.Mark // what has been synced and is not in the journal yet
	manifest  bool         // the .ism lists all tracks
	whole     bool         // there may be a client manifest
	fragments int          // written since it was opened
	failed    int          // number of the newest segment when completing it has failed
}

// A grower is a file that is appended to, and remembers how much of it is good.
type grower struct {
	Appender
	size   int64 // what has been written whole
	synced int64 // what survives a power cut
	dirty  bool  // there is more in the file than size
}

// A mediaFile is a file of an input stream.
type mediaFile struct {
	grower
	number uint16
	name   string
	input  string
	header int64       // bytes before the first fragment
	sum    uint32      // their CRC-32C
	head   []byte      // they themselves, nil after a restart
	shown  smooth.File // what readers lease it from, nil until one does; guarded by mu of the segment
	tracks []journal.Track
}

// newSegment returns a segment without files.
func newSegment(store Store, dir, base string, number int, from uint64) *segment {
	s := &segment{store: store, dir: dir, base: base, number: number, from: from, until: math.MaxUint64, index: index.New(dir)}
	s.refs.Store(1)
	return s
}

func (s *segment) retain() { s.refs.Add(1) }

// release drops a reference. With the last one the files are closed.
func (s *segment) release() {
	if s.refs.Add(-1) != 0 {
		return
	}
	for _, m := range s.media() {
		if m.Appender != nil {
			_ = m.Close()
		}
		if m.shown != nil {
			_ = m.shown.Close()
		}
	}
	if s.journal != nil {
		_ = s.journal.Close()
	}
}

// media returns the files.
func (s *segment) media() []*mediaFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files
}

// path returns the name of a file of the segment.
func (s *segment) path(name string) string { return path.Join(s.dir, name) }

func (s *segment) journalName() string { return s.path(s.base + journalExtension) }
func (s *segment) ismName() string     { return s.path(s.base + ".ism") }
func (s *segment) ismcName() string    { return s.path(s.base + ".ismc") }

// open opens a file for appending that has size bytes or more; what is behind them is cut off.
func (s *segment) open(ctx context.Context, name string, size int64) (grower, error) {
	app, err := s.store.Append(ctx, s.path(name))
	if err != nil {
		return grower{}, fmt.Errorf("archive: %s: %w", s.path(name), err)
	}
	g := grower{Appender: app, size: size, dirty: app.Size() != size}
	if app.Size() < size {
		err = fmt.Errorf("%d bytes, expected %d: %w", app.Size(), size, smooth.ErrCorrupt)
	} else {
		err = g.tidy()
	}
	if err != nil {
		_ = app.Close()
		return grower{}, fmt.Errorf("archive: %s: %w", s.path(name), err)
	}
	return g, nil
}

// tidy cuts off what a write that failed has left.
func (g *grower) tidy() error {
	if !g.dirty {
		return nil
	}
	if err := g.Truncate(g.size); err != nil {
		return err
	}
	g.dirty = false // what was synced is not behind size
	return nil
}

// append appends all of b, or nothing.
func (g *grower) append(b []byte) error {
	if err := g.tidy(); err != nil {
		return err
	}
	n, err := g.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		g.dirty = true
		return errors.Join(err, g.tidy())
	}
	return nil
}

// record appends to the journal of a segment. The caller moves its size on.
func (r *recording) record(ctx context.Context, s *segment, b []byte) error {
	if s.journal == nil {
		g, err := s.open(ctx, s.base+journalExtension, 0)
		if err != nil {
			return err
		}
		r.mu.Lock()
		s.journal = &g
		r.mu.Unlock()
	}
	if err := s.journal.append(b); err != nil {
		return fmt.Errorf("archive: %s: %w", s.journalName(), err)
	}
	return nil
}

// file returns the file of a segment for a track, with the track declared. It is made if there is none.
func (r *recording) file(ctx context.Context, s *segment, t *track) (*mediaFile, error) {
	in, files := t.home, s.media()
	for _, m := range files {
		if m.input != in.ID || m.sum != in.sum || m.header != int64(len(in.Header)) {
			continue
		}
		if m.size < m.header { // a crash has left nothing of it
			m.head = in.Header
			if err := r.rewrite(m); err != nil {
				return nil, fmt.Errorf("archive: %s: %w", s.path(m.name), err)
			}
		}
		return m, r.declare(ctx, s, m, in)
	}
	if len(files) >= math.MaxUint16 {
		return nil, fmt.Errorf("archive: %s: more than %d files: %w", s.dir, math.MaxUint16, smooth.ErrTooLarge)
	}
	m := &mediaFile{number: uint16(len(files)), name: s.unused(in), input: in.ID, header: int64(len(in.Header)), sum: in.sum, head: in.Header}
	g, err := s.open(ctx, m.name, 0)
	if err != nil {
		return nil, err
	}
	m.grower = g
	if err := m.append(in.Header); err != nil {
		return nil, errors.Join(fmt.Errorf("archive: %s: %w", s.path(m.name), err), m.Close())
	}
	if err := r.declare(ctx, s, m, in); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// unused returns a name for the file of an input stream that no other file of the segment has, whatever the case of letters.
func (s *segment) unused(in *input) string {
	name, extension := safeName(in.ID), mediaExtension(in.Tracks)
	for n := 0; ; n++ {
		try, taken := attempt(name, n)+extension, false
		for _, m := range s.media() {
			taken = taken || strings.EqualFold(m.name, try)
		}
		if !taken {
			return try
		}
	}
}

// declare writes down the tracks of a file, which is new to the segment if it has none.
func (r *recording) declare(ctx context.Context, s *segment, m *mediaFile, in *input) error {
	tracks := slices.Clone(m.tracks)
	for i := range in.Tracks {
		t := &in.Tracks[i]
		if !slices.ContainsFunc(tracks, func(o journal.Track) bool { return o.ID == t.ID && o.Key == t.Key }) {
			tracks = append(tracks, journal.Track{ID: t.ID, Key: t.Key, Stream: t.Stream, Level: t.Level, Codec: t.Codec})
		}
	}
	fresh := m.tracks == nil
	if !fresh && len(tracks) == len(m.tracks) {
		s.adopt(m, false)
		return nil
	}
	b, err := m.declaration(tracks)
	if err != nil {
		return err
	}
	if err := r.record(ctx, s, b); err != nil {
		return err
	}
	r.mu.Lock()
	s.journal.size += int64(len(b))
	if fresh {
		m.size = m.header
	}
	r.mu.Unlock()
	m.tracks = tracks
	s.manifest = false
	s.adopt(m, fresh)
	return nil
}

// declaration returns the record of a file.
func (m *mediaFile) declaration(tracks []journal.Track) ([]byte, error) {
	return journal.AppendFile(nil, &journal.File{Number: m.number, Name: m.name, Input: m.input, Header: m.header, Sum: m.sum, Tracks: tracks})
}

// adopt makes the tracks of a file known to the index.
func (s *segment) adopt(m *mediaFile, fresh bool) {
	if fresh {
		s.mu.Lock()
		s.files = append(s.files[:len(s.files):len(s.files)], m)
		s.mu.Unlock()
	}
	for i := range m.tracks {
		t := &m.tracks[i]
		if n, known := s.index.Number(t.Key); known && s.index.Len(n) > 0 {
			continue // several input streams may have the same track; the one of its first fragment is its home
		}
		s.index.Declare(index.Track{Key: t.Key, Stream: t.Stream, Level: t.Level, Codec: t.Codec, File: int(m.number), ID: t.ID})
	}
}

// numberOf returns the number of a track of a file, if it is that file that has its fragments, and there are any.
func (s *segment) numberOf(m *mediaFile, t *journal.Track) (int, bool) {
	n, ok := s.index.Number(t.Key)
	if !ok || s.index.Len(n) == 0 {
		return n, false
	}
	home := s.index.Track(n)
	return n, home.File == int(m.number) && home.ID == t.ID
}

// list writes the .ism, if tracks have come since it was written.
func (s *segment) list(ctx context.Context) error {
	if s.manifest {
		return nil
	}
	var tracks []asset.Track
	for _, m := range s.media() {
		for i := range m.tracks {
			t := &m.tracks[i]
			if _, ok := s.numberOf(m, t); !ok {
				continue
			}
			tracks = append(tracks, asset.Track{File: m.name, Input: smooth.InputTrack(*t)})
		}
	}
	data, err := asset.ServerManifest(s.base+".ismc", tracks)
	if err != nil {
		return fmt.Errorf("archive: %s: %w", s.ismName(), err)
	}
	if err := s.store.Replace(ctx, s.ismName(), data); err != nil {
		return fmt.Errorf("archive: %s: %w", s.ismName(), err)
	}
	s.manifest = true
	return nil
}
