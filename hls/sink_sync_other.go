//go:build !unix

package hls

// syncDir does nothing: directories cannot be waited for here.
func syncDir(string) error { return nil }
