package usage

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/smoothkit/smoothkit/internal/httpx"
)

// Defaults of [Options].
const (
	// DefaultInactivityTimeout is how long a viewer stays after its last request: three segments of ten seconds.
	DefaultInactivityTimeout = 30 * time.Second
	DefaultMaxSessions       = 100_000
	DefaultMaxStreams        = 200
)

// Options tunes a [Recorder]. A nil pointer and the zero value mean the documented defaults. Functions are called on the
// goroutine of the request, unless they say otherwise, and must be safe for concurrent use.
type Options struct {
	// Logger gets faults of the recorder's own outputs. Nil means slog.Default().
	Logger *slog.Logger
	// Classify tells what a request is for. Nil means [Classify]. Tokens in paths have been removed, see [Privacy].
	Classify func(*http.Request) Class
	// Address returns the address of a client, invalid if it has none. Nil means that of the connection.
	Address func(*http.Request) netip.Addr
	// User returns who makes a request, or "". Nil means nobody. Who finds that out later, behind the recorder's handler,
	// calls [Annotate].
	User func(*http.Request) string
	// Session returns what tells a viewer from others, or "" for what nil means: the session that the player names in
	// CMCD (sid) or X-Playback-Session-Id, else its address and User-Agent together. The stream always belongs to it.
	Session func(*http.Request) string
	// Media, if set, returns what is known of a stream, for the lines of its sessions. It is called on the recorder's
	// goroutine when a session ends, on that of the request for a viewer who is refused at once, and must not block.
	Media func(stream string) Media

	// InactivityTimeout is how long a session stays after its last request. Zero means [DefaultInactivityTimeout].
	InactivityTimeout time.Duration
	// MaxSessions bounds the memory, some 1 kB each. Viewers beyond are served and counted in totals, but have no session.
	// Zero means [DefaultMaxSessions].
	MaxSessions int
	// MaxStreams is how many streams have counters of their own. When there are that many, the one that nobody has used
	// for longest gives way if it is idle; else a further stream counts as "other". Zero means [DefaultMaxStreams].
	MaxStreams int

	// Privacy says what is never told. [Recorder.SetPrivacy] changes it.
	Privacy Privacy
	// PseudonymKey makes the names that stand for players and sessions in logs the same on all servers and after a
	// restart. Nil means a random key of this recorder. It has at least 16 bytes.
	PseudonymKey []byte

	// Logs get all requests and sessions. The recorder closes them. [Recorder.SetLogs] changes them.
	Logs []Log
	// Webhooks get all events. The recorder closes them. [Recorder.SetWebhooks] changes them.
	Webhooks []*Webhook
	// Bursts says how many events of a kind are told: those of one subject that come within that time after one that was
	// told are counted, and told as one when the time is over. Nil means a minute for [LimitHit] and [DiskFull].
	Bursts map[EventKind]time.Duration
	// OnEvent, if set, gets all events that are told, on the goroutine of whoever emits them. It must not block.
	OnEvent func(Event)
	// Observe, if set, is called once per finished request. It must neither block nor keep the record.
	Observe func(*Record)
	// Metrics, if set, yields what other packages count, for [Recorder.Metrics].
	Metrics func(yield func(Metric) bool)

	// Now tells the time. Nil means time.Now. The recorder's ticks go by the clock of package time all the same.
	Now func() time.Time
}

// Media is what is known of a stream beyond its requests. Zero values are unknown.
type Media struct {
	// Duration and Size of all of it, as one viewer gets it.
	Duration time.Duration
	Size     int64
	// AudioCodec and VideoCodec are names, several separated by semicolons.
	AudioCodec, VideoCodec string
	// Name and Role, such as ADVERTISEMENT, are those in a playlist.
	Name, Role string
	// Path is where the content is, as far as logs may tell.
	Path string
}

func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	if d.InactivityTimeout < 0 || d.MaxSessions < 0 || d.MaxStreams < 0 {
		return d, fmt.Errorf("%w: InactivityTimeout %v, MaxSessions %d and MaxStreams %d must not be negative",
			ErrOptions, d.InactivityTimeout, d.MaxSessions, d.MaxStreams)
	}
	if n := len(d.PseudonymKey); n > 0 && n < minSecret {
		return d, fmt.Errorf("%w: PseudonymKey has %d bytes, at least %d", ErrOptions, n, minSecret)
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.Classify == nil {
		d.Classify = Classify
	}
	if d.Address == nil {
		d.Address = httpx.RemoteAddress
	}
	if d.InactivityTimeout == 0 {
		d.InactivityTimeout = DefaultInactivityTimeout
	}
	if d.MaxSessions == 0 {
		d.MaxSessions = DefaultMaxSessions
	}
	if d.MaxStreams == 0 {
		d.MaxStreams = DefaultMaxStreams
	}
	if d.Bursts == nil {
		d.Bursts = map[EventKind]time.Duration{LimitHit: time.Minute, DiskFull: time.Minute}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	d.PseudonymKey, d.Bursts = slices.Clone(d.PseudonymKey), maps.Clone(d.Bursts)
	return d, nil
}

// minSecret is the least number of bytes of a key.
const minSecret = 16
