//go:build !linux

package hls

// systemFiles are temporary files: they have names here.
var systemFiles = namedFiles
