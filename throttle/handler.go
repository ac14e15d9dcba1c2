package throttle

import (
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of [HandlerOptions].
const (
	// DefaultSeekBurst is the burst that a seek earns, in time of the content.
	DefaultSeekBurst = 3 * time.Second
	// DefaultWriteTimeout is how long one write of a paced response may take.
	DefaultWriteTimeout = time.Minute
	// DefaultMaxSessions is the number of clients and files that are remembered after their last response.
	DefaultMaxSessions = 1 << 16
)

const (
	// probeSize is the longest body that is taken for a question and not for content, in bytes.
	probeSize = 2 << 10
	// retryAfter and refusal are what a response that was refused says: when to come back, in seconds, and the body.
	retryAfter = 5
	refusal    = "Too many connections of this kind, try again later.\n"
	// leastTick and mostTick bound the raster of wake-ups, which is a fifth of the interval. Of 2,000 responses that wait a
	// second each, a hundred wake at once.
	leastTick = 20 * time.Millisecond
	mostTick  = 50 * time.Millisecond
	// slack is how much less than a quantum a response waits for, so that a wait that would end just before a tick can
	// end at it.
	slack = 2 * time.Millisecond
)

// HandlerOptions tune a [Handler]. A nil pointer and the zero value mean the documented defaults.
type HandlerOptions struct {
	// Logger gets one record per file whose rate is not found, at Warn, and per variable that cannot be read. Nil means
	// slog.Default().
	Logger *slog.Logger
	// Interval is how often a paced response is written to: shorter is smoother, longer costs less. Zero means
	// [DefaultInterval]. Rates so low that an interval earns less than [Rules.MinSendSize] are written to less often,
	// those so high that it earns more than 1 MiB more often.
	Interval time.Duration
	// SeekBurst is the burst that a seek earns, and what a client that was slow may catch up, in time of the content;
	// of what was not sent in time 250 ms may always be caught up. Zero means [DefaultSeekBurst]; negative means none. What may be an index at the end of a file, as it is one part in
	// 32 at most or no more than the first burst, is sent like a first burst.
	SeekBurst time.Duration
	// WriteTimeout is how long one write may take, at most 1 MiB, before the connection is cut as nobody reads. The
	// deadline moves with the response, so that http.Server.WriteTimeout does not end it; for that, writers of handlers
	// outside need Unwrap, as http.ResponseController has it. Zero means [DefaultWriteTimeout]; negative leaves deadlines
	// alone.
	WriteTimeout time.Duration
	// Client names who asks, to tell seeks and parallel ranges of one player from two players. Nil means the header
	// X-Playback-Session-Id where there is one, else the address without the port together with the User-Agent.
	Client func(r *http.Request) string
	// MaxSessions is how many clients and files are remembered after their last response. Zero means
	// [DefaultMaxSessions].
	MaxSessions int
	// NoProbes keeps the handler from asking the one inside for ranges of a resource, to find its rate where the
	// response alone does not show it: of several ranges, or of a range that is not read from a file.
	NoProbes bool
	// KernelPacing lets the kernel spread each write over the interval, on Linux and plain HTTP/1.1, if the server's
	// ConnContext is [ConnContext]. An interval of seconds is then as smooth on the wire as a short one. The law of what
	// may be sent when stays the same. The send buffer of a connection that was paced once stays small.
	KernelPacing bool
	// DebugHeader adds X-Throttle to responses that a setting or variables chose: "rate=...; burst=...; source=...", in
	// bit/s and bytes, or "off" if the rate was not found.
	DebugHeader bool
	// Observe, if set, is called once per response that was paced or refused, when it ends, on its goroutine. It must
	// not block.
	Observe func(Observation)
}

// Handler sends what another handler answers at the speed of its playback. It is safe for concurrent use, has no
// goroutine and needs no Close.
type Handler struct {
	next     http.Handler
	opts     HandlerOptions
	start    time.Time
	tick     time.Duration // wake-ups are at multiples of it since start
	alarms   alarms
	changing sync.Mutex // held by SetRules, so that everything is of the same rules
	table    atomic.Pointer[table]
	groups   groups
	site     site
	ceiling  atomic.Pointer[shared]
	sessions *sessions
	rates    rates
	counters counters
}

// NewHandler returns a handler that paces the responses of next by rules. Nil rules mean the defaults, those of IIS and
// of newer formats. It is [New] with default options.
func NewHandler(next http.Handler, rules *Rules) *Handler { return New(next, rules, nil) }

// New returns a handler that paces the responses of next by rules. It panics on rules that [Rules.Validate] refuses;
// those of [ParseRules] never are.
//
// Responses with a status other than 200 and 206, those to HEAD, those that no setting and no variable chooses, and
// bodies of a few bytes are not touched; their writer keeps sendfile. Paced ones keep it too, on plain HTTP/1.1.
func New(next http.Handler, rules *Rules, opts *HandlerOptions) *Handler {
	h := &Handler{next: next, start: time.Now()}
	if opts != nil {
		h.opts = *opts
	}
	o := &h.opts
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.SeekBurst == 0 {
		o.SeekBurst = DefaultSeekBurst
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = DefaultWriteTimeout
	}
	if o.Client == nil {
		o.Client = clientOf
	}
	if o.MaxSessions <= 0 {
		o.MaxSessions = DefaultMaxSessions
	}
	h.tick = min(max(o.Interval/5, leastTick), mostTick)
	h.rates.log = o.Logger
	h.sessions = newSessions(o.MaxSessions)
	if rules == nil {
		rules = &Rules{}
	}
	if err := h.SetRules(rules); err != nil {
		panic(err)
	}
	return h
}

// SetRules makes other rules those of responses from now on. The site's target, the ceiling and the limits of groups
// are new for responses that are being sent, too. It returns the error of [Rules.Validate], and changes nothing then.
func (h *Handler) SetRules(rules *Rules) error {
	if err := rules.Validate(); err != nil {
		return err
	}
	copied := *rules
	h.changing.Lock()
	defer h.changing.Unlock()
	now := time.Now()
	h.groups.set(now, copied.Groups)
	h.site.setTarget(copied.TargetRate)
	h.sessions.changes.Add(1)
	setShared(&h.ceiling, now, copied.Ceiling)
	h.table.Store(newTable(&copied))
	h.rates.reset() // other formats may find what these did not
	return nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := h.table.Load()
	resp := &response{ResponseWriter: w, h: h, r: r, table: t, vars: variablesOf(r.Context())}
	if !t.Disabled {
		resp.setting = t.byName(r.URL.Path)
	}
	defer resp.finish()
	if resp.setting != nil && r.Method != http.MethodHead {
		if !resp.enter() {
			resp.refuse()
			return
		}
	}
	if resp.setting != nil && resp.setting.Kind == Media && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		r = withoutCompression(r)
		resp.r = r
	}
	h.next.ServeHTTP(resp, r)
}

