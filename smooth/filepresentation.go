package smooth

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// filePresentation is a presentation in files. It counts references: the source's and those of its users.
type filePresentation struct {
	name       string
	media      []*mediaFile
	tracks     []*fileTrack
	snapshot   *Snapshot
	original   []byte // the client manifest as stored, or nil if it had to be made
	modTime    time.Time
	checks     []fileCheck
	indexBytes int64
	composite  *Composite // of a .csm file, instead of tracks and snapshot
	refs       atomic.Int64
}

// fileCheck is the version of a file when the presentation was opened, "" if there was none.
type fileCheck struct {
	name, version string
	dir           bool // it is a directory, of which the names of MP4 files count
	anyCase       bool // it was missing in any spelling
}

// retain adds a reference unless the last one is gone.
func (p *filePresentation) retain() bool {
	for {
		n := p.refs.Load()
		if n <= 0 {
			return false
		}
		if p.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release drops a reference and closes the files after the last one. p may be nil.
func (p *filePresentation) release() {
	if p == nil || p.refs.Add(-1) != 0 {
		return
	}
	for _, m := range p.media {
		m.Close()
	}
}

// changed reports whether any file differs from what was opened.
func (p *filePresentation) changed(ctx context.Context, s *FileSource) bool {
	for _, c := range p.checks {
		if s.versionNow(ctx, c) != c.version {
			return ctx.Err() == nil
		}
	}
	return false
}

// supersede tells holders of the snapshot that the files have changed.
func (p *filePresentation) supersede() {
	if p.snapshot != nil {
		p.snapshot.Supersede()
	}
}

// compositeFile is the presentation of a .csm file. Its files are those of the clips, which the source opens by
// themselves.
type compositeFile struct {
	*Composite
	p *filePresentation
}

// Close implements [Presentation].
func (c compositeFile) Close() error {
	c.p.release()
	return nil
}

// Snapshot implements [Presentation].
func (p *filePresentation) Snapshot(context.Context) (*Snapshot, error) { return p.snapshot, nil }

// Close implements [Presentation].
func (p *filePresentation) Close() error {
	p.release()
	return nil
}

// ManifestBytes returns the client manifest as stored in the .ismc file, if the presentation is served from one.
func (p *filePresentation) ManifestBytes(context.Context) ([]byte, error) {
	if p.original == nil {
		return nil, fmt.Errorf("smooth: %s: no client manifest file: %w", p.name, ErrNotFound)
	}
	return p.original, nil
}

// track returns the track that a key names. An exact match of the stream's name wins.
func (p *filePresentation) track(k FragmentKey) *fileTrack {
	var folded *fileTrack
	for _, t := range p.tracks {
		if t.bitrate != k.Bitrate || t.attrs != k.Attrs {
			continue
		}
		if t.stream == k.Stream {
			return t
		}
		if folded == nil && equalFoldASCII(t.stream, k.Stream) {
			folded = t
		}
	}
	return folded
}

func (p *filePresentation) lookup(k FragmentKey) (*fileTrack, int, error) {
	t := p.track(k)
	if t == nil {
		return nil, 0, fmt.Errorf("smooth: %s: no track %s %d: %w", p.name, k.Stream, k.Bitrate, ErrNotFound)
	}
	i, ok := t.find(k.Time)
	if !ok {
		return nil, 0, fmt.Errorf("smooth: %s: %s %d: no fragment at %d: %w", p.name, k.Stream, k.Bitrate, k.Time, ErrNotFound)
	}
	return t, i, nil
}

// Fragment implements [Presentation].
func (p *filePresentation) Fragment(ctx context.Context, k FragmentKey) (*Fragment, error) {
	t, i, err := p.lookup(k)
	if err != nil {
		return nil, err
	}
	if !p.retain() {
		return nil, fmt.Errorf("smooth: %s: %w", p.name, ErrClosed)
	}
	l := fragmentLoader{p: p, t: t, ctx: ctx, key: k, chunk: t.chunk(i)}
	l.key.Stream = t.stream
	f, err := l.load(i)
	if err != nil {
		p.release()
		return nil, t.media.fault(err)
	}
	return f, nil
}

// FragmentSize implements [Sizer].
func (p *filePresentation) FragmentSize(k FragmentKey) (int64, error) {
	t, i, err := p.lookup(k)
	if err != nil {
		return 0, err
	}
	return t.bytes(i, i+1), nil
}
