// Package storetest tests what every store of sessions must do.
package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/smoothkit/smoothkit/playlist"
)

// Options are what a store under test is to be made with.
type Options struct {
	MaxSessions int // zero means no limit
	Now         func() time.Time
}

// Run tests the stores that open returns, each of which must be empty.
func Run(t *testing.T, open func(*testing.T, Options) playlist.Store) {
	for name, test := range map[string]func(*fixture){
		"keeps all of a session":               keepsAll,
		"refused changes are not kept":         refused,
		"nothing is shared with change":        notShared,
		"unknown":                              unknown,
		"ends after inactivity":                endsIdle,
		"ends after its life":                  endsOld,
		"deleted":                              deleted,
		"deleted while it is updated":          deletedInside,
		"limit":                                limit,
		"updates of one session do not meet":   counts,
		"updates of many sessions at a time":   countsOfMany,
		"updates of others do not wait":        othersGoOn,
		"an update waits no longer than asked": waitsForContext,
		"a panic leaves nothing locked":        panics,
		"lists":                                lists,
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{T: t}
			f.time.Store(epoch.UnixNano())
			f.open = func(max int) playlist.Store { return open(t, Options{MaxSessions: max, Now: f.now}) }
			test(f)
		})
	}
}

// epoch is the time at which the tests begin.
var epoch = time.Date(2026, 3, 1, 20, 15, 30, 0, time.UTC)

// fixture is a test with a clock.
type fixture struct {
	*testing.T
	time atomic.Int64 // nanoseconds since 1970
	open func(maxSessions int) playlist.Store
}

func (f *fixture) now() time.Time        { return time.Unix(0, f.time.Load()).UTC() }
func (f *fixture) after(d time.Duration) { f.time.Add(int64(d)) }
