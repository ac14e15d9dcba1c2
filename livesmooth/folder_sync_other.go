//go:build !unix

package livesmooth

import "os"

// syncFolder does nothing: directories cannot be waited for here.
func syncFolder(*os.Root, string) error { return nil }
