//go:build !unix && !windows

package usage

import "time"

// processTime returns -1: unknown.
func processTime() time.Duration { return -1 }

// diskFull returns the errors of a file system without space.
func diskFull() []error { return nil }
