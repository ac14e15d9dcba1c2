package remote

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Source is a [smooth.Source] of the presentations below a URL. It is safe for concurrent use. Opens of one
// presentation share one load; what was opened is kept within the bounds of [Options].
type Source struct {
	o     *origin
	bases []*url.URL

	mu      sync.Mutex // guards the fields below
	entries map[string]*list.Element
	recent  list.List // of *entry, the most recently used first
	closed  bool
}

// entry is a presentation that is open, being opened, or could not be opened.
type entry struct {
	name string
	done chan struct{} // closed when the load has ended
	// set before done is closed
	p     *presentation
	err   error
	ended time.Time
}

// New returns a source of the presentations below base, an absolute URL such as "http://origin/video/": presentation
// "sport/final.ism" has its manifest at "http://origin/video/sport/final.ism/Manifest". A query of base, such as a
// token, is sent with every request to that host. New copies opts; nil means the documented defaults. The error says
// what is wrong with a URL or an option; nothing is asked of the origin yet.
func New(base string, opts *Options) (*Source, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	bases, err := parseURLs(base, o.Fallback)
	if err != nil {
		return nil, err
	}
	for _, u := range bases {
		if validName(path.Base(u.Path)) || validName(path.Base(path.Dir(u.Path))) {
			return nil, fmt.Errorf("remote: %s is the URL of a presentation; want that of the directory, or use Open", u.Redacted())
		}
	}
	return &Source{o: newOrigin(o, bases), bases: bases, entries: make(map[string]*list.Element)}, nil
}

// Open implements [smooth.Source]. The name ends in ".ism" or ".isml". The error wraps [smooth.ErrNotFound] if the
// origin says that there is no such presentation, and [smooth.ErrUnsupported] or [smooth.ErrCorrupt] if its manifest
// cannot be used; otherwise see [OriginError]. The presentation is a [smooth.Waiter].
func (s *Source) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	if !validName(name) {
		return nil, notFound("%q", name)
	}
	for {
		e, fresh, err := s.entry(name)
		if err != nil {
			return nil, err
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if e.err != nil {
			if fresh || s.o.opts.Now().Sub(e.ended) < errorLifetime {
				return nil, e.err
			}
		} else if e.p.retain() {
			return e.p.opened(ctx)
		}
		s.forget(e)
	}
}

// opened returns the presentation, whose reference is the caller's, after the origin has been asked if that is due.
func (p *presentation) opened(ctx context.Context) (smooth.Presentation, error) {
	err := p.fresh(ctx)
	if g := p.gone.Load(); err == nil && g != nil {
		err = g.err
	}
	if err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

// validName reports whether a name can be that of a presentation.
func validName(name string) bool {
	if ext := strings.ToLower(path.Ext(name)); ext != ".ism" && ext != ".isml" || !fs.ValidPath(name) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '\uFFFD' })
}

// entry finds or starts a load. fresh reports that it had not ended yet.
func (s *Source) entry(name string) (e *entry, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, closed("source")
	}
	if el, ok := s.entries[name]; ok {
		s.recent.MoveToFront(el)
		e = el.Value.(*entry)
		select {
		case <-e.done:
			return e, false, nil
		default:
			return e, true, nil
		}
	}
	e = &entry{name: name, done: make(chan struct{})}
	s.entries[name] = s.recent.PushFront(e)
	if !s.o.start(func() { s.load(e) }) {
		s.remove(s.entries[name])
		return nil, false, closed("source")
	}
	return e, true, nil
}

// load opens the presentation of e on behalf of everyone who waits for it.
func (s *Source) load(e *entry) {
	manifests := make([]*url.URL, len(s.bases))
	for i, base := range s.bases {
		manifests[i] = manifestURL(base, e.name)
	}
	p, err := open(s.o, e.name, manifests)
	s.mu.Lock()
	e.p, e.err, e.ended = p, err, s.o.opts.Now()
	gone := s.shrink(e)
	if s.closed || errors.Is(err, smooth.ErrNotYet) { // that is over soon
		gone = append(gone, s.remove(s.entries[e.name]))
	}
	close(e.done)
	s.mu.Unlock()
	releaseAll(gone)
}

