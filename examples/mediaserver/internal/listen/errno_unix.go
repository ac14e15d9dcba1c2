//go:build !windows

package listen

import "syscall"

// What the system says when an address cannot be bound, or nobody listens there.
const (
	errInUse     = syscall.EADDRINUSE
	errAccess    = syscall.EACCES
	errNoAddress = syscall.EADDRNOTAVAIL
	errNoFamily  = syscall.EAFNOSUPPORT
	errRefused   = syscall.ECONNREFUSED
)
