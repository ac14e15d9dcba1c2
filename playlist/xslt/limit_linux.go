package xslt

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// limitProcess bounds the address space, in bytes, and the processor time, in seconds, of a process of ours; zero is no
// limit. One that has ended needs none.
func limitProcess(pid int, memory, cpu uint64) error {
	err := errors.Join(setLimit(pid, unix.RLIMIT_AS, memory), setLimit(pid, unix.RLIMIT_CPU, cpu))
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

func setLimit(pid, resource int, value uint64) error {
	if value == 0 {
		return nil
	}
	var old unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		return fmt.Errorf("xslt: limit of resource %d: %w", resource, err)
	}
	value = min(value, old.Max) // only root may raise it
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil {
		return fmt.Errorf("xslt: limit of resource %d: %w", resource, err)
	}
	return nil
}
