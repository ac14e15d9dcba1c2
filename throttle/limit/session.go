package limit

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// kind says what a session is for.
type kind uint8

const (
	player kind = iota
	distribution
	kinds
)

// session is one viewer who watches one file, or one file that another server pulls. The handler's mutex guards all of
// them but bytes.
type session struct {
	key        key
	viewer     *viewer
	file       *file
	prev, next *session // in the list of idle sessions
	started    time.Duration
	last       time.Duration // when a request last began or ended
	bytes      atomic.Int64  // that were measured
	requests   int64
	index      int32 // in the table
	active     int32 // requests being served
	good       bool  // had an answer that was not an error
	listed     bool  // idle
	alone      bool  // for one request; not in the map

	own viewer // what viewer points to if nobody shares it
}

// viewer is who watches, within one part of the server. The handler's mutex guards it.
type viewer struct {
	key      key
	level    *level
	group    *group // nil: none
	bucket   *throttle.Bucket
	need     throttle.Rate
	address  [16]byte
	sessions int32
	active   int32 // requests being served
	kind     kind
	shared   bool // in the map of viewers
	apart    bool // does not count for the server
}

// file is what is watched.
type file struct {
	name    string
	level   *level
	viewers [kinds]int
	index   int32
}

// fileKey identifies a file. Limits of one point do not count what is in another.
type fileKey struct {
	level *level
	name  string
}

// group is a [Group] in use.
type group struct {
	name  string
	limit int
	tally tally
}

// tally is a number and the largest it has been.
type tally struct{ now, peak int }

func (t *tally) add(n int) {
	t.now += n
	t.peak = max(t.peak, t.now)
}

// level is the server or a point, with what is counted there.
type level struct {
	id       uint64
	path     string // of a point
	limits   Limits
	replace  bool
	ends     bool // it is no longer in the rules
	tallies  [kinds]tally
	allotted [kinds]throttle.Rate
	meters   [kinds]meter
	ceilings [kinds]*throttle.Bucket
	arrivals *throttle.Bucket // of new viewers; nil without a limit
	queue    *throttle.Bucket // when who was refused by arrivals has his turn
	idle     list
}

// measured reports whether some limit of the level needs the bytes.
func (l *level) measured(k kind) bool { return l.limits.aggregate(k) > 0 || l.limits.ceiling(k) > 0 }

// list holds idle sessions of one level in the order in which they became so.
type list struct{ head, tail *session }

func (l *list) push(s *session) {
	s.prev, s.next, s.listed = l.tail, nil, true
	if l.tail == nil {
		l.head = s
	} else {
		l.tail.next = s
	}
	l.tail = s
}

func (l *list) remove(s *session) {
	if s.prev == nil {
		l.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next, s.listed = nil, nil, false
}

// table holds values that know their place, so that they can be walked in steps while others come and go.
type table[T any] struct {
	all   []T
	place func(T) *int32
}

func (t *table[T]) add(v T) {
	*t.place(v) = int32(len(t.all))
	t.all = append(t.all, v)
}

// remove puts the last one into the place of v. Who walks downwards has seen that already, so it misses nobody.
func (t *table[T]) remove(v T) {
	i, end := *t.place(v), len(t.all)-1
	t.all[i] = t.all[end]
	*t.place(t.all[i]) = i
	var none T
	t.all[end] = none
	t.all = t.all[:end]
	if cap(t.all) > 1024 && len(t.all) < cap(t.all)/4 {
		t.all = append(make([]T, 0, cap(t.all)/2), t.all...)
	}
}

// maxFileName bounds the names of files that are kept, in bytes.
const maxFileName = 512

// keepName returns a name that is safe to keep: not a part of something larger, and bounded.
func (h *Handler) keepName(name string) string {
	if len(name) <= maxFileName {
		return strings.Clone(name)
	}
	k := h.hasher.sum('f', name)
	return name[:maxFileName-16] + strconv.FormatUint(k[0]|1<<63, 16)
}
