package service

import (
	"context"
	"errors"
	"time"
)

// request is what the service control manager asks of a service.
type request uint8

const (
	ignore      request = iota
	interrogate         // report the status
	stop                // end, also because the computer shuts down
	reload              // parameters have changed
)

// state is what a service reports.
type state uint8

const (
	starting state = iota
	running
	stopping
)

// status is a report. Checkpoint grows while the state lasts and the service makes progress.
type status struct {
	state      state
	checkpoint uint32
}

// control runs a program and answers requests until it ends. It is not told when the program has begun to serve, so it
// is running as soon as it is started. The error is that of the program, nil where it was stopped and says just that.
// Requests of type R are those of the system, which translate knows.
func control[R any](
	run func(context.Context) error, opts Options, requests <-chan R, translate func(R) request, report func(status),
) error {
	report(status{state: starting})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }() // control returns only after it has
	now := status{state: running}
	report(now)
	var progress <-chan time.Time
	for {
		select {
		case err := <-ended:
			if now.state == stopping && errors.Is(err, context.Canceled) {
				err = nil
			}
			return err
		case <-progress:
			now.checkpoint++
			report(now)
		case r, ok := <-requests:
			if !ok {
				requests = nil
				continue
			}
			switch translate(r) {
			case interrogate:
				report(now)
			case reload:
				if now.state == running && opts.Reload != nil {
					opts.Reload()
				}
			case stop:
				if now.state == stopping {
					continue
				}
				now = status{state: stopping, checkpoint: 1}
				report(now)
				cancel()
				ticker := time.NewTicker(opts.Progress)
				defer ticker.Stop()
				progress = ticker.C
			}
		}
	}
}
