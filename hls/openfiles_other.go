//go:build !unix

package hls

// openFilesLimit returns how many open files the process may have.
func openFilesLimit() uint64 { return 2 * mostKeptFiles }
