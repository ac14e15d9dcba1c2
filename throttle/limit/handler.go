package limit

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Handler refuses requests of new viewers when a limit is reached and hands the others to the inner handler. It is safe
// for concurrent use.
type Handler struct {
	next    http.Handler
	opts    Options
	remote  bool // the default of Options.Address
	tree    bool // the default of Options.File, with sessions of directories above
	hasher  hasher
	epoch   time.Time // times are kept as what has passed since
	buffers sync.Pool

	mu        sync.Mutex // guards the fields below
	rules     Rules
	server    *level
	levels    []*level // of the rules or with sessions; the server first, then points, longest path first
	groups    map[string]*group
	sessions  map[key]*session // but for those of one request
	viewers   map[key]*viewer  // those who may have several sessions
	files     map[fileKey]*file
	addresses map[addressKey]int32
	all       table[*session]
	allFiles  table[*file]
	lastLevel uint64 // id
	turn      int    // of the level in which expired sessions are looked for next
	since     time.Time
	admitted  int64
	ended     int64
	denied    [reasons]int64
}

// addressKey is an address in a part of the server.
type addressKey struct {
	address [16]byte
	level   uint64
}

// NewHandler returns a handler that limits who reaches next. It copies opts.
func NewHandler(next http.Handler, opts *Options) *Handler {
	h := &Handler{
		next: next, opts: opts.withDefaults(), remote: opts == nil || opts.Address == nil, tree: opts == nil || opts.File == nil, hasher: newHasher(),
		groups: make(map[string]*group), sessions: make(map[key]*session), viewers: make(map[key]*viewer),
		files: make(map[fileKey]*file), addresses: make(map[addressKey]int32),
		all:      table[*session]{place: func(s *session) *int32 { return &s.index }},
		allFiles: table[*file]{place: func(f *file) *int32 { return &f.index }},
	}
	h.buffers.New = func() any { return new([32 << 10]byte) }
	h.epoch = h.opts.Now()
	h.since = h.epoch
	h.server = h.newLevel()
	h.levels = []*level{h.server}
	h.SetRules(h.opts.Rules)
	return h
}

// now returns the time since the epoch.
func (h *Handler) now() time.Duration { return h.opts.Now().Sub(h.epoch) }

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || h.opts.Exempt != nil && h.opts.Exempt(r) {
		h.next.ServeHTTP(w, r)
		return
	}
	g, d := h.begin(r)
	if g.session == nil {
		h.refuse(w, d)
		return
	}
	res := h.newResponse(w, r, g)
	if res == nil {
		defer h.end(g.session, true)
		h.next.ServeHTTP(w, r)
		return
	}
	returned := false
	defer func() { h.end(g.session, res.good(returned)) }()
	h.next.ServeHTTP(res, r)
	returned = true
}

// refuse answers a request that is over a limit. The words name the limit but no numbers.
func (h *Handler) refuse(w http.ResponseWriter, d denial) {
	header := w.Header()
	for name, values := range h.opts.Header {
		if _, ok := header[name]; !ok {
			header[name] = append([]string(nil), values...)
		}
	}
	header.Set("Retry-After", strconv.Itoa(d.seconds()))
	header.Set("Cache-Control", "no-store")
	if h.opts.ShowReason {
		header.Set("X-Limit", d.reason.String())
	}
	http.Error(w, http.StatusText(http.StatusServiceUnavailable)+": "+reasonTexts[d.reason].words, http.StatusServiceUnavailable)
}
