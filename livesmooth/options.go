package livesmooth

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// Options tunes a [Server]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Logger gets lifecycle events at level Info, repaired input at Warn and our faults at Error. Nil means slog.Default().
	Logger *slog.Logger
	// Root is a directory whose .isml files are publishing points at the same paths: creating one creates the point,
	// deleting it removes the point. Changes through the server are written there. Empty means none.
	Root string
	// Poll is how often Root is looked at. Zero means one second. Names that are asked for are looked up at once.
	Poll time.Duration
	// Points are there from the start, besides those of Root, and have no file. Where Root has a file of that name it counts.
	Points map[string]*Settings
	// MemoryBudget bounds the bytes of fragments that a point holds, those included that slow viewers keep it from giving
	// back. What leaves memory is served from the history of a sink, or else leaves the window. Zero means 256 MiB.
	MemoryBudget int64
	// Sinks returns the sinks of a point with these settings, when an event begins. Nil means none.
	Sinks func(point string, s *Settings) []Sink
	// Limits bound what encoders may do.
	Limits Limits
	// AuthorizeEncoder, if set, is asked before a push is taken. An error that wraps [ErrUnauthorized] answers 401 with
	// the header Challenge, any other 403.
	AuthorizeEncoder func(r *http.Request, push PushInfo) error
	// AuthorizeCreate is asked whether a request may create a point, or change an idle one, by PUT of its .isml file as some
	// encoders do, or remove one by DELETE. Nil means that nobody may. Errors are answered as those of AuthorizeEncoder.
	AuthorizeCreate func(r *http.Request, point string) error
	// AuthorizeServer, if set, is asked before another server may pull from a point.
	AuthorizeServer func(r *http.Request, point string) error
	// Challenge is the WWW-Authenticate header of a 401. Empty means Basic realm="encoder".
	Challenge string
	// RefuseClockRestart refuses an encoder that comes back with a lower clock, with 400. By default the timeline goes
	// on, after a discontinuity, with an offset that the wall clock tells.
	RefuseClockRestart bool
	// Viewers are the options of the handler for viewers. Nil means the defaults.
	Viewers *smooth.HandlerOptions
	// Outputs, if set, returns outputs for a point with these settings besides those in Viewers; they win over those.
	// One that is an io.Closer is closed when the settings change or the point goes.
	Outputs func(point string, s *Settings) []smooth.Output
	// Next gets the requests that are not for publishing points. Nil answers 404.
	Next http.Handler
	// Client sends the requests to other servers. Nil means one of the server's own, which uses no proxy. The Timeout of
	// a client would end every stream.
	Client *http.Client
	// Credentials looks up user and password by the name in [RemotePoint]. Nil means that there are none.
	Credentials func(name string) (user, password string, ok bool)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Limits bound what encoders may do. Zero values mean the documented defaults.
type Limits struct {
	// HeaderBytes bounds the boxes before the first fragment: 4 MiB.
	HeaderBytes int64
	// FragmentBytes bounds a fragment: 64 MiB.
	FragmentBytes int64
	// Inputs and Tracks bound the streams and tracks of a point: 64 and 128.
	Inputs, Tracks int
	// Sources bounds the connections that feed one input stream: 8.
	Sources int
	// HeaderTimeout bounds how long the header may take to arrive: 30 seconds.
	HeaderTimeout time.Duration
	// IdleTimeout closes a push that sends nothing: one minute.
	IdleTimeout time.Duration
	// FragmentTimeout bounds how long one fragment may take to arrive: one minute.
	FragmentTimeout time.Duration
	// GapWait is how long a gap, or a track that lags behind the others of its stream, is waited for while a source
	// could still fill it: five seconds.
	GapWait time.Duration
}

func (l Limits) withDefaults() Limits {
	l.HeaderBytes = cmp.Or(l.HeaderBytes, 4<<20)
	l.FragmentBytes = cmp.Or(l.FragmentBytes, 64<<20)
	l.Inputs, l.Tracks, l.Sources = cmp.Or(l.Inputs, 64), cmp.Or(l.Tracks, 128), cmp.Or(l.Sources, 8)
	l.HeaderTimeout = cmp.Or(l.HeaderTimeout, 30*time.Second)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, time.Minute)
	l.FragmentTimeout = cmp.Or(l.FragmentTimeout, time.Minute)
	l.GapWait = cmp.Or(l.GapWait, 5*time.Second)
	return l
}

// validate returns an error that names the options that are negative, or nil.
func (o *Options) validate() error {
	if o == nil {
		return nil
	}
	l, bad := o.Limits, ""
	for _, v := range []struct {
		name string
		n    int64
	}{
		{"MemoryBudget", o.MemoryBudget}, {"Poll", int64(o.Poll)}, {"Limits.HeaderBytes", l.HeaderBytes},
		{"Limits.FragmentBytes", l.FragmentBytes}, {"Limits.Inputs", int64(l.Inputs)}, {"Limits.Tracks", int64(l.Tracks)},
		{"Limits.Sources", int64(l.Sources)}, {"Limits.HeaderTimeout", int64(l.HeaderTimeout)},
		{"Limits.IdleTimeout", int64(l.IdleTimeout)}, {"Limits.FragmentTimeout", int64(l.FragmentTimeout)},
		{"Limits.GapWait", int64(l.GapWait)},
	} {
		if v.n < 0 {
			bad += " " + v.name
		}
	}
	if bad == "" {
		return nil
	}
	return fmt.Errorf("livesmooth: negative options:%s; zero means the default", bad)
}

const defaultMemoryBudget = 256 << 20

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.Logger = cmp.Or(d.Logger, slog.Default())
	d.Poll = cmp.Or(d.Poll, time.Second)
	d.MemoryBudget = cmp.Or(d.MemoryBudget, defaultMemoryBudget)
	d.Limits = d.Limits.withDefaults()
	d.Challenge = cmp.Or(d.Challenge, `Basic realm="encoder"`)
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}
