package playlist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/playlist/internal/turn"
)

// Provider makes the playlists of a handler: from files, from a database, from a server that decides on
// advertisements. It is safe for concurrent use.
type Provider interface {
	// Playlist returns the playlist of a request. The handler keeps it, so it must not be changed afterwards; returning
	// the same one again saves work. It returns an error that wraps fs.ErrNotExist or [ErrNotFound] where there is none.
	Playlist(ctx context.Context, r *Request) (*Playlist, error)
}

// Request is what a provider is asked.
type Request struct {
	// Path is that of the playlist below the handler's root, a valid path in the sense of [fs.ValidPath].
	Path string
	// Format is the name of the format that was asked for, "asx" by default.
	Format string
	// HTTP is the request of the client. Its body is not to be read.
	HTTP *http.Request
}

// ProviderFunc is a function as a Provider.
type ProviderFunc func(ctx context.Context, r *Request) (*Playlist, error)

// Playlist implements Provider.
func (f ProviderFunc) Playlist(ctx context.Context, r *Request) (*Playlist, error) { return f(ctx, r) }

// Files provides the playlists of .isx files. It reads a file again when it has changed; sessions that began before
// go on with the list they began with. A file that has become unreadable or wrong is served as it was, with a warning
// in the log, until it is right again.
type Files struct {
	fsys fs.FS
	log  *slog.Logger

	reading turn.Turns[string] // who looks at a file

	mu    sync.Mutex // guards files
	files map[string]*file
}

// maxFiles is the number of playlists that are remembered.
const maxFiles = 4096

// file is what is known of an .isx file.
type file struct {
	checked  time.Time
	modified time.Time
	size     int64
	list     *Playlist
	err      error
}

// revalidate is how long a file is not looked at again.
const revalidate = time.Second

// NewFiles returns the provider of the .isx files below fsys. A nil logger means slog.Default().
func NewFiles(fsys fs.FS, logger *slog.Logger) *Files {
	if logger == nil {
		logger = slog.Default()
	}
	return &Files{fsys: fsys, log: logger, files: make(map[string]*file)}
}

// Playlist implements Provider. A file is read by one request at a time, and those for other files go on.
func (p *Files) Playlist(ctx context.Context, r *Request) (*Playlist, error) {
	if !strings.EqualFold(extension(r.Path), ".isx") {
		return nil, fmt.Errorf("playlist: %q: %w", r.Path, ErrNotFound)
	}
	now := time.Now()
	f := p.known(r.Path)
	if f != nil && now.Sub(f.checked) < revalidate {
		return f.list, f.err
	}
	if err := p.reading.Take(ctx, r.Path); err != nil {
		return nil, err
	}
	defer p.reading.Give(r.Path)
	if f = p.known(r.Path); f != nil && now.Sub(f.checked) < revalidate { // by the one before
		return f.list, f.err
	}
	next := p.load(r.Path, f)
	next.checked = now
	p.keep(r.Path, next)
	return next.list, next.err
}

// known returns what is known of a file, nil if nothing is.
func (p *Files) known(name string) *file {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.files[name]
}

// keep remembers a file that is there.
func (p *Files) keep(name string, f *file) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(f.err, fs.ErrNotExist) {
		delete(p.files, name)
		return
	}
	if p.files[name] == nil && len(p.files) >= maxFiles {
		for other := range p.files { // any one
			delete(p.files, other)
			break
		}
	}
	p.files[name] = f
}

// load looks at a file of which old is known, which may be nil.
func (p *Files) load(name string, old *file) *file {
	f, err := openFold(p.fsys, name)
	if err != nil {
		return p.failed(name, old, &file{err: err})
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return p.failed(name, old, &file{err: err})
	}
	if old != nil && old.modified.Equal(info.ModTime()) && old.size == info.Size() {
		return &file{modified: old.modified, size: old.size, list: old.list, err: old.err}
	}
	next := &file{modified: info.ModTime(), size: info.Size()}
	next.list, next.err = readISX(f)
	if next.err != nil {
		return p.failed(name, old, next)
	}
	next.list.Modified = info.ModTime()
	for _, w := range next.list.Warnings {
		p.log.Warn("playlist", "path", name, "warning", w.String())
	}
	return next
}

// failed returns what a file is while it cannot be read: what it was before, unless it is gone.
func (p *Files) failed(name string, old, next *file) *file {
	if errors.Is(next.err, fs.ErrNotExist) {
		return next
	}
	var syntax *SyntaxError
	if errors.As(next.err, &syntax) {
		p.log.Warn("playlist cannot be read", "path", name, "err", next.err)
	} else { // of the system, which may tell where the file is
		p.log.Warn("playlist cannot be read", "path", name)
		p.log.Debug("playlist cannot be read", "path", name, "err", next.err)
	}
	if old != nil && old.list != nil {
		next.list, next.err = old.list, nil
	}
	return next
}

// extension returns that of a path, with its dot, as path.Ext does, but of backslashed names too.
func extension(name string) string {
	if i := strings.LastIndexAny(name, `./\`); i >= 0 && name[i] == '.' {
		return name[i:]
	}
	return ""
}
