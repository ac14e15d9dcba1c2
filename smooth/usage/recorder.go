package usage

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/maphash"
	"iter"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Recorder counts, logs and tells what viewers and encoders do. It is safe for concurrent use. It has a goroutine until it
// is closed.
type Recorder struct {
	opts     Options
	privacy  atomic.Pointer[Privacy]
	outputs  atomic.Pointer[outputs]
	swap     sync.Mutex // held while outputs are replaced
	seeds    [2]maphash.Seed
	shards   [shards]shard
	streams  streamTable
	counters counters
	events   eventLog
	buffers  sync.Pool
	turn     atomic.Uint32
	closed   atomic.Bool
	since    time.Time
	cancel   context.CancelFunc
	done     chan struct{}

	mu sync.Mutex // guards the fields below
	// peaksSince is when peaks were reset.
	peaksSince time.Time
	history    history
	meter      meter
	logErrors  map[Log]string // what was told of the logs that fail
}

// outputs is where things are told. Who tells something holds users for reading meanwhile, so that nothing is closed under
// its hands.
type outputs struct {
	logs     []Log
	webhooks []*Webhook
	users    sync.RWMutex
}

// hold returns the outputs, to be released by users.RUnlock.
func (r *Recorder) hold() *outputs {
	for {
		out := r.outputs.Load()
		if !out.users.TryRLock() { // they are being replaced: there are others
			continue
		}
		if r.outputs.Load() == out {
			return out
		}
		out.users.RUnlock()
	}
}

// replace makes other outputs those that hold returns, and waits until nobody holds the old ones. swap must be held.
func (r *Recorder) replace(logs []Log, webhooks []*Webhook) (old *outputs) {
	old = r.outputs.Swap(&outputs{logs: logs, webhooks: webhooks})
	old.users.Lock()
	//lint:ignore SA2001 it is the waiting that counts
	old.users.Unlock()
	return old
}

