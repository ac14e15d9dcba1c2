package lossy

import (
	"errors"
	"fmt"
)

// Op is an operation of a [Store] or of a file of it.
type Op string

// The operations, with what n is for a [Fault].
const (
	Open     Op = "open"     // n is 0
	Stat     Op = "stat"     // n is 0
	ReadDir  Op = "readdir"  // n is 0
	Read     Op = "read"     // n is the size of the buffer, of a File or of an Appender
	Append   Op = "append"   // n is 0; the file is opened or made
	Write    Op = "write"    // n is the number of bytes
	Truncate Op = "truncate" // n is the new size
	Sync     Op = "sync"     // n is the number of bytes in pages that may not be on the disk
	Replace  Op = "replace"  // n is the number of bytes; nothing is done yet
	Renamed  Op = "renamed"  // n is the number of bytes; Replace has done it, but it is not certain to survive
	Remove   Op = "remove"   // n is 0
)

// A Fault is called before each operation, without locks, by the goroutine that has called it, so it may wait, and may call
// [Store.Crash]. If it returns an error the operation fails with it, and does nothing but:
//
//   - Write appends as much as a [Short] says;
//   - Sync may leave pages that never reach the disk, see the package;
//   - Renamed fails a Replace that readers see and that a crash may undo.
type Fault func(op Op, name string, n int64) error

// Short is an error of a [Fault] for a [Write] that is done in part.
type Short struct {
	// N is the number of bytes that are written.
	N int64
	// Err is why there are no more.
	Err error
}

// Error implements error.
func (s *Short) Error() string { return fmt.Sprintf("%d bytes written: %v", s.N, s.Err) }

// Unwrap returns Err.
func (s *Short) Unwrap() error { return s.Err }

// ErrPower is the error of every operation of a store that has crashed.
var ErrPower = errors.New("lossy: no power")

// SetFault sets what is called before operations from now on; nil is nothing.
func (s *Store) SetFault(f Fault) {
	if f == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&f)
}

// before returns the error of the script, if there is one.
func (s *Store) before(op Op, name string, n int64) error {
	if f := s.fault.Load(); f != nil {
		if err := (*f)(op, name, n); err != nil {
			return fmt.Errorf("lossy: %s %s: %w", op, name, err)
		}
	}
	return nil
}