// open opens a presentation with one reference.
func open(o *origin, name string, manifests []*url.URL) (*presentation, error) {
	p := newPresentation(o, name, manifests)
	p.runCheck(make(chan struct{}))
	if err := p.err; err != nil {
		return nil, err
	}
	return p, nil
}

// shrink forgets the least recently used entries, but keep, until the bounds hold, and returns their presentations. mu
// must be held.
func (s *Source) shrink(keep *entry) (gone []*presentation) {
	var bytes int64
	for el := s.recent.Front(); el != nil; {
		e, next := el.Value.(*entry), el.Next()
		over := s.recent.Len() > s.o.opts.MaxPresentations && next == nil
		if e.p != nil {
			bytes += e.p.bytes()
		}
		if e != keep && (over || bytes > s.o.opts.MaxIndexBytes) && e.loaded() {
			gone = append(gone, s.remove(el))
		}
		el = next
	}
	return gone
}

// loaded reports whether the load of the entry has ended.
func (e *entry) loaded() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// bytes returns about how much memory the manifest takes.
func (p *presentation) bytes() int64 {
	s := p.state.Load()
	n := s.listing.bytes
	for i := range s.lines {
		n += chunkSize * int64(len(s.lines[i].listed))
	}
	return n
}

// remove forgets an entry and returns its presentation, which may be nil. mu must be held.
func (s *Source) remove(el *list.Element) *presentation {
	if el == nil {
		return nil
	}
	e := s.recent.Remove(el).(*entry)
	delete(s.entries, e.name)
	return e.p
}

// forget removes an entry that does not serve any more.
func (s *Source) forget(e *entry) {
	var gone *presentation
	s.mu.Lock()
	if el := s.entries[e.name]; el != nil && el.Value.(*entry) == e {
		gone = s.remove(el)
	}
	s.mu.Unlock()
	gone.release()
}

func releaseAll(list []*presentation) {
	for _, p := range list {
		p.release()
	}
}

// Close ends all requests to the origin and waits for them. Fragments that are open stay valid until they are closed;
// everything else returns [smooth.ErrClosed] from then on.
func (s *Source) Close() error {
	s.mu.Lock()
	var gone []*presentation
	for el := s.recent.Front(); el != nil && !s.closed; el = el.Next() {
		if e := el.Value.(*entry); e.loaded() {
			gone = append(gone, e.p)
		}
	}
	if !s.closed {
		s.closed = true
		for _, p := range gone {
			if p != nil {
				s.remove(s.entries[p.name])
			}
		}
	}
	s.mu.Unlock()
	s.o.close()
	releaseAll(gone)
	return nil
}

// Stats counts what a [Source] has done and holds.
type Stats struct {
	// Requests counts requests to the origin, Failures those that failed, and Bytes what has come, after decompression.
	Requests, Failures, Bytes int64
	// Hits counts fragments that were in memory, Loads those that were fetched.
	Hits, Loads int64
	// Presentations, Fragments and CachedBytes are what is kept now.
	Presentations, Fragments, CachedBytes int64
}

// Stats returns the counters.
func (s *Source) Stats() Stats {
	st := s.o.statistics()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Presentations = int64(s.recent.Len())
	return st
}

func (o *origin) statistics() Stats {
	n, bytes := o.cache.size()
	return Stats{
		Requests: o.stats.requests.Load(), Failures: o.stats.failures.Load(), Bytes: o.stats.bytes.Load(),
		Hits: o.stats.hits.Load(), Loads: o.stats.loads.Load(), Fragments: int64(n), CachedBytes: bytes,
	}
}