// New returns a recorder. It copies opts and owns the logs and webhooks in it. The error wraps [ErrOptions].
func New(opts *Options) (*Recorder, error) {
	d, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(d.PseudonymKey) == 0 {
		d.PseudonymKey = make([]byte, 32)
		rand.Read(d.PseudonymKey)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Recorder{
		opts: d, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, cancel: cancel, done: make(chan struct{}),
		logErrors: make(map[Log]string),
	}
	r.streams = streamTable{max: d.MaxStreams, other: stream{name: otherStreams}, named: make(map[string]*stream)}
	r.events = eventLog{bursts: d.Bursts, open: make(map[burstKey]*burst), kinds: make(map[EventKind]int)}
	r.buffers.New = func() any { return new([32 << 10]byte) }
	for i := range r.shards {
		r.shards[i].sessions = make(map[key]*session)
	}
	r.privacy.Store(d.Privacy.withDefaults())
	r.outputs.Store(&outputs{logs: slices.Clone(d.Logs), webhooks: slices.Clone(d.Webhooks)})
	r.since = d.Now()
	r.peaksSince = r.since
	r.counters.cpu.Store(-1)
	r.meter.start(r.since)
	r.history.observe(r.since, Sample{})
	go r.run(ctx)
	return r, nil
}

// SetPrivacy changes what is never told, of requests and sessions that begin afterwards.
func (r *Recorder) SetPrivacy(p Privacy) { r.privacy.Store(p.withDefaults()) }

// SetLogs replaces the logs. Those that are no longer among them are closed; the errors of that are returned. What ends
// meanwhile is told to the old ones or to the new ones. A [W3C] may have the file of one that it replaces: it begins to write
// when that one has ended. It returns [ErrClosed], and does not take them, if the recorder is closed.
func (r *Recorder) SetLogs(logs ...Log) error {
	r.swap.Lock()
	defer r.swap.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	old := r.outputs.Load()
	var gone []Log
	for _, l := range old.logs {
		if !slices.Contains(logs, l) {
			gone = append(gone, l)
		}
	}
	succeed(gone, logs)
	r.replace(slices.Clone(logs), old.webhooks)
	return r.closeLogs(gone)
}

// closeLogs closes logs that nobody tells anything any more.
func (r *Recorder) closeLogs(logs []Log) error {
	var errs []error
	for _, l := range logs {
		errs = append(errs, l.Close())
		r.mu.Lock()
		delete(r.logErrors, l)
		r.mu.Unlock()
	}
	return errors.Join(errs...)
}

// SetWebhooks replaces the webhooks. Those that are no longer among them are shut down, which takes until ctx ends at most. It
// returns [ErrClosed], and does not take them, if the recorder is closed.
func (r *Recorder) SetWebhooks(ctx context.Context, webhooks ...*Webhook) error {
	r.swap.Lock()
	defer r.swap.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	old := r.outputs.Load()
	r.replace(old.logs, slices.Clone(webhooks))
	var gone []*Webhook
	for _, h := range old.webhooks {
		if !slices.Contains(webhooks, h) {
			gone = append(gone, h)
		}
	}
	return shutdown(ctx, gone)
}

// shutdown shuts webhooks down at the same time.
func shutdown(ctx context.Context, hooks []*Webhook) error {
	errs := make([]error, len(hooks))
	var wg sync.WaitGroup
	for i, h := range hooks {
		wg.Go(func() { errs[i] = h.Shutdown(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Shutdown ends all sessions, writes the logs, and waits for webhooks until ctx ends. Requests that come afterwards are
// served and not recorded. Call it after the server has been shut down. A second call does nothing.
func (r *Recorder) Shutdown(ctx context.Context) error {
	if r.closed.Swap(true) {
		<-r.done
		return nil
	}
	r.cancel()
	<-r.done
	now := r.opts.Now()
	r.expire(now, now, true)
	for _, e := range r.events.due(now, true) {
		r.tell(e)
	}
	r.swap.Lock()
	defer r.swap.Unlock()
	out := r.replace(nil, nil)
	return errors.Join(r.closeLogs(out.logs), shutdown(ctx, out.webhooks))
}

// Close is [Recorder.Shutdown] that gives webhooks five seconds.
func (r *Recorder) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return r.Shutdown(ctx)
}

// Handler returns a handler that records the requests it hands to next: middleware that keeps sendfile, flushing and
// everything else that [http.ResponseController] reaches. It stands before everything that may refuse a request, so that
// refusals are recorded too.
func (r *Recorder) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.closed.Load() {
			next.ServeHTTP(w, req)
			return
		}
		x, inner := r.begin(w, req)
		returned := false
		defer func() { r.finish(x, returned) }()
		next.ServeHTTP(x, inner)
		returned = true
	})
}

// begin returns the writer of a request, and the request for the inner handler.
func (r *Recorder) begin(w http.ResponseWriter, req *http.Request) (*response, *http.Request) {
	x := &response{
		ResponseWriter: w, rec: r, request: req, privacy: r.privacy.Load(), part: uint8(r.turn.Add(1)), address: r.opts.Address(req),
	}
	x.record.Start = r.opts.Now()
	bare := x.privacy.bare(req)
	x.record.Class = r.opts.Classify(bare)
	x.record.Class.repair()
	x.record.CMCD, x.record.HasCMCD = RequestCMCD(req)
	if r.opts.User != nil {
		x.record.User = r.opts.User(req)
	}
	if r.opts.Session != nil {
		x.sessionID = r.opts.Session(req)
	}
	rise(&r.counters.peakActive, r.counters.active.Add(1))
	if req.Body == nil || req.Body == http.NoBody {
		return x, req
	}
	inner := *req // the caller's request stays as it is
	inner.Body = &body{req.Body, x}
	return x, &inner
}

// Sessions returns the sessions that are there, in no order. Requests go on meanwhile.
func (r *Recorder) Sessions() iter.Seq[Session] {
	return func(yield func(Session) bool) {
		var all []Session
		for i := range r.shards {
			all = r.shards[i].snapshots(all[:0], r.opts.Now())
			for _, s := range all {
				if !yield(s) {
					return
				}
			}
		}
	}
}

func (p *shard) snapshots(all []Session, now time.Time) []Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sessions {
		all = append(all, s.snapshot(now))
	}
	return all
}
