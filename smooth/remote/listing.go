package remote

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// listing is a client manifest of the origin, prepared for use. It is immutable.
type listing struct {
	// manifest has templates for our viewers, and only what can be used.
	manifest *smooth.Manifest
	// templates of the origin, one per stream of the manifest; nil for embedded text.
	templates []*template
	tracks    []smooth.Track
	// left says what was left out, and why.
	left []string
	// skeleton is a digest of everything but the timelines.
	skeleton [sha256.Size]byte
	modTime  time.Time
	bytes    int64
}

// chunkSize is the memory of a [smooth.Chunk], in bytes.
const chunkSize = 16

// newListing prepares a manifest as received. What is the same as in the one before, which may be nil, is taken from
// there.
func newListing(data []byte, before *listing) (*listing, error) {
	m, err := smooth.ParseManifest(data)
	if err != nil {
		return nil, manifestFault(err)
	}
	if len(m.Clips) > 0 {
		return nil, fmt.Errorf("a composite manifest, whose clips are presentations of their own: %w", smooth.ErrUnsupported)
	}
	l := &listing{manifest: m, bytes: 2 * int64(len(data))}
	for _, s := range m.Streams {
		l.bytes += chunkSize * int64(len(s.Timeline))
	}
	if l.skeleton, err = skeleton(m); err != nil {
		return nil, err
	}
	l.choose()
	if len(m.Streams) == 0 {
		return nil, fmt.Errorf("nothing that can be shown: %v: %w", l.left, smooth.ErrUnsupported)
	}
	if before != nil && reflect.DeepEqual(l.tracks, before.tracks) {
		l.tracks = before.tracks
	}
	return l, nil
}

// manifestFault gives an error of [smooth.ParseManifest] the sentinel that it wraps. A file error keeps its place.
func manifestFault(err error) error {
	for _, sentinel := range [...]error{smooth.ErrTooLarge, smooth.ErrUnsupported, smooth.ErrCorrupt} {
		if errors.Is(err, sentinel) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", err, smooth.ErrCorrupt)
}

// skeleton returns a digest of a manifest without its timelines.
func skeleton(m *smooth.Manifest) (sum [sha256.Size]byte, err error) {
	bare := *m
	bare.Streams = make([]*smooth.Stream, len(m.Streams))
	for i, s := range m.Streams {
		c := *s
		c.Timeline, c.Embedded, c.DeclaredChunks = nil, nil, 0
		bare.Streams[i] = &c
	}
	xml, err := bare.AppendXML(nil, nil)
	if err != nil {
		return sum, fmt.Errorf("manifest cannot be written again: %w", err)
	}
	return sha256.Sum256(xml), nil
}

// choose leaves out of the manifest what cannot be used and prepares the rest.
func (l *listing) choose() {
	m := l.manifest
	kept := m.Streams[:0:0]
	for _, s := range m.Streams {
		if s.URL == "" && len(s.Content) > 0 { // embedded text
			kept, l.templates = append(kept, s), append(l.templates, nil)
			continue
		}
		t, err := parseTemplate(s.URL)
		if err != nil {
			l.leaveOut(s, 0, err)
			continue
		}
		if l.chooseLevels(s) {
			s.URL = servedTemplate(s.Name, t.has(attributesPlace))
			kept, l.templates = append(kept, s), append(l.templates, t)
		}
	}
	m.Streams = kept
}

// chooseLevels leaves out the levels whose configuration cannot be read. It reports false if none is left.
func (l *listing) chooseLevels(s *smooth.Stream) bool {
	index := make(map[uint32]uint32, len(s.Levels))
	kept := s.Levels[:0:0]
	for _, q := range s.Levels {
		codec, err := smooth.CodecFromQualityLevel(s.Type, s, q)
		if err == nil && s.Type == smooth.Video && len(q.CodecPrivateData) == 0 {
			err = errors.New("no CodecPrivateData")
		}
		attrs := q.AttrsKey()
		if err == nil && (&smooth.Stream{Levels: kept}).Level(q.Bitrate, attrs) != nil {
			err = errors.New("second level of this bit rate")
		}
		if err != nil {
			l.leaveOut(s, q.Bitrate, err)
			continue
		}
		if s.Type != smooth.Text && len(l.manifest.Protection) > 0 {
			codec.Encrypted, codec.SampleEntry = true, nil // which would be that of clear samples
		}
		index[q.Index], q.Index = uint32(len(kept)), uint32(len(kept))
		kept = append(kept, q)
		l.tracks = append(l.tracks, smooth.Track{Stream: s.Name, Attrs: attrs, Bitrate: q.Bitrate, Codec: codec})
	}
	if len(kept) < len(s.Levels) {
		s.Embedded = renumbered(s.Embedded, index)
	}
	s.Levels = kept
	return len(kept) > 0
}

func (l *listing) leaveOut(s *smooth.Stream, bitrate uint64, err error) {
	l.left = append(l.left, fmt.Sprintf("stream %q at %d: %v", s.Name, bitrate, err))
}

// renumbered maps the level numbers of embedded data and drops what belongs to levels that are left out.
func renumbered(chunks [][]smooth.ChunkData, index map[uint32]uint32) [][]smooth.ChunkData {
	if chunks == nil {
		return nil
	}
	out := make([][]smooth.ChunkData, len(chunks))
	for i, list := range chunks {
		for _, d := range list {
			if n, ok := index[d.Level]; ok {
				out[i] = append(out[i], smooth.ChunkData{Level: n, Data: d.Data})
			}
		}
	}
	return out
}

// report logs what was left out, unless it was left out of the listing before too, which may be nil.
func (l *listing) report(logger *slog.Logger, name string, before *listing) {
	if before != nil && reflect.DeepEqual(l.left, before.left) {
		return
	}
	for _, why := range l.left {
		logger.Warn("level is left out", "presentation", name, "err", why)
	}
}

// manifestURL returns the URL of the manifest of a presentation below a base URL.
func manifestURL(base *url.URL, name string) *url.URL {
	u := *base
	path, raw := u.Path, u.EscapedPath()
	if len(path) == 0 || path[len(path)-1] != '/' {
		path, raw = path+"/", raw+"/"
	}
	u.Path = path + name + "/Manifest"
	u.RawPath = raw + string(appendEscaped(nil, name, "/!$&'()*+,;=@")) + "/Manifest"
	return &u
}
