package listen

import (
	"errors"
	"fmt"
)

// Sentinels of addresses.
var (
	// ErrAddress: an address of a Spec cannot be parsed, or is there twice.
	ErrAddress = errors.New("not a valid address to listen on")
	// ErrNoListener: with Options.Strict, not one address could be bound.
	ErrNoListener = errors.New("no address could be bound")
	// ErrClosed: the Set has been closed, or its sockets have gone to another process.
	ErrClosed = errors.New("listen: closed")
)

// Sentinels of handing over.
var (
	// ErrTakenOver: [Set.Wait] returns it when another process has the sockets and the viewers are gone. It is a success.
	ErrTakenOver = errors.New("listen: another process has taken over")
	// ErrBusy: the running process is being taken over by another one, or is not ready for it yet.
	ErrBusy = errors.New("the running process is busy")
	// ErrRefused: the running process could not let go, or has taken everything back.
	ErrRefused = errors.New("the running process refused")
	// ErrProtocol: the other end of the control socket does not speak this protocol or this version of it.
	ErrProtocol = errors.New("control protocol broken")
	// ErrPeer: the other end of the control socket belongs to another user.
	ErrPeer = errors.New("the other end belongs to another user")
)

// AddressError says why an address cannot be bound, and what helps.
type AddressError struct {
	// Address is that of the Spec.
	Address string
	// Holder is who has the address, such as "nginx (pid 123)", or empty if it is not taken or nobody knows.
	Holder string
	// Reason is what is wrong, such as "is taken by nginx (pid 123)", and Remedy what to do, or empty.
	Reason, Remedy string
	// Err is what the system said.
	Err error
}

// Error returns the address, the reason and the remedy.
func (e *AddressError) Error() string {
	if e.Remedy == "" {
		return fmt.Sprintf("listen: address %s %s", e.Address, e.Reason)
	}
	return fmt.Sprintf("listen: address %s %s: %s", e.Address, e.Reason, e.Remedy)
}

// Unwrap returns what the system said.
func (e *AddressError) Unwrap() error { return e.Err }
