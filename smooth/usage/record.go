package usage

import (
	"net/netip"
	"time"
)

// Record is one finished request, as it may be told: addresses masked, secrets removed, see [Privacy].
type Record struct {
	// Start is when the request began, Duration how long it took, FirstByte after what time the header of the answer was
	// sent (zero if none was).
	Start     time.Time
	Duration  time.Duration
	FirstByte time.Duration

	// Address is the client's, invalid if it has none. Local is that of the server the client connected to.
	Address, Local netip.Addr
	// User is who was let in, see [Options].User and [Annotate].
	User   string
	Method string
	// Version is HTTP/1.1 and so on.
	Version string
	Host    string
	// Path is decoded, Query is as it was sent, without question mark.
	Path, Query string
	// UserAgent, Referer and Range are headers of the request.
	UserAgent, Referer, Range string
	TLS                       bool

	// Status that was sent, or 0 if none was.
	Status int
	// Sent are the bytes of the answer's body, Received those of the request's.
	Sent, Received int64
	// Aborted says that the answer is not complete: the client left, or the handler gave up.
	Aborted bool

	Class Class
	// Session is the ID of the viewer's session, "" if the request belongs to none.
	Session string
	// CMCD is what the player says, if HasCMCD.
	CMCD    CMCD
	HasCMCD bool
	// Cache, Throttle and Limit are the headers X-Cache, X-Throttle and X-Limit of the answer.
	Cache, Throttle, Limit string
	// Viewers is how many there were when the request ended.
	Viewers int
}

// late reports whether a segment took longer than the player had, as far as it says.
func (r *Record) late() bool {
	if r.Class.Kind != Segment || !r.HasCMCD || r.Status >= 400 || r.Aborted {
		return false
	}
	allowed := r.CMCD.Deadline
	if allowed == 0 {
		allowed = r.CMCD.ObjectDuration
	}
	return allowed > 0 && r.Duration > allowed
}
