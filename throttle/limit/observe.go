package limit

import (
	"encoding/binary"
	"encoding/hex"
	"iter"
	"net/http"
	"net/netip"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// EventKind says what an [Event] is about.
type EventKind uint8

// The kinds of events.
const (
	// Admitted is the first request of a session.
	Admitted EventKind = iota + 1
	// Denied is a request that was refused.
	Denied
	// Ended is the end of a session.
	Ended
)

// String returns the kind in lower case.
func (k EventKind) String() string {
	switch k {
	case Admitted:
		return "admitted"
	case Denied:
		return "denied"
	case Ended:
		return "ended"
	}
	return "none"
}

// Event is what [Options].Observe is told.
type Event struct {
	Kind EventKind
	Time time.Time
	// Request is that which was admitted or denied, nil for Ended. It must not be kept.
	Request *http.Request
	// Session is as it is then. If Denied it says only what the request is about: the file, and where the limit was not
	// one on the requests of a viewer also the point, the group and the address.
	Session Session
	// Reason and RetryAfter are those of Denied.
	Reason     Reason
	RetryAfter time.Duration
}

// Session is one viewer who watches one file, or a file that another server pulls.
type Session struct {
	// ID stands for the session within this process, in hexadecimal. It is empty for a viewer of one request.
	ID string
	// File is what is watched. A long name is shortened.
	File string
	// Point is the path of the point, "" for none.
	Point string
	Group string
	// Address is that by which the client counts, invalid if it has none.
	Address      netip.Addr
	Distribution bool
	Started      time.Time
	// Last is when a request last began or ended.
	Last     time.Time
	Requests int64
	// Active is the number of requests that are being served.
	Active int
	// Bytes were sent, where they are measured.
	Bytes int64
	// Allocated is the bandwidth that is set aside for the viewer.
	Allocated throttle.Rate
}

// view returns a session as others see it. mu must be held.
func (h *Handler) view(s *session) Session {
	v := s.viewer
	out := Session{
		File: s.file.name, Point: v.level.path, Address: addressOf(v.address), Distribution: v.kind == distribution,
		Started: h.epoch.Add(s.started), Last: h.epoch.Add(s.last), Requests: s.requests, Active: int(s.active),
		Bytes: s.bytes.Load(), Allocated: v.need,
	}
	if !s.alone {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], s.key[0])
		binary.BigEndian.PutUint64(b[8:], s.key[1])
		out.ID = hex.EncodeToString(b[:])
	}
	if v.group != nil {
		out.Group = v.group.name
	}
	return out
}

// walkStep is how many sessions or files are looked at while the lock is held.
const walkStep = 256

// Sessions returns the sessions, in no order. Requests go on meanwhile: sessions that are there all the time are in it,
// and one may be twice if others end.
func (h *Handler) Sessions() iter.Seq[Session] {
	return func(yield func(Session) bool) {
		h.settle(h.opts.Now())
		batch := make([]Session, 0, walkStep)
		walk(h, &h.all, func(s *session) { batch = append(batch, h.view(s)) }, func() bool {
			for _, s := range batch {
				if !yield(s) {
					return false
				}
			}
			batch = batch[:0]
			return true
		})
	}
}

// walk calls visit with the lock held for everything in a table, and between its steps without it, until that returns
// false.
func walk[T any](h *Handler, t *table[T], visit func(T), between func() bool) {
	h.mu.Lock()
	i := len(t.all) - 1
	for more := true; more; {
		i = min(i, len(t.all)-1)
		for n := 0; n < walkStep && i >= 0; n++ {
			visit(t.all[i])
			i--
		}
		h.mu.Unlock()
		if !between() || i < 0 {
			return
		}
		h.mu.Lock()
	}
}
