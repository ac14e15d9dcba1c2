package throttle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// maxRates is the number of files of which a handler remembers the rate; half of them at least are the latest used.
const maxRates = 8192

// fileID tells versions of files apart: what it names has the same rate whenever it is asked for.
type fileID struct {
	name    string // of the file where there is one, else the path of the URL
	size    int64
	version string // time of change of the file, else ETag and Last-Modified of the response
}

// key returns the identity as it is remembered.
func (id fileID) key() fileID { return fileID{short(id.name), id.size, short(id.version)} }

// rates remember what was detected, also that nothing was.
type rates struct {
	log *slog.Logger

	mu       sync.Mutex // guards the fields below
	new, old map[fileID]*rateEntry
	stats    struct {
		detected, undetected uint64
		containers           map[bitrate.Container]uint64
	}
}

// rateEntry is one file. Its first user detects, others wait for it.
type rateEntry struct {
	done chan struct{} // closed when the fields below are final
	info bitrate.Info
	err  error
	gone bool // the client who asked ended it, which says nothing about the file
}

// of returns the rate of a file, which is detected unless it is known. Who waits for another to find it does so until
// the context ends.
func (c *rates) of(ctx context.Context, id fileID, formats []bitrate.Format, open func() (io.ReaderAt, error)) (bitrate.Info, error) {
	for {
		e, first := c.entry(id.key())
		if first {
			c.detect(ctx, id, e, formats, open)
			return e.info, e.err
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return bitrate.Info{}, ctx.Err()
		}
		if !e.gone {
			return e.info, e.err
		} // the next one looks
	}
}