// withoutCompression returns a request for the bytes of the file: media is compressed already, and the rate is that
// of its own bytes. It says so, as a proxy inside would else ask for compression on its own and then not know the length.
func withoutCompression(r *http.Request) *http.Request {
	plain := *r
	plain.Header = maps.Clone(r.Header)
	if plain.Header == nil {
		plain.Header = make(http.Header)
	}
	plain.Header["Accept-Encoding"] = []string{"identity"}
	return &plain
}

// clientOf is the default of [HandlerOptions.Client].
func clientOf(r *http.Request) string {
	if id := r.Header.Get("X-Playback-Session-Id"); id != "" && len(id) <= 128 {
		return id
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	agent := r.UserAgent()
	return host + " " + agent[:min(len(agent), 256)]
}

// Stats returns the totals and what is going on.
func (h *Handler) Stats() Stats {
	c := &h.counters
	s := Stats{
		Responses: c.responses.Load(), Unthrottled: c.unthrottled.Load(), Aborted: c.aborted.Load(), Active: int(c.active.Load()),
		Sessions: h.sessions.count(), BurstBytes: c.burst.Load(), SteadyBytes: c.steady.Load(), SavedBytes: c.saved.Load(),
		Waited: time.Duration(c.waited.Load()),
	}
	h.rates.mu.Lock()
	s.Detected, s.Undetected, s.Containers = h.rates.stats.detected, h.rates.stats.undetected, maps.Clone(h.rates.stats.containers)
	h.rates.mu.Unlock()
	h.groups.mu.Lock()
	defer h.groups.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(h.groups.byName)) {
		g := h.groups.byName[name]
		s.Groups = append(s.Groups, GroupStats{name, int(g.limit.Load()), int(g.active.Load()), g.refused.Load()})
		s.Refused += g.refused.Load()
	}
	return s
}
