package server

import (
	"errors"
	"runtime"
	"syscall"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// Alarm says what is wrong with a sink of a publishing point.
type Alarm struct {
	// Sink is its name, such as "Archive".
	Sink string `json:"sink"`
	// Failing is true while it takes nothing, and Reason says why, in words for everybody: the log has the rest.
	Failing bool   `json:"failing,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Dropped fragments of the event are lost to it.
	Dropped int64 `json:"dropped,omitempty"`
}

// alarms returns what is wrong, nil if nothing is.
func alarms(sinks []livesmooth.SinkStats) []Alarm {
	var list []Alarm
	for i := range sinks {
		s := &sinks[i]
		if !s.Failing && s.Dropped == 0 {
			continue
		}
		a := Alarm{Sink: s.Name, Failing: s.Failing, Dropped: s.Dropped}
		if s.Failing {
			a.Reason = reason(s.Err)
		}
		list = append(list, a)
	}
	return list
}

// reason says why a sink fails. The error itself may name files, which are nobody's business who watches.
func reason(err error) string {
	const windowsDiskFull = syscall.Errno(112)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, windowsDiskFull) && runtime.GOOS == "windows":
		return "the disk is full"
	case errors.Is(err, livesmooth.ErrSinkSlow):
		return "it is too slow"
	}
	return "the log of the server says why"
}
