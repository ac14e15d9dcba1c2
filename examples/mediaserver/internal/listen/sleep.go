package listen

import (
	"context"
	"errors"
	"time"
)

// errEarly: a sleep ended before its time, as something happened.
var errEarly = errors.New("woken early")

// sleepUnless waits for a time. It returns errEarly when something comes from the channel before, which may be nil, or the error of
// the context.
func sleepUnless(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-wake:
		return errEarly
	case <-ctx.Done():
		return ctx.Err()
	}
}
