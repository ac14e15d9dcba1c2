//go:build !linux

package hls

import "os"

// newNamelessFile returns a temporary file in a directory. It has a name here, and loses it when it is closed.
func newNamelessFile(dir string) (*os.File, error) { return os.CreateTemp(dir, "hls-segment-*") }

// reopen returns a descriptor of the same file with a position of its own.
func reopen(f *os.File) (*os.File, error) { return os.Open(f.Name()) }

func closeNameless(f *os.File) {
	f.Close()
	_ = os.Remove(f.Name())
}
