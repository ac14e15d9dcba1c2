//go:build !linux

package xslt

// limitProcess does nothing: there is no way to bound another process after its start.
func limitProcess(pid int, memory, cpu uint64) error { return nil }
