package limit

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/smoothkit/smoothkit/throttle"
)

// DefaultMaxSessions is the default of [Options].MaxSessions.
const DefaultMaxSessions = 1 << 20

// Options tune a [Handler]. A nil pointer and the zero value mean the documented defaults. Functions are called on the
// goroutine of the request and must be safe for concurrent use.
type Options struct {
	// Rules are the limits at the beginning. [Handler.SetRules] changes them.
	Rules Rules

	// Session returns what tells a viewer from others, of any length. Nil means [PlaybackSession], and for players
	// without one their address, User-Agent and file together: viewers behind one address with the same player who
	// watch the same stream are then one. Who asks for the beginning of a file that is no stream while it is being sent to
	// such a one is another viewer: players open further ranges, but not the beginning twice. An empty string means that the request is a viewer of its own, who leaves
	// when it has been served: that is how IIS counted; see [PerRequest].
	//
	// What players say of themselves is not proof of anything. Where viewers have reason to share a session, take it from
	// something signed, such as the token that lets them in.
	Session func(*http.Request) string
	// File returns what is watched. Nil means [File], with sessions of directories above as it says.
	File func(*http.Request) string
	// Address returns the address of a client, invalid if it has none; then it is not limited by address. Nil means
	// [RemoteAddress]. Behind a proxy that is the proxy's: see [TrustedProxies].
	Address func(*http.Request) netip.Addr
	// IPv4Bits and IPv6Bits are the lengths of the prefixes that count as one address. Zero means 32, and 64 as that is
	// what one household has.
	IPv4Bits, IPv6Bits int
	// Group returns the name of the group of a new viewer, or "". Nil means by [Group].Patterns.
	Group func(*http.Request) string
	// Distribution returns the name of the server that pulls with this request, or "" for a player. Servers that only
	// say so must not be believed: look at a token or a client certificate. Nil means that everybody is a player.
	Distribution func(*http.Request) string
	// Bandwidth returns what a new viewer needs, such as the bit rate of the stream, for the limits on aggregate bandwidth.
	// Zero means unknown; then, as with nil, it is the bandwidth per player (or per distribution connection) if that is
	// limited, or else zero: then only what has been measured counts.
	Bandwidth func(*http.Request) throttle.Rate
	// Exempt returns true for requests that are neither counted nor refused, such as those of management.
	Exempt func(*http.Request) bool

	// MaxSessions bounds the memory: as many sessions are kept, at some 330 bytes each. Who comes when the table is full
	// is refused. Zero means [DefaultMaxSessions].
	MaxSessions int
	// Measure counts the bytes of all responses for [Stats] and [Session], even if no limit needs that.
	Measure bool
	// ShowReason adds the header X-Limit with the name of the limit to refusals.
	ShowReason bool
	// Header is added to refusals where it does not replace what is set. Nil means that scripts of all origins may read
	// them: Access-Control-Allow-Origin: * and Access-Control-Expose-Headers: Retry-After.
	Header http.Header
	// Observe, if set, is called when a session is admitted, denied or ended, the last when another request finds it has
	// expired. It is called on the goroutine of a request and must neither block nor panic.
	Observe func(Event)
	// Now tells the time. Nil means time.Now. What is paced sleeps by the clock of package time all the same.
	Now func() time.Time
}

// withDefaults returns a copy in which nothing but Session, Group, Distribution, Bandwidth, Exempt and Observe is
// missing.
func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Rules = opts.Rules.clone()
	if opts.File == nil {
		opts.File = File
	}
	if opts.Address == nil {
		opts.Address = RemoteAddress
	}
	if opts.IPv4Bits <= 0 || opts.IPv4Bits > 32 {
		opts.IPv4Bits = 32
	}
	if opts.IPv6Bits <= 0 || opts.IPv6Bits > 128 {
		opts.IPv6Bits = 64
	}
	if opts.MaxSessions <= 0 {
		opts.MaxSessions = DefaultMaxSessions
	}
	opts.Header = opts.Header.Clone()
	if opts.Header == nil {
		opts.Header = http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Expose-Headers": {"Retry-After"}}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return opts
}
