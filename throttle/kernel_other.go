//go:build !linux

package throttle

import "net"

const canPace = false

func setPacingRate(*net.TCPConn, uint64) {}
