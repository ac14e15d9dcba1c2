// Package fmp4 is the trust boundary for ISO base media files: bounded scanning and parsing of untrusted boxes, and
// the writing of fragment headers. Nothing else in the module reads MP4 boxes from a file or the network.
package fmp4
