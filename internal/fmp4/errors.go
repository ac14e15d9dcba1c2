package fmp4

import (
	"errors"
	"fmt"
)

// Kinds of errors. Every [*Error] unwraps to one of them or to the error of the reader.
var (
	// ErrCorrupt: the bytes contradict the format.
	ErrCorrupt = errors.New("corrupt boxes")
	// ErrTooLarge: a size or count is above one of the named limits.
	ErrTooLarge = errors.New("above the limit")
	// ErrUnsupported: valid, but nothing this package can use.
	ErrUnsupported = errors.New("unsupported boxes")
)

// Error says where in a file something is wrong.
type Error struct {
	// Path is the box path, such as "moof/traf/trun".
	Path string
	// Offset is the absolute offset of the box in bytes.
	Offset int64
	// Reason names the numbers that disagree.
	Reason string
	// Err is the kind, or the error of the reader.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("fmp4: %s at byte %d: %s", e.Path, e.Offset, e.Reason)
}

// Unwrap returns the kind or cause.
func (e *Error) Unwrap() error { return e.Err }

func corrupt(path string, offset int64, format string, args ...any) error {
	return &Error{Path: path, Offset: offset, Reason: fmt.Sprintf(format, args...), Err: ErrCorrupt}
}

func tooLarge(path string, offset int64, format string, args ...any) error {
	return &Error{Path: path, Offset: offset, Reason: fmt.Sprintf(format, args...), Err: ErrTooLarge}
}

func unsupported(path string, offset int64, format string, args ...any) error {
	return &Error{Path: path, Offset: offset, Reason: fmt.Sprintf(format, args...), Err: ErrUnsupported}
}
