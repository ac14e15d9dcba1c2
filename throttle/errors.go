package throttle

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrNoRate is returned by waits for bytes that will never be earned, as the bucket's rate is zero.
var ErrNoRate = errors.New("throttle: the rate is zero")

// Why the rate of a response was not found, besides the errors of package bitrate.
var (
	errUnknownSize = errors.New("throttle: the size of the file is not known")
	errInterrupted = errors.New("throttle: the handler panicked while its file was read")
	errNoContent   = errors.New("throttle: the file cannot be read beside the response")
)

// errRefused is returned to a handler that writes a response in the place of which 503 has been sent.
var errRefused = errors.New("throttle: the connection group is full, 503 has been sent in the place of the response")

// errHijack is returned to who would take the connection away from under the pacing.
var errHijack = fmt.Errorf("throttle: a response behind a throttle handler cannot be hijacked: %w", http.ErrNotSupported)
