package listen

import "golang.org/x/sys/windows"

// What the system says when an address cannot be bound, or nobody listens there. Those of package syscall are others.
const (
	errInUse     = windows.WSAEADDRINUSE
	errAccess    = windows.WSAEACCES
	errNoAddress = windows.WSAEADDRNOTAVAIL
	errNoFamily  = windows.WSAEAFNOSUPPORT
	errRefused   = windows.WSAECONNREFUSED
)
