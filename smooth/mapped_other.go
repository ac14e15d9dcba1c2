//go:build !linux || !(amd64 || arm64)

package smooth

// mapping is not used on this system.
type mapping struct{}

func (*mapping) close() {}
