//go:build !unix

package smooth

// openFilesLimit returns how many open files the process may have.
func openFilesLimit() uint64 { return 4 * mostOpenFiles }
