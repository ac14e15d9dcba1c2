package mpegts

import "errors"

// Sentinels a caller acts on. Match them with [errors.Is]; every error of the package wraps one.
var (
	// ErrUnsupported: a stream has a configuration that a transport stream cannot express, or one that is malformed.
	ErrUnsupported = errors.New("unsupported stream")
	// ErrMalformed: a sample contradicts its codec or the configuration of its stream, or is empty.
	ErrMalformed = errors.New("malformed sample")
	// ErrTooLarge: a unit is above [MaxUnit], or its audio frames do not fit in one PES packet or ADTS frame. Fewer
	// frames in a unit may help.
	ErrTooLarge = errors.New("unit too large")
)
