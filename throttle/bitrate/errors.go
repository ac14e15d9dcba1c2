package bitrate

import (
	"cmp"
	"errors"
	"fmt"
)

var (
	// ErrUnknownContainer: the content is of none of the containers that the package knows.
	ErrUnknownContainer = errors.New("unknown container")
	// ErrUnknownRate: the container is known and whole, and says neither a rate nor a duration, as that of a live
	// capture; or what it says is outside the range from [MinRate] to [MaxRate].
	ErrUnknownRate = errors.New("unknown bit rate")
	// ErrCorrupt: the header contradicts its format, or ends too early.
	ErrCorrupt = errors.New("corrupt header")
	// ErrLimit: the header lies further in the file, or in more pieces, than the package reads.
	ErrLimit = errors.New("above the limit of reads")
)

// Error says where in a file detection ended. It unwraps to one of the errors of the package or to that of the reader.
type Error struct {
	Container Container // what the file was read as
	Offset    int64     // in bytes from the beginning of the file
	Detail    string    // what was expected there, may be empty
	Err       error
}

// Error implements error.
func (e *Error) Error() string {
	s := fmt.Sprintf("bitrate: %s at offset %d: %v", cmp.Or(e.Container, "file"), e.Offset, e.Err)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap implements the interface of package errors.
func (e *Error) Unwrap() error { return e.Err }
