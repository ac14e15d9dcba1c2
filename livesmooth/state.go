package livesmooth

import "fmt"

// State is what a publishing point does, in the words of the management services.
type State uint8

// The states. The user interface of IIS called Idle "Shutdown", Started "Live" and Stopped "DVR-only".
const (
	// Idle: no ingest and no viewers; the state of a new point.
	Idle State = iota
	// Starting: waits for an encoder; no streams yet.
	Starting
	// Started: live.
	Started
	// Stopping: on the way to Stopped.
	Stopping
	// Stopped: no ingest; viewers get what is in the window.
	Stopped
	// ShuttingDown: on the way to Idle.
	ShuttingDown
	// Faulted: an internal error has ended the event; [Point.LastError] has it. The services write "Error".
	Faulted
)

var stateNames = [...]string{"Idle", "Starting", "Started", "Stopping", "Stopped", "ShuttingDown", "Error"}

// String returns the value that the management services write.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState returns the state with that name, in any case, and false if there is none.
func ParseState(name string) (State, bool) {
	for i, n := range stateNames {
		if equalFold(n, name) {
			return State(i), true
		}
	}
	return 0, false
}

// signal is what a publishing point reacts to: commands of operators and what happens.
type signal uint8

const (
	commandStart    signal = iota
	commandStop            // stop the live source; viewers keep the window
	commandShutdown        // end everything
	onRequest              // a viewer or server asks for the point
	onEncoder              // an encoder connects
	onStream               // the first header has been taken
	onEnd                  // every input stream has sent its end
	onStopped              // the work of Stopping is done
	onShutdown             // the work of ShuttingDown is done
	onFault                // an internal error
	signals
)

var signalNames = [...]string{
	"start", "stop", "shutdown", "a request", "an encoder", "a header", "the end of all streams", "stopped", "shut down", "a fault",
}

// String returns the signal in words.
func (s signal) String() string { return signalNames[s] }

// effect is what entering a state asks for.
type effect uint8

const (
	noEffect effect = iota
	// openEvent begins an event.
	openEvent
	// reopenEvent ends the event that was and begins another.
	reopenEvent
	// endEvent ends ingest: no more fragments, encoders are told, sinks finish.
	endEvent
	// dropEvent forgets the event.
	dropEvent
)

// next is the law of publishing points: the state after a signal, and what that asks for. It reports false if the signal
// is not possible in the state. See section 2 of the management documentation of IIS Media Services and [MS-SSTR] 3.3.4.2: a
// started stream stops only by its end, a command or an error.
func (s State) next(in signal, set *Settings) (State, effect, bool) {
	switch in {
	case commandStart:
		if s == Idle || s == Stopped || s == Faulted {
			return s.start()
		}
		return s, noEffect, s == Starting || s == Started
	case commandStop:
		if s == Starting || s == Started {
			return Stopping, endEvent, true
		}
		return s, noEffect, s == Stopping || s == Stopped
	case commandShutdown:
		if s == Idle || s == Stopping || s == ShuttingDown {
			return s, noEffect, s != Stopping
		}
		return ShuttingDown, dropEvent, true
	case onRequest, onEncoder:
		return s.approach(in, set)
	case onStream:
		if s == Starting {
			return Started, noEffect, true
		}
		return s, noEffect, s == Started
	case onEnd:
		if s == Started {
			return Stopping, endEvent, true
		}
	case onStopped:
		if s == Stopping {
			return Stopped, noEffect, true
		}
	case onShutdown:
		if s == ShuttingDown {
			return Idle, noEffect, true
		}
	case onFault:
		if s == Starting || s == Started || s == Stopping {
			return Faulted, endEvent, true
		}
	}
	return s, noEffect, false
}

// start is the way into Starting. IIS knows it from Idle only; from Stopped and Error it spares the operator a command.
func (s State) start() (State, effect, bool) {
	if s == Idle {
		return Starting, openEvent, true
	}
	return Starting, reopenEvent, true
}

// approach is what a request does: it may start the point, and is refused where it cannot be served.
func (s State) approach(in signal, set *Settings) (State, effect, bool) {
	switch s {
	case Idle:
		if set.AutoStart {
			return Starting, openEvent, true
		}
		return s, noEffect, false
	case Stopped:
		if in == onEncoder && set.AutoRestart && set.Source != SourcePull {
			return Starting, reopenEvent, true
		}
		return s, noEffect, in == onRequest
	case Starting, Started:
		return s, noEffect, true
	case Stopping:
		return s, noEffect, in == onRequest
	}
	return s, noEffect, false
}
