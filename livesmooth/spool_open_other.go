//go:build !unix

package livesmooth

// openFilesLimit returns how many open files the process may have.
func openFilesLimit() uint64 { return 8 * mostSpoolOpen }
