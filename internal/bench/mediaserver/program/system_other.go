//go:build !linux

package program

import (
	"errors"
	"fmt"
)

// RaiseFiles leaves the limit as it is.
func RaiseFiles(n int) (int, error) { return n, nil }

// InNamespace cannot be done on this system.
func InNamespace(...string) error { return fmt.Errorf("network namespace: %w", errors.ErrUnsupported) }

// SetUpNamespace cannot be done on this system.
func SetUpNamespace() error { return fmt.Errorf("network namespace: %w", errors.ErrUnsupported) }
