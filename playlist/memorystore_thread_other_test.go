//go:build !linux

package playlist_test

import "time"

// threadTime returns zero: the system does not say.
func threadTime() time.Duration { return 0 }
