package usage

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Rotation says when a log begins a new file, besides by size.
type Rotation uint8

// The rotations.
const (
	// Daily begins a new file at midnight of the log's time.
	Daily Rotation = iota
	// Hourly begins one each hour.
	Hourly
	// BySize begins one only when it is large.
	BySize
)

// Defaults of [W3COptions].
const (
	DefaultLogSize  = 100 << 20
	DefaultLogKeep  = 30
	DefaultLogQueue = 4 << 20
)

// flushTime is the longest that a line waits to be written.
const flushTime = time.Second

// flushBytes wakes the writer before that.
const flushBytes = 64 << 10

// W3COptions tunes a [W3C]. A nil pointer and the zero value mean the documented defaults.
type W3COptions struct {
	// Sessions makes it a log with one line for each viewer session, as Windows Media Services wrote it. By default there is
	// one for each request.
	Sessions bool
	// Fields are the fields of a line, in this order. Nil means [RequestFields] or [SessionFields].
	Fields []string
	// Software is what the header says. Empty means smoothkit.
	Software string
	// LocalTime writes local times instead of UTC. The header tells which.
	LocalTime bool

	// Rotation says when a new file begins. The old one is renamed: access.log becomes access-20261126-100000.log, by the time
	// when it was begun.
	Rotation Rotation
	// MaxSize in bytes also begins a new file; one may be larger by what is written at a time. Zero means [DefaultLogSize],
	// negative no limit.
	MaxSize int64
	// Keep is how many old files are kept. Zero means [DefaultLogKeep], negative all. KeepAge, if set, removes old files
	// that were last written longer ago.
	Keep    int
	KeepAge time.Duration
	// Gzip compresses old files.
	Gzip bool

	// Queue is how many bytes wait to be written at most. When it is full, as when the disk is, lines are dropped and
	// counted: a log never holds up a viewer. Zero means [DefaultLogQueue].
	Queue int
	// Logger gets faults of rotating. Nil means slog.Default().
	Logger *slog.Logger
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// W3C is a log file in the W3C extended format. Lines are written by a goroutine, at least once a second. It is safe for
// concurrent use.
type W3C struct {
	opts     W3COptions
	path     string
	requests []requestField
	sessions []sessionField
	zone     *time.Location
	scratch  sync.Pool

	wake   chan struct{}   // capacity 1: much is waiting
	reopen chan chan error // see Reopen
	tidy   chan struct{}   // capacity 1: there are old files
	cancel context.CancelFunc
	wg     sync.WaitGroup
	ended  chan struct{} // the writer has ended

	mu sync.Mutex // guards the fields below
	// pending are the lines that wait, count is how many.
	pending []byte
	count   int64
	state   LogState
	closed  bool

	prior *W3C // has the same file, and is being closed

	finished func()        // closes done, once
	done     chan struct{} // it has been closed

	// The writer only has what follows.
	file      logFile
	used      bool   // the file was opened
	oldBase   string // of the last old file
	oldNumber int
}

// NewW3C returns a log that is written to a file, and creates it with its directory. Nothing is written before the first
// line, so that a log which is given up leaves the file as it is. It copies opts. The error wraps [ErrOptions] for a field that
// does not exist, and that of the system if the file cannot be opened.
func NewW3C(path string, opts *W3COptions) (*W3C, error) {
	var d W3COptions
	if opts != nil {
		d = *opts
	}
	if d.Queue < 0 || d.KeepAge < 0 || d.Rotation > BySize || path == "" {
		return nil, fmt.Errorf("%w: log %q with Queue %d, KeepAge %v, Rotation %d", ErrOptions, path, d.Queue, d.KeepAge, d.Rotation)
	}
	l := &W3C{
		opts: d.withDefaults(), path: filepath.Clean(path), zone: time.UTC,
		wake: make(chan struct{}, 1), reopen: make(chan chan error), tidy: make(chan struct{}, 1), ended: make(chan struct{}),
		done: make(chan struct{}),
	}
	l.finished = sync.OnceFunc(func() { close(l.done) })
	if d.LocalTime {
		l.zone = time.Local
	}
	l.scratch.New = func() any { b := make([]byte, 0, 1024); return &b }
	l.state.Name = filepath.Base(l.path)
	if err := l.resolve(); err != nil {
		return nil, err
	}
	if err := l.tryFile(); err != nil {
		if !isDiskFull(err) {
			return nil, err
		}
		l.state.Err = err // a full disk does not keep a server from starting
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.wg.Go(func() { l.write(ctx) })
	l.wg.Go(func() { l.keepTidy(ctx) })
	return l, nil
}

func (o W3COptions) withDefaults() W3COptions {
	if o.Fields == nil {
		if o.Fields = RequestFields(); o.Sessions {
			o.Fields = SessionFields()
		}
	}
	o.Fields = slices.Clone(o.Fields)
	o.Software = cmp.Or(o.Software, "smoothkit")
	o.MaxSize = cmp.Or(o.MaxSize, DefaultLogSize)
	o.Keep = cmp.Or(o.Keep, DefaultLogKeep)
	o.Queue = cmp.Or(o.Queue, DefaultLogQueue)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// resolve finds what writes each field.
func (l *W3C) resolve() error {
	if len(l.opts.Fields) == 0 {
		return fmt.Errorf("%w: a log without fields", ErrOptions)
	}
	for _, name := range l.opts.Fields {
		known := false
		if l.opts.Sessions {
			f := sessionFieldOf(name)
			l.sessions, known = append(l.sessions, f), f != nil
		} else {
			f := requestFieldOf(name)
			l.requests, known = append(l.requests, f), f != nil
		}
		if !known {
			return fmt.Errorf("%w: log %s has no field %q", ErrOptions, l.state.Name, name)
		}
	}
	return nil
}

// Request implements [Log].
func (l *W3C) Request(r *Record) {
	if l.opts.Sessions {
		return
	}
	buf := l.scratch.Get().(*[]byte)
	b := (*buf)[:0]
	at := r.Start.In(l.zone)
	for i, f := range l.requests {
		if i > 0 {
			b = append(b, ' ')
		}
		b = f(b, r, at)
	}
	l.queue(b)
	*buf = b
	l.scratch.Put(buf)
}

// Session implements [Log].
func (l *W3C) Session(s *Session) {
	if !l.opts.Sessions {
		return
	}
	buf := l.scratch.Get().(*[]byte)
	b := (*buf)[:0]
	at := s.Started.In(l.zone)
	for i, f := range l.sessions {
		if i > 0 {
			b = append(b, ' ')
		}
		b = f(b, s, at)
	}
	l.queue(b)
	*buf = b
	l.scratch.Put(buf)
}

// queue puts a line where the writer finds it.
func (l *W3C) queue(line []byte) {
	l.mu.Lock()
	n := len(l.pending) + len(line) + 3
	if l.closed || n > l.opts.Queue {
		l.state.Dropped++
		l.mu.Unlock()
		return
	}
	if line[0] == '#' { // which would make it a directive
		l.pending, line = append(l.pending, "%23"...), line[1:]
	}
	l.pending = append(append(l.pending, line...), '\n')
	l.count++
	l.mu.Unlock()
	if n > flushBytes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// State says how the log is doing.
func (l *W3C) State() LogState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Reopen writes what is waiting, closes the file and opens that of the name again, which it creates if a program such as
// logrotate has moved the old one. It returns [ErrClosed] after Close.
func (l *W3C) Reopen() error {
	answer := make(chan error, 1)
	select {
	case l.reopen <- answer:
		return <-answer
	case <-l.ended:
		return fmt.Errorf("%w: log %s", ErrClosed, l.state.Name)
	}
}

// Close writes what is waiting and closes the file. Lines that come later are dropped. It returns why the log could not be
// written, if it could not.
func (l *W3C) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.wg.Wait()
	l.finished()
	return l.State().Err
}

// succeed makes new logs wait for old ones that have the same file. The old ones are closed afterwards.
func succeed(gone, logs []Log) {
	for _, l := range logs {
		l, ok := l.(*W3C)
		if !ok {
			continue
		}
		for _, old := range gone {
			if old, ok := old.(*W3C); ok && old.path == l.path {
				l.mu.Lock()
				l.prior = old
				l.mu.Unlock()
			}
		}
	}
}

// awaitPrior waits until a log that has the same file has been closed.
func (l *W3C) awaitPrior() {
	l.mu.Lock()
	prior := l.prior
	l.prior = nil
	l.mu.Unlock()
	if prior != nil {
		<-prior.done
	}
}

// write writes lines until ctx ends, and then the rest.
func (l *W3C) write(ctx context.Context) {
	defer close(l.ended)
	t := time.NewTicker(flushTime)
	defer t.Stop()
	var spare []byte
	for {
		select {
		case <-t.C:
		case <-l.wake:
		case answer := <-l.reopen:
			spare = l.flush(spare)
			answer <- l.openAgain()
			continue
		case <-ctx.Done():
			l.flush(spare)
			l.closeFile()
			return
		}
		spare = l.flush(spare)
	}
}

// maxSpare is the largest buffer that is kept for the next lines.
const maxSpare = 1 << 20

// flush writes what is waiting and returns a buffer for the next time.
func (l *W3C) flush(spare []byte) []byte {
	l.mu.Lock()
	lines, count := l.pending, l.count
	l.pending, l.count = spare[:0], 0
	l.mu.Unlock()
	err := l.writeLines(lines)
	l.mu.Lock()
	switch {
	case err != nil:
		l.state.Err = err
		l.state.Dropped += count
	case count > 0:
		l.state.Err = nil
		l.state.Lines += count
	}
	l.mu.Unlock()
	if cap(lines) > maxSpare {
		return nil
	}
	return lines[:0]
}

// header returns the lines that begin a file.
func (l *W3C) header(now time.Time) []byte {
	at := now.In(l.zone)
	zone := "UTC"
	if l.opts.LocalTime {
		zone = at.Format("local, UTC-07:00")
	}
	var b strings.Builder
	for _, d := range [...]string{
		"#Software: " + l.opts.Software, "#Version: 1.0", "#Date: " + at.Format(time.DateTime), "#Remark: times are " + zone,
		"#Fields: " + strings.Join(l.opts.Fields, " "),
	} {
		b.WriteString(strings.Map(printable, d))
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// printable is for text of the operator's.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '_'
	}
	return r
}
