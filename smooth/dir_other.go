//go:build !unix

package smooth

func isResourceError(error) bool { return false }
