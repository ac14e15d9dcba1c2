package listen

import (
	"net"
	"time"
)

// State is what an address is doing.
type State string

// The states of an address.
const (
	// Waiting: it cannot be bound yet, see Status.Err; it is tried again.
	Waiting State = "waiting"
	// Bound: the socket is there and clients queue, but nobody accepts: before Serve, or during a handover.
	Bound State = "bound"
	// Listening: the serve function accepts.
	Listening State = "listening"
	// Stopped: the serve function has returned by itself, and the socket is closed.
	Stopped State = "stopped"
)

// Origin is where a socket comes from.
type Origin string

// The origins of sockets.
const (
	// FromBind: this process bound it.
	FromBind Origin = "bound"
	// FromActivation: systemd passed it.
	FromActivation Origin = "activated"
	// FromHandover: the process before passed it.
	FromHandover Origin = "taken over"
)

// Status is what is known of an address.
type Status struct {
	Spec
	// Addr is the address of the socket, nil without one. It has the port that was chosen for port 0.
	Addr net.Addr
	// State is what it is doing, and Since when it began to.
	State State
	Since time.Time
	// Err is why it is waiting, or why the serve function has returned; nil when all is well.
	Err error
	// Attempts counts how often it was tried to bind it.
	Attempts int
	// Origin is empty without a socket.
	Origin Origin
}

// Status returns the state of every address: those asked for, in their order, then sockets that systemd passed and nobody
// asked for.
func (s *Set) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, 0, len(s.entries))
	for _, e := range s.entries {
		list = append(list, e.status)
	}
	return list
}