// detect fills in an entry, and drops it if the error is not one of the file.
func (c *rates) detect(ctx context.Context, id fileID, e *rateEntry, formats []bitrate.Format, open func() (io.ReaderAt, error)) {
	e.err = errInterrupted
	defer func() {
		if e.gone || e.err != nil && !lasting(e.err) {
			c.forget(id.key(), e)
		}
		close(e.done)
	}()
	r, err := open()
	if err == nil {
		d := bitrate.Detector{Name: path.Base(strings.ReplaceAll(id.name, `\`, "/")), Formats: formats}
		sticky := &sticky{ReaderAt: r}
		if e.info, err = d.Detect(sticky, id.size); err != nil && sticky.err != nil {
			err = sticky.err // what was made of the bytes that were not read says nothing
		}
		if p, ok := r.(*prefixed); ok && p.beyond && err != nil {
			err = fmt.Errorf("%w: only its first %d bytes were seen: %w", errNoContent, p.Size(), err)
		}
	}
	e.err = err
	if e.gone = err != nil && ctx.Err() != nil; !e.gone {
		c.count(id, e)
	}
}

// sticky reads nothing more after an error.
type sticky struct {
	io.ReaderAt
	err error
}

// ReadAt implements io.ReaderAt.
func (r *sticky) ReadAt(p []byte, off int64) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.ReaderAt.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// reset forgets everything.
func (c *rates) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.new, c.old = nil, nil
}

// lasting reports whether an error is in the file, so that it would come again.
func lasting(err error) bool {
	for _, of := range []error{bitrate.ErrUnknownContainer, bitrate.ErrUnknownRate, bitrate.ErrCorrupt, bitrate.ErrLimit, errNoContent, errUnknownSize} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// entry returns the entry of a file, and whether it has just been made.
func (c *rates) entry(id fileID) (e *rateEntry, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.new[id]; e != nil {
		return e, false
	}
	e = c.old[id]
	if first = e == nil; first {
		e = &rateEntry{done: make(chan struct{})}
	}
	if c.new == nil || len(c.new) >= maxRates/2 {
		c.new, c.old = make(map[fileID]*rateEntry), c.new
	}
	c.new[id] = e
	return e, first
}

// forget drops an entry, so that the next one tries again.
func (c *rates) forget(id fileID, e *rateEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range []map[fileID]*rateEntry{c.new, c.old} {
		if m[id] == e {
			delete(m, id)
		}
	}
}

// count counts and logs a detection.
func (c *rates) count(id fileID, e *rateEntry) {
	c.mu.Lock()
	if e.err != nil {
		c.stats.undetected++
	} else {
		c.stats.detected++
		if c.stats.containers == nil {
			c.stats.containers = make(map[bitrate.Container]uint64)
		}
		c.stats.containers[e.info.Container]++
	}
	c.mu.Unlock()
	if e.err != nil {
		c.log.Warn("bit rate not found", "path", id.name, "bytes", id.size, "err", e.err)
		return
	}
	c.log.Debug("bit rate found", "path", id.name, "container", string(e.info.Container), "bitrate", e.info.Average, "method", e.info.Method)
}

// body is what is known of the body of a response when its first bytes come.
type body struct {
	path    string
	header  http.Header
	total   int64                     // size of the file, -1 if it is not known
	src     io.Reader                 // what the body is read from, or nil
	prefix  []byte                    // what is written first, of a body that begins at the beginning of the file
	encoded bool                      // by Content-Encoding: the bytes are not those of the file
	probe   func(total int64) *inside // asks the handler inside, nil if that is no use
}

// find returns the rate of the file of a body: from the file that is being copied, else from the first bytes, else by
// asking the handler inside for ranges.
func (c *rates) find(ctx context.Context, b *body, formats []bitrate.Format) (bitrate.Info, error) {
	if id, r := b.file(); r != nil {
		return c.of(ctx, id, formats, func() (io.ReaderAt, error) { return r, nil })
	}
	total := b.total
	if total < 0 && b.probe != nil {
		total = b.probe(-1).size()
	}
	id := fileID{b.path, max(total, -1), b.header.Get("Etag") + " " + b.header.Get("Last-Modified")}
	return c.of(ctx, id, formats, func() (io.ReaderAt, error) {
		if total <= 0 {
			return nil, errUnknownSize
		}
		return b.readerAt(total)
	})
}

// readerAt returns what can be read of the file without the file.
func (b *body) readerAt(total int64) (io.ReaderAt, error) {
	var r io.ReaderAt
	if b.probe != nil {
		r = b.probe(total)
	}
	if len(b.prefix) > 0 && !b.encoded {
		return &prefixed{Reader: bytes.NewReader(b.prefix), rest: r}, nil
	}
	if r == nil {
		return nil, errNoContent
	}
	return r, nil
}

// prefixed reads what it has, and the rest from elsewhere.
type prefixed struct {
	*bytes.Reader
	rest   io.ReaderAt // or nil
	beyond bool        // it was asked for what it has not
}

// ReadAt implements io.ReaderAt.
func (p *prefixed) ReadAt(b []byte, off int64) (int, error) {
	within := off+int64(len(b)) <= p.Size()
	if within || p.rest == nil {
		p.beyond = p.beyond || !within
		return p.Reader.ReadAt(b, off)
	}
	return p.rest.ReadAt(b, off)
}

// file returns the identity and the content of the file that is being copied, or nil.
func (b *body) file() (fileID, io.ReaderAt) {
	src := b.src
	if l, ok := src.(*io.LimitedReader); ok {
		src = l.R
	}
	if f, ok := src.(interface {
		fs.File
		io.ReaderAt
		Name() string
	}); ok {
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() || b.total >= 0 && info.Size() != b.total {
			return fileID{}, nil
		}
		return fileID{f.Name(), info.Size(), strconv.FormatInt(info.ModTime().UnixNano(), 36)}, f
	}
	s, ok := src.(io.ReadSeeker)
	if !ok || b.encoded {
		return fileID{}, nil
	}
	r, size, err := seekable(s)
	if err != nil || b.total >= 0 && size != b.total {
		return fileID{}, nil
	}
	return fileID{b.path, size, b.header.Get("Etag") + " " + b.header.Get("Last-Modified")}, r
}

var _ interface {
	fs.File
	io.ReaderAt
	Name() string
} = (*os.File)(nil)

// seekable returns a reader of all of s, which leaves its position as it is, and its size.
func seekable(s io.ReadSeeker) (io.ReaderAt, int64, error) {
	at, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, 0, err
	}
	size, err := s.Seek(0, io.SeekEnd)
	if _, back := s.Seek(at, io.SeekStart); err == nil {
		err = back
	}
	if r, ok := s.(io.ReaderAt); ok {
		return r, size, err
	}
	return &seeking{s, at}, size, err
}

// seeking reads at offsets of a reader that has only one position, and goes back to where it was.
type seeking struct {
	s  io.ReadSeeker
	at int64
}

// ReadAt implements io.ReaderAt.
func (r *seeking) ReadAt(p []byte, off int64) (n int, err error) {
	if _, err := r.s.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err = io.ReadFull(r.s, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	if _, back := r.s.Seek(r.at, io.SeekStart); back != nil && err == nil {
		err = back
	}
	return n, err
}
