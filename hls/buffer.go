package hls

import (
	"math/bits"
	"sync"
)

const (
	minBufferClass = 16 // 64 KiB
	maxBufferClass = 25 // 32 MiB; larger buffers are not kept
)

// buffers lends memory for segments and for the payload of fragments, in classes of capacity: four per power of two, so
// that little is wasted.
var buffers [(maxBufferClass + 1) * 4]sync.Pool

// bufferClass returns the class whose capacity is at least n, and that capacity.
func bufferClass(n int) (class, capacity int) {
	n = max(n, 1<<minBufferClass)
	e := bits.Len(uint(n - 1)) // 2^(e-1) < n <= 2^e
	quarter := 1 << (e - 3)
	k := (n - 1<<(e-1) + quarter - 1) / quarter // 1 to 4
	return (e-1)*4 + k - 1, 1<<(e-1) + k*quarter
}

// getBuffer returns an empty buffer with room for n bytes.
func getBuffer(n int) *[]byte {
	class, capacity := bufferClass(n)
	if class >= len(buffers) {
		b := make([]byte, 0, n)
		return &b
	}
	if b, ok := buffers[class].Get().(*[]byte); ok {
		*b = (*b)[:0]
		return b
	}
	b := make([]byte, 0, capacity)
	return &b
}

// putBuffer takes a buffer back.
func putBuffer(b *[]byte) {
	class, capacity := bufferClass(cap(*b))
	if class < len(buffers) && capacity == cap(*b) {
		buffers[class].Put(b)
	}
}
