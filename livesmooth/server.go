package livesmooth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Server is a set of publishing points: a [smooth.Source], a [smooth.Lister], and the handler of encoders, viewers and other
// servers. It is safe for concurrent use.
type Server struct {
	opts   Options
	client *http.Client
	// distribution rules the connections to other servers.
	distribution distribution
	folder       *folder           // nil without Root
	broken       map[string]string // versions of .isml files that cannot be read, by name; belongs to scan
	doubtful     map[string]string // the same, of those that may still be being written
	making       sync.Mutex        // one point is made at a time
	ctx          context.Context
	cancel       context.CancelFunc
	work         sync.WaitGroup

	mu       sync.RWMutex // guards the fields below
	points   map[string]*Point
	folded   map[string][]*Point // by name in lower case
	draining bool
	closed   bool
}

// NewServer returns a server with the points of Options.Points and of the .isml files below Options.Root. It copies opts.
func NewServer(opts *Options) (*Server, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	s := &Server{opts: opts.withDefaults(), distribution: defaultDistribution(), points: make(map[string]*Point), folded: make(map[string][]*Point)}
	s.client = s.opts.Client
	if s.client == nil {
		s.client = newClient()
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.addStatic(); err != nil {
		s.cancel()
		return nil, err
	}
	if s.opts.Root == "" {
		return s, nil
	}
	var err error
	if s.folder, err = openFolder(s.opts.Root); err != nil {
		s.cancel()
		return nil, fmt.Errorf("livesmooth: root %s: %w", s.opts.Root, err)
	}
	s.dropStatic()
	s.scan()
	s.work.Go(s.watchFolder)
	return s, nil
}

// addStatic adds the points of the options.
func (s *Server) addStatic() error {
	for name, settings := range s.opts.Points {
		if !validPointName(name) {
			return badName(name)
		}
		if settings == nil {
			settings = DefaultSettings()
		}
		if err := settings.Validate(); err != nil {
			return fmt.Errorf("livesmooth: %s: %w", name, err)
		}
		s.add(name, settings.Clone(), "")
	}
	return nil
}

// dropStatic removes the points of the options that have files.
func (s *Server) dropStatic() {
	for _, p := range s.Points() {
		if _, _, _, err := s.folder.load(p.name); !errors.Is(err, fs.ErrNotExist) {
			s.forget(p)
			s.retire(p)
		}
	}
}

// watchFolder follows the .isml files until the server is closed.
func (s *Server) watchFolder() {
	t := time.NewTicker(s.opts.Poll)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
			s.scan()
		}
	}
}

// scan creates points for new .isml files, removes those whose files are gone, and gives the others their changed settings.
func (s *Server) scan() {
	found, err := s.folder.scan(s.ctx)
	if err != nil {
		if s.ctx.Err() == nil {
			s.opts.Logger.Error("look for publishing points", "root", s.opts.Root, "err", err)
		}
		return
	}
	doubted := s.doubtful
	s.doubtful = make(map[string]string)
	for _, p := range s.Points() {
		p.mu.Lock()
		version := p.version
		p.mu.Unlock()
		now, there := found[p.name]
		switch {
		case version == "": // made in code
		case !there:
			s.vanish(p)
		case now != version:
			s.reload(p, doubted)
		}
		delete(found, p.name)
	}
	s.addFound(found, doubted)
}

// doubts reports whether a file that cannot be read was not seen with that content before: then it may be in the middle of
// being written, and is looked at again.
func (s *Server) doubts(name, version string, doubted map[string]string) bool {
	if doubted[name] == version {
		return false
	}
	s.doubtful[name] = version
	return true
}

// addFound makes the points of files that have none. One that cannot be read is tried again when it has changed.
func (s *Server) addFound(found, doubted map[string]string) {
	broken := make(map[string]string)
	for name, version := range found {
		if s.broken[name] == version {
			broken[name] = version
			continue
		}
		if _, err := s.load(name); err != nil && !errors.Is(err, ErrNoPoint) && !s.doubts(name, version, doubted) {
			broken[name] = version
			s.opts.Logger.Warn("publishing point is left out", "point", name, "err", err)
		}
	}
	s.broken = broken
}

