//go:build !unix

package main

import (
	"errors"
	"fmt"
	"os"
)

// pause cannot stop a program on this system, so that nothing can be measured in turns.
func pause(*os.Process) error {
	return fmt.Errorf("stop a program for a while: %w", errors.ErrUnsupported)
}

func resume(*os.Process) error { return nil }
