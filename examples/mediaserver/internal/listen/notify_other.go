//go:build !linux

package listen

// NotifyReloadingAt is NotifyReloading, as there is no systemd here.
func NotifyReloadingAt() string { return NotifyReloading }
