//go:build !linux

package main

import "net"

// isReset cannot be known on this system.
func isReset(net.Conn) bool { return false }
