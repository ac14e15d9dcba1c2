//go:build !linux

package listen

// holder returns who has an address, which only Linux tells.
func holder(place) string { return "" }