// vanish removes a point whose file is gone. It looks again first, as the file may be in the middle of being replaced.
func (s *Server) vanish(p *Point) {
	if _, _, _, err := s.folder.load(p.name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.opts.Logger.Info("publishing point has gone with its file", "point", p.name)
	s.forget(p)
	s.work.Go(func() { s.retire(p) })
}

// reload gives a point the settings of its file: at once, or when it is Idle.
func (s *Server) reload(p *Point, doubted map[string]string) {
	settings, version, _, err := s.folder.load(p.name)
	if err == nil {
		err = settings.Validate()
	}
	if err != nil && s.doubts(p.name, version, doubted) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		s.opts.Logger.Warn("changed settings are not used", "point", p.name, "err", err)
		p.version = cmp.Or(version, p.version) // a file that has just gone has none
		return
	}
	if p.state == Idle {
		p.setSettings(settings, version)
		return
	}
	p.later, p.version = settings, version
	s.opts.Logger.Info("changed settings wait for state Idle", "point", p.name, "state", p.state.String())
}

// load makes the point of an .isml file. The name may differ from that of the file in case.
func (s *Server) load(name string) (*Point, error) {
	if s.folder == nil {
		return nil, fmt.Errorf("livesmooth: %s: %w: %w", name, ErrNoPoint, smooth.ErrNotFound)
	}
	settings, version, actual, err := s.folder.load(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("livesmooth: %s: %w: %w", name, ErrNoPoint, smooth.ErrNotFound)
	}
	if err == nil {
		err = settings.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("livesmooth: %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.points[actual]; p != nil {
		return p, nil
	}
	if s.closed || s.draining {
		return nil, fmt.Errorf("livesmooth: %w", smooth.ErrClosed)
	}
	s.opts.Logger.Info("publishing point found", "point", actual)
	return s.add(actual, settings, version), nil
}

// badName is the error for the name of a point that is none.
func badName(name string) error {
	return fmt.Errorf("livesmooth: %q: %w: want a path such as live/event%s, with slashes between its parts only", name, ErrName, pointExtension)
}

// add adds a point. mu must be held.
func (s *Server) add(name string, settings *Settings, version string) *Point {
	p := newPoint(s, name, settings, version)
	s.points[name] = p
	key := foldName(name)
	s.folded[key] = append(s.folded[key], p)
	return p
}

// save writes the .isml file of a point, and returns its version and the name of the point, which has the case of directories
// that are there already. Without a root there is no version.
func (s *Server) save(name string, settings *Settings) (version, actual string, err error) {
	if s.folder == nil {
		return "", name, nil
	}
	if err := s.folder.save(name, settings); err != nil {
		return "", "", fmt.Errorf("livesmooth: %s: %w", name, err)
	}
	_, version, actual, err = s.folder.load(name)
	return version, actual, err
}

// Create adds a point, in state Idle; nil settings are [DefaultSettings]. With a root its .isml file is written, and
// directories as needed. The error wraps [ErrName], [ErrExists] or [ErrSettings].
func (s *Server) Create(ctx context.Context, name string, settings *Settings) (*Point, error) {
	if !validPointName(name) {
		return nil, badName(name)
	}
	if settings == nil {
		settings = DefaultSettings()
	}
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	if s.isEnding() {
		return nil, fmt.Errorf("livesmooth: %w", smooth.ErrClosed)
	}
	s.making.Lock()
	defer s.making.Unlock()
	if p, _ := s.Point(name); p != nil || s.isTaken(name) {
		return nil, fmt.Errorf("livesmooth: %s: %w", name, ErrExists)
	}
	version, name, err := s.save(name, settings)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.draining {
		return nil, fmt.Errorf("livesmooth: %w", smooth.ErrClosed)
	}
	if p := s.points[name]; p != nil { // the folder was looked at in between
		return p, nil
	}
	return s.add(name, settings.Clone(), version), nil
}

// isEnding reports whether the server takes nothing new.
func (s *Server) isEnding() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed || s.draining
}

// isTaken reports whether there is a point whose name differs in case at most.
func (s *Server) isTaken(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.folded[foldName(name)]) > 0
}

// Point returns the point with that name: exactly, or else the only one that differs in case. The error wraps [ErrNoPoint]
// and [smooth.ErrNotFound].
func (s *Server) Point(name string) (*Point, error) {
	if p := s.known(name); p != nil {
		return p, nil
	}
	if !validPointName(name) {
		return nil, fmt.Errorf("livesmooth: %q: %w: %w", name, ErrNoPoint, smooth.ErrNotFound)
	}
	return s.load(name)
}

// known returns the point with that name, or nil.
func (s *Server) known(name string) *Point {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.points[name]; p != nil {
		return p
	}
	if list := s.folded[foldName(name)]; len(list) == 1 {
		return list[0]
	}
	return nil
}

