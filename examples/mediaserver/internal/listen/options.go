package listen

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Options tune a [Set]. A nil pointer and the zero value mean the documented defaults.
type Options struct {
	// Logger gets what happens to the addresses and to handovers. Nil means slog.Default().
	Logger *slog.Logger
	// RetryInterval is how long a taken address is left alone before it is tried again. It doubles with each attempt, up
	// to 30 times the interval. Zero means one second.
	RetryInterval time.Duration
	// Strict makes [Open] return [ErrNoListener] when not one address could be bound. Otherwise it goes on trying.
	Strict bool

	// Handover is the path of the control socket, which only this user and root may open. Empty means that the process
	// neither takes over nor can be taken over. Windows knows no handover: there Open returns an error that wraps
	// errors.ErrUnsupported.
	Handover string
	// Release lets go of what only one process can have, such as the archive, while nothing is accepted and before the
	// new process goes on. It must leave http.Servers usable for Reclaim: SetKeepAlivesEnabled(false), not Shutdown. On an
	// error the new process gives up; Reclaim is then called to undo what has been done. Nil does nothing.
	Release func(ctx context.Context) error
	// State returns what the application of the new process is to know, once Release is done, see [Set.State]: at most 64 KiB, or
	// else it is told nothing. Nil tells nothing.
	State func() []byte
	// Reclaim undoes Release when the new process did not make it. That one may have the archive for a moment longer: try
	// until the context ends. An error is logged, and accepting goes on all the same.
	Reclaim func(ctx context.Context) error
	// Drain waits for viewers to leave, after another process has taken over, at most until the context ends: see [Conns]. An
	// error is logged. None of the three may call Close, Wait, Ready or Done.
	Drain func(ctx context.Context) error
	// Timeouts bound the steps of a handover.
	Timeouts Timeouts

	// Now tells the time for [Status]. Nil means time.Now.
	Now func() time.Time

	listen func(ctx context.Context, network, address string) (net.Listener, error) // nil but in tests
}

// Timeouts bound the steps of a handover. Zero values mean the documented defaults. Old and new process each use their
// own.
type Timeouts struct {
	// Step bounds sending or receiving one message that needs no work, and the end of the serve functions: 5 seconds.
	Step time.Duration
	// Prepare is how long the new process may take from the sockets to Ready: 2 minutes. The old one serves meanwhile.
	Prepare time.Duration
	// Release bounds Options.Release and Options.Reclaim: 30 seconds. Nothing is accepted meanwhile.
	Release time.Duration
	// Resume is how long the new process may take from Ready to Done: 30 seconds. Nothing is accepted meanwhile.
	Resume time.Duration
	// Drain bounds Options.Drain: 5 minutes.
	Drain time.Duration
}

// maxRetryFactor bounds the time between attempts, in RetryIntervals.
const maxRetryFactor = 30

// soonFraction of a RetryInterval passes before the first attempt after another process has left.
const soonFraction = 20

func (t Timeouts) withDefaults() Timeouts {
	t.Step = cmp.Or(t.Step, 5*time.Second)
	t.Prepare = cmp.Or(t.Prepare, 2*time.Minute)
	t.Release = cmp.Or(t.Release, 30*time.Second)
	t.Resume = cmp.Or(t.Resume, 30*time.Second)
	t.Drain = cmp.Or(t.Drain, 5*time.Minute)
	return t
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.Logger = cmp.Or(d.Logger, slog.Default())
	d.RetryInterval = cmp.Or(d.RetryInterval, time.Second)
	d.Timeouts = d.Timeouts.withDefaults()
	nothing := func(context.Context) error { return nil }
	for _, f := range []*func(context.Context) error{&d.Release, &d.Reclaim, &d.Drain} {
		if *f == nil {
			*f = nothing
		}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.listen == nil {
		d.listen = (&net.ListenConfig{}).Listen
	}
	return d
}

// validate returns an error for durations below zero.
func (o *Options) validate() error {
	if o == nil {
		return nil
	}
	t := o.Timeouts
	for _, d := range []time.Duration{o.RetryInterval, t.Step, t.Prepare, t.Release, t.Resume, t.Drain} {
		if d < 0 {
			return fmt.Errorf("listen: negative duration %v in the options; zero means the default", d)
		}
	}
	return nil
}
