//go:build !unix && !windows

package smooth

func isResourceError(error) bool { return false }

func isNameError(error) bool { return false }