// Points returns all points in the order of their names.
func (s *Server) Points() []*Point {
	s.mu.RLock()
	list := make([]*Point, 0, len(s.points))
	for _, p := range s.points {
		list = append(list, p)
	}
	s.mu.RUnlock()
	sortPoints(list)
	return list
}

// Remove ends what a point does and removes it, with its .isml file. The error wraps [ErrNoPoint].
func (s *Server) Remove(ctx context.Context, name string) error {
	p, err := s.Point(name)
	if err != nil {
		return err
	}
	p.mu.Lock()
	filed := p.version != ""
	p.mu.Unlock()
	if filed && s.folder != nil {
		if err := s.folder.remove(p.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("livesmooth: %s: %w", p.name, err)
		}
	}
	s.forget(p)
	done := make(chan struct{})
	s.work.Go(func() { defer close(done); s.retire(p) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// forget takes a point out of the set.
func (s *Server) forget(p *Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.points[p.name] != p {
		return
	}
	delete(s.points, p.name)
	key := foldName(p.name)
	var rest []*Point
	for _, o := range s.folded[key] {
		if o != p {
			rest = append(rest, o)
		}
	}
	if s.folded[key] = rest; rest == nil {
		delete(s.folded, key)
	}
}

// retire ends what a point does, which is not in the set any more.
func (s *Server) retire(p *Point) {
	p.mu.Lock()
	p.removed, p.later = true, nil
	p.mu.Unlock()
	_ = p.Shutdown(context.WithoutCancel(s.ctx))
	p.work.Wait()
	p.handler.Load().retire()
	p.events.end()
}

// Open implements [smooth.Source]. A viewer starts a point that has AutoStart.
func (s *Server) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	if s.ctx.Err() != nil {
		return nil, fmt.Errorf("livesmooth: %w", smooth.ErrClosed)
	}
	p, err := s.Point(name)
	if err != nil {
		return nil, err
	}
	if _, err := p.approach(onRequest); err != nil {
		return nil, err
	}
	return p, ctx.Err()
}

// List implements [smooth.Lister]. It lists points in every state, also those that cannot be watched now.
func (s *Server) List(ctx context.Context, yield func(smooth.Info) bool) error {
	for _, p := range s.Points() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !yield(smooth.Info{Name: p.name, ModTime: p.Modified(), Live: true}) {
			break
		}
	}
	return nil
}

// Shutdown lets the server end without losing anything: encoders are told to go elsewhere, sinks close their recordings so
// that they can be gone on with, and then the server is closed. Viewers' requests under way go on; end them first, with
// Shutdown of the http.Server, or after. It returns ctx.Err() if ctx ends first; Close ends the rest.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	for _, p := range s.Points() {
		p.drain()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Close()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain tells the encoders of a point to go, without ending the event.
func (p *Point) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cast != nil {
		p.stop()
		p.cast.cutSources(fmt.Errorf("livesmooth: %s: %w", p.name, ErrEnding))
	}
}

// cutSources ends every connection.
func (b *broadcast) cutSources(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, in := range b.inputs {
		for _, s := range in.sources {
			if s.gone.IsZero() && s.cut != nil {
				s.cut(cause)
			}
		}
	}
}

// Close ends all points and waits for what the server has started. Fragments that are being sent stay valid.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.work.Wait()
		return nil
	}
	s.closed, s.draining = true, true
	s.mu.Unlock()
	points := s.Points()
	for _, p := range points {
		p.drain()
	}
	s.cancel()
	var ending sync.WaitGroup // sinks may take their time
	for _, p := range points {
		ending.Go(p.end)
	}
	ending.Wait()
	s.work.Wait()
	if s.folder != nil {
		s.folder.close()
	}
	if s.opts.Client == nil {
		s.client.CloseIdleConnections()
	}
	return nil
}

// end ends a point with its server. An event that was on is not ended for the sinks, so that they can go on with it.
func (p *Point) end() {
	p.mu.Lock()
	p.removed, p.closed, p.later = true, true, nil
	b := p.cast
	p.cast = nil
	p.live.Store(nil)
	p.mu.Unlock()
	if b != nil {
		ended := b.isClosed()
		b.finish(fmt.Errorf("livesmooth: %s: %w", p.name, ErrEnding))
		p.closeRecorders(b, ended)
		b.drop()
	}
	p.work.Wait()
	p.mu.Lock()
	p.enter(Idle, nil)
	p.mu.Unlock()
	p.handler.Load().retire()
	p.events.end()
}

// isClosed reports whether the input has ended.
func (b *broadcast) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
